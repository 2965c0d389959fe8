// SPDX-License-Identifier: MIT
//
// The one table that another process (a tool, a test, a debugger with a core file) needs to judge
// the heap without stopping it: where things are, and how they are laid out. It is the exported
// symbol mend_root; find it in the target's symbol table, read it, then read what it points to.
//
// Everything is read while the target runs, so any value may be torn or stale: check and read
// again.
#ifndef MEND_ROOT_H
#define MEND_ROOT_H

#include <stdint.h>

#include "mend/mend.h"

#ifdef __cplusplus
extern "C" {
#endif

#define MEND_ROOT_VERSION 1

// A member of a page descriptor.
struct mend_root_field {
  uint16_t offset;  // in bytes from the descriptor's start
  uint16_t bytes;
};

// Since 0.1. From the first release on, fields are only ever added at the end.
struct mend_root {
  char magic[8];     // "mendroot"
  uint32_t version;  // MEND_ROOT_VERSION
  uint32_t bytes;    // sizeof(struct mend_root)

  // Addresses of variables in the target.
  const void *region_start;    // uintptr_t: first address of the blocks' region
  const void *region_units;    // size_t: 16-byte units of it that have descriptors
  const void *page_table;      // void *: the first descriptor
  const void *metadata_start;  // char *: first address of the metadata
  const void *metadata_bytes;  // size_t: how much of it is accessible

  // The page table: one descriptor for each slice of the region.
  uint32_t slice_bytes;
  uint32_t descriptor_bytes;
  struct mend_root_field kind;  // a MEND_ROOT_PAGE_ value below
  struct mend_root_field size_class;
  struct mend_root_field slices;
  struct mend_root_field block_bytes;
  struct mend_root_field carved;    // blocks handed out at least once
  struct mend_root_field capacity;  // blocks that fit
  struct mend_root_field used;      // LIST: of the carved, not in the page's own list
  struct mend_root_field remote;    // LIST: of the used, free: top 16 bits; BITMAP: used, over 64
  struct mend_root_field bits;      // BITMAP of up to 64: bit a block, set while it is free
};

// Values of `kind`.
enum {
  MEND_ROOT_PAGE_NONE = 0,
  MEND_ROOT_PAGE_FREE = 1,
  MEND_ROOT_PAGE_INSIDE = 2,
  MEND_ROOT_PAGE_LIST = 3,
  MEND_ROOT_PAGE_BITMAP = 4,
  MEND_ROOT_PAGE_LARGE = 5
};

MEND_EXPORT extern const struct mend_root mend_root;

#ifdef __cplusplus
}
#endif
#endif
