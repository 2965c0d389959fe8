// SPDX-License-Identifier: MIT
//
// A thread that is to be cancelled comes through all that the library may do below malloc and free.
#define _GNU_SOURCE 1
#include "../support/suite.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "base/output.h"
#include "os/direct.h"
#include "os/file.h"
#include "os/maps.h"
#include "os/residency.h"
#include "os/snapshot.h"
#include "os/system.h"
#include "os/thread.h"
#include "os/threads.h"
#include "os/written.h"

static bool see_no_more(const struct os_map *map, void *argument)
{
  (void)map, (void)argument;
  return false;
}

static void read_maps(void)
{
  static struct os_maps_reader reader;
  CHECK(os_maps_each(&reader, see_no_more, NULL));
}

static void read_name(void)
{
  char name[OS_THREAD_NAME_BYTES];
  os_thread_name(os_thread_number(), name);
  CHECK(name[0] != '\0');
}

static void copy_file(void)
{
  char text[8];
  int from = os_file_open("/proc/self/maps");
  int to = os_file_create("/dev/null");
  CHECK(os_file_read(from, text, sizeof text) > 0);
  CHECK(output_write_to(to, text, sizeof text));
  os_file_close(from);
  os_file_close(to);
}

static void look_at_pages(void)
{
  static struct os_written written;
  static struct os_residency residency;
  os_written_open(&written);
  os_written_close(&written);
  os_residency_begin(&residency);
  os_residency_end(&residency);
  (void)os_resident();
}

static void list_threads(void)
{
  static struct os_threads threads;
  (void)os_threads_list(&threads);
  (void)os_threads_first_stack();
}

static void wait_a_while(void)
{
  os_sleep_us(1);
  os_sleep_ms(1);
}

static void tell_a_byte(void *argument, int answer)
{
  (void)argument;
  CHECK(output_write_to(answer, "x", 1));
}

static void ask_a_copy(void)
{
  struct os_snapshot snapshot;
  struct os_snapshot_plan plan = {.work = tell_a_byte, .kept = {-1, -1}};
  char byte = 0;
  if (!os_snapshot_take(&snapshot, &plan)) return;  // it is not granted
  CHECK(os_snapshot_read(&snapshot, &byte, 1) && byte == 'x');
  os_snapshot_end(&snapshot);
}

struct work {
  void (*body)(void);
  atomic_bool is_done;
};

static void *do_cancelled(void *argument)
{
  struct work *work = argument;
  CHECK(pthread_cancel(pthread_self()) == 0);
  work->body();
  atomic_store(&work->is_done, true);
  pthread_testcancel();
  return NULL;
}

static void nothing_is_a_cancellation_point(void **state)
{
  (void)state;
  static void (*const bodies[])(void) = {read_maps,    read_name,    copy_file, look_at_pages,
                                         list_threads, wait_a_while, ask_a_copy};
  for (size_t i = 0; i < sizeof bodies / sizeof bodies[0]; i++) {
    struct work work = {bodies[i], false};
    pthread_t thread;
    void *result;
    assert_int_equal(pthread_create(&thread, NULL, do_cancelled, &work), 0);
    assert_int_equal(pthread_join(thread, &result), 0);
    if (!atomic_load(&work.is_done)) fail_msg("body %zu is one", i);
    assert_ptr_equal(result, PTHREAD_CANCELED);
  }
}

static void the_calls_say_what_the_functions_do(void **state)
{
  (void)state;
  int ends[2];
  char text[4] = "";
  assert_int_equal(pipe(ends), 0);
  struct pollfd asked = {.fd = ends[0], .events = POLLIN};
  assert_int_equal(os_direct_poll(&asked, 0), 0);
  assert_int_equal(os_direct_write(ends[1], "abc", 3), 3);
  assert_int_equal(os_direct_poll(&asked, -1), 1);
  assert_int_equal(os_direct_read(ends[0], text, sizeof text), 3);
  assert_string_equal(text, "abc");
  assert_int_equal(os_direct_read_at(ends[0], text, 1, 0), -1);
  assert_int_equal(errno, ESPIPE);
  assert_int_equal(os_direct_close(ends[0]), 0);
  assert_int_equal(os_direct_close(ends[0]), -1);
  assert_int_equal(errno, EBADF);
  assert_int_equal(os_direct_close(ends[1]), 0);
  assert_int_equal(os_direct_wait(getpid(), WNOHANG), -1);
  assert_int_equal(errno, ECHILD);
}

int main(void)
{
  static const struct CMUnitTest tests[] = {
      cmocka_unit_test(nothing_is_a_cancellation_point),
      cmocka_unit_test(the_calls_say_what_the_functions_do),
  };
  return SUITE_RUN(tests);
}
