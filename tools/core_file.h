// SPDX-License-Identifier: MIT
//
// Core files: which stretches of memory they hold, and what their notes say of the process.
#ifndef TOOLS_CORE_FILE_H
#define TOOLS_CORE_FILE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct target;

struct segment {
  uint64_t start;
  uint64_t bytes;       // that were mapped
  uint64_t held_bytes;  // of those, from the start, in the file
  uint64_t offset;      // where
};

// Whether an open file is a core file.
bool core_file_is(int file);
// Fills a target whose file is open. False after a complaint.
bool core_file_read(struct target *target);
size_t core_file_read_memory(const struct target *target, uint64_t address, char *buffer,
                             size_t bytes);
// The first address from here on that the file holds; UINT64_MAX if there is none.
uint64_t core_file_next(const struct target *target, uint64_t address);

#endif
