// SPDX-License-Identifier: MIT
//
// Faults: what a handler is told of them, and that the process goes on, or ends, as it would have
// without the handler. All in children.
#define _GNU_SOURCE 1
#include "child.h"

#include <errno.h>
#include <setjmp.h>
#include <sys/mman.h>

#include "os/fault.h"

enum { ALTERNATE_BYTES = 64 << 10 };

static volatile char *forbidden;  // an os page
static size_t seen;
static struct os_fault last;
static bool was_on_alternate_stack;
static char alternate_stack[ALTERNATE_BYTES];

static void see_fault(int signal_number, siginfo_t *info, void *context)
{
  uintptr_t here = (uintptr_t)__builtin_frame_address(0);
  seen++;
  last = os_fault_read(info, context);
  was_on_alternate_stack = here - (uintptr_t)alternate_stack < sizeof alternate_stack;
  if (write(STDERR_FILENO, "seen\n", 5) != 5) _exit(9);
  os_fault_pass_on(signal_number, info, context);
}

static int map_forbidden(void)
{
  int flags = MAP_PRIVATE | MAP_ANONYMOUS;
  size_t page = (size_t)sysconf(_SC_PAGESIZE);
  forbidden = mmap(NULL, page, PROT_NONE, flags, -1, 0);
  return forbidden == MAP_FAILED;
}

// In builds whose checker has handlers of its own those are what ends the process.
static bool is_ended_by(const struct ending *ending, int signal_number)
{
  return ending->signal_number == signal_number || test_is_instrumented();
}

static void fault_by_write(void)
{
  CHECK(os_fault_watch(see_fault));
  forbidden[8] = 1;
}

static void the_process_ends_as_it_would_have(void **state)
{
  (void)state;
  struct ending ending = child_run(fault_by_write);
  assert_true(is_ended_by(&ending, SIGSEGV));
  assert_int_equal(strncmp(ending.text, "seen\n", 5), 0);
  assert_null(strstr(ending.text + 1, "seen\n"));
}

static void fault_while_ignored(void)
{
  signal(SIGSEGV, SIG_IGN);
  signal(SIGBUS, SIG_IGN);
  CHECK(os_fault_watch(see_fault));
  CHECK(raise(SIGBUS) == 0 && seen == 1);
  forbidden[8] = 1;
}

static void what_is_ignored_is_so_still_but_not_a_fault(void **state)
{
  (void)state;
  struct ending ending = child_run(fault_while_ignored);
  assert_true(is_ended_by(&ending, SIGSEGV));
  assert_int_equal(strncmp(ending.text, "seen\nseen\n", 10), 0);
}

static void send_to_itself(void)
{
  CHECK(os_fault_watch(see_fault));
  raise(SIGSEGV);
  _exit(3);
}

static void a_signal_that_was_sent_ends_the_process_too(void **state)
{
  (void)state;
  struct ending ending = child_run(send_to_itself);
  assert_true(is_ended_by(&ending, SIGSEGV));
  assert_int_equal(strncmp(ending.text, "seen\n", 5), 0);
}

// ---------------------------------------------------------------------------------------------
// Programs with handlers.

static sigjmp_buf after_fault;
static size_t handled;
static bool was_term_blocked;

static void handle_in_program(int signal_number, siginfo_t *info, void *context)
{
  sigset_t blocked;
  (void)context;
  CHECK(signal_number == SIGSEGV && info->si_addr == (void *)(uintptr_t)(forbidden + 8));
  CHECK(pthread_sigmask(SIG_BLOCK, NULL, &blocked) == 0);
  was_term_blocked = sigismember(&blocked, SIGTERM) == 1;
  handled++;
  siglongjmp(after_fault, 1);
}

static void handle_simply(int signal_number)
{
  CHECK(signal_number == SIGSEGV);
  handled++;
  siglongjmp(after_fault, 1);
}

static void fault_and_return(void)
{
  if (sigsetjmp(after_fault, 1) == 0) forbidden[8] = 1;
}

static void chain_to_handlers(void)
{
  struct sigaction action = {.sa_sigaction = handle_in_program, .sa_flags = SA_SIGINFO};
  sigaddset(&action.sa_mask, SIGTERM);
  CHECK(sigaction(SIGSEGV, &action, NULL) == 0);
  fault_and_return();
  bool is_term_blocked = was_term_blocked;  // an emulator may forget that
  errno = 4711;
  CHECK(os_fault_watch(see_fault));
  CHECK(errno == 4711);
  for (size_t i = 1; i <= 3; i++) {
    was_term_blocked = !is_term_blocked;
    fault_and_return();
    CHECK(seen == i && handled == i + 1 && was_term_blocked == is_term_blocked);
  }
}

static void the_programs_earlier_handler_is_called_with_its_mask(void **state)
{
  (void)state;
  child_check(chain_to_handlers);
}

static void chain_to_simple_handler(void)
{
  struct sigaction action = {.sa_handler = handle_simply, .sa_flags = (int)SA_RESETHAND};
  CHECK(sigaction(SIGSEGV, &action, NULL) == 0);
  CHECK(os_fault_watch(see_fault));
  fault_and_return();
  CHECK(seen == 1 && handled == 1);
  CHECK(sigaction(SIGSEGV, NULL, &action) == 0);
  CHECK(action.sa_handler == SIG_DFL);
}

static void a_handler_for_one_time_is_called_once(void **state)
{
  (void)state;
  child_check(chain_to_simple_handler);
}

static void set_later_handler(void)
{
  CHECK(os_fault_watch(see_fault));
  struct sigaction action = {.sa_sigaction = handle_in_program, .sa_flags = SA_SIGINFO};
  CHECK(sigaction(SIGSEGV, &action, NULL) == 0);
  fault_and_return();
  CHECK(handled == 1 && seen == 0);
}

static void a_handler_that_the_program_sets_later_replaces_ours(void **state)
{
  (void)state;
  child_check(set_later_handler);
}

static void keep_only_handler(int signal_number)
{
  (void)signal_number;
}

static void leave_previous_alone(void)
{
  // The page with what was there before lies beside nothing else and cannot be written.
  struct sigaction before = {.sa_handler = keep_only_handler};
  CHECK(sigaction(SIGBUS, &before, NULL) == 0);
  CHECK(os_fault_watch(see_fault));
  CHECK(raise(SIGBUS) == 0 && seen == 1);
}

static void each_signal_has_its_own_earlier_handler(void **state)
{
  (void)state;
  child_check(leave_previous_alone);
}

// ---------------------------------------------------------------------------------------------
// What is told.

static void look_at_faults(void)
{
  struct sigaction action = {.sa_handler = handle_simply};
  stack_t stack = {.ss_sp = alternate_stack, .ss_size = sizeof alternate_stack};
  CHECK(sigaction(SIGSEGV, &action, NULL) == 0);
  CHECK(sigaltstack(&stack, NULL) == 0);
  CHECK(os_fault_watch(see_fault));
  if (sigsetjmp(after_fault, 1) == 0) forbidden[24] = 1;
  CHECK(seen == 1 && last.address == (uintptr_t)(forbidden + 24) && was_on_alternate_stack);
  CHECK(last.access == OS_ACCESS_WRITE || last.access == OS_ACCESS_UNKNOWN);
  CHECK(last.code - (uintptr_t)look_at_faults < 4096 && last.frame != 0);
  if (sigsetjmp(after_fault, 1) == 0) (void)forbidden[25];
  CHECK(seen == 2 && last.address == (uintptr_t)(forbidden + 25));
  CHECK(last.access == OS_ACCESS_READ || last.access == OS_ACCESS_UNKNOWN);
#if defined(__x86_64__)
  CHECK(last.access == OS_ACCESS_READ || test_is_instrumented());
#endif
  if (sigsetjmp(after_fault, 1) == 0) CHECK(raise(SIGSEGV) == 0);
  CHECK(seen == 3 && last.address == 0);
}

static void address_access_code_and_frame_are_told(void **state)
{
  (void)state;
  child_check(look_at_faults);
}

int main(void)
{
  static const struct CMUnitTest tests[] = {
      cmocka_unit_test(the_process_ends_as_it_would_have),
      cmocka_unit_test(what_is_ignored_is_so_still_but_not_a_fault),
      cmocka_unit_test(a_signal_that_was_sent_ends_the_process_too),
      cmocka_unit_test(the_programs_earlier_handler_is_called_with_its_mask),
      cmocka_unit_test(a_handler_for_one_time_is_called_once),
      cmocka_unit_test(a_handler_that_the_program_sets_later_replaces_ours),
      cmocka_unit_test(each_signal_has_its_own_earlier_handler),
      cmocka_unit_test(address_access_code_and_frame_are_told),
  };
  if (test_is_in_valgrind()) return test_cannot_run("Valgrind takes these accesses for errors");
  CHECK(map_forbidden() == 0);
  return SUITE_RUN(tests);
}
