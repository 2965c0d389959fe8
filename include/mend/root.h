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

#define MEND_ROOT_VERSION 2

// A member of a page descriptor, or of another structure: an unsigned number.
struct mend_root_field {
  uint16_t offset;  // in bytes from the start of what it is in
  uint16_t bytes;   // how many it takes: 1, 2, 4 or 8; 0: there is no such member
};

// A row of equal structures within another. Since 0.5.
struct mend_root_row {
  uint32_t offset;  // of the first, from the start of what they are in
  uint32_t stride;  // from one to the next
  uint32_t count;   // how many
};

// An option, and where its value is: a number. Since 0.5.
struct mend_root_option {
  char name[32];    // as in MEND_CONF; ends with a zero
  char kind[8];     // BOOL, NUMBER, SIZE, TIME and so on; ends with a zero
  uint32_t offset;  // from the first option's value
  uint32_t bytes;   // how many it takes
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

  // Since version 2. What the library is, and its options.
  uint32_t flags;       // the MEND_ROOT_IS_ values below
  uint32_t bits_most;   // BITMAP: pages of more blocks than this have `remote` instead of `bits`
  char library[16];     // its version, as text that ends with a zero
  const void *options;  // the first option's value
  const struct mend_root_option *option_rows;
  uint32_t option_count;  // how many rows there are
  uint32_t reserved;      // 0

  // Addresses of counters in the target: size_t.
  const void *region_end;              // bytes from the region's start up to where it is accessible
  const void *region_skipped_bytes;    // of those, where others' mappings lie
  const void *metadata_skipped_bytes;  // the same of the metadata
  const void *mapping_count;           // kernel mappings caused beyond the first ones
  const void *purged_bytes;            // returned to the kernel so far
  const void *os_call_count;           // system calls made for memory so far
  const void *lone_bytes;              // in blocks outside of the region (hardened); or NULL
  // Tracking: the low two bits of a uint32_t are its mode, a MEND_ROOT_TRACKS_ value; a size_t, the
  // mean of the bytes from one sample to the next; and a size_t for each class: blocks in use that
  // are kept in place of samples, and are not the program's.
  const void *tracking_mode;
  const void *tracking_interval;
  const void *twin_counts;
  uint32_t twin_classes;
  uint32_t reserved_too;  // 0

  // More of a descriptor.
  struct mend_root_field heap;        // address of its heap; LARGE: 0 unless of a first-class heap
  struct mend_root_field page_flags;  // the MEND_ROOT_PAGE_IS_ values below
  struct mend_root_field object_bytes;  // LARGE that holds an object: the size of that

  // The heaps: a chain of all threads' and first-class ones; the common heap, which inherits what
  // threads leave; and those of objects, which only the pages they have lead to.
  const void *first_heap;                      // pointer to the first of the chain
  const void *common_heap;                     // pointer to the common heap
  const void *no_heap;                         // a heap: only its counts of large blocks matter
  uint32_t heap_bytes;                         // length of the structure
  struct mend_root_field heap_next;            // address of the next in the chain
  struct mend_root_field heap_owner;           // 0: nobody's; 2: shared; else a thread's
  struct mend_root_field heap_thread;          // that thread's number for the kernel; 0: not known
  struct mend_root_field heap_is_taken;        // not 0: has a thread or a user
  struct mend_root_field heap_is_first_class;  // not 0: frees go to its pages at once
  struct mend_root_field heap_has_objects;     // not 0: its pages hold objects that may move
  struct mend_root_field heap_is_given_up;     // not 0: a fork has left it as it was
  struct mend_root_field heap_tidied_ms;    // a thread's: when it last gave back what it held ready
  struct mend_root_field heap_large_bytes;  // allocated less freed by this thread, modulo 2^64
  struct mend_root_field heap_large_count;  // and how many blocks
  // Blocks of the heap that are free but in no page's list: bins hold small ones, chained through
  // themselves, shelves the others. Rows are by class, the shelves' classes after the bins'; there
  // may be several bins of a class.
  struct mend_root_row bins;
  uint32_t bin_classes;              // the classes that have bins: those of the bins repeat
  struct mend_root_field bin_first;  // of a bin: address of a free block; 0: none
  struct mend_root_row shelves;
  struct mend_root_field shelf_count;  // of a shelf: how many blocks lie there
  // Of a heap of objects.
  struct mend_root_field heap_handles;   // address of the handle heap
  struct mend_root_field heap_is_still;  // not 0: its objects never move
  uint32_t heap_objects_bytes;           // length of the structure that begins with such a heap
  struct mend_root_field handles_slot;   // of the handle heap: its number

  // The tables of handles: one row for each number of a handle heap.
  const void *handle_tables;
  struct mend_root_row handle_rows;
  struct mend_root_field handle_entries;  // of a row: address of the entries, 8 bytes each
  struct mend_root_field handle_infos;    // of a row: address of what is beside them, 4 bytes each
  struct mend_root_field handle_count;    // of a row: how many are accessible
  uint64_t entry_state_mask;              // of an entry: 0 there if it names no object
  uint32_t entry_shift;       // of an entry: the object's 16-byte unit in the region is above
  uint32_t info_pinned;       // of an info: set while the object is pinned
  uint32_t info_class_shift;  // of an info: the class of the object's block is above,
  uint32_t info_class_mask;   // in so many bits; no class: it is large
  uint32_t info_slack_mask;   // of an info: what the block holds beyond the object
  uint32_t class_count;       // how many classes there are
};

// Values of `flags`.
enum {
  MEND_ROOT_IS_HARDENED = 1,   // the hardened build
  MEND_ROOT_IS_OVERRIDING = 2  // it has the names of malloc and operator new, not just mend_*
};

// Values of the mode.
enum { MEND_ROOT_TRACKS_NOTHING = 0, MEND_ROOT_TRACKS_SAMPLES = 1, MEND_ROOT_TRACKS_ALL = 2 };

// Values of `page_flags`; others may be set as well.
enum {
  MEND_ROOT_PAGE_IS_CLEAN = 1,    // the run read as zero when it became a page; FREE: it does
  MEND_ROOT_PAGE_IS_CLOSED = 2,   // BITMAP: no block is handed out any more
  MEND_ROOT_PAGE_IS_PURGED = 8,   // LIST, BITMAP: what lies behind the carved blocks is returned
  MEND_ROOT_PAGE_IS_FOREIGN = 32  // NONE: from here on `slices` are somebody else's mapping
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
