// SPDX-License-Identifier: MIT
//
// Guards on kernels that have no marks for them, or not for locked memory, or not any more since a
// sandbox forbids it, and where even the calls that do without marks are refused.
#define _GNU_SOURCE 1
#include "../unit/guards.h"

#include <errno.h>

static void *kernel_mmap(void *start, size_t bytes, int protection, int flags, int file, off_t at);
static int kernel_mprotect(void *start, size_t bytes, int protection);
static int kernel_madvise(void *start, size_t bytes, int advice);

#define mmap kernel_mmap
#define mprotect kernel_mprotect
#define madvise kernel_madvise
#include "os/guard.c"
#include "os/memory.c"
#undef mmap
#undef mprotect
#undef madvise

enum { LIES = -1 };  // an emulator's answer: yes, and nothing is done

// The error that a call ends with; 0: none.
static struct {
  int mark;
  int unmark;
  int purge;
  int forbid;
  int permit;
  int map_over;
  size_t marks;  // calls
} kernel;

static int answer(int error)
{
  errno = error;
  return error == LIES ? 0 : -1;
}

static void *kernel_mmap(void *start, size_t bytes, int protection, int flags, int file, off_t at)
{
  bool is_refused = (flags & MAP_FIXED) != 0 && kernel.map_over != 0;
  errno = kernel.map_over;
  return is_refused ? MAP_FAILED : mmap(start, bytes, protection, flags, file, at);
}

static int kernel_mprotect(void *start, size_t bytes, int protection)
{
  int error = protection == PROT_NONE ? kernel.forbid : kernel.permit;
  return error != 0 ? answer(error) : mprotect(start, bytes, protection);
}

static int kernel_madvise(void *start, size_t bytes, int advice)
{
  int error = 0;
  if (advice == MADV_GUARD_INSTALL) error = kernel.mark;
  if (advice == MADV_GUARD_REMOVE) error = kernel.unmark;
  if (advice == MADV_DONTNEED) error = kernel.purge;
  kernel.marks += advice == MADV_GUARD_INSTALL;
  return error != 0 ? answer(error) : madvise(start, bytes, advice);
}

// The kernel is itself, and nothing is known of it.
static void reset(void)
{
  memset(&kernel, 0, sizeof kernel);
  atomic_store(&guard_marks, 0);
  atomic_store(&has_inaccessible_guards, false);
}

static void kernels_without_marks_are_asked_once(void **state)
{
  static const int errors[] = {EINVAL, EPERM, ENOSYS, LIES};
  (void)state;
  for (size_t i = 0; i < sizeof errors / sizeof errors[0]; i++) {
    reset();
    kernel.mark = kernel.unmark = errors[i];
    assert_false(os_guard_is_free_of_mappings());
    guards_check_all();
    assert_int_equal(kernel.marks, 1);
  }
}

static void marks_that_cannot_be_removed_are_not_used(void **state)
{
  (void)state;
  reset();
  kernel.unmark = EPERM;
  assert_false(os_guard_is_free_of_mappings());
  guards_check_all();
}

// The sandbox comes after the start; or the memory is locked.
static void where_marks_are_refused_later_guards_are_inaccessible(void **state)
{
  (void)state;
  reset();
  if (!os_guard_is_free_of_mappings()) skip();
  char *memory = guards_memory();
  assert_true(guards_install(memory, 1, 2));
  kernel.mark = EINVAL;
  assert_true(guards_install(memory, 2, 2));
  guards_check(memory, "1GGG11111111");
  assert_true(guards_remove(memory, 1, 1));
  assert_true(guards_remove(memory, 3, 1));
  guards_check(memory, "10G011111111");
  assert_true(guards_remove(memory, 0, GUARDS_PAGES));
  guards_check(memory, "100011111111");
  guards_check_all();
  guards_release(memory);
}

static void without_marks(void)
{
  reset();
  kernel.mark = EINVAL;
}

static void locked_memory_is_mapped_anew(void **state)
{
  (void)state;
  without_marks();
  kernel.purge = EINVAL;
  guards_check_all();
}

static void a_guard_that_is_refused_is_none(void **state)
{
  (void)state;
  without_marks();
  char *memory = guards_memory();
  kernel.map_over = ENOMEM;
  kernel.forbid = EPERM;
  assert_false(guards_install(memory, 1, 2));
  guards_check(memory, "111111111111");
  kernel.forbid = 0;  // half of it works
  kernel.purge = EINVAL;
  assert_false(guards_install(memory, 1, 2));
  guards_check(memory, "111111111111");
  kernel.purge = 0;
  assert_true(guards_install(memory, 1, 2));
  kernel.permit = ENOMEM;
  assert_false(guards_remove(memory, 1, 2));
  guards_check(memory, "1GG111111111");
  guards_release(memory);
}

int main(void)
{
  static const struct CMUnitTest tests[] = {
      cmocka_unit_test(kernels_without_marks_are_asked_once),
      cmocka_unit_test(marks_that_cannot_be_removed_are_not_used),
      cmocka_unit_test(where_marks_are_refused_later_guards_are_inaccessible),
      cmocka_unit_test(locked_memory_is_mapped_anew),
      cmocka_unit_test(a_guard_that_is_refused_is_none),
  };
  if (test_is_in_valgrind()) return test_cannot_run("Valgrind reports what asks about guards");
  return SUITE_RUN(tests);
}
