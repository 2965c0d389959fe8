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

// A member of a page descriptor: an unsigned number.
struct mend_root_field {
  uint16_t offset;  // in bytes from the descriptor's start
  uint16_t bytes;   // how many it takes: 1, 2, 4 or 8
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
  const void *metadata_bytes;  // size_t: up to where it is accessible, but for others' mappings

  // The page table: one descriptor for each slice of the region. A page is a run of slices; it is
  // described by its first slice's descriptor. LIST, BITMAP and so on are the kinds below.
  uint32_t slice_bytes;
  uint32_t descriptor_bytes;
  struct mend_root_field kind;         // a MEND_ROOT_PAGE_ value below
  struct mend_root_field size_class;   // LIST, BITMAP: its number, by rising block_bytes
  struct mend_root_field slices;       // of the page or run; INSIDE: how far back its first one is
  struct mend_root_field block_bytes;  // usable size of each block; FREE: how much may hold memory
  struct mend_root_field carved;       // LIST, BITMAP: blocks handed out at least once
  struct mend_root_field capacity;     // LIST, BITMAP: blocks that fit
  struct mend_root_field used;         // LIST: of the carved, those not in the page's own list
  // In LIST pages, its top 16 bits count blocks freed by other threads that are still in `used`; in
  // BITMAP pages with more than 64 blocks, it is the number in use.
  struct mend_root_field remote;
  struct mend_root_field bits;  // BITMAP of up to 64 blocks: one bit a block, set while it is free
};

// Values of `kind`.
enum {
  MEND_ROOT_PAGE_NONE = 0,    // not in use, or a later slice of a large block
  MEND_ROOT_PAGE_FREE = 1,    // the first or last slice of a free run
  MEND_ROOT_PAGE_INSIDE = 2,  // a slice of a LIST or BITMAP page other than its first
  MEND_ROOT_PAGE_LIST = 3,    // a page of blocks of up to 4 KiB
  MEND_ROOT_PAGE_BITMAP = 4,  // a page of blocks of 4 to 64 KiB
  MEND_ROOT_PAGE_LARGE = 5    // one block above 64 KiB, or aligned to more
};

MEND_EXPORT extern const struct mend_root mend_root;

#ifdef __cplusplus
}
#endif
#endif
