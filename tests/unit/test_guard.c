// SPDX-License-Identifier: MIT
//
// Guards, as the kernel that there is makes them.
#define _GNU_SOURCE 1
#include "child.h"
#include "guards.h"

static void an_access_to_a_guard_faults_and_what_it_held_is_gone(void **state)
{
  (void)state;
  guards_check_all();
}

// Tried without the library.
static bool kernel_marks(void)
{
  size_t page = os_kernel_page_bytes();
  char *start = mmap(NULL, page, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  CHECK(start != MAP_FAILED);
  bool marks = madvise(start, page, 102) == 0 && !can_read(start);
  munmap(start, page);
  return marks;
}

static void whether_it_costs_a_mapping_is_told(void **state)
{
  (void)state;
  char *memory = guards_memory();
  assert_int_equal(os_guard_is_free_of_mappings(), kernel_marks());
  assert_true(guards_install(memory, 5, 1));
  assert_int_equal(guards_mappings(memory), os_guard_is_free_of_mappings() ? 1 : 3);
  guards_release(memory);
}

static char *locked;

static void guard_locked_memory(void)
{
  locked = guards_memory();
  if (mlock(locked, GUARDS_PAGES * os_page_bytes()) != 0) return;  // the limit is too low
  CHECK(guards_install(locked, 2, 4));
  guards_check(locked, "11GGGG111111");
  CHECK(guards_remove(locked, 3, 1));
  guards_check(locked, "11G0GG111111");
  CHECK(guards_remove(locked, 2, 4));
  guards_check(locked, "110000111111");
}

static void locked_memory_can_be_guarded_too(void **state)
{
  (void)state;
  child_check(guard_locked_memory);
}

static char *inherited;

static void check_inherited(void)
{
  guards_check(inherited, "1GG111111111");
  CHECK(guards_remove(inherited, 1, 1));
  guards_check(inherited, "10G111111111");
}

static void the_child_of_a_fork_has_them_too(void **state)
{
  (void)state;
  inherited = guards_memory();
  assert_true(guards_install(inherited, 1, 2));
  child_check(check_inherited);
  guards_check(inherited, "1GG111111111");
  guards_release(inherited);
}

static void touch_guard(void)
{
  char *memory = guards_memory();
  CHECK(guards_install(memory, 1, 1));
  signal(SIGSEGV, SIG_DFL);  // cmocka has a handler
  memory[os_page_bytes() - 1] = 2;
  ((volatile char *)memory)[os_page_bytes()] = 2;
}

static void touching_one_is_a_segmentation_fault(void **state)
{
  (void)state;
  if (test_is_instrumented()) skip();  // which reports it in its own way
  assert_int_equal(child_run(touch_guard).signal_number, SIGSEGV);
}

int main(void)
{
  static const struct CMUnitTest tests[] = {
      cmocka_unit_test(an_access_to_a_guard_faults_and_what_it_held_is_gone),
      cmocka_unit_test(whether_it_costs_a_mapping_is_told),
      cmocka_unit_test(locked_memory_can_be_guarded_too),
      cmocka_unit_test(the_child_of_a_fork_has_them_too),
      cmocka_unit_test(touching_one_is_a_segmentation_fault),
  };
  if (test_is_in_valgrind()) return test_cannot_run("Valgrind reports what asks about guards");
  return SUITE_RUN(tests);
}
