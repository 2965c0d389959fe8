// SPDX-License-Identifier: MIT
//
// One or two snapshots laid out as cells of equal size, so that a cell of the one and a cell of the
// other stand for the same addresses. The cells cover what has a line in either snapshot; addresses
// that have none in both are left out, however many there are.
#ifndef TOOLS_CELLS_H
#define TOOLS_CELLS_H

#include "snapshot.h"

struct stretch {
  uint64_t start;  // address
  uint64_t bytes;
  uint64_t offset;  // of its start among all that is covered
};

struct axis {
  struct stretch *stretches;
  size_t stretch_count;
  uint64_t bytes;       // covered in all
  uint64_t cell_bytes;  // what a cell stands for
  size_t cell_count;
};

// What fills most of what is in use in a cell; if nothing is, CACHED if any of it is, else
// RETURNED.
enum look { LOOK_NOTHING, LOOK_RETURNED, LOOK_CACHED, LOOK_BLOCKS, LOOK_OBJECTS, LOOK_LARGE };

enum { LOOK_COUNT = LOOK_LARGE + 1 };

struct cell {
  double bytes[LOOK_COUNT];  // of the cell that look so
  double used;               // of the cell in live blocks
  uint64_t pins;
};

// At most `cells_most` cells of at least a slice. False, after a complaint, if there is no memory.
bool axis_make(struct axis *axis, const struct snapshot *snapshots, size_t count,
               size_t cells_most);
void axis_free(struct axis *axis);

// The cells of a snapshot, to be freed; NULL, after a complaint, if there is no memory.
struct cell *cells_make(const struct axis *axis, const struct snapshot *snapshot);
enum look cell_look(const struct cell *cell);
// How much of the cell is live blocks, from 0 to 1.
double cell_occupancy(const struct cell *cell, const struct axis *axis);

#endif
