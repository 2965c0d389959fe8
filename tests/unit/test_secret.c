// SPDX-License-Identifier: MIT
//
// Memory for secrets as the real kernel gives it: what faults, what the kernel says of the mapping
// (../support/vm_flags.h), and what a fork's child finds there.
#define _GNU_SOURCE 1
#include "../support/suite.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <unistd.h>

#include "../support/fault.h"
#include "../support/vm_flags.h"
#include "child.h"
#include "os/memory.h"
#include "os/secret.h"

static size_t page;
static char *memory;
static size_t bytes;
static int error;

static char *map(size_t pages, enum os_fork_fate fate)
{
  bytes = pages * page;
  memory = os_secret_map(bytes, fate, &error);
  CHECK(memory != NULL);
  CHECK(is_zero(memory, bytes));
  return memory;
}

static void a_page_on_either_side_faults(void **state)
{
  (void)state;
  for (size_t pages = 1; pages < 5; pages++) {
    map(pages, OS_FORK_COPIED);
    assert_true(fault_none(memory) && fault_none(memory + bytes - 1));
    assert_true(fault_reads(memory - 1) && fault_writes(memory - 1));
    assert_true(fault_reads(memory - page));
    assert_true(fault_reads(memory + bytes) && fault_writes(memory + bytes));
    assert_true(fault_reads(memory + bytes + page - 1));
    os_secret_unmap(memory, bytes);
  }
}

static void access_is_given_and_taken(void **state)
{
  (void)state;
  map(3, OS_FORK_COPIED);
  memory[5] = 7;
  assert_true(os_secret_protect(memory, bytes, OS_SECRET_READ));
  assert_int_equal(memory[5], 7);
  assert_true(fault_writes(memory + 5) && fault_writes(memory + bytes - 1));
  assert_true(os_secret_protect(memory, bytes, OS_SECRET_NONE));
  assert_true(fault_reads(memory + 5));
  assert_true(os_secret_protect(memory, bytes, OS_SECRET_WRITE));
  assert_int_equal(memory[5], 7);
  assert_true(fault_none(memory + 5));
  os_secret_unmap(memory, bytes);
}

static void the_kernel_knows_what_was_asked(void **state)
{
  (void)state;
  if (test_is_instrumented()) skip();
  static const char *const flags[] = {
      [OS_FORK_COPIED] = "dd", [OS_FORK_WIPED] = "wf", [OS_FORK_OMITTED] = "dc"};
  for (enum os_fork_fate fate = OS_FORK_COPIED; fate <= OS_FORK_OMITTED; fate++) {
    map(2, fate);
    assert_false(vm_has_flag(getpid(), memory, "lo"));
    assert_int_equal(os_secret_lock(memory, bytes), 0);
    assert_true(vm_has_flag(getpid(), memory, "lo"));
    assert_true(vm_has_flag(getpid(), memory, "dd"));
    assert_true(vm_has_flag(getpid(), memory, flags[fate]));
    assert_int_equal(vm_has_flag(getpid(), memory, "wf"), fate == OS_FORK_WIPED);
    assert_true(os_secret_retire(memory, bytes));
    assert_false(vm_has_flag(getpid(), memory, "lo"));
    os_secret_unmap(memory, bytes);
  }
}

static void what_is_retired_holds_nothing_and_stays(void **state)
{
  (void)state;
  map(2, OS_FORK_OMITTED);
  memset(memory, 1, bytes);
  assert_true(os_secret_retire(memory, bytes));
  assert_true(fault_reads(memory - 1) && fault_reads(memory) && fault_reads(memory + bytes));
  void *elsewhere = mmap(memory, page, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  assert_ptr_not_equal(elsewhere, memory);
  munmap(elsewhere, page);
  os_secret_unmap(memory, bytes);
}

static void find_zeroes(void)
{
  CHECK(is_zero(memory, bytes));
}

static void find_a_copy(void)
{
  CHECK(memory[0] == 1 && memory[bytes - 1] == 1);
}

static void find_nothing(void)
{
  CHECK(fault_reads(memory) && fault_reads(memory + bytes - 1));
  CHECK(os_secret_bar(memory, bytes));
  CHECK(!os_secret_bar(memory, bytes));
  CHECK(fault_reads(memory - 1) && fault_reads(memory) && fault_reads(memory + bytes));
  os_secret_unmap(memory, bytes);
}

static void a_child_finds_what_was_asked(void **state)
{
  (void)state;
  if (test_is_instrumented() && !TEST_IS_ANNOTATED) skip();  // emulators know no fates
  static void (*const bodies[])(void) = {[OS_FORK_COPIED] = find_a_copy,
                                         [OS_FORK_WIPED] = find_zeroes,
                                         [OS_FORK_OMITTED] = find_nothing};
  for (enum os_fork_fate fate = OS_FORK_COPIED; fate <= OS_FORK_OMITTED; fate++) {
    if (fate == OS_FORK_OMITTED && TEST_IS_VALGRIND) continue;
    map(2, fate);
    memset(memory, 1, bytes);
    child_check(bodies[fate]);
    find_a_copy();
    os_secret_unmap(memory, bytes);
  }
}

static void lock_beyond_the_limit(void)
{
  CHECK(setrlimit(RLIMIT_MEMLOCK, &(struct rlimit){4 * page, 4 * page}) == 0);
  CHECK(geteuid() != 0 || setuid(65534) == 0);  // root may lock all it likes
  map(4, OS_FORK_COPIED);
  CHECK(os_secret_lock(memory, bytes) == 0);
  map(1, OS_FORK_COPIED);
  CHECK(os_secret_lock(memory, bytes) == EAGAIN);
  CHECK(setrlimit(RLIMIT_MEMLOCK, &(struct rlimit){0, 0}) == 0);
  CHECK(os_secret_lock(memory, bytes) == EPERM);
}

static void the_limit_on_locks_is_told(void **state)
{
  (void)state;
  if (test_is_instrumented()) skip();
  child_check(lock_beyond_the_limit);
}

static void what_no_address_space_holds_is_refused(void **state)
{
  (void)state;
  assert_null(os_secret_map(SIZE_MAX - page + 1, OS_FORK_COPIED, &error));
  assert_int_equal(error, ENOMEM);
  if (TEST_IS_ANNOTATED) return;  // checkers end a program that asks for as much
  assert_null(os_secret_map((size_t)1 << 62, OS_FORK_COPIED, &error));
  assert_int_equal(error, ENOMEM);
}

int main(void)
{
  os_memory_init(0, false);
  page = os_page_bytes();
  static const struct CMUnitTest tests[] = {
      cmocka_unit_test(a_page_on_either_side_faults),
      cmocka_unit_test(access_is_given_and_taken),
      cmocka_unit_test(the_kernel_knows_what_was_asked),
      cmocka_unit_test(what_is_retired_holds_nothing_and_stays),
      cmocka_unit_test(a_child_finds_what_was_asked),
      cmocka_unit_test(the_limit_on_locks_is_told),
      cmocka_unit_test(what_no_address_space_holds_is_refused),
  };
  return SUITE_RUN(tests);
}
