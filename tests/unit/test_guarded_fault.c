// SPDX-License-Identifier: MIT
//
// Accesses past a guarded block's ends, or after its free: each ends the process by SIGSEGV, as it
// would without us, after a report that says what it was. All in children.
#define _GNU_SOURCE 1
#include "child.h"

#include <setjmp.h>

#include "guarded.h"
#include "secure/guarded_fault.h"

// What the child is to do.
static struct {
  size_t size;
  size_t alignment;
  bool at_end;
  bool is_freed;
  bool is_write;
  ptrdiff_t at;
} misstep;

static void take_misstep(void)
{
  guarded_begin(4);
  volatile char *block = guarded_block_at(misstep.size, misstep.alignment, misstep.at_end);
  fprintf(stderr, "%p\n", (void *)(block + misstep.at));
  if (misstep.is_freed) guarded_release((void *)block, KIND_MALLOC, 0, 0);
  if (misstep.is_write) {
    block[misstep.at] = 1;
  } else {
    (void)block[misstep.at];
  }
  fprintf(stderr, "nothing happened\n");
}

// What the processor does not tell is left out of the report.
static bool access_is_told(void)
{
#if defined(__x86_64__)
  return true;
#else
  return false;
#endif
}

static void assert_faults(const char *what, const char *place)
{
  struct ending ending = child_run(take_misstep);
  char expected[300];
  void *address = NULL;
  assert_int_equal(sscanf(ending.text, "%p", &address), 1);
  snprintf(expected, sizeof expected, "\nmend: %s%s: %p\n", what,
           !access_is_told()  ? ""
           : misstep.is_write ? " by a write"
                              : " by a read",
           address);
  char *report = strstr(ending.text, expected);
  if (report == NULL && !access_is_told()) report = strstr(ending.text, what);
  snprintf(expected, sizeof expected, "\n  pointer %p is %s\n", address, place);
  if (report == NULL || strstr(report, expected) == NULL) {
    fprintf(stderr, "expected: %s, %s\nin: %s\n", what, place, ending.text);
    fail();
  }
  assert_non_null(strstr(report, "\n  called:\n    0x"));
  assert_non_null(strstr(report, "\n  allocated by thread "));
  assert_int_equal(strstr(report, "\n  freed by thread ") != NULL, misstep.is_freed);
  assert_int_equal(ending.signal_number, SIGSEGV);
}

static void an_access_behind_the_end_is_an_overflow(void **state)
{
  (void)state;
  for (int is_write = 0; is_write < 2; is_write++) {
    misstep.size = 64;
    misstep.alignment = 0;
    misstep.at_end = true;
    misstep.is_freed = false;
    misstep.is_write = is_write != 0;
    misstep.at = 64;
    assert_faults("heap overflow", "64 bytes from the block's start, 0 bytes behind its end");
    misstep.at = 64 + 100;
    assert_faults("heap overflow", "164 bytes from the block's start, 100 bytes behind its end");
    misstep.size = 100000;
    misstep.at = 100000;
    assert_faults("heap overflow", "100000 bytes from the block's start, 0 bytes behind its end");
  }
}

static void an_access_before_the_start_is_an_underflow(void **state)
{
  (void)state;
  for (int is_write = 0; is_write < 2; is_write++) {
    misstep.size = 64;
    misstep.alignment = 0;
    misstep.at_end = false;
    misstep.is_freed = false;
    misstep.is_write = is_write != 0;
    misstep.at = -1;
    assert_faults("heap underflow", "1 byte before the block's start");
    misstep.at = -200;
    assert_faults("heap underflow", "200 bytes before the block's start");
  }
}

static void an_access_after_the_free_is_told_as_such(void **state)
{
  (void)state;
  for (int i = 0; i < 4; i++) {
    misstep.size = 6000;
    misstep.alignment = 0;
    misstep.at_end = i < 2;
    misstep.is_freed = true;
    misstep.is_write = i % 2 == 0;
    misstep.at = 0;
    assert_faults("use after free", "0 bytes from the block's start, inside it");
    misstep.at = 5999;
    assert_faults("use after free", "5999 bytes from the block's start, inside it");
  }
}

static void use_block_of_size_zero(void)
{
  guarded_begin(4);
  volatile char *block = guarded_allocate(0, 0, KIND_NEW);
  CHECK(block != NULL && guarded_size((void *)block) == 0);
  guarded_release((void *)block, KIND_NEW, 0, 0);
  block = guarded_allocate(0, 0, KIND_NEW);
  fprintf(stderr, "reading\n");
  (void)block[0];
}

static void a_block_of_size_zero_cannot_be_accessed(void **state)
{
  (void)state;
  for (int i = 0; i < 8; i++) {  // at the end or at the start
    struct ending ending = child_run(use_block_of_size_zero);
    assert_int_equal(ending.signal_number, SIGSEGV);
    assert_non_null(strstr(ending.text, "reading\nmend: heap overflow"));
    assert_non_null(strstr(ending.text, ": 0 bytes asked for"));
  }
}

// ---------------------------------------------------------------------------------------------
// Other faults, and programs with handlers of their own.

static void fault_elsewhere(void)
{
  guarded_begin(4);
  (void)guarded_allocate(10, 0, KIND_MALLOC);
  *(volatile char *)opaque((void *)64) = 1;
}

static void a_fault_elsewhere_is_none_of_ours(void **state)
{
  (void)state;
  struct ending ending = child_run(fault_elsewhere);
  assert_int_equal(ending.signal_number, SIGSEGV);
  assert_null(strstr(ending.text, "mend: "));  // an emulator has a line of its own
  struct os_fault nowhere = {.address = 64};
  assert_false(guarded_fault_report(&nowhere));
}

static sigjmp_buf after_fault;
static volatile size_t handled;

static void handle(int signal_number)
{
  CHECK(signal_number == SIGSEGV);
  handled++;
  siglongjmp(after_fault, 1);
}

static void recover(void)
{
  signal(SIGSEGV, handle);
  guarded_begin(4);
  for (size_t i = 1; i <= 3; i++) {
    volatile char *block = guarded_block_at(32, 0, true);
    if (sigsetjmp(after_fault, 1) == 0) block[32] = 1;
    CHECK(handled == i);
    guarded_release((void *)block, KIND_MALLOC, 0, 0);
  }
}

static void a_program_that_handles_faults_goes_on(void **state)
{
  (void)state;
  struct ending ending = child_run(recover);
  assert_int_equal(ending.exit_code, 0);
  size_t reports = 0;
  for (char *at = ending.text; (at = strstr(at, "mend: heap overflow")) != NULL; at++) reports++;
  assert_int_equal(reports, 3);
}

static void *overflow_in_thread(void *unused)
{
  volatile char *block = guarded_block_at(48, 0, true);
  block[48] = 1;
  return unused;
}

static void overflow_by_threads(void)
{
  guarded_begin(4);
  threads_run(4, overflow_in_thread, NULL, 0);
}

static void faults_of_several_threads_end_the_process(void **state)
{
  (void)state;
  struct ending ending = child_run(overflow_by_threads);
  assert_int_equal(ending.signal_number, SIGSEGV);
  assert_non_null(strstr(ending.text, "mend: heap overflow"));
}

int main(void)
{
  static const struct CMUnitTest tests[] = {
      cmocka_unit_test(an_access_behind_the_end_is_an_overflow),
      cmocka_unit_test(an_access_before_the_start_is_an_underflow),
      cmocka_unit_test(an_access_after_the_free_is_told_as_such),
      cmocka_unit_test(a_block_of_size_zero_cannot_be_accessed),
      cmocka_unit_test(a_fault_elsewhere_is_none_of_ours),
      cmocka_unit_test(a_program_that_handles_faults_goes_on),
      cmocka_unit_test(faults_of_several_threads_end_the_process),
  };
  if (TEST_IS_ANNOTATED) return test_cannot_run("a checker has handlers of its own");
  return SUITE_RUN(tests);
}
