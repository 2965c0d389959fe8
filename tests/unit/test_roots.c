// SPDX-License-Identifier: MIT
//
// Where a check begins: what others have mapped is looked at, but for what is ours; mend's own
// memory is not, nor files that are shared; and a stack that is known is looked at from its pointer
// on.
#define _GNU_SOURCE 1
#include "leaks.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <sys/mman.h>
#include <unistd.h>

#include "../support/hidden.h"
#include "base/output.h"
#include "os/snapshot.h"
#include "os/thread.h"
#include "track/roots.h"

static struct hidden block;

__attribute__((noinline)) static void make_block(void)
{
  void **made = mend_zalloc(72);
  block = hide(opaque(made));
}

struct place {
  void *start;
  size_t bytes;  // of what is said to be ours
  struct root_stack stack;
};

// In a process of its own: faults are caught.
static void look(void *argument, int end)
{
  const struct place *place = argument;
  static struct roots roots;
  os_snapshot_catch_faults();
  leaks_begin_reach();
  CHECK(roots_begin(&roots, &leaks.scratch, 3));
  roots_add_ours(&roots, place->start, place->bytes);
  roots_add_ours(&roots, leaks.scratch.start, leaks.scratch.bytes);
  roots_add_ours(&roots, &leaks, sizeof leaks);
  roots_add_stack(&roots, place->stack);
  CHECK(roots_add_all(&roots, &leaks.reach));
  reach_follow(&leaks.reach);
  bool is_reached = reach_has(&leaks.reach, leaks_number(unhide(block)));
  CHECK(output_write_to(end, (const char *)&is_reached, sizeof is_reached));
}

static bool is_reached(struct place place)
{
  struct os_snapshot snapshot;
  bool answer = false;
  if (place.stack.thread == 0) {
    place.stack = (struct root_stack){(uintptr_t)__builtin_frame_address(0), os_thread_id(), true};
  }
  struct os_snapshot_plan plan = {look, &place, {2, -1}, false};
  wipe_stack();
  CHECK(os_snapshot_take(&snapshot, &plan));
  CHECK(os_snapshot_read(&snapshot, &answer, sizeof answer));
  os_snapshot_end(&snapshot);
  return answer;
}

static void mapped_memory_is_a_root_unless_it_is_ours(void **state)
{
  (void)state;
  size_t page = (size_t)sysconf(_SC_PAGESIZE);
  make_block();
  wipe_stack();
  char *memory = mmap(NULL, 9 * page, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  assert_true(memory != MAP_FAILED);
  assert_false(is_reached((struct place){.start = memory, .bytes = page}));
  for (size_t at = 0; at < 9 * page; at += 4 * page) {
    *(void **)(void *)(memory + at) = unhide(block);
    assert_true(is_reached((struct place){.start = memory + page, .bytes = page}));
    assert_false(is_reached((struct place){.start = memory + at, .bytes = page}));
    assert_false(is_reached((struct place){.start = memory, .bytes = 9 * page}));
    *(void **)(void *)(memory + at) = NULL;
  }
  munmap(memory, 9 * page);
  mend_free(unhide(block));
}

static void shared_files_are_no_roots(void **state)
{
  (void)state;
  char name[] = "/tmp/mend-test-roots-XXXXXX";
  size_t page = (size_t)sysconf(_SC_PAGESIZE);
  int file = mkstemp(name);
  assert_true(file >= 0);
  assert_int_equal(ftruncate(file, (off_t)page), 0);
  make_block();
  wipe_stack();
  void **memory = mmap(NULL, page, PROT_READ | PROT_WRITE, MAP_SHARED, file, 0);
  assert_true(memory != MAP_FAILED);
  memory[7] = unhide(block);
  bool is_root = is_reached((struct place){.bytes = 0});
  unlink(name);
  assert_false(is_root);
  assert_true(is_reached((struct place){.bytes = 0}));  // nobody else can have it any more
  munmap(memory, page);
  close(file);
  mend_free(unhide(block));
}

static atomic_bool is_there;
static atomic_bool may_end;
static atomic_uintptr_t thread_stack, thread_id;

// Its frame is left before the thread says that it is there: what it wrote is below the pointer.
__attribute__((noinline)) static void write_deeply(void)
{
  void *volatile waste[512];
  for (size_t i = 0; i < 256; i++) waste[i] = unhide(block);
  (void)waste[255];
}

static void *leave_traces(void *unused)
{
  (void)unused;
  write_deeply();
  atomic_store(&thread_stack, (uintptr_t)__builtin_frame_address(0) - 256);
  atomic_store(&thread_id, os_thread_id());
  atomic_store(&is_there, true);
  while (!atomic_load(&may_end)) usleep(1000);
  return NULL;
}

static pthread_t start_thread(const pthread_attr_t *attributes)
{
  pthread_t thread;
  atomic_store(&is_there, false);
  atomic_store(&may_end, false);
  CHECK(pthread_create(&thread, attributes, leave_traces, NULL) == 0);
  while (!atomic_load(&is_there)) usleep(1000);
  return thread;
}

static void end_thread(pthread_t thread)
{
  atomic_store(&may_end, true);
  CHECK(pthread_join(thread, NULL) == 0);
}

// With its stack's pointer, or 0, as known.
static bool is_reached_beside_thread(uintptr_t pointer)
{
  return is_reached((struct place){.stack = {pointer, atomic_load(&thread_id), false}});
}

static void what_lies_below_a_stack_pointer_is_no_root(void **state)
{
  (void)state;
  make_block();
  wipe_stack();
  pthread_t thread = start_thread(NULL);
  assert_true(is_reached((struct place){.bytes = 0}));
#if defined(__GLIBC__)
  assert_false(is_reached_beside_thread(atomic_load(&thread_stack)));
  assert_true(is_reached_beside_thread(0));
#endif
  end_thread(thread);
  mend_free(unhide(block));
}

enum { GUARD = 1 << 16, HALF = 1 << 20 };

// Behind a guard: data, and above these a thread's stack.
static void data_below_a_stack_are_roots(void **state)
{
  (void)state;
  pthread_attr_t attributes;
  char *memory =
      mmap(NULL, GUARD + 2 * HALF, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  void **data = (void **)(void *)(memory + GUARD);
  assert_true(memory != MAP_FAILED && mprotect(memory, GUARD, PROT_NONE) == 0);
  assert_int_equal(pthread_attr_init(&attributes), 0);
  assert_int_equal(pthread_attr_setstack(&attributes, memory + GUARD + HALF, HALF), 0);
  make_block();
  wipe_stack();
  pthread_t thread = start_thread(&attributes);
#if defined(__GLIBC__)
  assert_false(is_reached_beside_thread(atomic_load(&thread_stack)));
#endif
  data[7] = unhide(block);
  assert_true(is_reached_beside_thread(atomic_load(&thread_stack)));
  data[7] = NULL;
  end_thread(thread);
  assert_int_equal(munmap(memory, GUARD + 2 * HALF), 0);
  pthread_attr_destroy(&attributes);
  mend_free(unhide(block));
}

int main(void)
{
  if (test_is_instrumented()) {
    return test_cannot_run("a checker keeps addresses in memory of its own");
  }
  static const struct CMUnitTest tests[] = {
      HIDDEN_TEST(mapped_memory_is_a_root_unless_it_is_ours),
      HIDDEN_TEST(shared_files_are_no_roots),
      HIDDEN_TEST(what_lies_below_a_stack_pointer_is_no_root),
      HIDDEN_TEST(data_below_a_stack_are_roots),
  };
  return SUITE_RUN(tests);
}
