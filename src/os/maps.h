// SPDX-License-Identifier: MIT
//
// What is mapped in this process, as /proc/self/maps tells it, line by line. The reader is the
// caller's, so nothing is allocated or locked; errno stays.
#ifndef OS_MAPS_H
#define OS_MAPS_H

#include "base/internal.h"

struct os_map {
  uintptr_t start;
  uintptr_t end;
  uint64_t offset;  // of the start, in the file
  bool is_readable;
  bool is_writable;
  bool is_code;      // it may be executed
  bool is_shared;    // what is written there, others see
  const char *file;  // which it is: device, number, and the path behind them
  const char *path;  // "" if there is none, "[stack]" and the like; cut off if it is very long
};

struct os_maps_reader {
  char chunk[1024];
  char line[320];  // terminated
  size_t length;
};

// Calls `visit` for each mapping, upwards, as long as it returns true. False if nobody tells, or
// not all that it was to see.
INTERNAL bool os_maps_each(struct os_maps_reader *reader,
                           bool (*visit)(const struct os_map *map, void *argument), void *argument);

#endif
