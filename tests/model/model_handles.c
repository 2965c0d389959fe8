// SPDX-License-Identifier: MIT
//
// Random sequences of operations on handles against a trivial reference: a table of the objects
// that should be live, whose contents are checked in full whenever one is touched. Phase by phase:
//   one thread;
//   the same while the background thread defragments as fast as it can;
//   several threads with a table each, and again the background thread.
// A sequence runs in a child process, on a fresh heap. One of the first two phases that fails is
// shrunk to the operations that are needed for it, which are printed together with the seed
// (MEND_TEST_SEED=... repeats it).
//
// An operation means something in any state, so that every part of a sequence is a sequence.
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
#include "mend/handle.h"

enum { SLOTS = 2000, OPERATIONS = 12000, THREADS = 4, HANG_SECONDS = 300, STALE = 64 };

static const char *const phases[] = {"one thread", "a mover in the background", "threads"};
enum { ALONE, BACKGROUND, TOGETHER, PHASES };

struct operation {
  size_t action;  // index into actions
  size_t slot;
  size_t size;
};

// What should be live: the reference.
struct slot {
  mend_handle handle;  // null: empty
  size_t size;
  uint64_t seed;  // of the contents
  size_t pins;
  void *fixed;  // where it is, if it is pinned or never moves
  bool is_still;
};

struct table {
  struct slot slots[SLOTS];
  struct random random;
  uint64_t fill_count;
  mend_handle stale[STALE];  // some that have been freed
  size_t stale_count;
  bool is_alone;  // no other thread moves anything
};

static struct operation operations[OPERATIONS];
static mend_handle_heap *heap;
static mend_type self_type;

// The start of each object of 8 bytes and more that has the type.
static void relocate_self(void *to, const void *from, size_t size, void *argument)
{
  (void)argument;
  if (size < sizeof(void *)) return;
  const void *self;
  memcpy(&self, to, sizeof self);
  if (self == from) memcpy(to, &to, sizeof to);
}

static bool has_self(const struct slot *slot)
{
  return slot->size >= sizeof(void *) && mend_handle_type(slot->handle) != 0;
}

// Within a scope.
static unsigned char *resolve(const struct slot *slot)
{
  unsigned char *object = mend_resolve(slot->handle);
  CHECK(object != NULL && is_aligned(object, 16));
  CHECK(slot->fixed == NULL || object == slot->fixed);
  return object;
}

static void check_contents(const unsigned char *object, const struct slot *slot, size_t bytes)
{
  size_t skipped = has_self(slot) ? sizeof(void *) : 0;
  if (bytes < skipped) return;
  CHECK(skipped == 0 || memcmp(object, &object, sizeof(void *)) == 0);
  CHECK(pattern_difference(object + skipped, bytes - skipped, slot->seed) == bytes - skipped);
}

static void check_object(const struct slot *slot)
{
  if (mend_handle_is_null(slot->handle)) return;
  mend_scope_enter();
  CHECK(mend_handle_size(slot->handle) == slot->size);
  check_contents(resolve(slot), slot, slot->size);
  mend_scope_leave();
}

static void fill(struct table *table, struct slot *slot)
{
  slot->seed = ++table->fill_count;
  mend_scope_enter();
  unsigned char *object = resolve(slot);
  size_t skipped = has_self(slot) ? sizeof(void *) : 0;
  if (skipped > 0) memcpy(object, &object, sizeof(void *));
  pattern_fill(object + skipped, slot->size - skipped, slot->seed);
  mend_scope_leave();
}

static void empty(struct table *table, struct slot *slot, bool is_deferred)
{
  if (mend_handle_is_null(slot->handle)) return;
  check_object(slot);
  enum mend_status status =
      is_deferred ? mend_handle_free_deferred(slot->handle) : mend_handle_free(slot->handle);
  CHECK(status == MEND_OK);
  table->stale[table->stale_count++ % STALE] = slot->handle;
  *slot = (struct slot){.handle = MEND_HANDLE_NULL};
}

static void put(struct table *table, const struct operation *operation, struct slot *slot,
                unsigned flags, mend_type type)
{
  empty(table, slot, false);
  mend_handle_heap *from = operation->slot % 3 == 0 ? heap : NULL;
  slot->size = operation->size;
  slot->handle = mend_handle_heap_alloc(from, operation->size, flags, type);
  CHECK(!mend_handle_is_null(slot->handle) && mend_handle_type(slot->handle) == type);
  mend_scope_enter();
  slot->is_still = (flags & MEND_ALLOC_PINNED) != 0;
  if (slot->is_still) slot->fixed = mend_resolve(slot->handle);
  CHECK((flags & MEND_ALLOC_ZEROED) == 0 || is_zero(mend_resolve(slot->handle), slot->size));
  fill(table, slot);  // before the scope ends, for relocate_self reads what is there
  mend_scope_leave();
}

// The actions.

static void run_alloc(struct table *table, const struct operation *operation, struct slot *slot)
{
  put(table, operation, slot, 0, 0);
}

static void run_zalloc(struct table *table, const struct operation *operation, struct slot *slot)
{
  put(table, operation, slot, MEND_ALLOC_ZEROED, 0);
}

static void run_alloc_typed(struct table *table, const struct operation *operation,
                            struct slot *slot)
{
  put(table, operation, slot, 0, self_type);
}

static void run_alloc_still(struct table *table, const struct operation *operation,
                            struct slot *slot)
{
  put(table, operation, slot, MEND_ALLOC_PINNED, 0);
}

static void run_free(struct table *table, const struct operation *operation, struct slot *slot)
{
  (void)operation;
  empty(table, slot, false);
}

// Holes: what movers live on.
static void run_free_many(struct table *table, const struct operation *operation, struct slot *slot)
{
  for (; slot < table->slots + SLOTS; slot += 1 + operation->size % 3) {
    empty(table, slot, operation->size % 2 == 0);
  }
}

static void run_free_deferred(struct table *table, const struct operation *operation,
                              struct slot *slot)
{
  (void)operation;
  empty(table, slot, true);
}

static void run_realloc(struct table *table, const struct operation *operation, struct slot *slot)
{
  if (mend_handle_is_null(slot->handle)) return;
  check_object(slot);
  bool had_self = has_self(slot);
  enum mend_status status = mend_handle_realloc(slot->handle, operation->size);
  if (status == MEND_PINNED) {
    CHECK(slot->pins > 0);
    check_object(slot);
    return;
  }
  CHECK(status == MEND_OK);
  size_t kept = slot->size < operation->size ? slot->size : operation->size;
  size_t skipped = had_self ? sizeof(void *) : 0;  // points to where it was
  mend_scope_enter();
  const unsigned char *object = mend_resolve(slot->handle);
  CHECK(object != NULL && (slot->pins == 0 || object == slot->fixed));
  if (kept > skipped) {
    CHECK(pattern_difference(object + skipped, kept - skipped, slot->seed) == kept - skipped);
  }
  if (slot->is_still) slot->fixed = mend_resolve(slot->handle);
  mend_scope_leave();
  slot->size = operation->size;
  fill(table, slot);
}

static void run_write(struct table *table, const struct operation *operation, struct slot *slot)
{
  (void)operation;
  if (mend_handle_is_null(slot->handle)) return;
  check_object(slot);
  fill(table, slot);
}

static void run_read_many(struct table *table, const struct operation *operation, struct slot *slot)
{
  mend_scope_enter();
  for (size_t i = 0; i < 50 && slot + i < table->slots + SLOTS; i++) check_object(slot + i);
  mend_scope_leave();
  if (operation->size % 2 == 0) (void)mend_resolve(slot->handle);  // an implicit scope
  if (operation->size % 4 == 0) mend_quiescent();
}

static void run_pin(struct table *table, const struct operation *operation, struct slot *slot)
{
  (void)table, (void)operation;
  if (mend_handle_is_null(slot->handle)) return;
  void *address = mend_pin(slot->handle);
  CHECK(address != NULL && (slot->fixed == NULL || slot->fixed == address));
  slot->fixed = address;
  slot->pins++;
  check_object(slot);
}

static void run_unpin(struct table *table, const struct operation *operation, struct slot *slot)
{
  (void)table, (void)operation;
  if (mend_handle_is_null(slot->handle)) return;
  check_object(slot);
  CHECK(mend_unpin(slot->handle) == (slot->pins > 0 ? MEND_OK : MEND_INVALID));
  if (slot->pins > 0) slot->pins--;
  if (slot->pins == 0 && !slot->is_still) slot->fixed = NULL;
}

static void run_defragment(struct table *table, const struct operation *operation,
                           struct slot *slot)
{
  (void)operation, (void)slot;
  struct mend_defrag_report report = {.bytes = sizeof report};
  enum mend_status status = mend_defragment(&report);
  CHECK(status == MEND_OK || !table->is_alone);
  CHECK(status == MEND_OK || status == MEND_BUSY || status == MEND_BLOCKED);
}

static void run_step(struct table *table, const struct operation *operation, struct slot *slot)
{
  (void)slot;
  struct mend_defrag_report report = {.bytes = sizeof report};
  const struct mend_defrag_budget budget = {.objects = operation->size % 300 + 1};
  enum mend_status status =
      mend_defragment_step(operation->slot % 2 == 0 ? heap : NULL, &budget, &report);
  CHECK(status == MEND_OK || status == MEND_PARTIAL || !table->is_alone);
  CHECK(report.objects_moved <= budget.objects);
}

static void run_stale(struct table *table, const struct operation *operation, struct slot *slot)
{
  (void)slot;
  size_t count = table->stale_count < STALE ? table->stale_count : STALE;
  if (count == 0) return;
  mend_handle stale = table->stale[operation->size % count];
  CHECK(mend_resolve(stale) == NULL && mend_handle_free(stale) == MEND_STALE);
  CHECK(mend_handle_realloc(stale, 10) == MEND_STALE && mend_unpin(stale) == MEND_STALE);
  mend_quiescent();
}

static void run_check_all(struct table *table, const struct operation *operation,
                          struct slot *unused)
{
  (void)operation, (void)unused;
  for (struct slot *slot = table->slots; slot < table->slots + SLOTS; slot++) check_object(slot);
}

static const struct action {
  void (*run)(struct table *table, const struct operation *operation, struct slot *slot);
  const char *name;
  size_t weight;
} actions[] = {
    {run_alloc, "alloc", 300},
    {run_zalloc, "zalloc", 60},
    {run_alloc_typed, "typed", 60},
    {run_alloc_still, "still", 10},
    {run_free, "free", 80},
    {run_free_many, "free_many", 2},
    {run_free_deferred, "deferred", 60},
    {run_realloc, "realloc", 40},
    {run_write, "write", 60},
    {run_read_many, "read_many", 30},
    {run_pin, "pin", 20},
    {run_unpin, "unpin", 20},
    {run_defragment, "defragment", 4},
    {run_step, "step", 20},
    {run_stale, "stale", 20},
    {run_check_all, "check_all", 1},
};
enum { ACTION_COUNT = sizeof actions / sizeof actions[0] };

// Sequences.

static size_t choose_action(struct random *random)
{
  size_t total = 0;
  for (size_t i = 0; i < ACTION_COUNT; i++) total += actions[i].weight;
  size_t at = random_below(random, total);
  size_t action = 0;
  while (at >= actions[action].weight) at -= actions[action++].weight;
  return action;
}

// Most objects are of few sizes, so that there are pages full of them.
static size_t choose_size(struct random *random)
{
  size_t kind = random_below(random, 300);
  if (kind < 3) return random_size(random, 500 * KIB);
  if (kind < 30) return random_size(random, 20 * KIB);
  return kind < 60 ? random_below(random, 600) : 100 * (1 + random_below(random, 3));
}

static struct operation choose_operation(struct random *random)
{
  return (struct operation){
      .action = choose_action(random),
      .slot = random_below(random, SLOTS),
      .size = choose_size(random),
  };
}

static void run_operation(struct table *table, const struct operation *operation)
{
  actions[operation->action].run(table, operation, &table->slots[operation->slot]);
}

static void finish(struct table *table)
{
  run_check_all(table, NULL, NULL);
  for (struct slot *slot = table->slots; slot < table->slots + SLOTS; slot++) {
    empty(table, slot, false);
  }
}

static void start(size_t phase)
{
  alarm(HANG_SECONDS);  // a deadlock is a failure too
  heap = mend_handle_heap_create();
  self_type = mend_type_register(relocate_self, NULL);
  CHECK(heap != NULL && self_type != 0);
  const struct mend_defrag_options eager = {.bytes = sizeof eager,
                                            .cpu_percent = 100,
                                            .start_external = 0.01,
                                            .start_bytes = 1,
                                            .interval_ms = 1};
  if (phase != ALONE) CHECK(mend_defragment_start(&eager) == MEND_OK);
}

static _Noreturn void end(void)
{
  mend_defragment_stop();
  CHECK(mend_defragment(NULL) == MEND_OK);
  struct mend_fragmentation left = {.bytes = sizeof left};
  CHECK(mend_fragmentation_get(NULL, &left) == MEND_OK);
  CHECK(left.objects == 0 && left.object_bytes == 0 && left.block_bytes == 0);
  mend_handle_heap_destroy(heap);
  exit(TEST_PASS);  // not _exit: checkers report at the end
}

static size_t current_phase;

static _Noreturn void run_in_child(const size_t *numbers, size_t count)
{
  static struct table table;
  table.is_alone = current_phase == ALONE;
  start(current_phase);
  for (size_t i = 0; i < count; i++) run_operation(&table, &operations[numbers[i]]);
  finish(&table);
  end();
}

static void *work(void *argument)
{
  struct table *table = argument;
  for (size_t i = 0; i < OPERATIONS; i++) {
    struct operation operation = choose_operation(&table->random);
    run_operation(table, &operation);
  }
  mend_quiescent();
  finish(table);
  return NULL;
}

static _Noreturn void run_threads_in_child(uint64_t seed)
{
  static struct table tables[THREADS];
  struct random seeds = {seed};
  start(TOGETHER);
  for (size_t i = 0; i < THREADS; i++) tables[i].random.state = random_next(&seeds);
  threads_run(THREADS, work, tables, sizeof tables[0]);
  end();
}

static bool child_fails(const size_t *numbers, size_t count, uint64_t seed)
{
  int status = 0;
  fflush(NULL);
  pid_t child = fork();
  CHECK(child >= 0);
  if (child == 0 && numbers == NULL) run_threads_in_child(seed);
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
  bool fails = child_fails(numbers, count, 0);
  CHECK(dup2(saved, STDERR_FILENO) >= 0);
  close(saved);
  close(nowhere);
  return fails;
}

static void report(size_t *numbers, uint64_t seed)
{
  printf("%s: the sequence of seed %#" PRIx64 " fails; shrinking it\n", phases[current_phase],
         seed);
  fflush(stdout);
  size_t count = shrink(numbers, OPERATIONS, sequence_fails_silently);
  printf("%zu operations are needed:\n", count);
  for (size_t i = 0; i < count; i++) {
    const struct operation *operation = &operations[numbers[i]];
    printf("%6zu  %-12s slot %4zu  size %7zu\n", numbers[i], actions[operation->action].name,
           operation->slot, operation->size);
  }
  printf("they end so:\n");
  child_fails(numbers, count, 0);
}

static bool sequence_holds(uint64_t seed)
{
  static size_t numbers[OPERATIONS];
  struct random random = {seed};
  for (size_t i = 0; i < OPERATIONS; i++) operations[i] = choose_operation(&random);
  for (size_t i = 0; i < OPERATIONS; i++) numbers[i] = i;
  if (!child_fails(numbers, OPERATIONS, 0)) return true;
  report(numbers, seed);
  return false;
}

int main(void)
{
  struct random seeds = {random_seed()};
  size_t sequences = test_scaled(8);
  for (size_t i = 0; i < sequences; i++) {
    uint64_t seed = i == 0 ? seeds.state : random_next(&seeds);  // a given seed comes first
    for (current_phase = ALONE; current_phase < TOGETHER; current_phase++) {
      if (!sequence_holds(seed)) return TEST_FAIL;
    }
    if (child_fails(NULL, 0, seed)) {
      printf("%s: the sequences of seed %#" PRIx64 " fail\n", phases[TOGETHER], seed);
      return TEST_FAIL;
    }
  }
  printf("%zu sequences of %d operations hold in %d phases\n", sequences, OPERATIONS, PHASES);
  return TEST_PASS;
}
