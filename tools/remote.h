// SPDX-License-Identifier: MIT
//
// The heap of another process, or of a core file, read through its symbol mend_root.
//
// The process is not stopped, so what is read together may be of different moments. Pages are read
// in batches, and each is checked: its figures must agree with each other, and with those of its
// neighbours, whose runs must lie side by side. What contradicts itself is read again, a few times.
// What still does is put right so far as it can be, or left out, and counted in `torn_count`. So
// totals of a busy process are close, and those of one that stands still are exact.
//
// Nothing that is read is trusted: each number is compared with what it may be before it is used,
// and every loop has an end, whatever the memory says.
#ifndef TOOLS_REMOTE_H
#define TOOLS_REMOTE_H

#include "mend/root.h"
#include "snapshot.h"
#include "target.h"

enum { REMOTE_CLASSES_MOST = 128, REMOTE_HEAPS_MOST = 1 << 14, REMOTE_OPTIONS_MOST = 256 };

// What a process says of itself.
struct remote_counters {
  uint64_t region_start;
  uint64_t region_units;  // of 16 bytes, that have descriptors
  uint64_t page_table;
  uint64_t region_end;  // bytes
  uint64_t region_skipped_bytes;
  uint64_t metadata_bytes;
  uint64_t metadata_skipped_bytes;
  uint64_t mapping_count;
  uint64_t purged_bytes;
  uint64_t os_call_count;
  uint64_t lone_bytes;
  uint64_t tracking_mode;  // a MEND_ROOT_TRACKS_ value
  uint64_t tracking_interval;
};

// A page, a large block or a free run.
struct remote_page {
  uint64_t start;
  uint64_t bytes;
  uint64_t block_bytes;   // LARGE: what it holds; FREE: 0
  uint64_t held_bytes;    // of the run, that may hold memory
  uint64_t heap;          // address; 0: nobody's
  uint64_t object_bytes;  // LARGE: of an object
  uint32_t capacity;
  uint32_t carved;
  uint32_t used;
  uint32_t size_class;  // LIST, BITMAP
  enum page_kind kind;
  bool is_closed;
};

enum remote_owner { OWNED_BY_THREAD, OWNED_BY_USER, OWNED_BY_ALL, OWNED_OBJECTS, OWNED_STILL };

struct remote_heap {
  uint64_t address;
  enum remote_owner owner;
  uint64_t number;     // of the thread, or of the handle heap; OWNED_BY_USER: the address
  bool is_taken;       // by a thread or a user
  bool is_chained;     // a thread's or first-class heap
  uint32_t tidied_ms;  // a thread's: when it last gave back what it held ready; of the low 32 bits
                       // of a clock that counts milliseconds (CLOCK_MONOTONIC)
  // What its pages come to, after remote_measure:
  uint64_t page_count;
  uint64_t page_bytes;
  uint64_t used_bytes;  // in blocks that no page's list has
  uint64_t free_bytes;
  uint64_t kept_bytes;  // free blocks that it holds ready, of any heap's pages
  uint64_t kept_count;
};

struct remote_class {
  uint64_t block_bytes;  // 0: no page of it was seen
  uint64_t page_count;
  uint64_t page_bytes;
  uint64_t live_count;  // blocks that the program holds
  uint64_t kept_count;  // that heaps hold ready
  uint64_t free_count;  // others that have been carved
};

// The lines add up as those of struct mend_stats do, but for `kept_bytes`, which that has in live
// or free.
struct remote_totals {
  uint64_t live_bytes;
  uint64_t kept_bytes;  // free blocks that heaps hold ready
  uint64_t free_bytes;
  uint64_t uncarved_bytes;
  uint64_t rest_bytes;
  uint64_t retained_bytes;
  uint64_t unused_bytes;
  uint64_t committed_bytes;
  uint64_t metadata_bytes;
  uint64_t large_bytes;
  uint64_t large_count;
  uint64_t page_count;
  uint64_t heap_count;
};

struct remote {
  struct target *target;
  char *module;           // the path of what has the symbol
  struct mend_root root;  // what an older library does not have is zero
  struct mend_root_option *options;
  uint64_t *option_values;
  uint32_t option_count;
  unsigned root_count;  // copies of mend in the process
  struct remote_counters counters;
  struct remote_heap *heaps;  // by rising addresses
  size_t heap_count;
  size_t heap_room;
  struct remote_class classes[REMOTE_CLASSES_MOST];
  struct remote_totals totals;
  uint64_t retry_count;  // pages that were read again
  uint64_t torn_count;   // that contradicted themselves to the end
  bool is_cut_off;       // there was more than is ever read
};

// Finds mend in a target that is open, which must last as long. REMOTE_ABSENT: it has none;
// REMOTE_UNSOUND, after a complaint: it has, and that makes no sense. Either way remote_close.
enum remote_found { REMOTE_FOUND, REMOTE_ABSENT, REMOTE_UNSOUND };
enum remote_found remote_open(struct remote *remote, struct target *target);
// The same; but a process that is younger than a second may not have become yet what it will be:
// it is opened anew, again and again, until it has mend or is older.
enum remote_found remote_await(struct remote *remote, struct target *target);
void remote_close(struct remote *remote);
// remote_await with a complaint if there is none.
bool remote_require(struct remote *remote, struct target *target);

// Reads the counters and the heaps anew. False if the process is gone.
bool remote_refresh(struct remote *remote);
// Calls the function with every page, large block and free run by rising addresses, until it
// returns false.
typedef bool (*remote_visitor)(void *argument, const struct remote_page *page);
void remote_walk(struct remote *remote, remote_visitor visitor, void *argument);
// Refreshes, walks, and fills the totals, the classes and what the heaps have.
bool remote_measure(struct remote *remote);

// The heap of that address; NULL if it is none, or of no use.
struct remote_heap *remote_heap_at(struct remote *remote, uint64_t address);
// An option by its name: false if the library does not have it.
bool remote_option(const struct remote *remote, const char *name, uint64_t *value);

// What the process holds of memory, says the kernel; 0 if it does not, or of a core file.
uint64_t remote_resident_bytes(const struct target *target);

#endif
