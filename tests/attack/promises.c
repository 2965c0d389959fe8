// SPDX-License-Identifier: MIT
//
// What has to hold besides: blocks of no bytes, memory that is not executable, sizes that are told,
// memory that is zero where it is promised, sums that wrap.
#include <errno.h>

#include "cases.h"

const char *const zero_ways[] = {"malloc_read",   "malloc_write",    "calloc_read", "calloc_write",
                                 "realloc_write", "aligned_write",   "posix_write", "new_read",
                                 "new_write",     "new_array_write", "mend_write",  NULL};
const char *const one_way[] = {"all", NULL};
const char *const wrap_ways[] = {"malloc",       "malloc_half", "calloc", "calloc_small", "realloc",
                                 "reallocarray", "aligned",     "posix",  "valloc",       NULL};

enum { CLEAN_COUNT = 200 };

static bool begins(const char *way, const char *with)
{
  return strncmp(way, with, strlen(with)) == 0;
}

static void *nothing_from(const char *way)
{
  size_t zero = opaque_size(0);
  void *block = NULL;
  if (begins(way, "malloc")) block = malloc(zero);
  if (begins(way, "calloc")) block = calloc(zero, 8);
  if (begins(way, "realloc")) block = realloc(NULL, zero);
  if (begins(way, "aligned")) block = aligned_alloc(64, zero);
  if (begins(way, "posix") && posix_memalign(&block, 64, zero) != 0) block = NULL;
  if (begins(way, "new_array")) return source_allocate(BY_NEW_ARRAY, zero);
  if (begins(way, "new")) return source_allocate(BY_NEW, zero);
  if (begins(way, "mend")) return source_allocate(BY_MEND, zero);
  CHECK(block != NULL);
  return opaque(block);
}

void run_zero_size(const struct attack *attack)
{
  const char *way = attack->threat->ways[attack->way];
  volatile char *block = nothing_from(way);
  attack_access();
  if (strstr(way, "read") != NULL) {
    (void)block[0];
  } else {
    block[0] = 'A';
  }
  attack_neutralised();
}

// Code of a function that returns at once.
static const unsigned char code[] =
#if defined(__x86_64__)
    {0xc3};
#elif defined(__aarch64__)
    {0xc0, 0x03, 0x5f, 0xd6};
#elif defined(__riscv)
    {0x82, 0x80};
#else
    {0};
#endif

void run_execute(const struct attack *attack)
{
  void *block = source_allocate((enum source)attack->way, attack->size);
  void (*function)(void) = NULL;
  memcpy(block, code, sizeof code);
  memcpy((void *)&function, (void *)&block, sizeof block);
  attack_access();
  function();
  attack_worked("a block can be executed");
}

void run_usable_size(const struct attack *attack)
{
  enum source source = (enum source)attack->way;
  attack_after();
  for (size_t size = 1; size < 2 * MIB; size += size < 1100 ? 1 + size / 128 : size / 9) {
    void *block = source_allocate(source, size);
    if (malloc_usable_size(block) > size) attack_worked("more was told than was asked for");
    if (malloc_usable_size(block) < size) attack_worked("less was told than was asked for");
    source_release(source, block);
  }
}

static void leave_contents(size_t size)
{
  static void *blocks[CLEAN_COUNT];
  size_t count = 8 * MIB / size < CLEAN_COUNT ? 8 * MIB / size : CLEAN_COUNT;
  for (size_t i = 0; i < count; i++) {
    blocks[i] = source_allocate(BY_MALLOC, size);
    memset(blocks[i], 0x5e, size);
  }
  for (size_t i = 0; i < count; i++) free(blocks[i]);
}

void run_calloc_clean(const struct attack *attack)
{
  attack_after();
  for (size_t round = 0; round < 4; round++) {
    leave_contents(attack->size);
    for (size_t i = 0; i < CLEAN_COUNT; i++) {
      void *block = source_allocate(BY_CALLOC, attack->size);
      if (!is_zero(block, attack->size)) attack_worked("calloc's memory is not zero");
      free(block);
    }
  }
}

static void *take_clean(const struct attack *attack)
{
  void *block = source_allocate(BY_CALLOC, attack->size);
  if (!is_zero(block, attack->size)) attack_worked("calloc's memory is not zero");
  return block;
}

void run_calloc_after_write(const struct attack *attack)
{
  enum {
    DIRTY = 32,
    TURNS = 400,
    LEAST = 640,
    MOST = 6000
  };  // more than can wait, or be in a page
  static char *freed[DIRTY];
  size_t count = 64 * MIB / attack->size;
  for (size_t i = 0; i < DIRTY; i++) freed[i] = source_allocate(BY_MALLOC, attack->size);
  for (size_t i = 0; i < DIRTY; i++) free(freed[i]);
  attack_access();
  for (size_t i = 0; i < DIRTY; i++) ((volatile char *)freed[i])[attack->size / 2] = 'A';
  attack_after();
  for (size_t i = 0; i < TURNS; i++) free(take_clean(attack));  // what waits in order has its turn
  count = count > MOST ? MOST : count < LEAST ? LEAST : count;
  for (size_t i = 0; i < count; i++) (void)take_clean(attack);
}

void run_old_contents(const struct attack *attack)
{
  attack_after();
  leave_contents(attack->size);
  for (size_t i = 0; i < 10 * (size_t)CLEAN_COUNT; i++) {
    const char *block = source_allocate(BY_MALLOC, attack->size);
    if (memchr(block, 0x5e, attack->size) != NULL) attack_worked("old contents came back");
    if (attack->size > MIB) free((void *)(uintptr_t)block);
  }
}

static void *too_much(const char *way)
{
  size_t most = opaque_size(SIZE_MAX);
  void *block = NULL;
  if (begins(way, "malloc_half")) return malloc(most / 2 + 1);
  if (begins(way, "malloc")) return malloc(most - 1);
  if (begins(way, "calloc_small")) return calloc(most / 8 + 2, 8);
  if (begins(way, "calloc")) return calloc(most / 2, 3);
  if (begins(way, "reallocarray")) return reallocarray(malloc(8), most / 4, 5);
  if (begins(way, "realloc")) return realloc(malloc(8), most - 7);
  if (begins(way, "aligned")) return aligned_alloc(4096, most - 4000);
  if (begins(way, "valloc")) return valloc(most - 100);
  int error = posix_memalign(&block, 4096, most - 4000);
  errno = error;
  return error == 0 ? block : NULL;
}

void run_size_wrap(const struct attack *attack)
{
  attack_after();
  errno = 0;
  void *block = opaque(too_much(attack->threat->ways[attack->way]));
  if (block != NULL) attack_worked("a block that cannot be was given");
  if (errno != ENOMEM) attack_worked("a block that cannot be was refused without a word");
}
