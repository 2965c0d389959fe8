// SPDX-License-Identifier: MIT
//
// Records: 32 bytes for each block that is remembered, in rows, one row a page.
//
// A page's row is found by the number of its first slice, in a table of two levels; a block's
// record by its index in the page. Rows are made when the first block of a page is remembered. When
// the page has become one of another class, and all its blocks are others, the old row waits for a
// page of its class. The memory of rows never becomes anything else: whoever still looks at an old
// row sees records, and looks again whether the row is the page's (record_is_current).
//
// What a record says is changed only by who allocates or frees its block, without a lock; others
// read it at any time, all of it or not at all (record_read): the word that says whether the block
// is in use also counts the changes.
//
// Rows have a *generation*. When nothing is remembered any more, frees of most blocks are told to
// nobody: so what was remembered exactly is forgotten, at once, by beginning another generation.
// The rows of samples are of none, and stay: these blocks are only ever freed by the slow path,
// which tells. When a block of such a page is remembered exactly, the page begins a row of the
// generation, and its samples are forgotten; but twins' pages have samples only, and a large block
// has its page for itself.
#ifndef TRACK_RECORD_H
#define TRACK_RECORD_H

#include "core/page.h"

enum record_life { RECORD_NONE, RECORD_LIVE, RECORD_FREED };

struct record {
  _Atomic(uint64_t) word;       // size, weight, changes, state: see record.c
  _Atomic(uint32_t) site;       // of the allocation
  _Atomic(uint32_t) thread;     // that allocated: a number (thread_state.h)
  _Atomic(uint32_t) ms;         // when
  _Atomic(uint32_t) free_site;  // freed, in exact mode
  _Atomic(uint64_t) other;      // in use: the twin's address, or by what
                                // it was allocated; freed: the thread that did
};
static_assert(sizeof(struct record) == 32, "what exact mode costs a block");

// A record as it was at some moment.
struct record_copy {
  size_t size;
  enum record_life state;
  unsigned weight;  // which of the tracker's intervals the block was sampled by; 0: exact
  uint32_t site;
  uint32_t thread;
  uint32_t ms;
  uint32_t free_site;
  uint64_t other;
};

enum { RECORD_WEIGHTS = 16 };

// Before any of the others. Idempotent, one thread at a time; false if there is no memory.
INTERNAL bool record_start(void);
// All but the rows of samples are forgotten.
INTERNAL void record_forget(void);
// The record of the block that starts at an address of a page; NULL if the page has no row, or no
// block starts there. (A large block's is found by any address.)
INTERNAL struct record *record_find(struct page *page, const void *block);
// The record of a block that was in a page that is no more, where nothing else has come; NULL if no
// block that is remembered began there. What it held, as far as that is known without its size.
INTERNAL struct record *record_find_past(const void *block, size_t *block_bytes);
// The same as record_find; makes the row. NULL if there is no memory. `stays`: of no generation.
INTERNAL struct record *record_make(struct page *page, const void *block, bool stays);
// Whether the record is that of the page still.
INTERNAL bool record_is_current(struct page *page, const struct record *record);

// (record_set, by who hands a block out, is in record_exact.h.)
// The block is about to be free. False if it is not in use, so that of two that free it one is
// told; else the copy is what was known. Of a sample nothing is kept: its row may outlast the mode,
// and the block be handed out again unseen.
INTERNAL bool record_close(struct record *record, struct record_copy *copy, uint32_t free_site,
                           uint32_t free_thread);
// Of a block that nobody has.
INTERNAL void record_clear(struct record *record);
// By its user.
INTERNAL void record_resize(struct record *record, size_t size);
INTERNAL struct record_copy record_read(struct record *record);

// All records of a page, for who looks on from outside: nothing of the page itself is read, which
// may be about to become another's.
struct record_row {
  struct record *records;
  size_t count;        // 0: the page has none
  size_t block_bytes;  // 0: of a large block
  uint64_t word;       // by which it is known again
};
INTERNAL struct record_row record_row(struct page *page);
// Whether it is the page's still; then what has been read of its records was so.
INTERNAL bool record_row_is_current(struct page *page, const struct record_row *row);
// Calls the function for each page that has a row, by addresses.
INTERNAL void record_each_page(void (*visit)(struct page *page, void *argument), void *argument);

// Whether the calling thread, below a signal handler, is making a row.
INTERNAL bool record_lock_is_mine(void);
// In the child of a fork.
INTERNAL void record_after_fork(void);

// In builds with internal checks; while nobody changes anything.
INTERNAL void record_assert_valid(void);

#endif
