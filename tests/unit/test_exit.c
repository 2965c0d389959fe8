// SPDX-License-Identifier: MIT
//
// What is called at a program's exit comes after all that the program itself has for that.
#define _GNU_SOURCE 1
#include "child.h"

#include "os/exit.h"

static bool is_child;

static void say(const char *letter)
{
  if (is_child) CHECK(write(STDERR_FILENO, letter, 1) == 1);
}

static void at_the_end(void)
{
  say("E");
}

static void handler(void)
{
  say("h");
}

__attribute__((destructor)) static void plain_destructor(void)
{
  say("d");
}

__attribute__((destructor(200))) static void late_destructor(void)
{
  say("l");
}

static void end(void)
{
  is_child = true;
  os_at_exit(at_the_end);
  CHECK(atexit(handler) == 0);
  exit(0);
}

static void it_is_the_last(void **state)
{
  (void)state;
  struct ending ending = child_run(end);
  assert_int_equal(ending.exit_code, 0);
  assert_string_equal(ending.text, "hdlE");
}

static void end_quickly(void)
{
  is_child = true;
  os_at_exit(at_the_end);
  CHECK(at_quick_exit(handler) == 0);
  quick_exit(0);
}

static void it_is_the_last_of_quick_exit(void **state)
{
  (void)state;
  assert_string_equal(child_run(end_quickly).text, "hE");
}

static void end_at_once(void)
{
  is_child = true;
  os_at_exit(at_the_end);
  _exit(0);
}

static void an_end_that_is_no_exit_does_without(void **state)
{
  (void)state;
  assert_string_equal(child_run(end_at_once).text, "");
}

int main(void)
{
  static const struct CMUnitTest tests[] = {
      cmocka_unit_test(it_is_the_last),
      cmocka_unit_test(it_is_the_last_of_quick_exit),
      cmocka_unit_test(an_end_that_is_no_exit_does_without),
  };
  return SUITE_RUN(tests);
}
