// SPDX-License-Identifier: MIT
//
// The start and the end of the library: options are read from the environment once, what they ask
// for is printed, and the exit finds its way to stderr even when the program has closed it.
#define _GNU_SOURCE 1
#include "../support/suite.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "../support/respawn.h"
#include "api/init.h"
#include "base/options.h"
#include "core/chunk.h"
#include "mend/mend.h"
#include "os/system.h"

static int print_options(void)
{
  init_once();
  fprintf(stderr, "limit %zu, percent %zu\n", (size_t)options.limit,
          (size_t)options.retain_percent);
  return TEST_PASS;
}

static int allocate_and_exit(void)
{
  void *block = mend_malloc(12345);
  close(STDERR_FILENO);
  return block == NULL ? TEST_FAIL : TEST_PASS;
}

// Free memory of this process must go back although it calls nothing.
static int free_and_idle(void)
{
  void *block = mend_malloc(3000000);
  memset(block, 1, 3000000);
  mend_free(block);
  for (size_t i = 0; i < 1000 && chunk_statistics().dirty_bytes > 0; i++) os_sleep_ms(10);
  return chunk_statistics().dirty_bytes == 0 ? TEST_PASS : TEST_FAIL;
}

static int fork_and_idle(void)
{
  int status = 0;
  pid_t child = fork();
  CHECK(child >= 0);
  if (child == 0) _exit(free_and_idle());
  CHECK(waitpid(child, &status, 0) == child);
  return WIFEXITED(status) ? WEXITSTATUS(status) : TEST_FAIL;
}

static void respawn_with(const char *argument, const char *name, const char *value,
                         struct outcome *outcome)
{
  const char *const environment[] = {name, value, NULL};
  respawn_check(&(struct respawn){.argument = argument, .environment = environment}, outcome);
}

static void options_come_from_the_environment(void **state)
{
  (void)state;
  static struct outcome outcome;
  respawn_with("print", "MEND_CONF", "limit:64m,retain_percent:17", &outcome);
  assert_string_equal(outcome.text, "limit 67108864, percent 17\n");
}

static void a_changed_environment_is_not_read_again(void **state)
{
  (void)state;
  uint64_t before = options.retain_percent;
  assert_int_equal(setenv("MEND_RETAIN_PERCENT", before == 3 ? "4" : "3", 1), 0);
  init_once();
  mend_free(mend_malloc(1));
  assert_int_equal(options.retain_percent, before);
  unsetenv("MEND_RETAIN_PERCENT");
}

static void a_bad_option_is_one_line_and_no_more(void **state)
{
  (void)state;
  static struct outcome outcome;
  respawn_with("print", "MEND_RETAIN_PERCENT", "many", &outcome);
  assert_int_equal(outcome_count(&outcome, "\n"), 2);
  assert_int_equal(
      outcome_count(&outcome, "mend: MEND_RETAIN_PERCENT=many: not a number; ignored\n"), 1);
}

static void verbose_prints_the_version_and_every_option(void **state)
{
  (void)state;
  static struct outcome outcome;
  respawn_with("print", "MEND_VERBOSE", "1", &outcome);
  assert_int_equal(strncmp(outcome.text, "mend: version " MEND_VERSION_STRING "\n",
                           14 + sizeof MEND_VERSION_STRING),
                   0);
#define OPTION(...) +1
  int count =
#include "base/options.def"
      ;
#undef OPTION
  assert_int_equal(outcome_count(&outcome, "mend: option "), count);
  assert_int_equal(outcome_count(&outcome, "mend: option verbose = on "), 1);
}

static void nothing_is_printed_unasked(void **state)
{
  (void)state;
  static struct outcome outcome;
  respawn_with("exit", "MEND_STATS", "0", &outcome);
  assert_int_equal(outcome.bytes, 0);
}

static void the_table_at_the_exit_outlives_a_closed_stderr(void **state)
{
  (void)state;
  static struct outcome outcome;
  respawn_with("exit", "MEND_STATS", "1", &outcome);
  assert_int_equal(outcome_count(&outcome, "bytes live: "), 1);
  assert_int_equal(outcome_count(&outcome, "system calls: "), 1);
}

static void the_background_thread_returns_an_idle_programs_memory(void **state)
{
  (void)state;
  static struct outcome outcome;
  respawn_with("idle", "MEND_CONF", "background:1,purge_delay:20ms", &outcome);
}

static void so_does_that_of_the_child_of_a_fork(void **state)
{
  (void)state;
  static struct outcome outcome;
  if (test_is_instrumented()) skip();  // they let no thread start there, or not always
  respawn_with("fork", "MEND_CONF", "background:1,purge_delay:20ms", &outcome);
}

static void the_version_is_that_of_the_header(void **state)
{
  (void)state;
  assert_int_equal(mend_version(), MEND_VERSION);
  assert_string_equal(mend_version_string(), MEND_VERSION_STRING);
  char text[32];
  snprintf(text, sizeof text, "%d.%d.%d", MEND_VERSION / 10000, MEND_VERSION / 100 % 100,
           MEND_VERSION % 100);
  assert_string_equal(text, MEND_VERSION_STRING);
}

int main(int argc, char **argv)
{
  static const struct CMUnitTest tests[] = {
      cmocka_unit_test(options_come_from_the_environment),
      cmocka_unit_test(a_changed_environment_is_not_read_again),
      cmocka_unit_test(a_bad_option_is_one_line_and_no_more),
      cmocka_unit_test(verbose_prints_the_version_and_every_option),
      cmocka_unit_test(nothing_is_printed_unasked),
      cmocka_unit_test(the_table_at_the_exit_outlives_a_closed_stderr),
      cmocka_unit_test(the_background_thread_returns_an_idle_programs_memory),
      cmocka_unit_test(so_does_that_of_the_child_of_a_fork),
      cmocka_unit_test(the_version_is_that_of_the_header),
  };
  if (argc > 1 && strcmp(argv[1], "print") == 0) return print_options();
  if (argc > 1 && strcmp(argv[1], "exit") == 0) return allocate_and_exit();
  if (argc > 1 && strcmp(argv[1], "idle") == 0) return free_and_idle();
  if (argc > 1 && strcmp(argv[1], "fork") == 0) return fork_and_idle();
  return SUITE_RUN(tests);
}
