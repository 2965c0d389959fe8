// SPDX-License-Identifier: MIT
//
// The same work again and again needs no more memory: one size interleaved with blocks that stay,
// a working set that turns over, sizes that change, large blocks. Each pattern runs until it is
// settled and then many times more, and what is resident must stay where it was.
#include <stdio.h>
#include <string.h>

#include "../support/resident.h"
#include "../support/support.h"
#include "mend/mend.h"

enum { COUNT = 2000 };
static void *blocks[COUNT];
static struct random numbers;

static void *allocate(size_t bytes)
{
  unsigned char *block = mend_malloc(bytes);
  CHECK(block != NULL);
  memset(block, 1, bytes);
  return block;
}

static void free_all(void)
{
  for (size_t i = 0; i < COUNT; i++) {
    mend_free(blocks[i]);
    blocks[i] = NULL;
  }
}

// Every second block stays while the others are freed and allocated again.
static void interleave(size_t bytes)
{
  for (size_t i = 0; i < COUNT; i++) {
    if (blocks[i] == NULL) blocks[i] = allocate(bytes);
  }
  for (size_t i = 1; i < COUNT; i += 2) {
    mend_free(blocks[i]);
    blocks[i] = NULL;
  }
}

static void interleave_small(void)
{
  interleave(48);
}
static void interleave_medium(void)
{
  interleave(9000);
}
static void interleave_odd(void)
{
  interleave(4097);
}

static void turn_over(void)
{
  for (size_t i = 0; i < COUNT; i++) {
    size_t slot = random_below(&numbers, COUNT);
    mend_free(blocks[slot]);
    blocks[slot] = allocate(100 + 100 * (slot % 10));  // the mix of sizes stays the same
  }
}

// All blocks of one size, then all of the next: memory has to move between the classes.
static void change_sizes(void)
{
  for (size_t bytes = 64; bytes <= 4096; bytes *= 4) {
    for (size_t i = 0; i < COUNT; i++) blocks[i] = allocate(bytes);
    free_all();
  }
}

static void large_blocks(void)
{
  for (size_t i = 0; i < 8; i++) blocks[i] = allocate(200 * KIB + 100 * KIB * (i % 4));
  for (size_t i = 0; i < 8; i++) {
    mend_free(blocks[i]);
    blocks[i] = NULL;
  }
}

static void grow_by_realloc(void)
{
  unsigned char *block = allocate(100);
  for (size_t bytes = 100; bytes < MIB; bytes += bytes / 2) {
    block = mend_realloc(block, bytes);
    CHECK(block != NULL);
    block[bytes - 1] = 1;
  }
  mend_free(block);
}

static void heaps_that_come_and_go(void)
{
  mend_heap *heap = mend_heap_create();
  CHECK(heap != NULL);
  for (size_t i = 0; i < 300; i++) {
    unsigned char *block = mend_heap_malloc(heap, 1 + 37 * i);
    CHECK(block != NULL);
    block[0] = 1;
  }
  mend_heap_destroy(heap);
}

static void run(const char *name, void (*pattern)(void), size_t repeats)
{
  for (int i = 0; i < 20; i++) pattern();
  size_t before = resident_settled_bytes(mend_collect);
  for (size_t i = 0; i < test_scaled(repeats); i++) pattern();
  resident_check_settled(name, before, MIB + MIB / 2, mend_collect);
  free_all();
}

int main(void)
{
  resident_start();
  numbers.state = random_seed();
  run("one small size interleaved", interleave_small, 3000);
  run("one medium size interleaved", interleave_medium, 200);
  run("one odd size interleaved", interleave_odd, 300);
  run("a working set that turns over", turn_over, 2000);
  run("sizes that change", change_sizes, 200);
  run("large blocks", large_blocks, 300);
  run("growth by realloc", grow_by_realloc, 1000);
  run("heaps that come and go", heaps_that_come_and_go, 1000);
  return TEST_PASS;
}
