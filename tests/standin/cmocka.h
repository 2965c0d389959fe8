// SPDX-License-Identifier: MIT
//
// The part of cmocka's interface that the tests use, for builds where Debian has no cmocka: other
// machines, musl, and MemorySanitizer, which wants every line of the program compiled its way.
// A failed assertion ends its test and the next one runs. No mocks, no memory checks, no XML.
#ifndef TESTS_STANDIN_CMOCKA_H
#define TESTS_STANDIN_CMOCKA_H

#include <setjmp.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

typedef void (*CMUnitTestFunction)(void **state);
typedef int (*CMFixtureFunction)(void **state);

struct CMUnitTest {
  const char *name;
  CMUnitTestFunction test_func;
  CMFixtureFunction setup_func;
  CMFixtureFunction teardown_func;
  void *initial_state;
};

// clang-format off
#define cmocka_unit_test(function) {#function, function, NULL, NULL, NULL}
#define cmocka_unit_test_setup_teardown(function, setup, teardown) \
  {#function, function, setup, teardown, NULL}
// clang-format on

enum standin_outcome { STANDIN_PASSED, STANDIN_FAILED, STANDIN_SKIPPED };
static jmp_buf standin_end_of_test;

__attribute__((noreturn, unused)) static void standin_fail(const char *file, int line,
                                                           const char *what)
{
  printf("%s:%d: error: does not hold: %s\n", file, line, what);
  longjmp(standin_end_of_test, STANDIN_FAILED);
}

#define standin_check(condition, text) \
  ((condition) ? (void)0 : standin_fail(__FILE__, __LINE__, text))
#define standin_compare(a, operation, b) \
  standin_check((uintmax_t)(a)operation(uintmax_t)(b), #a " " #operation " " #b)

#define assert_true(a) standin_check(a, #a)
#define assert_false(a) standin_check(!(a), "not " #a)
#define assert_null(a) standin_check((a) == NULL, #a " is NULL")
#define assert_non_null(a) standin_check((a) != NULL, #a " is not NULL")
#define assert_int_equal(a, b) standin_compare(a, ==, b)
#define assert_int_not_equal(a, b) standin_compare(a, !=, b)
#define assert_ptr_equal(a, b) standin_check((const void *)(a) == (const void *)(b), #a " == " #b)
#define assert_ptr_not_equal(a, b) \
  standin_check((const void *)(a) != (const void *)(b), #a " != " #b)
#define assert_string_equal(a, b) standin_check(strcmp(a, b) == 0, #a " equals " #b)
#define assert_string_not_equal(a, b) standin_check(strcmp(a, b) != 0, #a " differs from " #b)
#define assert_memory_equal(a, b, size) standin_check(memcmp(a, b, size) == 0, #a " equals " #b)
#define assert_memory_not_equal(a, b, size) \
  standin_check(memcmp(a, b, size) != 0, #a " differs from " #b)
#define assert_in_range(a, low, high) \
  standin_check((uintmax_t)(a) >= (low) && (uintmax_t)(a) <= (high), #a " in " #low " .. " #high)
#define fail() standin_fail(__FILE__, __LINE__, "fail()")
#define fail_msg(...) (printf(__VA_ARGS__), standin_fail(__FILE__, __LINE__, "see above"))
#define skip() longjmp(standin_end_of_test, STANDIN_SKIPPED)
#define print_message printf

#define cmocka_run_group_tests(tests, setup, teardown) \
  standin_run_group(tests, sizeof(tests) / sizeof((tests)[0]), setup, teardown)

static enum standin_outcome standin_run(const struct CMUnitTest *test, void **state)
{
  int outcome = setjmp(standin_end_of_test);
  if (outcome != STANDIN_PASSED) return (enum standin_outcome)outcome;
  if (test->setup_func != NULL && test->setup_func(state) != 0) return STANDIN_FAILED;
  test->test_func(state);
  if (test->teardown_func != NULL && test->teardown_func(state) != 0) return STANDIN_FAILED;
  return STANDIN_PASSED;
}

static int standin_run_group(const struct CMUnitTest *tests, size_t count, CMFixtureFunction setup,
                             CMFixtureFunction teardown)
{
  static const char *const words[] = {"OK", "FAILED", "SKIPPED"};
  void *group_state = NULL;
  int failures = 0;
  if (setup != NULL && setup(&group_state) != 0) return 1;
  for (size_t i = 0; i < count; i++) {
    void *state = tests[i].initial_state != NULL ? tests[i].initial_state : group_state;
    enum standin_outcome outcome = standin_run(&tests[i], &state);
    printf("%s: %s\n", words[outcome], tests[i].name);
    fflush(stdout);
    failures += outcome == STANDIN_FAILED;
  }
  if (teardown != NULL && teardown(&group_state) != 0) failures++;
  return failures;
}

#endif
