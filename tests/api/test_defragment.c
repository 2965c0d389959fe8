// SPDX-License-Identifier: MIT
//
// Defragmentation, call by call: what passes, steps and plans do and say, who is in their way, what
// they leave alone, the functions of types, heaps, and the thread in the background.
#define _GNU_SOURCE 1
#include "../support/suite.h"

#include <errno.h>
#include <pthread.h>
#include <sched.h>
#include <stdatomic.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "mend/handle.h"

enum { COUNT = 20000, SIZE = 240 };

static mend_handle handles[COUNT];
static void *addresses[COUNT];

static void make(mend_handle_heap *heap, size_t i, size_t size, mend_type type)
{
  handles[i] = mend_handle_heap_alloc(heap, size, 0, type);
  assert_false(mend_handle_is_null(handles[i]));
  mend_scope_enter();
  addresses[i] = mend_resolve(handles[i]);
  pattern_fill(addresses[i], size, i);
  mend_scope_leave();
}

// COUNT objects, of which one in `kept` stays.
static void make_holes(mend_handle_heap *heap, size_t kept)
{
  for (size_t i = 0; i < COUNT; i++) make(heap, i, SIZE, 0);
  for (size_t i = 0; i < COUNT; i++) {
    if (i % kept == 0) continue;
    assert_int_equal(mend_handle_free(handles[i]), MEND_OK);
    handles[i] = MEND_HANDLE_NULL;
  }
}

static void assert_contents(void)
{
  mend_scope_enter();
  for (size_t i = 0; i < COUNT; i++) {
    if (mend_handle_is_null(handles[i])) continue;
    assert_int_equal(pattern_difference(mend_resolve(handles[i]), SIZE, i), SIZE);
  }
  mend_scope_leave();
}

// How many objects are not where they were.
static size_t count_moved(void)
{
  size_t moved = 0;
  mend_scope_enter();
  for (size_t i = 0; i < COUNT; i++) {
    if (!mend_handle_is_null(handles[i])) moved += mend_resolve(handles[i]) != addresses[i];
  }
  mend_scope_leave();
  return moved;
}

static void free_all(void)
{
  for (size_t i = 0; i < COUNT; i++) {
    assert_int_equal(mend_handle_free(handles[i]), MEND_OK);
    handles[i] = MEND_HANDLE_NULL;
  }
  assert_int_equal(mend_defragment(NULL), MEND_OK);
}

static struct mend_fragmentation measure(mend_handle_heap *heap)
{
  struct mend_fragmentation now = {.bytes = sizeof now};
  assert_int_equal(mend_fragmentation_get(heap, &now), MEND_OK);
  return now;
}

// Where pages are tiny, much of each is left over at its end.
static bool is_dense(double external)
{
  return TEST_IS_WASTEFUL || external < 0.2;
}

static void a_pass_closes_holes_and_keeps_contents(void **state)
{
  (void)state;
  make_holes(NULL, 10);
  struct mend_defrag_report report = {.bytes = sizeof report};
  errno = EILSEQ;
  assert_int_equal(mend_defragment(&report), MEND_OK);
  assert_int_equal(errno, EILSEQ);
  assert_contents();
  assert_int_equal(report.bytes, sizeof report);
  assert_int_equal(report.before.objects, COUNT / 10);
  assert_int_equal(report.before.object_bytes, COUNT / 10 * SIZE);
  assert_int_equal(report.after.object_bytes, COUNT / 10 * SIZE);
  assert_true(report.before.external > 0.8 && is_dense(report.after.external));
  assert_int_equal(report.objects_moved, count_moved());
  assert_int_equal(report.bytes_moved, report.objects_moved * SIZE);
  assert_true(report.pages_emptied > 0 && report.pages_examined >= report.pages_emptied);
  assert_true(report.bytes_freed >= report.before.resident_bytes - report.after.resident_bytes);
  assert_int_equal(report.vetoed + report.pinned + report.blocker_count, 0);
  assert_true(report.grace_ns <= report.nanoseconds);
  struct mend_defrag_report again = {.bytes = sizeof again};
  assert_int_equal(mend_defragment(&again), MEND_OK);
  assert_int_equal(again.objects_moved, 0);  // there is nothing left to do
  free_all();
}

static void an_emptied_heap_gives_the_handle_table_back(void **state)
{
  (void)state;
  make_holes(NULL, 1);
  size_t before = measure(NULL).table_bytes;
  for (size_t i = 0; i < COUNT; i++) assert_int_equal(mend_handle_free(handles[i]), MEND_OK);
  struct mend_defrag_report report = {.bytes = sizeof report};
  assert_int_equal(mend_defragment(&report), MEND_OK);
  assert_true(report.table_freed > 0 && report.after.table_bytes < before);
  assert_int_equal(report.after.objects + report.after.object_bytes + report.after.block_bytes, 0);
  for (size_t i = 0; i < COUNT; i++) assert_int_equal(mend_handle_status(handles[i]), MEND_STALE);
  static mend_handle old[COUNT];
  memcpy(old, handles, sizeof old);
  make_holes(NULL, 1);
  for (size_t i = 0; i < COUNT; i++) assert_int_equal(mend_handle_status(old[i]), MEND_STALE);
  assert_contents();
  free_all();
}

static void a_plan_says_what_the_pass_then_does(void **state)
{
  (void)state;
  make_holes(NULL, 7);
  struct mend_defrag_report plan = {.bytes = sizeof plan};
  struct mend_defrag_report pass = {.bytes = sizeof pass};
  assert_int_equal(mend_defragment_plan(&plan), MEND_OK);
  assert_int_equal(count_moved(), 0);
  assert_int_equal(mend_defragment(&pass), MEND_OK);
  assert_int_equal(plan.pages_examined, pass.pages_examined);
  assert_int_equal(plan.pages_emptied, pass.pages_emptied);
  // Which of the pages that are alike to the plan are emptied, it does not know.
  size_t slack = plan.objects_moved / 16 + 16;
  assert_true(plan.objects_moved <= pass.objects_moved + slack);
  assert_true(pass.objects_moved <= plan.objects_moved + slack);
  assert_true(plan.bytes_freed <= pass.bytes_freed);
  assert_true(plan.after.resident_bytes < plan.before.resident_bytes);
  assert_true(plan.before.external > plan.after.external);
  free_all();
}

static void steps_keep_to_their_budget_and_end(void **state)
{
  (void)state;
  make_holes(NULL, 5);
  const struct mend_defrag_budget budgets[] = {
      {.objects = 10}, {.bytes = 10 * SIZE}, {.objects = 1}, {.nanoseconds = 1}};
  enum mend_status status = MEND_PARTIAL;
  size_t moved = 0;
  size_t steps = 0;
  for (; status == MEND_PARTIAL; steps++) {
    assert_true(steps < 10 * COUNT);
    const struct mend_defrag_budget *budget = &budgets[steps % 4];
    struct mend_defrag_report report = {.bytes = sizeof report};
    status = mend_defragment_step(NULL, budget, &report);
    assert_true(status == MEND_PARTIAL || status == MEND_OK);
    assert_true(budget->objects == 0 || report.objects_moved <= budget->objects);
    assert_true(budget->bytes == 0 || report.bytes_moved <= budget->bytes);
    moved += report.objects_moved;
    if (steps % 100 == 0) assert_contents();
  }
  assert_true(steps > 4);  // a budget of time is overrun by a batch
  assert_int_equal(moved, count_moved());
  assert_true(is_dense(measure(NULL).external));
  free_all();
}

static void a_step_without_a_budget_is_a_whole_pass(void **state)
{
  (void)state;
  make_holes(NULL, 5);
  assert_int_equal(mend_defragment_step(NULL, NULL, NULL), MEND_OK);
  assert_true(is_dense(measure(NULL).external));
  assert_contents();
  free_all();
}

static void a_scope_of_the_caller_is_in_the_way_unless_implicit(void **state)
{
  (void)state;
  make_holes(NULL, 5);
  mend_scope_enter();
  assert_int_equal(mend_defragment(NULL), MEND_BUSY);
  assert_int_equal(mend_defragment_step(NULL, NULL, NULL), MEND_BUSY);
  assert_int_equal(mend_defragment_plan(NULL), MEND_OK);  // moves nothing
  assert_int_equal(count_moved(), 0);
  mend_scope_leave();
  assert_non_null(mend_resolve(handles[0]));
  assert_int_equal(mend_defragment(NULL), MEND_OK);
  assert_true(count_moved() > 0);
  assert_contents();
  free_all();
}

struct reader {
  bool is_implicit;
  atomic_int thread;  // the kernel's number, when the scope is open
  atomic_bool may_end;
};

__attribute__((noinline)) static void open_a_scope(void)
{
  mend_scope_enter();
  __asm__ volatile("");  // not the last call, so the return address lies in here
}

__attribute__((noinline)) static const void *resolve_first(void)
{
  const void *address = mend_resolve(handles[0]);
  return opaque((void *)(uintptr_t)address);
}

static void *hold_a_scope(void *argument)
{
  struct reader *reader = argument;
  if (!reader->is_implicit) open_a_scope();
  const void *address = resolve_first();
  atomic_store(&reader->thread, (int)syscall(SYS_gettid));
  while (!atomic_load(&reader->may_end)) usleep(1000);
  CHECK(pattern_difference(address, SIZE, 0) == SIZE);
  if (!reader->is_implicit) {
    CHECK(mend_resolve(handles[0]) == address);
    mend_scope_leave();
  }
  return NULL;  // the end of the thread ends an implicit one
}

// The scope was opened in one of the two functions above: the address is behind where that begins,
// by less than what the other's is, and not far.
static void assert_place(const void *opened_at, bool is_implicit)
{
#ifdef MEND_TRACK_SCOPES
  uintptr_t after_enter = (uintptr_t)opened_at - (uintptr_t)open_a_scope;
  uintptr_t after_resolve = (uintptr_t)opened_at - (uintptr_t)resolve_first;
  assert_int_equal(after_resolve < after_enter, is_implicit);
  assert_true((is_implicit ? after_resolve : after_enter) < 1000);
#else
  (void)is_implicit;
  assert_null(opened_at);
#endif
}

static void assert_names(const struct mend_defrag_report *report, struct reader *reader)
{
  assert_int_equal(report->blocker_count, 1);
  assert_int_equal(report->blockers[0].thread, atomic_load(&reader->thread));
  assert_int_equal(report->blockers[0].is_implicit, reader->is_implicit);
  assert_place(report->blockers[0].opened_at, reader->is_implicit);
}

// An implicit scope first: the explicit one's thread gets its record.
static void scopes_of_other_threads_are_named(void **state)
{
  (void)state;
  make_holes(NULL, 5);
  for (int i = 0; i < 4; i++) {
    struct reader reader = {.is_implicit = i % 2 == 0};
    pthread_t thread;
    assert_int_equal(pthread_create(&thread, NULL, hold_a_scope, &reader), 0);
    while (atomic_load(&reader.thread) == 0) sched_yield();
    struct mend_defrag_report report = {.bytes = sizeof report};
    const struct mend_defrag_budget short_wait = {.grace_ns = 10000000};
    assert_int_equal(mend_defragment_step(NULL, &short_wait, &report), MEND_BLOCKED);
    assert_names(&report, &reader);
    assert_true(report.grace_ns >= 10000000 && report.vetoed == 0);
    report = (struct mend_defrag_report){.bytes = sizeof report};
    assert_int_equal(mend_defragment(&report), MEND_BLOCKED);
    assert_names(&report, &reader);
    assert_true(report.blockers[0].scope_age_ns >= 100000000);
    assert_int_equal(report.objects_moved + count_moved(), 0);
    mend_quiescent();
    atomic_store(&reader.may_end, true);
    assert_int_equal(pthread_join(thread, NULL), 0);
  }
  assert_int_equal(mend_defragment(NULL), MEND_OK);
  assert_true(count_moved() > 0);
  assert_contents();
  free_all();
}

static void pinned_objects_stay_until_they_are_unpinned(void **state)
{
  (void)state;
  make_holes(NULL, 5);
  for (size_t i = 0; i < COUNT; i += 50) assert_ptr_equal(mend_pin(handles[i]), addresses[i]);
  mend_quiescent();
  struct mend_defrag_report report = {.bytes = sizeof report};
  assert_int_equal(mend_defragment(&report), MEND_OK);
  assert_true(report.objects_moved > 0 && report.pinned > 0);
  for (size_t i = 0; i < COUNT; i += 50) {
    assert_ptr_equal(mend_resolve(handles[i]), addresses[i]);
    assert_int_equal(mend_unpin(handles[i]), MEND_OK);
  }
  assert_contents();
  assert_int_equal(mend_defragment(NULL), MEND_OK);
  assert_true(is_dense(measure(NULL).external));
  assert_contents();
  free_all();
}

static void objects_made_pinned_and_large_ones_never_move(void **state)
{
  (void)state;
  enum { STILL = 3000, LARGE = 20 };
  static mend_handle still[STILL];
  static void *places[STILL];
  for (size_t i = 0; i < STILL; i++) {
    still[i] = i < LARGE ? mend_handle_alloc(MIB) : mend_handle_alloc_pinned(SIZE);
    places[i] = mend_resolve(still[i]);
    assert_non_null(places[i]);
    pattern_fill(places[i], SIZE, i);
  }
  for (size_t i = 1; i < STILL; i += 2) mend_handle_free(still[i]);
  assert_int_equal(mend_defragment(NULL), MEND_OK);
  for (size_t i = 0; i < STILL; i += 2) {
    assert_ptr_equal(mend_resolve(still[i]), places[i]);
    assert_int_equal(pattern_difference(places[i], SIZE, i), SIZE);
    mend_handle_free(still[i]);
  }
  mend_quiescent();
}

struct node {
  struct node *self;
  size_t number;
  char rest[SIZE - 16];
};

static void relocate_node(void *to, const void *from, size_t size, void *argument)
{
  struct node *node = to;
  CHECK(size == sizeof *node && argument == handles && node->self == from);
  node->self = to;
}

static void the_function_of_a_type_corrects_what_has_moved(void **state)
{
  (void)state;
  mend_type type = mend_type_register(relocate_node, handles);
  assert_true(type != 0);
  for (size_t i = 0; i < COUNT; i++) {
    make(NULL, i, SIZE, type);
    struct node *node = mend_resolve(handles[i]);
    node->self = node;
    node->number = i;
  }
  for (size_t i = 0; i < COUNT; i++) {
    if (i % 5 != 0) mend_handle_free(handles[i]);
    if (i % 5 != 0) handles[i] = MEND_HANDLE_NULL;
  }
  assert_int_equal(mend_defragment(NULL), MEND_OK);
  assert_true(count_moved() > 0);
  for (size_t i = 0; i < COUNT; i += 5) {
    struct node *node = mend_resolve(handles[i]);
    assert_true(node->self == node && node->number == i);
    assert_int_equal(mend_handle_type(handles[i]), type);
  }
  free_all();
}

// While the function waits, a pass is under way.
static atomic_bool is_moving, may_go_on;

static void wait_while_moving(void *to, const void *from, size_t size, void *argument)
{
  (void)to, (void)from, (void)size, (void)argument;
  atomic_store(&is_moving, true);
  while (!atomic_load(&may_go_on)) usleep(100);
}

static void *defragment(void *argument)
{
  (void)argument;
  CHECK(mend_defragment(NULL) == MEND_OK);
  return NULL;
}

static void a_mover_that_stands_still_is_in_nobodys_way_but_other_movers(void **state)
{
  (void)state;
  if (test_is_instrumented()) skip();  // with ThreadSanitizer readers wait for the copy
  mend_type type = mend_type_register(wait_while_moving, NULL);
  for (size_t i = 0; i < COUNT; i++) make(NULL, i, SIZE, type);
  for (size_t i = 0; i < COUNT; i++) {
    if (i % 5 != 0) mend_handle_free(handles[i]);
    if (i % 5 != 0) handles[i] = MEND_HANDLE_NULL;
  }
  pthread_t thread;
  assert_int_equal(pthread_create(&thread, NULL, defragment, NULL), 0);
  while (!atomic_load(&is_moving)) sched_yield();
  assert_int_equal(mend_defragment(NULL), MEND_BUSY);
  assert_contents();  // calls all of its moves off
  for (size_t i = 1; i < COUNT; i += 5) make(NULL, i, SIZE, 0);
  for (size_t i = 0; i < COUNT; i += 10) assert_int_equal(mend_handle_free(handles[i]), MEND_OK);
  for (size_t i = 0; i < COUNT; i += 10) handles[i] = MEND_HANDLE_NULL;
  for (size_t i = 5; i < COUNT; i += 10) assert_non_null(mend_pin(handles[i]));
  atomic_store(&may_go_on, true);
  assert_int_equal(pthread_join(thread, NULL), 0);
  assert_contents();
  for (size_t i = 5; i < COUNT; i += 10) assert_int_equal(mend_unpin(handles[i]), MEND_OK);
  assert_int_equal(mend_defragment(NULL), MEND_OK);
  assert_contents();
  free_all();
}

static void a_heap_is_moved_measured_and_ended_for_itself(void **state)
{
  (void)state;
  mend_handle_heap *one = mend_handle_heap_create();
  mend_handle_heap *two = mend_handle_heap_create();
  make_holes(one, 5);
  size_t objects = measure(one).objects;
  assert_int_equal(objects, COUNT / 5);
  assert_int_equal(measure(two).objects, 0);
  assert_int_equal(mend_defragment_step(two, NULL, NULL), MEND_OK);
  assert_int_equal(count_moved(), 0);
  const struct mend_defrag_budget little = {.objects = 100};
  assert_int_equal(mend_defragment_step(one, &little, NULL), MEND_PARTIAL);
  assert_true(count_moved() > 0 && count_moved() <= 100);
  assert_contents();
  mend_handle_heap_destroy(one);  // in the middle of its pass
  for (size_t i = 0; i < COUNT; i++) {
    assert_true(mend_handle_status(handles[i]) != MEND_OK);
    handles[i] = MEND_HANDLE_NULL;
  }
  assert_int_equal(measure(NULL).objects, 0);
  mend_handle_heap_destroy(two);
  assert_int_equal(mend_defragment(NULL), MEND_OK);
}

static void the_parts_make_up_what_is_resident(void **state)
{
  (void)state;
  for (size_t kept = 1; kept < 20; kept += 6) {
    make_holes(NULL, kept);
    struct mend_fragmentation now = measure(NULL);
    assert_int_equal(now.block_bytes + now.free_bytes + now.rest_bytes, now.resident_bytes);
    assert_int_equal(now.objects, (COUNT + kept - 1) / kept);
    assert_true(now.object_bytes <= now.block_bytes && now.metadata_bytes > 0);
    assert_true(0 <= now.external && now.external <= now.heap && now.heap <= now.all_in);
    assert_true(now.all_in < 1);
    free_all();
  }
}

static void structures_that_are_too_small_are_refused(void **state)
{
  (void)state;
  struct mend_defrag_report report = {.bytes = sizeof report - 1};
  struct mend_fragmentation figures = {.bytes = sizeof figures - 1};
  struct mend_defrag_options options = {.bytes = sizeof options - 1};
  assert_int_equal(mend_defragment(&report), MEND_INVALID);
  assert_int_equal(mend_defragment_step(NULL, NULL, &report), MEND_INVALID);
  assert_int_equal(mend_defragment_plan(&report), MEND_INVALID);
  assert_int_equal(mend_fragmentation_get(NULL, &figures), MEND_INVALID);
  assert_int_equal(mend_fragmentation_get(NULL, NULL), MEND_INVALID);
  assert_int_equal(mend_defragment_start(&options), MEND_INVALID);
  options = (struct mend_defrag_options){.bytes = sizeof options, .cpu_percent = 101};
  assert_int_equal(mend_defragment_start(&options), MEND_INVALID);
  options = (struct mend_defrag_options){.bytes = sizeof options, .start_external = 1.5};
  assert_int_equal(mend_defragment_start(&options), MEND_INVALID);
}

static void the_background_thread_closes_holes_by_itself(void **state)
{
  (void)state;
  mend_defragment_stop();
  const struct mend_defrag_options eager = {
      .bytes = sizeof eager, .cpu_percent = 100, .start_bytes = 1, .interval_ms = 1};
  assert_int_equal(mend_defragment_start(&eager), MEND_OK);
  assert_int_equal(mend_defragment_start(NULL), MEND_BUSY);
  make_holes(NULL, 10);
  for (int i = 0; !is_dense(measure(NULL).external) || count_moved() == 0; i++) {
    assert_true(i < 6000);
    assert_contents();
    usleep(10000);
  }
  mend_defragment_stop();
  mend_defragment_stop();
  assert_contents();
  assert_int_equal(mend_defragment_start(NULL), MEND_OK);
  mend_defragment_stop();
  free_all();
}

int main(void)
{
  static const struct CMUnitTest tests[] = {
      cmocka_unit_test(a_pass_closes_holes_and_keeps_contents),
      cmocka_unit_test(an_emptied_heap_gives_the_handle_table_back),
      cmocka_unit_test(a_plan_says_what_the_pass_then_does),
      cmocka_unit_test(steps_keep_to_their_budget_and_end),
      cmocka_unit_test(a_step_without_a_budget_is_a_whole_pass),
      cmocka_unit_test(a_scope_of_the_caller_is_in_the_way_unless_implicit),
      cmocka_unit_test(scopes_of_other_threads_are_named),
      cmocka_unit_test(pinned_objects_stay_until_they_are_unpinned),
      cmocka_unit_test(objects_made_pinned_and_large_ones_never_move),
      cmocka_unit_test(the_function_of_a_type_corrects_what_has_moved),
      cmocka_unit_test(a_mover_that_stands_still_is_in_nobodys_way_but_other_movers),
      cmocka_unit_test(a_heap_is_moved_measured_and_ended_for_itself),
      cmocka_unit_test(the_parts_make_up_what_is_resident),
      cmocka_unit_test(structures_that_are_too_small_are_refused),
      cmocka_unit_test(the_background_thread_closes_holes_by_itself),
  };
  return SUITE_RUN(tests);
}
