// SPDX-License-Identifier: MIT
#define _GNU_SOURCE 1
#include "oracle.h"

#include <string.h>
#include <sys/mman.h>
#include <sys/uio.h>
#include <unistd.h>

#include "functions.h"

enum { RANGES = 64, MOST_BLOCKS = 100000, LEAST_BLOCKS = 4, MOST_GUARDED = 2000 };
// In a test that is not a long one: more than any quarantine holds.
enum { MOST_BLOCKS_SHORT = 20000, MOST_BYTES = 32 << 20, MOST_BYTES_SHORT = 8 << 20 };

// Out of the heap's way: nothing here is allocated by what is attacked.
static struct {
  struct {
    const char *start;
    size_t bytes;
  } forbidden[RANGES], watched[RANGES];
  size_t forbidden_count;
  size_t watched_count;
} oracle;

void oracle_forbid(const void *start, size_t bytes)
{
  CHECK(oracle.forbidden_count < RANGES);
  oracle.forbidden[oracle.forbidden_count].start = start;
  oracle.forbidden[oracle.forbidden_count++].bytes = bytes;
}

void oracle_watch(void *block, size_t size)
{
  CHECK(oracle.watched_count < RANGES);
  pattern_fill(block, size, oracle.watched_count + MOST_BLOCKS);
  oracle.watched[oracle.watched_count].start = block;
  oracle.watched[oracle.watched_count++].bytes = size;
}

bool oracle_read(const void *from, void *to, size_t bytes)
{
  struct iovec here = {to, bytes}, there = {opaque((void *)(uintptr_t)from), bytes};
  return process_vm_readv(getpid(), &here, 1, &there, 1, 0) == (ssize_t)bytes;
}

void oracle_check_watched(void)
{
  for (size_t i = 0; i < oracle.watched_count; i++) {
    size_t bytes = oracle.watched[i].bytes;
    const char *start = oracle.watched[i].start;
    char byte;
    if (!oracle_read(start, &byte, 1) || !oracle_read(start + bytes - 1, &byte, 1)) {
      attack_worked("a live block is not there any more");
    }
    if (pattern_difference(start, bytes, i + MOST_BLOCKS) != bytes) {
      attack_worked("a live block was handed out again, or written to");
    }
  }
}

static void check_place(const char *block, size_t size)
{
  for (size_t i = 0; i < oracle.forbidden_count; i++) {
    const char *start = oracle.forbidden[i].start;
    if (block < start + oracle.forbidden[i].bytes && start < block + size) {
      attack_worked("a block lies in memory of the attacker's choice");
    }
  }
  if (mend_owns != NULL && !mend_owns(block)) attack_worked("a block lies in nobody's memory");
}

static size_t count_for(size_t size)
{
  bool is_long = getenv("MEND_TEST_LONG") != NULL;
  size_t count = (size_t)(is_long ? MOST_BYTES : MOST_BYTES_SHORT) / size;
  size_t most = is_long ? MOST_BLOCKS : MOST_BLOCKS_SHORT;
  if (attack_level() == 4) most = MOST_GUARDED;
  if (count > most) count = most;
  return count < LEAST_BLOCKS ? LEAST_BLOCKS : count;
}

// Every block holds a pattern of its own: if two overlap, one of them loses it.
static void storm(void **blocks, size_t count, size_t size)
{
  for (size_t i = 0; i < count; i++) {
    blocks[i] = opaque(malloc(size));
    CHECK(blocks[i] != NULL);
    check_place(blocks[i], size);
    pattern_fill(blocks[i], size, i);
  }
  oracle_check_watched();
  for (size_t i = 0; i < count; i++) {
    if (pattern_difference(blocks[i], size, i) != size) attack_worked("two live blocks overlap");
  }
  for (size_t i = 0; i < count; i++) free(blocks[i]);
}

_Noreturn void oracle_judge(size_t size)
{
  size_t count = count_for(size);
  attack_after();
  void **blocks = mmap(NULL, count * sizeof *blocks, PROT_READ | PROT_WRITE,
                       MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  CHECK(blocks != MAP_FAILED);
  oracle_check_watched();
  storm(blocks, count, size);
  storm(blocks, count, size);
  attack_neutralised();
}
