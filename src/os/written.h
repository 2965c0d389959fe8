// SPDX-License-Identifier: MIT
//
// Which os pages of a mapping hold something, so that who reads all memory need not touch what was
// never touched: of private mappings the pages that this process has written (of its own, in memory
// or swapped out), of shared ones those that are in memory. Where the kernel does not tell, all do.
//
// Nothing is allocated or locked. Not every page that is told can be read.
#ifndef OS_WRITTEN_H
#define OS_WRITTEN_H

#include "base/internal.h"

struct os_written {
  int file;  // /proc/self/pagemap; -1: it does not tell
  union {
    uint64_t entries[512];
    unsigned char residence[4096];
  };
};

typedef void (*os_written_visitor)(uintptr_t start, uintptr_t end, void *argument);

// For the process that it is called in.
INTERNAL void os_written_open(struct os_written *written);
// Calls the function for each run of such pages between two addresses of one mapping, upwards.
INTERNAL void os_written_each(struct os_written *written, uintptr_t start, uintptr_t end,
                              bool is_shared, os_written_visitor visit, void *argument);
INTERNAL void os_written_close(struct os_written *written);

#endif
