// SPDX-License-Identifier: MIT
//
// How numbers are taken out of a copy of another process's structures, and out of its memory.
#ifndef TOOLS_REMOTE_FIELD_H
#define TOOLS_REMOTE_FIELD_H

#include <string.h>

#include "remote.h"

// 0 of a field that the library does not have.
static inline uint64_t field_read(const void *structure, struct mend_root_field field)
{
  const char *at = (const char *)structure + field.offset;
  uint8_t byte;
  uint16_t half;
  uint32_t word;
  uint64_t number = 0;
  switch (field.bytes) {
  case 1:
    memcpy(&byte, at, sizeof byte);
    return byte;
  case 2:
    memcpy(&half, at, sizeof half);
    return half;
  case 4:
    memcpy(&word, at, sizeof word);
    return word;
  case 8:
    memcpy(&number, at, sizeof number);
    return number;
  default:
    return 0;
  }
}

// Whether a field lies in a structure of that length, or does not exist.
static inline bool field_is_sound(struct mend_root_field field, uint64_t structure_bytes)
{
  bool is_number = field.bytes == 1 || field.bytes == 2 || field.bytes == 4 || field.bytes == 8;
  return field.bytes == 0 || (is_number && (uint64_t)field.offset + field.bytes <= structure_bytes);
}

static inline bool row_is_sound(struct mend_root_row row, uint64_t structure_bytes)
{
  return row.count == 0 || (row.count <= 1024 && row.stride <= structure_bytes &&
                            row.offset + (uint64_t)row.stride * row.count <= structure_bytes);
}

// 0 if it cannot be read.
static inline uint64_t number_read(const struct target *target, const void *address)
{
  uint64_t number;
  bool is_read = address != NULL &&
                 target_read(target, (uintptr_t)address, &number, sizeof number) == sizeof number;
  return is_read ? number : 0;
}

#endif
