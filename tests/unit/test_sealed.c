// SPDX-License-Identifier: MIT
//
// What is sealed can be read, and written only between opening and closing. The program seals
// variables of its own; the kernel may refuse.
#define _GNU_SOURCE 1
#define MEND_HARDENED 1
#include "child.h"

#include <errno.h>
#include <pthread.h>
#include <sched.h>
#include <sys/mman.h>

#include "base/sealed.h"

static int kernel_mprotect(void *start, size_t bytes, int protection);

#define mprotect kernel_mprotect
#include "os/sealed.c"
#undef mprotect

static bool kernel_refuses;

static int kernel_mprotect(void *start, size_t bytes, int protection)
{
  errno = EPERM;
  return kernel_refuses ? -1 : mprotect(start, bytes, protection);
}

static struct {
  volatile int value;
} SEALED_PAGES first SEALED = {1}, second SEALED = {2};

static volatile int neighbour = 3;

static void write_first(void)
{
  signal(SIGSEGV, SIG_DFL);  // cmocka has a handler
  first.value = 10;
}

static void write_second(void)
{
  signal(SIGSEGV, SIG_DFL);
  second.value = 10;
}

static bool is_writable(void (*write_it)(void))
{
  struct ending ending = child_run(write_it);
  return ending.exit_code == 0 && ending.signal_number == 0;
}

static void before_the_start_is_over_everything_can_be_written(void **state)
{
  (void)state;
  assert_true(is_writable(write_first) && is_writable(write_second));
  assert_true(os_sealed_open());
  first.value = 4;
  os_sealed_close();
  assert_true(is_writable(write_first));
  first.value = 1;
}

static void afterwards_only_while_it_is_open(void **state)
{
  (void)state;
  errno = 5;
  os_seal();
  assert_false(is_writable(write_first) || is_writable(write_second));
  assert_int_equal(first.value + second.value, 3);
  neighbour = 4;
  assert_true(os_sealed_open());
  first.value = 5;
  second.value = 6;
  os_sealed_close();
  assert_false(is_writable(write_first) || is_writable(write_second));
  assert_int_equal(first.value + second.value, 11);
  assert_int_equal(errno, 5);
}

static void it_is_opened_once_at_a_time(void **state)
{
  (void)state;
  assert_true(os_sealed_open());
  assert_false(os_sealed_open());
  first.value = 6;
  os_sealed_close();
  assert_false(is_writable(write_first));
}

static void *set_often(void *unused)
{
  for (unsigned i = 0; i < 2000; i++) {
    CHECK(os_sealed_open());
    int value = first.value;
    if (i % 16 == 0) sched_yield();
    first.value = value + 1;
    os_sealed_close();
  }
  return unused;
}

static void threads_take_turns(void **state)
{
  (void)state;
  static char arguments[4];
  int before = first.value;
  threads_run(4, set_often, arguments, 1);
  assert_int_equal(first.value, before + 8000);
  assert_false(is_writable(write_first));
}

static _Atomic(int) step;

static void *keep_open(void *unused)
{
  CHECK(os_sealed_open());
  atomic_store(&step, 1);
  while (atomic_load(&step) == 1) sched_yield();
  os_sealed_close();
  return unused;
}

static void open_in_child(void)
{
  os_sealed_after_fork();
  CHECK(os_sealed_open());
  first.value = 7;
  os_sealed_close();
}

static void write_in_child(void)
{
  os_sealed_after_fork();
  write_first();
}

static void a_child_seals_what_another_thread_has_open(void **state)
{
  (void)state;
  pthread_t thread;
  assert_int_equal(pthread_create(&thread, NULL, keep_open, NULL), 0);
  while (atomic_load(&step) == 0) sched_yield();
  bool is_open = is_writable(write_first);
  bool is_open_in_child = is_writable(write_in_child);
  child_check(open_in_child);
  atomic_store(&step, 2);
  assert_int_equal(pthread_join(thread, NULL), 0);
  assert_true(is_open && !is_open_in_child);
  assert_false(is_writable(write_first));
}

static void where_the_kernel_refuses_later_nothing_is_opened(void **state)
{
  (void)state;
  kernel_refuses = true;
  assert_false(os_sealed_open());
  kernel_refuses = false;
  assert_true(os_sealed_open());
  kernel_refuses = true;
  os_sealed_close();  // it cannot be closed
  assert_true(is_writable(write_first));
  assert_true(os_sealed_open());
  os_sealed_close();
  kernel_refuses = false;
}

int main(void)
{
  static const struct CMUnitTest tests[] = {
      cmocka_unit_test(before_the_start_is_over_everything_can_be_written),
      cmocka_unit_test(afterwards_only_while_it_is_open),
      cmocka_unit_test(it_is_opened_once_at_a_time),
      cmocka_unit_test(threads_take_turns),
      cmocka_unit_test(a_child_seals_what_another_thread_has_open),
      cmocka_unit_test(where_the_kernel_refuses_later_nothing_is_opened),
  };
  if (os_kernel_page_bytes() > 4096) return test_cannot_run("pages are larger than what is sealed");
  return SUITE_RUN(tests);
}
