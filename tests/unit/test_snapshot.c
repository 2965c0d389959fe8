// SPDX-License-Identifier: MIT
//
// A frozen copy of the process: it has memory as it was, no descriptor but those that it is to
// keep, and no handler of pthread_atfork runs; the program sees neither its end nor a signal; and
// what cannot be read does not end it.
#define _GNU_SOURCE 1
#include "child.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <sys/mman.h>

#include "base/output.h"
#include "os/snapshot.h"
#include "os/system.h"

static int value;
static int forks;
static int signals;

static void count_fork(void)
{
  forks++;
}

static void count_signal(int number)
{
  (void)number;
  signals++;
}

struct answer {
  int value;
  int open;  // descriptors
  bool has_kept;
  size_t process;
  size_t readable;  // of two pages, the second of which cannot be read
};

static char *pages;
static size_t page_bytes;

static void answer_all(void *argument, int end)
{
  int kept = *(int *)argument;
  struct answer answer = {.value = value, .process = os_process_id()};
  static char copy[1 << 17];
  for (int i = 0; i < 1000; i++) answer.open += fcntl(i, F_GETFD) >= 0;
  answer.has_kept = fcntl(kept, F_GETFD) >= 0;
  os_snapshot_catch_faults();
  answer.readable = os_snapshot_copy(copy, pages, 2 * page_bytes);
  if (answer.readable == page_bytes && copy[page_bytes - 8] != 7) answer.readable = 0;
  if (os_snapshot_copy(copy, pages, 64) != 64) answer.readable = 0;
  CHECK(output_write_to(end, (const char *)&answer, sizeof answer));
}

static void it_has_memory_as_it_was_and_nothing_else(void **state)
{
  (void)state;
  struct os_snapshot snapshot;
  int kept = dup(0);
  struct answer answer;
  assert_int_equal(pthread_atfork(count_fork, count_fork, count_fork), 0);
  signal(SIGCHLD, count_signal);
  page_bytes = (size_t)sysconf(_SC_PAGESIZE);
  pages = mmap(NULL, 2 * page_bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  assert_true(pages != MAP_FAILED);
  pages[page_bytes - 8] = 7;
  assert_int_equal(mprotect(pages + page_bytes, page_bytes, PROT_NONE), 0);
  value = 1;
  struct os_snapshot_plan plan = {answer_all, &kept, {kept, -1}, true};
  assert_true(os_snapshot_take(&snapshot, &plan));
  value = 2;
  assert_int_equal(waitpid(-1, NULL, WNOHANG), -1);
  assert_true(os_snapshot_read(&snapshot, &answer, sizeof answer));
  os_snapshot_end(&snapshot);
  assert_int_equal(answer.value, 1);
  assert_int_equal(answer.open, 2);
  assert_true(answer.has_kept);
  assert_int_equal(answer.process, getpid());
  assert_int_equal(answer.readable, page_bytes);
  assert_int_equal(forks, 0);
  if (!test_is_instrumented()) assert_int_equal(signals, 0);
  assert_true(snapshot.pause_ns > 0);
  errno = 0;
  assert_int_equal(waitpid(-1, NULL, WNOHANG | __WALL), -1);
  assert_int_equal(errno, ECHILD);
  close(kept);
  munmap(pages, 2 * page_bytes);
}

static void end_at_once(void *unused, int end)
{
  (void)unused, (void)end;
}

static void a_child_that_says_nothing_is_told(void **state)
{
  (void)state;
  struct os_snapshot snapshot;
  char byte;
  struct os_snapshot_plan plan = {end_at_once, NULL, {-1, -1}, false};
  assert_true(os_snapshot_take(&snapshot, &plan));
  assert_false(os_snapshot_read(&snapshot, &byte, 1));
  os_snapshot_end(&snapshot);
}

static void stay_for_ever(void *unused, int end)
{
  (void)unused, (void)end;
  (void)alarm(120);  // should the test be killed
  for (;;) pause();
}

static void a_child_that_is_not_needed_any_more_is_ended(void **state)
{
  (void)state;
  struct os_snapshot snapshot;
  struct os_snapshot_plan plan = {stay_for_ever, NULL, {-1, -1}, false};
  assert_true(os_snapshot_take(&snapshot, &plan));
  os_snapshot_end(&snapshot);
  errno = 0;
  assert_int_equal(waitpid(-1, NULL, WNOHANG | __WALL), -1);
  assert_int_equal(errno, ECHILD);
}

static void read_of_another(void *first, int end)
{
  int numbers[2];
  CHECK(os_snapshot_read_from(*(int *)first, numbers, sizeof numbers));
  numbers[0] += numbers[1];
  CHECK(output_write_to(end, (const char *)numbers, sizeof numbers[0]));
}

static void write_two(void *unused, int end)
{
  (void)unused;
  int numbers[] = {3, 4};
  CHECK(output_write_to(end, (const char *)numbers, sizeof numbers));
}

static void one_copy_can_read_what_another_says(void **state)
{
  (void)state;
  struct os_snapshot first, second;
  int sum = 0;
  struct os_snapshot_plan one = {write_two, NULL, {-1, -1}, false};
  assert_true(os_snapshot_take(&first, &one));
  struct os_snapshot_plan other = {read_of_another, &first.answer, {first.answer, -1}, false};
  assert_true(os_snapshot_take(&second, &other));
  assert_true(os_snapshot_read(&second, &sum, sizeof sum));
  os_snapshot_end(&second);
  os_snapshot_end(&first);
  assert_int_equal(sum, 7);
}

static void run_out_of_descriptors(void)
{
  struct os_snapshot snapshot;
  struct os_snapshot_plan plan = {end_at_once, NULL, {-1, -1}, false};
  CHECK(setrlimit(RLIMIT_NOFILE, &(struct rlimit){3, 3}) == 0);
  errno = 0;
  CHECK(!os_snapshot_take(&snapshot, &plan) && errno == EMFILE);
}

static void without_a_pipe_there_is_none(void **state)
{
  (void)state;
  if (!test_is_in_valgrind()) child_check(run_out_of_descriptors);
}

int main(void)
{
  static const struct CMUnitTest tests[] = {
      cmocka_unit_test(it_has_memory_as_it_was_and_nothing_else),
      cmocka_unit_test(a_child_that_says_nothing_is_told),
      cmocka_unit_test(a_child_that_is_not_needed_any_more_is_ended),
      cmocka_unit_test(one_copy_can_read_what_another_says),
      cmocka_unit_test(without_a_pipe_there_is_none),
  };
  return SUITE_RUN(tests);
}
