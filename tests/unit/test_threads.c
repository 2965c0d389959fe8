// SPDX-License-Identifier: MIT
//
// The threads of the process: those that there are, with the signals that they block.
#define _GNU_SOURCE 1
#include "../support/suite.h"

#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <sys/mman.h>
#include <unistd.h>

#include "os/thread.h"
#include "os/threads.h"

static atomic_uint number;
static atomic_bool may_end;

static void *stay(void *unused)
{
  (void)unused;
  sigset_t some;
  sigemptyset(&some);
  sigaddset(&some, SIGUSR1);
  pthread_sigmask(SIG_BLOCK, &some, NULL);
  atomic_store(&number, os_thread_number());
  while (!atomic_load(&may_end)) usleep(1000);
  return NULL;
}

static void those_that_there_are_are_listed(void **state)
{
  (void)state;
  static struct os_threads threads;
  struct os_thread_state look;
  pthread_t thread;
  assert_int_equal(pthread_create(&thread, NULL, stay, NULL), 0);
  while (atomic_load(&number) == 0) usleep(1000);
  assert_true(os_threads_list(&threads));
  assert_true(threads.count >= 2 && !threads.is_cut);
  assert_true(os_threads_has(&threads, atomic_load(&number)));
  assert_true(os_threads_has(&threads, os_thread_number()));
  assert_false(os_threads_has(&threads, 0));
  assert_true(os_threads_look(atomic_load(&number), &look));
  assert_false(look.is_over);
  assert_true((look.blocked >> (SIGUSR1 - 1) & 1) != 0);
  assert_true((look.blocked >> (SIGUSR2 - 1) & 1) == 0);
  atomic_store(&may_end, true);
  pthread_join(thread, NULL);
  assert_false(os_threads_look(0x7ffffffe, &look));
}

static void the_first_stack_begins_above_this(void **state)
{
  (void)state;
  uintptr_t start = os_threads_first_stack();
  // An emulator has another one for the program.
  if (test_is_instrumented() || start == 0) return;
  assert_true(start > (uintptr_t)__builtin_frame_address(0));
  assert_true(start - (uintptr_t)__builtin_frame_address(0) < 8 * MIB);
}

static void a_structure_that_holds_its_address_twice_is_a_threads(void **state)
{
  (void)state;
  uint64_t words[64] = {0};
  assert_int_equal(os_threads_find(4096, words, 64), 0);
  words[20] = words[22] = 4096 + 20 * sizeof words[0];
#if defined(__x86_64__)
  assert_int_equal(os_threads_find(4096, words, 64), words[20]);
#endif
  words[22]++;
  assert_int_equal(os_threads_find(4096, words, 64), 0);
}

int main(void)
{
  static const struct CMUnitTest tests[] = {
      cmocka_unit_test(those_that_there_are_are_listed),
      cmocka_unit_test(the_first_stack_begins_above_this),
      cmocka_unit_test(a_structure_that_holds_its_address_twice_is_a_threads),
  };
  return SUITE_RUN(tests);
}
