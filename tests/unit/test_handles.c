// SPDX-License-Identifier: MIT
//
// The public face of handles: arguments, errno and statuses, and everything at once at random, with
// a mover that dawdles at its steps.
#define _GNU_SOURCE 1
#include "handles.h"

#include <errno.h>

#include "mend/handle.h"

static int end_scope(void **state)
{
  (void)state;
  step_hook = NULL;
  options.handle_strict = false;
  options.handle_stir = false;
  mend_quiescent();
  return scope_depth() == 0 ? 0 : -1;
}

#define API_TEST(function) cmocka_unit_test_setup_teardown(function, NULL, end_scope)

static void every_status_has_a_text(void **state)
{
  (void)state;
  for (int i = MEND_OK; i <= MEND_INVALID; i++) {
    const char *text = mend_status_text((enum mend_status)i);
    assert_true(strlen(text) > 5 && strcmp(text, "unknown status") != 0);
    for (int j = MEND_OK; j < i; j++) {
      assert_string_not_equal(text, mend_status_text((enum mend_status)j));
    }
  }
  assert_string_equal(mend_status_text((enum mend_status)(MEND_INVALID + 1)), "unknown status");
  assert_string_equal(mend_status_text((enum mend_status) - 1), "unknown status");
}

static void an_object_goes_through_its_life(void **state)
{
  (void)state;
  mend_handle handle = mend_handle_zalloc(100);
  assert_false(mend_handle_is_null(handle));
  assert_int_equal(mend_handle_status(handle), MEND_OK);
  mend_scope_enter();
  char *address = mend_resolve(handle);
  assert_true(is_zero(address, 100));
  strcpy(address, "moves, yet stays");
  mend_scope_leave();
  assert_int_equal(mend_handle_realloc(handle, 5000), MEND_OK);
  assert_int_equal(mend_handle_size(handle), 5000);
  assert_string_equal(mend_pin(handle), "moves, yet stays");
  assert_int_equal(mend_handle_realloc(handle, 100000), MEND_PINNED);
  assert_int_equal(mend_unpin(handle), MEND_OK);
  assert_int_equal(mend_unpin(handle), MEND_INVALID);
  assert_int_equal(mend_handle_free(handle), MEND_OK);
  assert_int_equal(mend_handle_free(handle), MEND_STALE);
  assert_int_equal(mend_handle_free_deferred(handle), MEND_STALE);
  assert_null(mend_resolve(handle));
  assert_int_equal(mend_handle_free(MEND_HANDLE_NULL), MEND_OK);
  assert_int_equal(mend_handle_free_deferred(MEND_HANDLE_NULL), MEND_OK);
  assert_int_equal(mend_handle_status(MEND_HANDLE_NULL), MEND_FOREIGN);
}

static void errno_is_touched_only_for_lack_of_memory(void **state)
{
  (void)state;
  errno = 77;
  mend_handle_heap *heap_of_mine = mend_handle_heap_create();
  mend_handle handle = mend_handle_heap_alloc(heap_of_mine, 3 * MIB, MEND_ALLOC_ZEROED, 0);
  mend_handle pinned = mend_handle_alloc_pinned(10);
  assert_non_null(mend_pin(handle));
  assert_null(mend_pin(MEND_HANDLE_NULL));
  assert_null(mend_resolve(MEND_HANDLE_NULL));
  assert_int_equal(mend_handle_realloc(handle, SIZE_MAX), MEND_NO_MEMORY);
  assert_int_equal(mend_handle_realloc(handle, BITS_MAX_SIZE), MEND_PINNED);
  assert_int_equal(mend_handle_free(pinned), MEND_OK);
  assert_int_equal(mend_handle_free_deferred(handle), MEND_OK);
  assert_int_equal(mend_defragment(NULL), MEND_OK);
  assert_int_equal(mend_defragment_step(heap_of_mine, NULL, NULL), MEND_OK);
  assert_int_equal(mend_defragment_plan(NULL), MEND_OK);
  assert_int_equal(mend_defragment_start(NULL), MEND_OK);
  assert_int_equal(mend_defragment_start(NULL), MEND_BUSY);
  mend_defragment_stop();
  mend_handle_heap_destroy(heap_of_mine);
  mend_handle_heap_destroy(NULL);
  assert_int_equal(errno, 77);
  static const size_t sizes[] = {SIZE_MAX, BITS_MAX_SIZE + 1, BITS_MAX_SIZE};
  for (size_t i = 0; i < 3; i++) {
    errno = 0;
    assert_true(mend_handle_is_null(mend_handle_alloc(sizes[i])));
    assert_int_equal(errno, ENOMEM);
  }
  errno = 0;
  assert_true(mend_handle_is_null(mend_handle_heap_alloc(NULL, 1, 0, INFO_TYPES)));
  assert_int_equal(errno, EINVAL);
  errno = 0;
  assert_true(mend_handle_is_null(mend_handle_heap_alloc(NULL, 1, 4, 0)));
  assert_int_equal(errno, EINVAL);
}

static void many_handles_are_resolved_at_once(void **state)
{
  (void)state;
  mend_handle handles[30];
  void *addresses[30];
  for (size_t i = 0; i < 30; i++) handles[i] = mend_handle_alloc(i);
  assert_int_equal(mend_handle_free(handles[7]), MEND_OK);
  mend_handle last = handles[29];
  handles[29] = MEND_HANDLE_NULL;
  assert_int_equal(mend_resolve_all(handles, addresses, 30), 28);
  for (size_t i = 0; i < 30; i++) assert_ptr_equal(addresses[i], mend_resolve(handles[i]));
  assert_true(addresses[7] == NULL && addresses[29] == NULL);
  assert_int_equal(mend_resolve_all(handles, addresses, 0), 0);
  for (size_t i = 0; i < 29; i++) {
    if (i != 7) assert_int_equal(mend_handle_free(handles[i]), MEND_OK);
  }
  assert_int_equal(mend_handle_free(last), MEND_OK);
}

static void arguments_are_checked(void **state)
{
  (void)state;
  struct mend_fragmentation figures = {.bytes = sizeof figures - 1};
  struct mend_defrag_report report = {.bytes = sizeof report - 1};
  struct mend_defrag_options chosen = {.bytes = sizeof chosen - 1};
  assert_int_equal(mend_fragmentation_get(NULL, NULL), MEND_INVALID);
  assert_int_equal(mend_fragmentation_get(NULL, &figures), MEND_INVALID);
  assert_int_equal(mend_defragment(&report), MEND_INVALID);
  assert_int_equal(mend_defragment_step(NULL, NULL, &report), MEND_INVALID);
  assert_int_equal(mend_defragment_plan(&report), MEND_INVALID);
  assert_int_equal(mend_defragment_start(&chosen), MEND_INVALID);
  chosen.bytes = sizeof chosen;
  chosen.cpu_percent = 101;
  assert_int_equal(mend_defragment_start(&chosen), MEND_INVALID);
  chosen.cpu_percent = 100;
  chosen.start_external = 1.5;
  assert_int_equal(mend_defragment_start(&chosen), MEND_INVALID);
  chosen.start_external = 1;
  assert_int_equal(mend_defragment_start(&chosen), MEND_OK);
  mend_defragment_stop();
  figures.bytes = sizeof figures + 8;  // a later version's
  assert_int_equal(mend_fragmentation_get(NULL, &figures), MEND_OK);
  assert_int_equal(figures.bytes, sizeof figures + 8);
  report.bytes = sizeof report;
  report.vetoed = 99;
  assert_int_equal(mend_defragment(&report), MEND_OK);
  assert_true(report.bytes == sizeof report && report.vetoed == 0);
}

static void by_option_objects_move_whenever_a_scope_closes(void **state)
{
  (void)state;
  mend_handle handle = mend_handle_alloc(100);
  void *last = mend_resolve(handle);
  mend_quiescent();
  size_t moves = 0;
  options.handle_stir = true;
  for (size_t i = 0; i < 1000; i++) {
    mend_scope_enter();
    mend_scope_enter();
    void *now = mend_resolve(handle);
    mend_scope_leave();
    assert_ptr_equal(mend_resolve(handle), now);
    mend_scope_leave();
    moves += now != last;
    last = now;
  }
  assert_true(moves > 0);
  assert_int_equal(mend_handle_free(handle), MEND_OK);
}

// ---------------------------------------------------------------------------------------------
// Everything at once.

enum { THREADS = 3, OWN = 300, SHARED = 64 };

static mend_handle_heap *common;
static mend_handle shared[SHARED];  // read by all
static _Atomic(bool) is_over;
static _Thread_local struct random dawdler;

static void dawdle(enum step step)
{
  if (dawdler.state == 0) dawdler.state = os_clock_ns() | 1;
  uint64_t number = random_next(&dawdler);
  if (step == STEP_COUNT || number % 400 != 0) return;
  if (number / 400 % 8 == 0) os_sleep_us((uint32_t)(number / 4000 % 200));
  sched_yield();
}

static void *defragment_on(void *unused)
{
  struct random random = {os_clock_ns()};
  while (!atomic_load(&is_over)) {
    struct mend_defrag_report report = {.bytes = sizeof report};
    struct mend_defrag_budget budget = {.objects = random_below(&random, 50),
                                        .grace_ns = 1000 * (1 + random_below(&random, 3000))};
    enum mend_status status = mend_defragment_step(common, &budget, &report);
    CHECK(status == MEND_OK || status == MEND_PARTIAL || status == MEND_BLOCKED);
    if (random_below(&random, 50) == 0) {
      status = mend_defragment(&report);
      CHECK(status == MEND_OK || status == MEND_BLOCKED);
    }
  }
  return unused;
}

struct own {
  mend_handle handle;
  uint64_t seed;
  size_t size;
  void *pinned_at;
};

static void fill(struct own *own, struct random *random)
{
  own->seed = random_next(random);
  mend_scope_enter();
  pattern_fill(mend_resolve(own->handle), own->size, own->seed);
  mend_scope_leave();
}

static void look(const struct own *own, size_t bytes)
{
  mend_scope_enter();
  const char *address = mend_resolve(own->handle);
  CHECK(address != NULL && (own->pinned_at == NULL || address == own->pinned_at));
  CHECK(pattern_difference(address, bytes, own->seed) == bytes);
  CHECK(mend_resolve(own->handle) == address);
  CHECK(mend_handle_size(own->handle) == own->size);
  mend_scope_leave();
}

static void make(struct own *own, struct random *random)
{
  unsigned flags = random_below(random, 20) == 0 ? MEND_ALLOC_PINNED : 0;
  own->size = random_size(random, random_below(random, 50) == 0 ? 200000 : 2000);
  own->handle = mend_handle_heap_alloc(common, own->size, flags, 0);
  CHECK(!mend_handle_is_null(own->handle));
  fill(own, random);
}

static void resize(struct own *own, struct random *random)
{
  size_t size = random_size(random, 3000);
  enum mend_status status = mend_handle_realloc(own->handle, size);
  CHECK(status == MEND_OK || (status == MEND_PINNED && own->pinned_at != NULL));
  if (status != MEND_OK) return;
  size_t before = own->size;
  own->size = size;
  look(own, before < size ? before : size);
  fill(own, random);
}

static void pin_or_unpin(struct own *own)
{
  if (own->pinned_at == NULL) {
    own->pinned_at = mend_pin(own->handle);
    CHECK(own->pinned_at != NULL);
  } else {
    CHECK(mend_unpin(own->handle) == MEND_OK);
    own->pinned_at = NULL;
  }
}

static void end(struct own *own, bool is_deferred)
{
  mend_handle handle = own->handle;
  CHECK((is_deferred ? mend_handle_free_deferred(handle) : mend_handle_free(handle)) == MEND_OK);
  CHECK(mend_handle_status(handle) == MEND_STALE && mend_resolve(handle) == NULL);
  *own = (struct own){.size = 0};
}

// An object whose bytes are all the same counter's, which every thread raises.
static void raise_shared(mend_handle handle)
{
  mend_scope_enter();
  _Atomic(uint64_t) *words = mend_resolve(handle);
  for (size_t i = 0; i < 4; i++) atomic_fetch_add(&words[i], 1);
  mend_scope_leave();
}

static uint64_t raised[THREADS];

static void *use_objects(void *argument)
{
  static _Thread_local struct own owns[OWN];
  uint64_t *raises = argument;
  struct random random = {os_clock_ns() ^ (uintptr_t)argument};
  for (size_t i = 0; i < test_scaled(60000); i++) {
    struct own *own = &owns[random_below(&random, OWN)];
    size_t choice = random_below(&random, 16);
    if (mend_handle_is_null(own->handle)) {
      make(own, &random);
    } else if (choice < 4) {
      end(own, choice < 2);
    } else if (choice < 6) {
      resize(own, &random);
    } else if (choice < 7) {
      pin_or_unpin(own);
    } else if (choice < 10) {
      fill(own, &random);
    } else if (choice < 13) {
      look(own, own->size);
    } else {
      raise_shared(shared[random_below(&random, SHARED)]);
      ++*raises;
    }
    if (choice == 0) mend_quiescent();
    if (i % 256 == 0) os_sleep_us(50);
  }
  for (size_t i = 0; i < OWN; i++) {
    if (mend_handle_is_null(owns[i].handle)) continue;
    look(&owns[i], owns[i].size);
    end(&owns[i], i % 2 == 0);
  }
  return NULL;
}

static void check_everything_at_once(void)
{
  pthread_t mover;
  common = mend_handle_heap_create();
  for (size_t i = 0; i < SHARED; i++) {
    shared[i] = mend_handle_heap_alloc(common, 32, MEND_ALLOC_ZEROED, 0);
  }
  memset(raised, 0, sizeof raised);
  atomic_store(&is_over, false);
  step_hook = dawdle;
  assert_int_equal(pthread_create(&mover, NULL, defragment_on, NULL), 0);
  threads_run(THREADS, use_objects, raised, sizeof raised[0]);
  atomic_store(&is_over, true);
  assert_int_equal(pthread_join(mover, NULL), 0);
  step_hook = NULL;
  uint64_t sum = 0, expected = 0;
  for (size_t i = 0; i < SHARED; i++) {
    const uint64_t *words = mend_resolve(shared[i]);
    for (size_t j = 1; j < 4; j++) assert_int_equal(words[j], words[0]);
    sum += words[0];
  }
  for (size_t i = 0; i < THREADS; i++) expected += raised[i];
  assert_int_equal(sum, expected);
  mend_quiescent();
  for (size_t i = 0; i < 2; i++) assert_int_equal(mend_defragment(NULL), MEND_OK);
  struct mend_fragmentation now = {.bytes = sizeof now};
  assert_int_equal(mend_fragmentation_get(common, &now), MEND_OK);
  assert_int_equal(now.objects, SHARED);
  assert_int_equal(now.object_bytes, SHARED * 32);
  mend_handle_heap_destroy(common);
}

static void everything_at_once_keeps_all_contents(void **state)
{
  (void)state;
  (void)random_seed();
  check_everything_at_once();
}

static void the_same_in_the_strict_mode(void **state)
{
  (void)state;
  options.handle_strict = true;
  check_everything_at_once();
}

int main(void)
{
  static const struct CMUnitTest tests[] = {
      API_TEST(every_status_has_a_text),
      API_TEST(an_object_goes_through_its_life),
      API_TEST(errno_is_touched_only_for_lack_of_memory),
      API_TEST(many_handles_are_resolved_at_once),
      API_TEST(arguments_are_checked),
      API_TEST(by_option_objects_move_whenever_a_scope_closes),
      API_TEST(everything_at_once_keeps_all_contents),
      API_TEST(the_same_in_the_strict_mode),
  };
  return SUITE_RUN(tests);
}
