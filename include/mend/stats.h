// SPDX-License-Identifier: MIT
//
// What the heap holds, in numbers. Reading them stops nobody for longer than it takes to walk that
// thread's pages; figures of threads that are running may be a moment old. All values are bytes
// unless the name says count. While no other thread allocates or frees,
//
//   committed = live + free + uncarved + rest + retained + unused
#ifndef MEND_STATS_H
#define MEND_STATS_H

#include "mend/mend.h"

#ifdef __cplusplus
extern "C" {
#endif

// Set `bytes` to sizeof(struct mend_stats) before the call, which does not change it. Zero the
// struct first: fields that an older library does not know stay as they are; fields that the caller
// does not know are not written. Since 0.1.
struct mend_stats {
  size_t bytes;            // sizeof of the caller's struct
  size_t live_bytes;       // usable sizes of the blocks that are handed out
  size_t free_bytes;       // free blocks in pages in use (those other threads hold ready are live)
  size_t retained_bytes;   // free pages that still hold memory, kept for reuse
  size_t uncarved_bytes;   // parts of pages in use that have never been touched
  size_t committed_bytes;  // address space for blocks that is readable and writable
  size_t metadata_bytes;   // accessible for descriptors, heaps and bitmaps
  size_t large_bytes;      // of live_bytes: blocks above 64 KiB, or aligned to more than that
  size_t large_count;      // how many of those there are
  size_t page_count;       // pages in use
  size_t heap_count;       // threads' heaps and first-class heaps
  size_t purged_bytes;     // given to the kernel to take back, since the start
  size_t os_call_count;    // system calls made for memory since the start
  size_t mapping_count;    // kernel mappings that mend has caused beyond its first ones
  size_t rest_bytes;       // behind the ends of large blocks, which take whole slices of 64 KiB
  size_t unused_bytes;     // committed and holding nothing: never used, or given to the kernel
  // Since 0.5, parts of free_bytes that wait in the heap of the calling thread, and in shared ones:
  size_t cached_bytes;      // kept ready to be handed out
  size_t quarantine_bytes;  // freed and kept from use for a while (the hardened build)
};

// Fills *stats. Returns false (and writes nothing) if stats is NULL or stats->bytes is
// smaller than one size_t.
MEND_EXPORT bool mend_stats_get(struct mend_stats *stats) MEND_NOTHROW;

// ---------------------------------------------------------------------------------------------
// Resident memory.

#define MEND_RESIDENT_VERSION 1

// Where the resident memory of the heap is: the lines from `live` to `metadata` add up to `total`,
// exactly, and none is negative; the kernel is asked which os pages hold memory, so that `total` is
// what /proc/PID/smaps says of the mappings that mend made, while the heap stays as it is. Of a
// page of blocks that is resident in part only, what is missing is taken off its free blocks first.
//
// Set `bytes` to sizeof(struct mend_resident) before the call, and zero the struct first, as for
// struct mend_stats; `version` says which fields the library knows. All are bytes. Since 0.5.
struct mend_resident {
  size_t bytes;    // sizeof of the caller's struct
  size_t version;  // of the library: MEND_RESIDENT_VERSION or above
  size_t total_bytes;
  size_t live_bytes;        // blocks that the program holds, rounded up to what they can hold, and
                            // those that other threads keep ready
  size_t rounding_bytes;    // of those blocks what was not asked for, as far as they are tracked
                            // (mend/track.h), estimated from samples; live_bytes has the rest
  size_t cached_bytes;      // free blocks kept ready by the calling thread and by shared heaps
  size_t quarantine_bytes;  // freed blocks that are kept from use for a while (the hardened build)
  size_t free_bytes;        // other free blocks, in pages that are in use
  size_t uncarved_bytes;    // ends of those pages that no block has been in
  size_t rest_bytes;        // behind the ends of large blocks; lost, or just changing hands
  size_t retained_bytes;    // free pages that still hold memory, kept for reuse
  size_t secret_bytes;      // blocks for secrets, with what they do not fill (mend/secure.h)
  size_t handle_bytes;      // tables of handles (mend/handle.h)
  size_t tracking_bytes;    // what tracking knows of blocks (mend/track.h)
  size_t descriptor_bytes;  // the table of pages
  size_t metadata_bytes;    // heaps, bitmaps and all other tables
  // Beside the sum:
  size_t returned_bytes;  // accessible for blocks and holding nothing: returned, or never used
  size_t process_bytes;   // resident of the whole process, with its code, stacks and other mappings
  size_t guessed;         // 1: the kernel did not tell of all; what it did not tell of is counted
};

// Fills *resident. It takes a look at each page, as mend_heap_map_write does, and at the kernel's
// page tables, which takes the longer the more is resident: of 2 GiB in small blocks 45 to 218 ms
// on a busy machine of two cores. Allocates nothing (12 KiB of stack), stops nobody for longer than
// some dozens of pages take; opens a file of /proc for the time, and does without if it cannot. Any
// thread, not in a signal handler. False, and nothing written, if resident is NULL,
// resident->bytes is below that of two size_t, or there is no memory for a heap. Since 0.5.
MEND_EXPORT bool mend_resident_get(struct mend_resident *resident) MEND_NOTHROW;

// ---------------------------------------------------------------------------------------------
// Rows: the heap by classes of blocks, by heaps, by threads, by NUMA nodes.

enum {
  MEND_STATS_CLASS = 1,   // number: the size of its blocks; or 0 for all blocks above 64 KiB
  MEND_STATS_HEAP = 2,    // number: its address; name: common, heap, handles or still
  MEND_STATS_THREAD = 3,  // number: the kernel's for it; name: as the kernel has it
  MEND_STATS_NODE = 4     // number: the kernel's for it
};

// Since 0.5. From then on, fields are only ever added at the end. What a row does not have is 0.
struct mend_stats_row {
  size_t bytes;           // sizeof of the library's struct
  uint64_t kind;          // MEND_STATS_ value above
  uint64_t number;        // which of its kind
  const char *name;       // "" if it has none; until the function returns
  size_t page_count;      // pages in use
  size_t live_count;      // blocks that are handed out
  size_t live_bytes;      // their usable sizes
  size_t free_count;      // blocks in those pages that are free
  size_t free_bytes;      // their sizes
  size_t cached_bytes;    // of free_bytes: kept ready (the calling thread's heap, and shared ones)
  size_t uncarved_bytes;  // HEAP, THREAD: parts of its pages that no block has been in
  size_t resident_bytes;  // NODE: resident memory of the region that lies on it
};

// Calls the function for every row, kind by kind as above, until it returns false. Says whether all
// have been visited, which is also false if there is no memory for a heap. The rows of classes add
// up to live_bytes and free_bytes of struct mend_stats, while nobody else allocates or frees; so do
// those of heaps and threads, but for large blocks, which belong to none unless they are of a heap
// of mend_heap_create or objects. Neither locks nor allocates while the function runs, which may
// therefore call anything. Any thread, not in a signal handler. Since 0.5.
typedef bool (*mend_stats_function)(const struct mend_stats_row *row, void *argument);
MEND_EXPORT bool mend_stats_visit(mend_stats_function function, void *argument) MEND_NOTHROW;

// ---------------------------------------------------------------------------------------------
// Everything, as text.

enum mend_stats_format {
  MEND_STATS_TEXT = 0,         // for people: the lines of resident memory, explained, and the rows
  MEND_STATS_JSON = 1,         // one object; numbers are integers
  MEND_STATS_OPENMETRICS = 2,  // OpenMetrics 1.0
  MEND_STATS_PROMETHEUS = 3,   // Prometheus's older text format, 0.0.4, with the same metrics
  MEND_STATS_XML = 4           // what mend_malloc_info writes
};

// Writes all figures and rows to a file descriptor; docs/stats.md explains each. Allocates nothing
// (20 KiB of stack) and owns nothing; nothing is locked while it writes. Any thread, not in a
// signal handler. False if it could not be written, with errno from write(2), ENOMEM, or EINVAL:
// there is no such format; true leaves errno as it is. Since 0.5.
MEND_EXPORT bool mend_stats_write(int descriptor, enum mend_stats_format format) MEND_NOTHROW;

// ---------------------------------------------------------------------------------------------
// The heap page by page.

struct mend_defrag_report;  // mend/handle.h

// Writes a snapshot of the whole heap to a file descriptor, as text that the command `mend map`
// draws: the figures of struct mend_stats and, for all handle heaps, struct mend_fragmentation; a
// line for each page, large block and free run, by rising addresses; one for each pinned object;
// and the figures of `report`, unless that is NULL. docs/heap-map.md has the format.
//
// Each page's line is of one moment, and no two overlap; a page that comes, goes or changes hands
// during the call may be missing. While no other thread uses mend, all is of one moment.
//
// Allocates nothing (16 KiB of stack) and owns nothing: the descriptor stays open. Each heap is
// looked at for as long as some dozens of its pages take; nothing is locked while the text is
// written, so a reader that is slow holds up the calling thread alone. Costs what mend_stats_get
// and mend_fragmentation_get do, and about 200 ns and 80 bytes of text a page. Any thread, not in a
// signal handler. False if it could not be written, with errno from write(2) (EAGAIN as well: the
// descriptor should block), ENOMEM, or EINVAL: report->bytes is too small; true leaves errno as it
// is. Since 0.2.
MEND_EXPORT bool mend_heap_map_write(int descriptor, const struct mend_defrag_report *report)
    MEND_NOTHROW;

#ifdef __cplusplus
}
#endif
#endif
