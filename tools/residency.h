// SPDX-License-Identifier: MIT
//
// Which os pages of a process hold memory, or have it in swap, says the kernel (/proc/PID/pagemap).
// Of a core file nobody tells. Asked by rising addresses it reads far ahead.
#ifndef TOOLS_RESIDENCY_H
#define TOOLS_RESIDENCY_H

#include "target.h"

struct residency {
  const struct target *target;
  int file;         // pagemap; -1: not to be had
  uint64_t *words;  // one for each os page from `first` on
  uint64_t first;   // number of the os page
  uint64_t count;
  uint64_t read_count;  // words so far: beyond half a TiB of memory nobody is asked
};

void residency_open(struct residency *residency, const struct target *target);
void residency_close(struct residency *residency);
// How much of a stretch holds memory; `otherwise` if nobody tells.
uint64_t residency_bytes(struct residency *residency, uint64_t start, uint64_t bytes,
                         uint64_t otherwise);

#endif
