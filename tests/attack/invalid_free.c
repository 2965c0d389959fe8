// SPDX-License-Identifier: MIT
//
// P3 and P6: what is no block is given to free and its fellows, with the words around it forged as
// an allocator with headers would like to see them.
#define _GNU_SOURCE 1
#include <sys/mman.h>

#include "cases.h"

enum { FORGED_BLOCK = 48, FORGED_WORDS = 1024 };

const char *const foreign_ways[] = {
    "stack",     "thread_stack", "global",   "literal",       "mapping",  "inaccessible", "hole",
    "near_null", "noncanonical", "metadata", "end_of_memory", "function", "root",         NULL};
const char *const interior_ways[] = {"plus_1",  "plus_8", "plus_16", "middle",
                                     "last_16", "last_1", NULL};
const char *const invalid_places[] = {"end", "before", "unused_slot", "far_up", "next_slice", NULL};
const char *const forged_ways[] = {
    "mapping_16", "mapping_64", "mapping_4096", "mapping_65536", "mapping_2m", "block_16",
    "block_64",   "block_4096", "block_65536",  "block_2m",      NULL};

// Looks like small chunks of glibc's, and like headers that begin with a pointer to themselves.
static void forge(void *start, size_t bytes)
{
  uintptr_t *words = start;
  for (size_t i = 0; i < bytes / sizeof *words; i += 8) {
    words[i] = (uintptr_t)&words[i];
    words[i + 1] = FORGED_BLOCK + 17;
    words[i + 2] = (uintptr_t)start;
    words[i + 3] = (uintptr_t)&words[i];
    words[i + 4] = FORGED_BLOCK;
    words[i + 5] = words[i + 7] = FORGED_BLOCK + 17;
    words[i + 6] = 0;
  }
}

static void *map(size_t bytes, int protection)
{
  void *mapped = mmap(NULL, bytes, protection, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  CHECK(mapped != MAP_FAILED);
  return mapped;
}

static void *mapping_of(const char *kind)
{
  enum { BYTES = 1 << 16 };
  bool is_accessible = strcmp(kind, "mapping") == 0;
  char *mapped = map(BYTES, is_accessible ? PROT_READ | PROT_WRITE : PROT_NONE);
  if (is_accessible) forge(mapped, BYTES);
  oracle_forbid(mapped, BYTES);
  if (strcmp(kind, "hole") == 0) CHECK(munmap(mapped, BYTES) == 0);
  return mapped + 64;
}

static void *address_of_mends_own(bool is_root)
{
  if (&mend_root == NULL) attack_cannot("the allocator does not say where its metadata is");
  if (is_root) return (void *)(uintptr_t)&mend_root;
  return *(char *const *)mend_root.metadata_start + 64;
}

static void *foreign_pointer(const char *way)
{
  static _Alignas(64) uintptr_t global[FORGED_WORDS];
  if (strcmp(way, "global") == 0) {
    forge(global, sizeof global);
    oracle_forbid(global, sizeof global);
    return &global[64];
  }
  if (strcmp(way, "literal") == 0) return (void *)(((uintptr_t)source_names[0] | 15) + 1);
  if (strcmp(way, "near_null") == 0) return (void *)(uintptr_t)32;
  if (strcmp(way, "noncanonical") == 0) return (void *)((uintptr_t)1 << 62);
  if (strcmp(way, "end_of_memory") == 0) return (void *)(UINTPTR_MAX - 31);
  if (strcmp(way, "metadata") == 0) return address_of_mends_own(false);
  if (strcmp(way, "root") == 0) return address_of_mends_own(true);
  if (strcmp(way, "function") == 0) return (void *)(((uintptr_t)forge | 15) + 1);
  return mapping_of(way);
}

struct call {
  const struct attack *attack;
  enum use use;
};

// The words on the stack outlive the oracle, which is asked from here.
static void from_stack(void *argument)
{
  const struct call *call = argument;
  _Alignas(64) uintptr_t local[FORGED_WORDS];
  forge(local, sizeof local);
  oracle_forbid(local, sizeof local);
  use_pointer(call->use, &local[64], FORGED_BLOCK);
  oracle_judge(FORGED_BLOCK);
}

static _Noreturn void run_foreign(const struct attack *attack, enum use use)
{
  struct call call = {attack, use};
  oracle_watch(source_allocate(BY_MALLOC, FORGED_BLOCK), FORGED_BLOCK);
  if (attack_way_is(attack, "thread_stack")) attack_in_thread(from_stack, &call);
  if (attack_way_is(attack, "stack")) from_stack(&call);
  use_pointer(use, foreign_pointer(attack->threat->ways[attack->way]), FORGED_BLOCK);
  oracle_judge(FORGED_BLOCK);
}

void run_free_foreign(const struct attack *attack)
{
  run_foreign(attack, USE_FREE);
}

void run_realloc_foreign(const struct attack *attack)
{
  run_foreign(attack, USE_REALLOC);
}

void run_usable_size_foreign(const struct attack *attack)
{
  run_foreign(attack, USE_USABLE_SIZE);
}

void run_delete_foreign(const struct attack *attack)
{
  run_foreign(attack, USE_DELETE);
}

void run_free_sized_foreign(const struct attack *attack)
{
  run_foreign(attack, USE_FREE_SIZED);
}

static size_t interior_offset(const struct attack *attack)
{
  size_t size = attack->size;
  if (attack_way_is(attack, "plus_1")) return 1;
  if (attack_way_is(attack, "plus_8")) return 8;
  if (attack_way_is(attack, "plus_16")) return 16;
  if (attack_way_is(attack, "middle")) return size / 32 * 16;
  return attack_way_is(attack, "last_16") ? (size - 1) / 16 * 16 : size - 1;
}

static _Noreturn void run_interior(enum use use, size_t size, size_t offset)
{
  char *block = source_allocate(BY_MALLOC, size);
  forge(block, size / 64 * 64);
  use_pointer(use, block + offset, FORGED_BLOCK);
  oracle_watch(block, size);  // it is live still
  oracle_judge(FORGED_BLOCK);
}

void run_free_interior(const struct attack *attack)
{
  run_interior(USE_FREE, attack->size, interior_offset(attack));
}

void run_use_interior(const struct attack *attack)
{
  run_interior((enum use)attack->way, attack->size, 16);
}

// The smallest distance between two of the blocks: that of two slots.
static size_t slot_distance(char *const *blocks, size_t count)
{
  size_t least = SIZE_MAX;
  for (size_t i = 0; i < count; i++) {
    for (size_t j = 0; j < count; j++) {
      size_t distance = (size_t)(blocks[j] - blocks[i]);
      if (blocks[j] > blocks[i] && distance < least) least = distance;
    }
  }
  return least;
}

static char *unused_slot(char *block, size_t size)
{
  enum { COUNT = 64 };
  char *blocks[COUNT] = {block};
  for (size_t i = 1; i < COUNT; i++) blocks[i] = source_allocate(BY_MALLOC, size);
  size_t distance = slot_distance(blocks, COUNT);
  for (size_t i = 0; i < COUNT; i++) {
    bool is_used = false;
    char byte;
    for (size_t j = 0; j < COUNT; j++) is_used |= blocks[j] == blocks[i] + distance;
    if (!is_used && oracle_read(blocks[i] + distance, &byte, 1)) return blocks[i] + distance;
  }
  attack_cannot("no slot was found that is not in use");
}

// Places that are no block's start, though they could be one.
void run_free_elsewhere(const struct attack *attack)
{
  size_t size = attack->size;
  char *block = source_allocate(BY_MALLOC, size), *pointer = block - 16;
  oracle_watch(block, size);
  if (attack_way_is(attack, "end")) pointer = block + (size + 15) / 16 * 16;
  if (attack_way_is(attack, "unused_slot")) pointer = unused_slot(block, size);
  if (attack_way_is(attack, "far_up")) pointer = block + 3 * GIB;
  if (attack_way_is(attack, "next_slice")) pointer = (char *)(((uintptr_t)block | 0xffff) + 1);
  use_pointer(USE_FREE, pointer, size);
  oracle_judge(size);
}

void run_free_forged(const struct attack *attack)
{
  static const size_t distances[] = {16, 64, 4096, 65536, 2 * MIB};
  bool is_mapping = attack->way < 5;
  size_t bytes = 8 * MIB;
  char *start = is_mapping ? map(2 * bytes, PROT_READ | PROT_WRITE) : memalign(bytes, bytes);
  CHECK(start != NULL);
  start = (char *)(((uintptr_t)start + (is_mapping ? bytes - 1 : 0)) & ~(uintptr_t)(bytes - 1));
  forge(start, bytes);
  oracle_forbid(start, bytes);
  use_pointer(USE_FREE, start + distances[attack->way % 5], FORGED_BLOCK);
  oracle_judge(FORGED_BLOCK);
}
