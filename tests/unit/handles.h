// SPDX-License-Identifier: MIT
//
// What tests of relocatable objects share: a heap of handles for each test, objects whose contents
// tell who they are, sparse heaps, and other threads: one that does something now, one that visits
// with its scope open, and one that is ambushed at a step of the protocol (handle/step.h).
#ifndef TESTS_UNIT_HANDLES_H
#define TESTS_UNIT_HANDLES_H

#include <pthread.h>
#include <sched.h>
#include <string.h>

#include "../support/suite.h"
#include "api/init.h"
#include "base/options.h"
#include "handle/defrag.h"
#include "handle/fragmentation.h"
#include "handle/info.h"
#include "handle/mover.h"
#include "handle/object.h"
#include "os/system.h"

static struct handle_heap *heap;  // of the test that runs

static inline int open_heap(void **state)
{
  (void)state;
  init_once();
  CHECK(handle_start());
  heap = handle_heap_create();
  return heap != NULL ? 0 : -1;
}

static inline int close_heap(void **state)
{
  (void)state;
  step_hook = NULL;
  options.handle_strict = false;
  options.handle_poison = false;
  CHECK(scope_end_implicit());
  handle_heap_destroy(heap);
  return 0;
}

#define HANDLES_TEST(function) cmocka_unit_test_setup_teardown(function, open_heap, close_heap)

// ---------------------------------------------------------------------------------------------
// Objects. None of these leaves a scope open.

static inline void write_object(uint64_t handle)
{
  scope_enter();
  pattern_fill(object_resolve(handle), object_bytes(handle), handle);
  scope_leave();
}

static inline uint64_t make_object(size_t size)
{
  uint64_t handle = object_allocate(heap, 16, size, 0, 0);
  CHECK(handle != 0);
  write_object(handle);
  return handle;
}

static inline bool is_whole(uint64_t handle)
{
  size_t bytes = object_bytes(handle);
  scope_enter();
  void *address = object_resolve(handle);
  bool is = address != NULL && pattern_difference(address, bytes, handle) == bytes;
  scope_leave();
  return is;
}

// Where the object is, without disturbing a mover.
static inline void *place_of(uint64_t handle)
{
  return entry_block(atomic_load(handle_entry(handle)));
}

static inline enum entry_state state_of(uint64_t handle)
{
  return entry_state(atomic_load(handle_entry(handle)));
}

enum { OBJECTS = 10240 };  // ten leaves of a table, where os pages have 4 KiB

static struct {
  uint64_t handles[OBJECTS];
  void *places[OBJECTS];  // where they were when they were made
  size_t count;
} kept;

// Makes so many objects of a size, and frees all but every `stride`-th.
static inline void make_sparse_of(size_t count, size_t size, size_t stride)
{
  static uint64_t all[OBJECTS];
  kept.count = 0;
  for (size_t i = 0; i < count; i++) all[i] = make_object(size);
  for (size_t i = 0; i < count; i++) {
    if (i % stride != 0) {
      CHECK(object_free(all[i], false) == MEND_OK);
      continue;
    }
    kept.places[kept.count] = place_of(all[i]);
    kept.handles[kept.count++] = all[i];
  }
}

// The same of OBJECTS, or as many as have 8 MiB.
static inline void make_sparse(size_t size, size_t stride)
{
  make_sparse_of(bits_smaller(OBJECTS, 8 * MIB / (size + 1)), size, stride);
}

static inline size_t count_whole(void)
{
  size_t count = 0;
  for (size_t i = 0; i < kept.count; i++) count += is_whole(kept.handles[i]);
  return count;
}

static inline size_t count_moved(void)
{
  size_t count = 0;
  for (size_t i = 0; i < kept.count; i++) count += place_of(kept.handles[i]) != kept.places[i];
  return count;
}

static inline size_t count_in_state(enum entry_state state)
{
  size_t count = 0;
  for (size_t i = 0; i < kept.count; i++) count += state_of(kept.handles[i]) == state;
  return count;
}

static inline void free_kept(void)
{
  for (size_t i = 0; i < kept.count; i++) CHECK(object_free(kept.handles[i], false) == MEND_OK);
  kept.count = 0;
  (void)handle_heap_collect(heap, true);
}

// One pass over the test's heap, with so long a wait for scopes.
static inline enum mend_status run_pass(struct mend_defrag_report *report, uint64_t grace_ns)
{
  enum mend_status status = MEND_PARTIAL;
  *report = (struct mend_defrag_report){.bytes = sizeof *report};
  os_lock_acquire(&heap->mover_lock);
  CHECK(mover_begin(heap, report));
  while (status == MEND_PARTIAL) status = mover_move(heap, SIZE_MAX, SIZE_MAX, grace_ns, report);
  mover_end(heap, report);
  (void)handle_heap_collect(heap, true);
  os_lock_release(&heap->mover_lock);
  return status;
}

// ---------------------------------------------------------------------------------------------
// Other threads.

static inline void *call_it(void *function)
{
  void (*it)(void);
  memcpy(&it, function, sizeof it);
  it();
  return NULL;
}

static inline void run_elsewhere(void (*function)(void))
{
  pthread_t thread;
  CHECK(pthread_create(&thread, NULL, call_it, &function) == 0);
  CHECK(pthread_join(thread, NULL) == 0);
}

// A thread that has a scope open from visitor_come to visitor_go.
static struct {
  pthread_t thread;
  uint64_t handle;  // resolved in the scope, which is implicit then; 0: an explicit one
  uint32_t number;  // of the thread
  void *address;
  _Atomic(int) stage;  // 0, 1: the scope is open, 2: it is to be closed
} visitor;

static inline void *visit(void *unused)
{
  visitor.number = os_thread_number();
  if (visitor.handle != 0) {
    visitor.address = object_resolve(visitor.handle);
  } else {
    scope_enter();
  }
  atomic_store(&visitor.stage, 1);
  while (atomic_load(&visitor.stage) == 1) os_sleep_us(100);
  if (visitor.handle != 0) {
    CHECK(scope_end_implicit());
  } else {
    scope_leave();
  }
  return unused;
}

static inline void visitor_come(uint64_t handle)
{
  visitor.handle = handle;
  atomic_store(&visitor.stage, 0);
  CHECK(pthread_create(&visitor.thread, NULL, visit, NULL) == 0);
  while (atomic_load(&visitor.stage) == 0) sched_yield();
}

static inline void visitor_go(void)
{
  atomic_store(&visitor.stage, 2);
  CHECK(pthread_join(visitor.thread, NULL) == 0);
}

// ---------------------------------------------------------------------------------------------
// Ambushes: the thread that lays one runs a function when it comes to a step.

static struct {
  enum step step;
  size_t left;   // passages until it is sprung
  size_t times;  // that it is sprung then
  size_t sprung;
  void (*function)(void);
} ambush;

static _Thread_local bool is_ambushed;

static inline void on_step(enum step step)
{
  if (!is_ambushed || step != ambush.step) return;
  if (ambush.left > 1) {
    ambush.left--;
    return;
  }
  if (ambush.sprung == ambush.times) return;
  ambush.sprung++;
  is_ambushed = false;  // not again by what the function does
  ambush.function();
  is_ambushed = true;
}

static inline void ambush_at(enum step step, size_t passage, size_t times, void (*function)(void))
{
  ambush.step = step;
  ambush.left = passage;
  ambush.times = times;
  ambush.sprung = 0;
  ambush.function = function;
  is_ambushed = true;
  step_hook = on_step;
}

#endif
