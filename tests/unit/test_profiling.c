// SPDX-License-Identifier: MIT
//
// Profiles as a program asks for them: what they say is for others to test (test_profile.c,
// test_tracking.c). Here: when there is none, and that nothing has changed then.
#define _GNU_SOURCE 1
#include "../support/suite.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <unistd.h>

#include "api/profiling.h"
#include "core/heap.h"
#include "core/registry.h"
#include "core/sampling.h"
#include "mend/track.h"
#include "os/signal.h"
#include "track/track_file.h"
#include "track/tracker.h"

static int nowhere;

static int start(void **state)
{
  (void)state;
  void *block = mend_malloc(100);
  CHECK(block != NULL);
  mend_free(block);
  nowhere = open("/dev/null", O_WRONLY | O_CLOEXEC);
  return nowhere >= 0 ? 0 : -1;
}

static struct {
  bool is_written;
  int error;
} seen;

static void write_below_handler(void)
{
  errno = 0;
  seen.is_written = mend_profile_write(nowhere);
  seen.error = errno;
}

static void check_refused(void)
{
  CHECK(raise(SIGUSR1) == 0);
  CHECK(!seen.is_written && seen.error == EBUSY);
}

static void check_written(void)
{
  CHECK(raise(SIGUSR1) == 0);
  CHECK(seen.is_written && seen.error == 0);
}

// It would wait for the heap that its thread is inside.
static void a_handler_that_has_interrupted_the_allocator_writes_none(void **state)
{
  (void)state;
  assert_true(os_signal_watch(SIGUSR1, write_below_handler));
  check_written();
  struct heap *heap = registry_current();
  heap_enter(heap);
  check_refused();
  heap_leave(heap);
  check_written();
  assert_true(track_file_acquire(true));
  check_refused();
  track_file_release();
  check_written();
}

static void a_descriptor_that_is_none_is_told(void **state)
{
  (void)state;
  errno = 0;
  assert_false(mend_profile_write(-1));
  assert_int_equal(errno, EBADF);
  assert_true(mend_profile_write(nowhere));
}

// The mode, and what is known of blocks, are what they were.
static void what_is_refused_changes_nothing(void **state)
{
  (void)state;
  struct tracker_block known;
  assert_true(mend_profile_start(MEND_PROFILE_EXACT));
  char *volatile block = mend_malloc(2000);
  struct page *page = page_first(page_at(block));
  struct heap *heap = registry_current();
  heap_enter(heap);
  errno = 0;
  bool is_started = mend_profile_start(4096);
  int error = errno;
  mend_profile_stop();
  heap_leave(heap);
  assert_false(is_started);
  assert_int_equal(error, EBUSY);
  assert_int_equal(sampling_mode(), SAMPLING_EXACT);
  assert_int_equal(tracker_mode(), TRACKER_EXACT);
  assert_int_equal(tracker_interval_bytes(), 0);
  assert_true(tracker_look(page, block, &known) && known.is_live && known.size == 2000);
  mend_free(block);
  mend_profile_stop();
  assert_int_equal(tracker_mode(), TRACKER_OFF);
  assert_true(mend_profile_start(4096));
  assert_int_equal(tracker_interval_bytes(), 4096);
  mend_profile_stop();
}

static void samples_are_drawn_as_they_are_counted(void **state)
{
  (void)state;
  for (size_t i = 0; i < 20; i++) {
    assert_true(mend_profile_start(i == 0 ? (size_t)1 << 34 : 1000 * i));
    assert_int_equal(atomic_load(&sampling.interval), tracker_interval_bytes());
    if (i == 0) assert_int_equal(tracker_interval_bytes(), SAMPLING_INTERVAL_MOST);
  }
  assert_true(mend_profile_start((size_t)1 << 20));
  assert_int_equal(atomic_load(&sampling.interval), tracker_interval_bytes());
  mend_profile_stop();
}

int main(void)
{
  static const struct CMUnitTest tests[] = {
      cmocka_unit_test(a_handler_that_has_interrupted_the_allocator_writes_none),
      cmocka_unit_test(a_descriptor_that_is_none_is_told),
      cmocka_unit_test(what_is_refused_changes_nothing),
      cmocka_unit_test(samples_are_drawn_as_they_are_counted),
  };
  return cmocka_run_group_tests(tests, start, NULL) == 0 ? TEST_PASS : TEST_FAIL;
}
