// SPDX-License-Identifier: MIT
//
// Prints one line a benchmark: name and number of CPUs, operations, nanoseconds and system calls an
// operation. A benchmark is run with more and more iterations until it takes a fifth of a second;
// the last run is the one that is printed.
//
// Unlike the other programs here it calls mend by its own names and reads mend's own counter of
// system calls; it compares nothing and no figure can fail it. What fails it (exit status 1) is an
// allocation that returns NULL, a block or an object whose content is wrong, a realloc that moves a
// block which could have stayed, or a pass over a sparse heap that moves nothing.
#include <stdatomic.h>

#include "threads.h"
#include "mend/handle.h"
#include "mend/mend.h"
#include "mend/smart.h"
#include "mend/stats.h"

enum { SLOTS = 1000, MAILBOXES = 64, HAND_OVER = 16, THREADS_MAX = 64 };

static const double target_seconds = 0.2;
static const size_t iterations_max = (size_t)1 << 32;

struct benchmark {
  const char *name;
  // Makes at least so many operations; says how many it has made.
  size_t (*run)(size_t iterations, size_t threads);
};

// What the iterations have cost. It runs while a benchmark does, but for what that leaves out.
static struct {
  double seconds;
  size_t calls;
} meter;

static size_t os_calls(void)
{
  struct mend_stats stats = {.bytes = sizeof stats};
  if (!mend_stats_get(&stats)) die("mend_stats_get");
  return stats.os_call_count;
}

static void meter_start(void)
{
  meter.calls -= os_calls();
  meter.seconds -= clock_seconds(CLOCK_MONOTONIC);
}

static void meter_stop(void)
{
  meter.seconds += clock_seconds(CLOCK_MONOTONIC);
  meter.calls += os_calls();
}

static void *block_take(size_t size)
{
  return block_mark(mend_malloc(size), size);
}

static void block_give(void *block)
{
  if (block == NULL) return;
  block_check(opaque(block));
  mend_free(block);
}

// One thread replaces random ones of SLOTS blocks of 8 to 1024 bytes.
static size_t basic_run(size_t iterations, size_t threads)
{
  (void)threads;
  struct random random = random_seeded(1);
  void *slots[SLOTS] = {NULL};
  for (size_t i = 0; i < iterations; i++) {
    void **slot = &slots[random_below(&random, SLOTS)];
    block_give(*slot);
    *slot = block_take(random_between(&random, BLOCK_MIN, 1024));
  }
  for (size_t i = 0; i < SLOTS; i++) block_give(slots[i]);
  return iterations;
}

struct share {
  uint64_t seed;
  size_t iterations;
  _Atomic(void *) *mailboxes;
};

// As basic_run on every CPU; one block in HAND_OVER changes hands through a shared mailbox.
static void *share_run(void *argument)
{
  const struct share *share = argument;
  struct random random = random_seeded(share->seed);
  void *slots[SLOTS] = {NULL};
  for (size_t i = 0; i < share->iterations; i++) {
    void **slot = &slots[random_below(&random, SLOTS)];
    if (i % HAND_OVER == 0)
      *slot = atomic_exchange(&share->mailboxes[random_below(&random, MAILBOXES)], *slot);
    block_give(*slot);
    *slot = block_take(random_between(&random, BLOCK_MIN, 1024));
  }
  for (size_t i = 0; i < SLOTS; i++) block_give(slots[i]);
  return NULL;
}

static size_t threaded_run(size_t iterations, size_t threads)
{
  _Atomic(void *) mailboxes[MAILBOXES];
  struct share shares[THREADS_MAX];
  for (size_t i = 0; i < MAILBOXES; i++) atomic_init(&mailboxes[i], NULL);
  for (size_t i = 0; i < threads; i++) {
    const size_t begin = iterations * i / threads, end = iterations * (i + 1) / threads;
    shares[i] = (struct share){i, end - begin, mailboxes};
  }
  threads_run(threads, share_run, shares, sizeof *shares);
  for (size_t i = 0; i < MAILBOXES; i++) block_give(mailboxes[i]);
  return iterations;
}

struct counted {
  size_t number;
  size_t words[3];
};

static void counted_take(struct counted **slot, size_t number)
{
  struct counted *object = mend_rc_make(struct counted, NULL);
  if (object == NULL) die("mend_rc_make");
  object->number = number;
  *slot = object;
}

// Replaces random ones of SLOTS counted objects; each is shared for a moment before it goes.
static size_t counted_run(size_t iterations, size_t threads)
{
  (void)threads;
  struct random random = random_seeded(1);
  struct counted *slots[SLOTS];
  for (size_t i = 0; i < SLOTS; i++) counted_take(&slots[i], i);
  for (size_t i = 0; i < iterations; i++) {
    const size_t place = random_below(&random, SLOTS);
    struct counted *shared = mend_rc_retain(slots[place]);
    mend_rc_release(slots[place]);
    if (shared->number % SLOTS != place) die("a counted object was overwritten");
    mend_rc_release(shared);
    counted_take(&slots[place], i * SLOTS + place);
  }
  for (size_t i = 0; i < SLOTS; i++) mend_rc_release(slots[i]);
  return iterations;
}

static void *resize_in_place(void *block, size_t size)
{
  void *same = mend_realloc(block, size);
  if (same != block) die("realloc moved a block that could have stayed");
  return same;
}

// Grows a small and a large block to their usable size and takes them back, in turn.
static size_t realloc_run(size_t iterations, size_t threads)
{
  enum { SMALL = 1000, LARGE = 300000 };
  (void)threads;
  void *small = mend_malloc(SMALL), *large = mend_malloc(LARGE);
  if (small == NULL || large == NULL) die("an allocation returned NULL");
  block_mark(small, SMALL);
  block_mark(large, LARGE);
  const size_t small_max = mend_malloc_usable_size(small);
  const size_t large_max = mend_malloc_usable_size(large);
  for (size_t i = 0; i < iterations; i++) {
    const bool grow = i % 4 < 2;
    if (i % 2 == 0)
      small = resize_in_place(small, grow ? small_max : SMALL);
    else
      large = resize_in_place(large, grow ? large_max : LARGE);
  }
  block_give(small);
  block_give(large);
  return iterations;
}

// Makes objects of 8 to 1024 bytes and frees nine tenths of them.
static void sparse_objects_make(mend_handle *objects, size_t count, struct random *random)
{
  for (size_t i = 0; i < count; i++) {
    const size_t size = random_between(random, BLOCK_MIN, 1024);
    objects[i] = mend_handle_alloc(size);
    mend_scope_enter();
    block_mark(mend_resolve(objects[i]), size);
    mend_scope_leave();
  }
  for (size_t i = 0; i < count; i++) {
    if (random_below(random, 10) == 0) continue;
    mend_handle_free(objects[i]);
    objects[i] = MEND_HANDLE_NULL;
  }
}

static void objects_give(const mend_handle *objects, size_t count)
{
  for (size_t i = 0; i < count; i++) {
    if (mend_handle_is_null(objects[i])) continue;
    mend_scope_enter();
    block_check(mend_resolve(objects[i]));
    mend_scope_leave();
    mend_handle_free(objects[i]);
  }
}

// An operation is an object that a pass moves. Only the passes count, as wholes.
static size_t defragmentation_run(size_t iterations, size_t threads)
{
  enum { OBJECTS = 100000 };
  static mend_handle objects[OBJECTS];
  struct random random = random_seeded(1);
  (void)threads;
  size_t moved = 0;
  while (moved < iterations) {
    struct mend_defrag_report report = {.bytes = sizeof report};
    meter_stop();
    sparse_objects_make(objects, OBJECTS, &random);
    meter_start();
    if (mend_defragment(&report) != MEND_OK) die("mend_defragment");
    meter_stop();
    if (report.objects_moved == 0) die("a pass moved nothing");
    moved += report.objects_moved;
    objects_give(objects, OBJECTS);
    meter_start();
  }
  return moved;
}

static void benchmark_measure(const struct benchmark *benchmark, size_t threads)
{
  size_t iterations = 1000;
  for (;;) {
    meter.seconds = 0;
    meter.calls = 0;
    meter_start();
    const size_t operations = benchmark->run(iterations, threads);
    meter_stop();
    if (meter.seconds >= target_seconds || iterations >= iterations_max) {
      line_write("Benchmark_%s-%zu\t%12zu\t%10.2f ns/op\t%10.3g syscalls/op\n", benchmark->name,
                 threads, operations, meter.seconds * 1e9 / (double)operations,
                 (double)meter.calls / (double)operations);
      return;
    }
    iterations *= meter.seconds < target_seconds / 20 ? 10 : 2;
  }
}

int main(void)
{
  static const struct benchmark benchmarks[] = {{"BasicAllocation", basic_run},
                                                {"ThreadedAllocation", threaded_run},
                                                {"CountedObjects", counted_run},
                                                {"ReallocInPlace", realloc_run},
                                                {"Defragmentation", defragmentation_run}};
  const long online = sysconf(_SC_NPROCESSORS_ONLN);
  const size_t cpus = online < 1 ? 1 : online > THREADS_MAX ? THREADS_MAX : (size_t)online;
  for (size_t i = 0; i < sizeof benchmarks / sizeof *benchmarks; i++)
    benchmark_measure(&benchmarks[i], cpus);
  return 0;
}
