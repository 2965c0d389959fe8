// SPDX-License-Identifier: MIT
//
// The short way of exact mode (core/sampling.h): there each small block comes to the slow paths,
// and most need nothing of them but the second bin of the class and a record. So the front tries
// this first: a block that lies in that bin, or finds room there, of a page that has its row of
// records, allocated or freed by the thread whose bin it is, as it should be. Whatever is otherwise
// takes the long way (allocate.h), which knows all cases, as if this had not been tried. So do the
// other things that slow paths see to now and then: they come with every refill of the bin.
#ifndef API_EXACT_H
#define API_EXACT_H

#include <string.h>

#include "base/kind.h"
#include "core/page.h"

// Where the mode has been seen to be exact:
// A block of natural alignment; NULL and ENOMEM on failure.
INTERNAL NOINLINE void *exact_allocate(size_t size, enum block_kind kind);
// Frees a block of a slice that leads frees to bin 0, which has refused it.
INTERNAL NOINLINE void exact_free(struct page *slice, void *block, const struct block_claim *claim);

// What a block holds when it is handed out to be recorded would lead a leak check to other blocks:
// its own link, and what another has left behind the bytes that were asked for. (What the user
// asked for is as undefined as ever, so more may go: a block of at most 1 KiB has no more than 64
// bytes behind them.)
static inline void exact_clear_remains(const struct page *page, void *block, size_t size)
{
  enum { UNIT = 16, END = 64 };
  size_t bytes = page->block_bytes;
  char *end = (char *)block + bytes;
  memset(block, 0, UNIT);
  if (LIKELY(bytes >= END)) {
    memset(end - END, 0, END);
  } else {
    memset(end - UNIT, 0, UNIT);
  }
  if (UNLIKELY(bytes > 1024)) memset((char *)block + size, 0, bytes - size);
}

#endif
