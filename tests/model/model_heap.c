// SPDX-License-Identifier: MIT
//
// Random sequences of operations against a trivial reference: a table of the blocks that should be
// live, whose contents are checked in full whenever one is touched. Each sequence runs in a child
// process, on a fresh heap. One that fails is shrunk to the operations that are needed for it,
// which are printed together with the seed (MEND_TEST_SEED=... repeats it).
//
// An operation means something in any state (freeing an empty slot does nothing), so that every
// part of a sequence is a sequence. Threads are model_threads.c's matter.
#define _GNU_SOURCE 1
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "../support/shrink.h"
#include "../support/support.h"
#include "mend/mend.h"

enum { SLOTS = 400, HEAPS = 4, OPERATIONS = 6000, HANG_SECONDS = 300 };
enum { ALWAYS_VISITED = 1024 };  // blocks of up to this size are surely below the largest class

struct operation {
  size_t action;  // index into actions
  size_t slot;
  size_t size;
  size_t alignment;
  size_t heap;
};

// What should be live: the reference.
struct slot {
  unsigned char *block;  // NULL: empty
  size_t size;           // as asked
  size_t alignment;      // as asked; 0: none
  size_t filled;         // usable size; all of it holds the pattern of `seed`
  uint64_t seed;
  mend_heap *heap;  // NULL: the thread's own
};

static struct operation operations[OPERATIONS];
static struct slot slots[SLOTS];
static mend_heap *heaps[HEAPS];
static uint64_t fill_count;

static void check_block(const struct slot *slot)
{
  CHECK(mend_malloc_usable_size(slot->block) == slot->filled);
  CHECK(pattern_difference(slot->block, slot->filled, slot->seed) == slot->filled);
}

static void check_apart(const struct slot *added)
{
  for (const struct slot *slot = slots; slot < slots + SLOTS; slot++) {
    if (slot == added || slot->block == NULL) continue;
    CHECK(added->block + added->filled <= slot->block ||
          slot->block + slot->filled <= added->block);
  }
}

static void fill(struct slot *slot)
{
  slot->seed = ++fill_count;
  slot->filled = mend_malloc_usable_size(slot->block);
  CHECK(slot->filled >= slot->size);
  check_apart(slot);
  pattern_fill(slot->block, slot->filled, slot->seed);
}

static void empty(struct slot *slot, bool sized)
{
  if (slot->block == NULL) return;
  check_block(slot);
  if (sized)
    mend_free_sized(slot->block, slot->size);
  else
    mend_free(slot->block);
  slot->block = NULL;
}

static void put(struct slot *slot, void *block, size_t size, mend_heap *heap)
{
  CHECK(block != NULL && is_aligned(block, 16) && mend_owns(block));
  CHECK(heap == NULL || mend_heap_owns(heap, block));
  *slot = (struct slot){.block = block, .size = size, .heap = heap};
  fill(slot);
}

static mend_heap *heap_of(const struct operation *operation)
{
  mend_heap **heap = &heaps[operation->heap];
  if (*heap == NULL) *heap = mend_heap_create();
  CHECK(*heap != NULL);
  return *heap;
}

// The actions.

static void run_malloc(const struct operation *operation, struct slot *slot)
{
  empty(slot, false);
  put(slot, mend_malloc(operation->size), operation->size, NULL);
}

static void run_calloc(const struct operation *operation, struct slot *slot)
{
  empty(slot, false);
  size_t count = operation->size / 4 + 1;
  unsigned char *block = mend_calloc(count, 4);
  CHECK(block != NULL && is_zero(block, count * 4));
  put(slot, block, count * 4, NULL);
}

static void run_zalloc(const struct operation *operation, struct slot *slot)
{
  empty(slot, false);
  unsigned char *block = mend_zalloc(operation->size);
  CHECK(block != NULL && is_zero(block, operation->size));
  put(slot, block, operation->size, NULL);
}

static void run_aligned_alloc(const struct operation *operation, struct slot *slot)
{
  empty(slot, false);
  void *block = mend_aligned_alloc(operation->alignment, operation->size);
  CHECK(is_aligned(block, operation->alignment));
  put(slot, block, operation->size, NULL);
  slot->alignment = operation->alignment;
}

static void run_malloc_at_least(const struct operation *operation, struct slot *slot)
{
  empty(slot, false);
  size_t got = 0;
  put(slot, mend_malloc_at_least(operation->size, &got), operation->size, NULL);
  CHECK(got == slot->filled);
}

static void run_heap_malloc(const struct operation *operation, struct slot *slot)
{
  empty(slot, false);
  mend_heap *heap = heap_of(operation);
  put(slot, mend_heap_malloc(heap, operation->size), operation->size, heap);
}

static void run_heap_zalloc(const struct operation *operation, struct slot *slot)
{
  empty(slot, false);
  mend_heap *heap = heap_of(operation);
  void *block = mend_heap_zalloc(heap, operation->size);
  CHECK(block != NULL && is_zero(block, operation->size));
  put(slot, block, operation->size, heap);
}

static void run_heap_aligned_alloc(const struct operation *operation, struct slot *slot)
{
  empty(slot, false);
  mend_heap *heap = heap_of(operation);
  void *block = mend_heap_aligned_alloc(heap, operation->alignment, operation->size);
  CHECK(is_aligned(block, operation->alignment));
  put(slot, block, operation->size, heap);
  slot->alignment = operation->alignment;
}

static void run_realloc(const struct operation *operation, struct slot *slot)
{
  if (slot->block == NULL) {
    run_malloc(operation, slot);
    return;
  }
  check_block(slot);
  size_t size = operation->size > 0 ? operation->size : 1;
  size_t kept = size < slot->filled ? size : slot->filled;
  unsigned char *block = mend_realloc(slot->block, size);
  CHECK(block != NULL && pattern_difference(block, kept, slot->seed) == kept);
  put(slot, block, size, slot->heap);
}

static void run_expand(const struct operation *operation, struct slot *slot)
{
  if (slot->block == NULL) return;
  void *expanded = mend_expand(slot->block, operation->size);
  size_t usable = mend_malloc_usable_size(slot->block);
  CHECK(pattern_difference(slot->block, slot->filled, slot->seed) == slot->filled);
  if (expanded == NULL) {
    CHECK(usable == slot->filled && operation->size > usable);
    return;
  }
  CHECK(expanded == slot->block && usable >= operation->size && usable >= slot->filled);
  if (slot->size < operation->size) slot->size = operation->size;
  fill(slot);
}

static void run_free(const struct operation *operation, struct slot *slot)
{
  (void)operation;
  empty(slot, false);
}

static void run_free_sized(const struct operation *operation, struct slot *slot)
{
  (void)operation;
  empty(slot, true);
}

static void run_heap_destroy(const struct operation *operation, struct slot *unused)
{
  (void)unused;
  mend_heap *heap = heap_of(operation);
  for (struct slot *slot = slots; slot < slots + SLOTS; slot++) {
    if (slot->block == NULL || slot->heap != heap) continue;
    check_block(slot);
    slot->block = NULL;
  }
  mend_heap_destroy(heap);
  heaps[operation->heap] = NULL;
}

static void run_collect(const struct operation *operation, struct slot *slot)
{
  (void)slot;
  mend_heap_collect(heap_of(operation));
  mend_collect(operation->size % 4 == 0);
}

static void run_trim(const struct operation *operation, struct slot *slot)
{
  (void)slot;
  int trimmed = mend_malloc_trim(operation->size);
  CHECK(trimmed == 0 || trimmed == 1);
}

// A visit has to bring exactly the blocks of the table.
struct visit {
  mend_heap *heap;
  size_t count;
  size_t small_count;
};

// In the hardened build blocks of no bytes, and those that are guarded one by one, are no heap's.
static bool is_always_visited(const struct slot *slot)
{
  if (TEST_IS_HARDENED && slot->heap == NULL) return false;
  return slot->size <= ALWAYS_VISITED && slot->alignment <= ALWAYS_VISITED;
}

static bool visit_block(void *block, size_t usable_size, void *argument)
{
  struct visit *visit = argument;
  for (const struct slot *slot = slots; slot < slots + SLOTS; slot++) {
    if (slot->block != block) continue;
    CHECK(slot->heap == visit->heap && slot->filled == usable_size);
    visit->count++;
    visit->small_count += is_always_visited(slot);
    return true;
  }
  // Where mend is the process's malloc, the thread has blocks that are not the table's.
  CHECK(visit->heap == NULL && mend_is_redirected());
  return true;
}

static void check_visit(mend_heap *heap)
{
  struct visit visit = {.heap = heap};
  struct visit expected = {.heap = heap};
  for (const struct slot *slot = slots; slot < slots + SLOTS; slot++) {
    if (slot->block == NULL || slot->heap != heap) continue;
    expected.count++;
    expected.small_count += is_always_visited(slot);
  }
  CHECK(mend_heap_visit(heap, visit_block, &visit));
  CHECK(visit.small_count == expected.small_count);
  CHECK(heap == NULL ? visit.count <= expected.count : visit.count == expected.count);
}

static void run_visit(const struct operation *operation, struct slot *slot)
{
  (void)slot;
  check_visit(heap_of(operation));
  check_visit(NULL);
}

static void run_check_all(const struct operation *operation, struct slot *unused)
{
  (void)operation;
  (void)unused;
  for (const struct slot *slot = slots; slot < slots + SLOTS; slot++) {
    if (slot->block != NULL) check_block(slot);
  }
}

static const struct {
  const char *name;
  size_t weight;  // how often it is chosen, relative to the others
  void (*run)(const struct operation *operation, struct slot *slot);
} actions[] = {
    {"malloc", 300, run_malloc},
    {"calloc", 40, run_calloc},
    {"zalloc", 40, run_zalloc},
    {"aligned_alloc", 60, run_aligned_alloc},
    {"malloc_at_least", 20, run_malloc_at_least},
    {"heap_malloc", 100, run_heap_malloc},
    {"heap_zalloc", 30, run_heap_zalloc},
    {"heap_aligned_alloc", 30, run_heap_aligned_alloc},
    {"realloc", 200, run_realloc},
    {"expand", 60, run_expand},
    {"free", 300, run_free},
    {"free_sized", 100, run_free_sized},
    {"heap_destroy", 10, run_heap_destroy},
    {"collect", 10, run_collect},
    {"trim", 4, run_trim},
    {"visit", 6, run_visit},
    {"check_all", 2, run_check_all},
};
enum { ACTION_COUNT = sizeof actions / sizeof actions[0] };

// Mostly small, some of every size up to 8 MiB.
static size_t choose_size(struct random *random)
{
  size_t kind = random_below(random, 100);
  if (kind == 0) return 0;
  if (kind == 1) return random_size(random, 8 * MIB);
  if (kind < 12) return random_size(random, 256 * KIB);
  return random_size(random, 5000);
}

static size_t choose_action(struct random *random)
{
  size_t total = 0;
  for (size_t i = 0; i < ACTION_COUNT; i++) total += actions[i].weight;
  size_t at = random_below(random, total);
  size_t action = 0;
  while (at >= actions[action].weight) at -= actions[action++].weight;
  return action;
}

static void generate(uint64_t seed)
{
  struct random random = {seed};
  for (size_t i = 0; i < OPERATIONS; i++) {
    operations[i] = (struct operation){
        .action = choose_action(&random),
        .slot = random_below(&random, SLOTS),
        .size = choose_size(&random),
        .alignment = (size_t)1 << random_below(&random, random_below(&random, 8) == 0 ? 23 : 13),
        .heap = random_below(&random, HEAPS),
    };
  }
}

static _Noreturn void run_in_child(const size_t *numbers, size_t count)
{
  static const struct operation last = {0};
  alarm(HANG_SECONDS);  // a deadlock is a failure too
  for (size_t i = 0; i < count; i++) {
    const struct operation *operation = &operations[numbers[i]];
    actions[operation->action].run(operation, &slots[operation->slot]);
  }
  run_check_all(&last, NULL);
  for (struct slot *slot = slots; slot < slots + SLOTS; slot++) empty(slot, false);
  check_visit(NULL);
  for (size_t i = 0; i < HEAPS; i++) mend_heap_destroy(heaps[i]);
  exit(TEST_PASS);  // not _exit: checkers report at the end
}

static bool sequence_fails(const size_t *numbers, size_t count)
{
  int status = 0;
  fflush(NULL);
  pid_t child = fork();
  CHECK(child >= 0);
  if (child == 0) run_in_child(numbers, count);
  CHECK(waitpid(child, &status, 0) == child);
  return status != 0;
}

// The same without the child's words, of which shrinking would bring hundreds.
static bool sequence_fails_silently(const size_t *numbers, size_t count)
{
  int saved = dup(STDERR_FILENO);
  int nowhere = open("/dev/null", O_WRONLY | O_CLOEXEC);
  CHECK(saved >= 0 && nowhere >= 0 && dup2(nowhere, STDERR_FILENO) >= 0);
  bool fails = sequence_fails(numbers, count);
  CHECK(dup2(saved, STDERR_FILENO) >= 0);
  close(saved);
  close(nowhere);
  return fails;
}

static void report(size_t *numbers, uint64_t seed)
{
  printf("the sequence of seed %#" PRIx64 " fails; shrinking it\n", seed);
  fflush(stdout);
  size_t count = shrink(numbers, OPERATIONS, sequence_fails_silently);
  printf("%zu operations are needed:\n", count);
  for (size_t i = 0; i < count; i++) {
    const struct operation *operation = &operations[numbers[i]];
    printf("%6zu  %-18s slot %3zu  size %7zu  alignment %7zu  heap %zu\n", numbers[i],
           actions[operation->action].name, operation->slot, operation->size, operation->alignment,
           operation->heap);
  }
  printf("they end so:\n");
  sequence_fails(numbers, count);
}

int main(void)
{
  static size_t numbers[OPERATIONS];
  struct random seeds = {random_seed()};
  size_t sequences = test_scaled(24);
  for (size_t i = 0; i < sequences; i++) {
    uint64_t seed = i == 0 ? seeds.state : random_next(&seeds);  // a given seed comes first
    generate(seed);
    for (size_t j = 0; j < OPERATIONS; j++) numbers[j] = j;
    if (!sequence_fails(numbers, OPERATIONS)) continue;
    report(numbers, seed);
    return TEST_FAIL;
  }
  printf("%zu sequences of %d operations hold\n", sequences, OPERATIONS);
  return TEST_PASS;
}
