// SPDX-License-Identifier: MIT
//
// Blocks until there are no more, each of which holds the address of the one before: the test needs
// no memory of its own for them.
#ifndef TESTS_CHAIN_H
#define TESTS_CHAIN_H

#include <errno.h>
#include <string.h>

#include "mend/mend.h"
#include "support.h"

// Allocates until that is refused. Returns how many bytes there were.
static inline size_t chain_fill(void **chain, size_t bytes)
{
  size_t total = 0;
  for (;;) {
    errno = 0;
    void **block = mend_malloc(bytes);
    if (block == NULL) break;
    memset(block, 0x5a, bytes);
    *block = *chain;
    *chain = block;
    total += bytes;
  }
  CHECK(errno == ENOMEM);
  return total;
}

static inline void chain_release(void **chain)
{
  while (*chain != NULL) {
    void **next = *(void **)*chain;
    mend_free(*chain);
    *chain = next;
  }
}

#endif
