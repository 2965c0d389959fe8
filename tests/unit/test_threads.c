// SPDX-License-Identifier: MIT
//
// The threads of the process: those that there are, with the signals that they block, and where
// their stacks are.
#define _GNU_SOURCE 1
#include "../support/suite.h"

#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdatomic.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include "os/snapshot.h"
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
  assert_true(threads.count >= 2 && !threads.is_cut && !threads.is_foreign);
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

enum { LISTED, LISTED_AS_FOREIGN, NOT_LISTED, NO_NAMESPACE };

static int list_in_namespace(void)
{
  static struct os_threads threads;
  if (unshare(CLONE_NEWPID) != 0 && unshare(CLONE_NEWUSER | CLONE_NEWPID) != 0) return NO_NAMESPACE;
  int status = 0;
  pid_t child = fork();
  if (child == 0) {
    bool is_listed = os_threads_list(&threads) && threads.count == 1;
    _exit(!is_listed ? NOT_LISTED : threads.is_foreign ? LISTED_AS_FOREIGN : LISTED);
  }
  CHECK(waitpid(child, &status, 0) == child && WIFEXITED(status));
  return WEXITSTATUS(status);
}

static void numbers_of_another_namespace_are_told(void **state)
{
  (void)state;
  int status = 0;
  if (test_is_instrumented()) skip();
  pid_t child = fork();
  if (child == 0) _exit(list_in_namespace());
  assert_int_equal(waitpid(child, &status, 0), child);
  assert_true(WIFEXITED(status));
  if (WEXITSTATUS(status) == NO_NAMESPACE) skip();
  assert_int_equal(WEXITSTATUS(status), LISTED_AS_FOREIGN);
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

#if defined(__GLIBC__)
static void *look_at_own_stack(void *unused)
{
  (void)unused;
  char here;
  void *start;
  size_t bytes;
  pthread_attr_t attributes;
  struct os_thread_stack stack = {0, 0, 0};
  CHECK(pthread_getattr_np(pthread_self(), &attributes) == 0);
  CHECK(pthread_attr_getstack(&attributes, &start, &bytes) == 0);
  pthread_attr_destroy(&attributes);
  CHECK(os_threads_stack(os_thread_id(), (uintptr_t)&here, &stack));
  CHECK(stack.start + stack.guard_bytes == (uintptr_t)start);
  CHECK(stack.start + stack.bytes == (uintptr_t)start + bytes);
  CHECK(!os_threads_stack(os_thread_id(), os_thread_id(), &stack));
  CHECK(!os_threads_stack(os_thread_id(), stack.start - 1, &stack));
  return NULL;
}

static void a_thread_stack_is_where_the_c_library_says(void **state)
{
  (void)state;
  char here;
  pthread_t thread;
  pthread_attr_t attributes;
  struct os_thread_stack stack;
  if (test_is_instrumented()) skip();  // a checker has a word to say in how threads are made
  void *memory = mmap(NULL, 2 * MIB, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  assert_true(memory != MAP_FAILED);
  os_snapshot_catch_faults();
  assert_int_equal(pthread_create(&thread, NULL, look_at_own_stack, NULL), 0);
  assert_int_equal(pthread_join(thread, NULL), 0);
  assert_int_equal(pthread_attr_init(&attributes), 0);
  assert_int_equal(pthread_attr_setstack(&attributes, (char *)memory + MIB, MIB), 0);
  assert_int_equal(pthread_create(&thread, &attributes, look_at_own_stack, NULL), 0);
  assert_int_equal(pthread_join(thread, NULL), 0);
  assert_false(os_threads_stack(os_thread_id(), (uintptr_t)&here, &stack));  // the first's
  munmap(memory, 2 * MIB);
}
#endif

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
    cmocka_unit_test(numbers_of_another_namespace_are_told),
    cmocka_unit_test(the_first_stack_begins_above_this),
#if defined(__GLIBC__)
    cmocka_unit_test(a_thread_stack_is_where_the_c_library_says),
#endif
    cmocka_unit_test(a_structure_that_holds_its_address_twice_is_a_threads),
  };
  return SUITE_RUN(tests);
}
