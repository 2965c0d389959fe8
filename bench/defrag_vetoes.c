// SPDX-License-Identifier: MIT
//
// Question: how much does one pass get done while threads use the objects that it wants to move?
//
// Model: 200,000 objects of 64 to 512 bytes, 80 % of them freed at random. Threads then use a share
// of the survivors (0, 1, 10, 50 %, spread over the whole heap) as fast as they can: a scope, 16
// resolves of random ones, each read, or read and written. One pass runs meanwhile. An object that
// a thread resolves while it is announced stays for this attempt; after three attempts for this
// pass. Arguments: the work scale (passes for each case), and the number of threads. Prints a JSON
// line for each pass.
#include <stdatomic.h>

#include "mend/handle.h"

#include "threads.h"

enum { OBJECTS = 200000, FREED_PERCENT = 80, AT_ONCE = 16, ROUNDS = 5 };

struct reader {
  struct random random;
  bool writes;
};

static mend_handle *objects;
static size_t object_count;
static size_t used_count;  // the first so many of the objects are used
static _Atomic(bool) is_over;
static _Atomic(size_t) resolves;
static _Atomic(size_t) readers_ready;

static void use_some(struct reader *reader)
{
  mend_scope_enter();
  for (size_t i = 0; i < AT_ONCE; i++) {
    uint32_t any = random_below(&reader->random, (uint32_t)used_count);
    volatile uint64_t *words = mend_resolve(objects[any]);
    if (words == NULL || words[0] != objects[any].bits) die("an object is not what it was");
    if (reader->writes) words[1]++;
  }
  mend_scope_leave();
}

static void *read_on(void *argument)
{
  struct reader *reader = argument;
  size_t count = 0;
  if (used_count > 0) use_some(reader);
  atomic_fetch_add(&readers_ready, 1);
  while (!atomic_load_explicit(&is_over, memory_order_relaxed)) {
    if (used_count > 0) use_some(reader);
    count += used_count > 0 ? AT_ONCE : 0;
  }
  atomic_fetch_add(&resolves, count);
  return NULL;
}

static void make_objects(struct random *random)
{
  object_count = 0;
  for (size_t i = 0; i < OBJECTS; i++) {
    mend_handle object = mend_handle_zalloc(random_between(random, 64, 512));
    mend_scope_enter();
    uint64_t *words = mend_resolve(object);
    if (words == NULL) die("no memory");
    words[0] = object.bits;
    mend_scope_leave();
    objects[object_count++] = object;
  }
  // In random order, so that the first so many of the survivors are spread over the heap.
  for (size_t i = OBJECTS - 1; i > 0; i--) {
    uint32_t other = random_below(random, (uint32_t)i + 1);
    mend_handle object = objects[i];
    objects[i] = objects[other];
    objects[other] = object;
  }
  while (object_count > (size_t)OBJECTS * (100 - FREED_PERCENT) / 100) {
    if (mend_handle_free(objects[--object_count]) != MEND_OK) die("an object cannot be freed");
  }
}

static void tell(size_t percent, const struct reader *reader, size_t threads,
                 const struct mend_defrag_report *planned, const struct mend_defrag_report *report)
{
  size_t left = planned->objects_moved - report->objects_moved;
  if (report->objects_moved > planned->objects_moved) left = 0;
  line_write("{\"percent\":%zu,\"writes\":%s,\"threads\":%zu,\"planned\":%zu,\"moved\":%zu,"
             "\"vetoed\":%zu,\"left\":%zu,\"external_before\":%.4f,\"external_after\":%.4f,"
             "\"milliseconds\":%.2f,\"grace_ms\":%.2f,\"resolves\":%zu,\"blockers\":%zu}\n",
             percent, reader->writes ? "true" : "false", threads, planned->objects_moved,
             report->objects_moved, report->vetoed, left, report->before.external,
             report->after.external, (double)report->nanoseconds * 1e-6,
             (double)report->grace_ns * 1e-6, atomic_load(&resolves), report->blocker_count);
}

static void run_case(size_t percent, bool writes, size_t threads, struct random *random)
{
  pthread_t *ids = table_map(threads * sizeof *ids);
  struct reader *readers = table_map(threads * sizeof *readers);
  unsigned char *stacks = table_map(threads * STACK_BYTES);
  make_objects(random);
  used_count = object_count * percent / 100;
  atomic_store(&is_over, false);
  atomic_store(&resolves, 0);
  atomic_store(&readers_ready, 0);
  for (size_t i = 0; i < threads; i++) {
    readers[i] = (struct reader){random_seeded(random_next(random)), writes};
    ids[i] = thread_start(stacks + i * STACK_BYTES, read_on, &readers[i]);
  }
  while (atomic_load(&readers_ready) < threads) sched_yield();
  struct mend_defrag_report planned = {.bytes = sizeof planned};
  struct mend_defrag_report report = {.bytes = sizeof report};
  if (mend_defragment_plan(&planned) != MEND_OK) die("no plan");
  enum mend_status status = mend_defragment(&report);
  if (status != MEND_OK && status != MEND_BLOCKED) die("a pass failed");
  atomic_store(&is_over, true);
  for (size_t i = 0; i < threads; i++) pthread_join(ids[i], NULL);
  tell(percent, &readers[0], threads, &planned, &report);
  for (size_t i = 0; i < object_count; i++) {
    if (mend_handle_free(objects[i]) != MEND_OK) die("an object cannot be freed");
  }
  munmap(stacks, threads * STACK_BYTES);
  munmap(readers, threads * sizeof *readers);
  munmap(ids, threads * sizeof *ids);
}

int main(int argc, char **argv)
{
  static const size_t percents[] = {0, 1, 10, 50};
  size_t rounds = ROUNDS * work_scale(argc, argv);
  size_t threads = argc > 2 ? strtoul(argv[2], NULL, 10) : 1;
  if (threads < 1 || threads > 1024) die("the number of threads is from 1 to 1024");
  struct random random = random_seeded(7);
  objects = table_map(OBJECTS * sizeof *objects);
  for (size_t round = 0; round < rounds; round++) {
    for (size_t i = 0; i < sizeof percents / sizeof percents[0]; i++) {
      run_case(percents[i], false, threads, &random);
      if (percents[i] > 0) run_case(percents[i], true, threads, &random);
    }
  }
  return 0;
}
