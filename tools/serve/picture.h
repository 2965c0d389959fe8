// SPDX-License-Identifier: MIT
//
// What `mend serve` shows of a process: its heap as cells, its figures, its classes and how the
// figures have changed, taken anew at each look. The process is not stopped and does nothing for
// it. When it has ended, the last picture stays.
#ifndef TOOLS_SERVE_PICTURE_H
#define TOOLS_SERVE_PICTURE_H

#include <stdio.h>

#include "cells.h"
#include "remote.h"
#include "snapshot.h"

enum { PICTURE_CELLS_MOST = 6000, PICTURE_HISTORY = 1200 };

// What is kept of each look.
struct picture_sample {
  int64_t time_ms;  // of the wall clock
  uint64_t resident_bytes;
  uint64_t live_bytes;
  uint64_t held_bytes;  // memory of the pages that have blocks
  uint64_t retained_bytes;
  double fragmentation;  // of held_bytes, the share that no live block has
};

struct picture {
  struct target target;
  struct remote remote;
  struct snapshot snapshot;
  struct axis axis;
  struct cell *cells;
  bool is_live;                                    // the process was there at the last look
  uint64_t look_count;                             // also the number of the last sample, from 1
  uint64_t look_ns;                                // how long the last look took
  struct picture_sample samples[PICTURE_HISTORY];  // sample n is at n % PICTURE_HISTORY
};

// Opens a process and takes a first look. False after a complaint. Either way picture_close.
bool picture_open(struct picture *picture, pid_t process);
// Another look; does nothing once the process has ended.
void picture_look(struct picture *picture);
void picture_close(struct picture *picture);

// The sample of the last look.
const struct picture_sample *picture_now(const struct picture *picture);

// All of it as JSON, with the samples behind the one of the number `since`.
void picture_write(const struct picture *picture, uint64_t since, FILE *stream);

#endif
