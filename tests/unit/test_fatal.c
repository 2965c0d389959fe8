// SPDX-License-Identifier: MIT
//
// The end of a process, seen from its parent: one line, then SIGABRT.
#define _GNU_SOURCE 1
#include "child.h"

#include "base/fatal.h"
#include "base/output.h"

static void die(void)
{
  fatal("free of a pointer that is none", (const void *)0x7f00beef10);
}

static void the_line_has_the_message_and_the_address(void **state)
{
  (void)state;
  struct ending ending = child_run(die);
  assert_string_equal(ending.text, "mend: free of a pointer that is none: 0x7f00beef10\n");
  assert_int_equal(ending.signal_number, SIGABRT);
}

static void write_marked(const char *text, size_t bytes, void *argument)
{
  CHECK(write(STDERR_FILENO, argument, 1) == 1);
  CHECK(write(STDERR_FILENO, text, bytes) == (ssize_t)bytes);
}

static void die_through_a_function(void)
{
  static char mark = '>';
  output_set(write_marked, &mark);
  fatal("gone", NULL);
}

static void the_line_goes_where_all_text_goes(void **state)
{
  (void)state;
  struct ending ending = child_run(die_through_a_function);
  assert_string_equal(ending.text, ">mend: gone: 0x0\n");
  assert_int_equal(ending.signal_number, SIGABRT);
}

static void die_at_length(void)
{
  static char message[1000];
  memset(message, 'x', sizeof message - 1);
  fatal(message, NULL);
}

static void a_message_that_is_too_long_is_cut_off(void **state)
{
  (void)state;
  struct ending ending = child_run(die_at_length);
  assert_int_equal(ending.signal_number, SIGABRT);
  assert_int_equal(strncmp(ending.text, "mend: xxxx", 10), 0);
  assert_true(strlen(ending.text) < 500);
}

static void die_by_assertion(void)
{
  volatile int one = 1;
  ASSERT(one == 1);
  ASSERT(one == 2);
}

static void an_assertion_that_fails_names_itself(void **state)
{
  (void)state;
  struct ending ending = child_run(die_by_assertion);
  assert_int_equal(ending.signal_number, SIGABRT);
  assert_non_null(strstr(ending.text, "mend: internal error: one == 2 in "));
  assert_non_null(strstr(ending.text, "test_fatal.c"));
}

int main(void)
{
  static const struct CMUnitTest tests[] = {
      cmocka_unit_test(the_line_has_the_message_and_the_address),
      cmocka_unit_test(the_line_goes_where_all_text_goes),
      cmocka_unit_test(a_message_that_is_too_long_is_cut_off),
      cmocka_unit_test(an_assertion_that_fails_names_itself),
  };
  return SUITE_RUN(tests);
}
