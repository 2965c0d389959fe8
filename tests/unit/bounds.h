// SPDX-License-Identifier: MIT
//
// Blocks that the tests of bounds*.c play: this stands in for src/secure/extent.c. Each lies in a
// place of its own, between bytes that no copy may touch.
#ifndef TESTS_UNIT_BOUNDS_H
#define TESTS_UNIT_BOUNDS_H

#define _GNU_SOURCE 1
#include "child.h"

#include <wchar.h>

#include "secure/bounds.h"
#include "secure/extent.h"
#include "secure/misuse.h"

enum { PLACE_BYTES = 128, BLOCK_OFFSET = 32, UNTOUCHED = 0x5a };

static struct place {
  _Alignas(16) char bytes[PLACE_BYTES];
  size_t size;
  bool is_freed;
} to_place, from_place;

// Where a test's calls write and read.
static char *const to_block = to_place.bytes + BLOCK_OFFSET;
static char *const from_block = from_place.bytes + BLOCK_OFFSET;

static struct place *place_of(const void *pointer)
{
  uintptr_t address = (uintptr_t)pointer;
  if (address - (uintptr_t)to_place.bytes < PLACE_BYTES) return &to_place;
  return address - (uintptr_t)from_place.bytes < PLACE_BYTES ? &from_place : NULL;
}

size_t secure_bytes_from(const void *pointer)
{
  const struct place *place = place_of(pointer);
  if (place == NULL) return SIZE_MAX;
  uintptr_t offset = (uintptr_t)pointer - (uintptr_t)(place->bytes + BLOCK_OFFSET);
  return place->is_freed || offset >= place->size ? 0 : place->size - offset;
}

bool secure_is_freed(const void *pointer)
{
  const struct place *place = place_of(pointer);
  return place != NULL && place->is_freed;
}

void secure_misuse(const char *message, const void *pointer)
{
  report_misuse(&(struct misuse){.what = message, .pointer = pointer});
}

static inline void places_set(size_t to_size, size_t from_size)
{
  memset(to_place.bytes, UNTOUCHED, PLACE_BYTES);
  memset(from_place.bytes, UNTOUCHED, PLACE_BYTES);
  to_place.size = to_size;
  from_place.size = from_size;
  to_place.is_freed = from_place.is_freed = false;
}

// The library as before its start, and after it.
static inline void play_start(bool started, bool checks)
{
  atomic_store(&mend_bounds.move, started ? memmove : NULL);
  atomic_store(&mend_bounds.fill, started ? memset : NULL);
  atomic_store(&mend_bounds.checks, checks);
}

// Calls `body` with every state of the library in which nothing may be told.
static inline void in_all_states(void (*body)(void))
{
  for (int state = 0; state < 4; state++) {
    play_start(state & 1, state & 2);
    body();
  }
  play_start(true, true);
}

#endif
