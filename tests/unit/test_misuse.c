// SPDX-License-Identifier: MIT
//
// The report of a misuse: what each line says of what is known, that nothing of it can fail, and
// what follows it.
#define _GNU_SOURCE 1
#include "child.h"

#include <errno.h>
#include <pthread.h>
#include <stdlib.h>
#include <sys/mman.h>

#include "base/options.h"
#include "capture.h"
#include "secure/misuse.h"

static struct block_claim claim = {
    .kind = KIND_MALLOC, .has_size = true, .size = 1, .alignment = 64};
static struct os_stack allocation = {2, {0x1111, 0}};  // the second is set by main
static struct os_stack release = {1, {0x3333}};
static _Alignas(64) uint8_t memory[256];

// A block of 100 bytes, with all that can be known.
static struct misuse whole(void)
{
  return (struct misuse){.what = "double free",
                         .claim = &claim,
                         .pointer = memory + 64,
                         .block = memory + 64,
                         .block_bytes = 112,
                         .size = 100,
                         .alignment = 16,
                         .kind = KIND_NEW_ARRAY,
                         .allocation_thread = 21,
                         .free_thread = 22,
                         .allocation_stack = &allocation,
                         .free_stack = &release};
}

static const char *written(const struct misuse *misuse)
{
  capture_begin();
  errno = 4711;
  misuse_write(misuse);
  assert_int_equal(errno, 4711);
  capture_end();
  assert_int_equal(captured.calls, 1);
  return captured.text;
}

static void assert_says(const char *line)
{
  if (strstr(captured.text, line) == NULL) {
    fprintf(stderr, "expected: %s\nin:\n%s", line, captured.text);
    fail();
  }
}

static void assert_place(size_t size, ptrdiff_t at, const char *expected)
{
  struct misuse misuse = whole();
  char line[200];
  misuse.size = size;
  misuse.pointer = memory + 64 + at;
  misuse.damage = memory + 64 + at;
  written(&misuse);
  snprintf(line, sizeof line, "\n  pointer %p is %s\n", misuse.pointer, expected);
  assert_says(line);
  snprintf(line, sizeof line, "\n  damage %p is %s\n", misuse.pointer, expected);
  assert_says(line);
}

static void the_first_line_is_as_of_every_fatal_error(void **state)
{
  (void)state;
  struct misuse misuse = whole();
  char line[100];
  int length = snprintf(line, sizeof line, "mend: double free: %p\n", (void *)(memory + 64));
  assert_int_equal(strncmp(written(&misuse), line, (size_t)length), 0);
  assert_null(strstr(captured.text + 1, "\nmend: "));
  for (const char *at = strchr(captured.text, '\n') + 1; *at != '\0'; at = strchr(at, '\n') + 1) {
    assert_int_equal(strncmp(at, "  ", 2), 0);
  }
}

static void every_thing_that_is_known_has_its_line(void **state)
{
  (void)state;
  struct misuse misuse = whole();
  char line[200];
  written(&misuse);
  snprintf(line, sizeof line, "\n  in process %d, thread ", getpid());
  assert_says(line);
  assert_says("\n  freed by free_aligned_sized, as of 1 byte, as aligned to 64\n");
  snprintf(line, sizeof line,
           "\n  block %p: 100 bytes asked for, 112 held, aligned to 16, by new[]\n", misuse.block);
  assert_says(line);
  assert_says("\n  called:\n    0x");
  assert_says("\n  allocated by thread 21:\n    0x1111\n    0x");
  assert_says("\n  freed by thread 22:\n    0x3333\n");
}

static void assert_claim(struct block_claim said, const char *expected)
{
  struct misuse misuse = whole();
  misuse.claim = &said;
  written(&misuse);
  assert_says(expected);
}

static void the_function_that_claims_is_named(void **state)
{
  (void)state;
  assert_claim((struct block_claim){.kind = KIND_MALLOC}, "\n  freed by free\n");
  assert_claim((struct block_claim){.kind = KIND_NEW}, "\n  freed by delete\n");
  assert_claim((struct block_claim){.kind = KIND_NEW_ARRAY, .alignment = 32},
               "\n  freed by delete[], as aligned to 32\n");
  assert_claim((struct block_claim){.kind = KIND_MALLOC, .has_size = true},
               "\n  freed by free_sized, as of 0 bytes\n");
  assert_claim((struct block_claim){.kind = KIND_ANY}, "\n  freed\n");
}

static void what_is_not_known_is_left_out(void **state)
{
  (void)state;
  struct misuse misuse = {.what = "free of nothing", .pointer = memory};
  written(&misuse);
  assert_null(strstr(captured.text, "  block"));
  assert_null(strstr(captured.text, "  pointer"));
  assert_null(strstr(captured.text, "  damage"));
  assert_null(strstr(captured.text, "  allocated"));
  assert_null(strstr(captured.text, "  freed"));
  assert_says("\n  called:\n    0x");
  assert_says("\n  memory around 0x");
}

static void places_are_told_from_the_blocks_start_and_end(void **state)
{
  (void)state;
  assert_place(100, 0, "0 bytes from the block's start, inside it");
  assert_place(100, 1, "1 byte from the block's start, inside it");
  assert_place(100, 99, "99 bytes from the block's start, inside it");
  assert_place(100, 100, "100 bytes from the block's start, 0 bytes behind its end");
  assert_place(100, 101, "101 bytes from the block's start, 1 byte behind its end");
  assert_place(100, -1, "1 byte before the block's start");
  assert_place(100, -16, "16 bytes before the block's start");
  assert_place(0, 0, "0 bytes from the block's start, 0 bytes behind its end");
}

// ---------------------------------------------------------------------------------------------
// Memory.

static void the_64_bytes_around_the_place_are_shown(void **state)
{
  (void)state;
  for (size_t i = 0; i < sizeof memory; i++) memory[i] = (uint8_t)i;
  struct misuse misuse = {.what = "double free", .pointer = memory + 64 + 5};
  char line[200];
  written(&misuse);
  snprintf(line, sizeof line,
           "\n  memory around %p:\n"
           "    %p: 20 21 22 23 24 25 26 27 28 29 2a 2b 2c 2d 2e 2f\n"
           "    %p: 30 31 32",
           misuse.pointer, (void *)(memory + 32), (void *)(memory + 48));
  assert_says(line);
  snprintf(line, sizeof line, "\n    %p: 50 51 52 53 54 55 56 57 58 59 5a 5b 5c 5d 5e 5f\n",
           (void *)(memory + 80));
  assert_says(line);
  assert_null(strstr(captured.text, " 60 61"));
  misuse.damage = memory + 128;
  written(&misuse);
  snprintf(line, sizeof line, "\n  memory around %p:\n    %p: 60 61", misuse.damage,
           (void *)(memory + 96));
  assert_says(line);
}

static void bytes_that_cannot_be_read_are_shown_as_such(void **state)
{
  (void)state;
  if (test_is_in_valgrind()) skip();  // it has not been told of them
  size_t page = (size_t)sysconf(_SC_PAGESIZE);
  int flags = MAP_PRIVATE | MAP_ANONYMOUS;
  char *pages = mmap(NULL, 2 * page, PROT_READ | PROT_WRITE, flags, -1, 0);
  assert_true(pages != MAP_FAILED);
  assert_int_equal(mprotect(pages + page, page, PROT_NONE), 0);
  struct misuse misuse = {.what = "double free", .pointer = pages + page};
  char line[200];
  written(&misuse);
  snprintf(line, sizeof line,
           "    %p: 00 00 00 00 00 00 00 00 00 00 00 00 00 00 00 00\n"
           "    %p: ?? ?? ?? ?? ?? ?? ?? ?? ?? ?? ?? ?? ?? ?? ?? ??\n",
           (void *)(pages + page - 16), (void *)(pages + page));
  assert_says(line);
  assert_int_equal(munmap(pages, 2 * page), 0);
  static const uintptr_t wild[] = {0, 1, 0xdeadbeef, UINTPTR_MAX, (uintptr_t)1 << 63};
  for (size_t i = 0; i < sizeof wild / sizeof wild[0]; i++) {
    misuse.pointer = (const void *)wild[i];
    written(&misuse);
    assert_says(" ?? ??");
  }
}

// ---------------------------------------------------------------------------------------------
// Stacks.

static void code_is_told_by_its_module_and_the_place_in_it(void **state)
{
  (void)state;
  if (access("/proc/self/maps", R_OK) != 0) skip();
  struct os_stack stack = {2, {(uintptr_t)whole, (uintptr_t)memory}};
  struct misuse misuse = {.what = "double free", .pointer = memory, .stack = &stack};
  char path[300], line[400];
  ssize_t length = readlink("/proc/self/exe", path, sizeof path - 1);
  assert_true(length > 0);
  path[length] = '\0';
  if (strlen(path) > 200 || test_is_instrumented()) skip();  // cut off, or an emulator's own name
  written(&misuse);
  snprintf(line, sizeof line, "\n  called:\n    0x%zx %s+0x", (size_t)(uintptr_t)whole, path);
  assert_says(line);
  size_t offset = 0;
  assert_int_equal(sscanf(strstr(captured.text, line) + strlen(line), "%zx", &offset), 1);
  assert_true(offset > 0 && offset < (size_t)16 << 20);
}

static void a_stack_ends_where_code_does(void **state)
{
  (void)state;
  if (access("/proc/self/maps", R_OK) != 0) skip();
  struct os_stack stack = {4, {0x1111, (uintptr_t)whole + 1, 0x5ec4e7, (uintptr_t)whole + 2}};
  struct misuse misuse = {.what = "double free", .pointer = memory, .stack = &stack};
  char line[100];
  for (size_t i = 0; i < 3; i++) {
    const uintptr_t data[] = {0x5ec4e7, (uintptr_t)&allocation, UINTPTR_MAX};
    stack.addresses[2] = data[i];
    written(&misuse);
    snprintf(line, sizeof line, "\n  called:\n    0x1111\n    0x%zx", (size_t)whole + 1);
    assert_says(line);
    snprintf(line, sizeof line, "\n    0x%zx", (size_t)data[i]);
    assert_null(strstr(captured.text, line));
    snprintf(line, sizeof line, "\n    0x%zx", (size_t)whole + 2);
    assert_null(strstr(captured.text, line));
  }
}

static void full_stacks_of_three_fit(void **state)
{
  (void)state;
  struct os_stack full = {.count = OS_STACK_DEPTH};
  for (size_t i = 0; i < OS_STACK_DEPTH; i++) full.addresses[i] = (uintptr_t)printf + 1 + i;
  struct misuse misuse = whole();
  misuse.stack = misuse.allocation_stack = misuse.free_stack = &full;
  written(&misuse);
  assert_says("\n  memory around ");
  assert_int_equal(captured.text[captured.bytes - 1], '\n');
  assert_true(captured_lines() >= 3 * (OS_STACK_DEPTH + 1) + 8);
}

// ---------------------------------------------------------------------------------------------
// What follows.

static void misuse_once(void)
{
  struct misuse misuse = whole();
  report_misuse(&misuse);
}

static void misuse_and_abort(void)
{
  options.on_misuse = 0;
  misuse_once();
}

static void misuse_and_trap(void)
{
  options.on_misuse = 1;
  misuse_once();
}

static void misuse_and_go_on(void)
{
  options.on_misuse = 2;
  misuse_once();
  misuse_once();
}

static size_t times_in(const char *text, const char *words)
{
  size_t times = 0;
  for (; (text = strstr(text, words)) != NULL; text++) times++;
  return times;
}

static void the_option_says_what_follows(void **state)
{
  (void)state;
  struct ending ending = child_run(misuse_and_abort);
  assert_int_equal(ending.signal_number, SIGABRT);
  assert_int_equal(times_in(ending.text, "mend: double free: 0x"), 1);
  ending = child_run(misuse_and_trap);
  assert_true(ending.signal_number == SIGILL || ending.signal_number == SIGTRAP);
  assert_int_equal(times_in(ending.text, "mend: double free: 0x"), 1);
  ending = child_run(misuse_and_go_on);
  assert_int_equal(ending.exit_code, 0);
  assert_int_equal(times_in(ending.text, "mend: double free: 0x"), 2);
  assert_int_equal(times_in(ending.text, "  memory around 0x"), 2);
}

static void report_once_more(const char *text, size_t bytes, void *argument)
{
  static int depth;
  (void)argument;
  CHECK(write(STDERR_FILENO, text, bytes) == (ssize_t)bytes);
  if (depth++ == 0) misuse_once();
}

static void misuse_within_a_report(void)
{
  options.on_misuse = 2;
  output_set(report_once_more, NULL);
  misuse_once();
}

static void a_misuse_within_a_report_is_one_line(void **state)
{
  (void)state;
  struct ending ending = child_run(misuse_within_a_report);
  assert_int_equal(ending.exit_code, 0);
  assert_int_equal(times_in(ending.text, "mend: double free: 0x"), 2);
  assert_int_equal(times_in(ending.text, "  memory around 0x"), 1);
}

static void *misuse_some_times(void *unused)
{
  for (int i = 0; i < 10; i++) misuse_once();
  return unused;
}

static void misuse_by_threads(void)
{
  options.on_misuse = 2;
  threads_run(4, misuse_some_times, NULL, 0);
}

static void reports_of_several_threads_do_not_mix(void **state)
{
  (void)state;
  static char text[200000];
  int pipes[2];
  // All is read while it is written.
  assert_int_equal(pipe(pipes), 0);
  fflush(NULL);
  pid_t child = test_fork();
  if (child == 0) {
    CHECK(dup2(pipes[1], STDERR_FILENO) == STDERR_FILENO);
    close(pipes[0]);
    misuse_by_threads();
    _exit(0);
  }
  close(pipes[1]);
  size_t length = 0;
  for (ssize_t got; (got = read(pipes[0], text + length, sizeof text - 1 - length)) > 0;) {
    length += (size_t)got;
  }
  text[length] = '\0';
  close(pipes[0]);
  int status;
  assert_int_equal(waitpid(child, &status, 0), child);
  assert_true(WIFEXITED(status) && WEXITSTATUS(status) == 0);
  assert_int_equal(times_in(text, "mend: double free: 0x"), 40);
  // Each text begins behind the last line of the one before.
  const char *at = text;
  for (int i = 0; i < 40; i++) {
    assert_int_equal(strncmp(at, "mend: double free: 0x", 21), 0);
    const char *next = strstr(at + 1, "mend: ");
    const char *memory_line = strstr(at, "  memory around 0x");
    assert_non_null(memory_line);
    assert_true(next == NULL || memory_line < next);
    at = next;
  }
  assert_null(at);
}

int main(void)
{
  static const struct CMUnitTest tests[] = {
      cmocka_unit_test(the_first_line_is_as_of_every_fatal_error),
      cmocka_unit_test(every_thing_that_is_known_has_its_line),
      cmocka_unit_test(the_function_that_claims_is_named),
      cmocka_unit_test(what_is_not_known_is_left_out),
      cmocka_unit_test(places_are_told_from_the_blocks_start_and_end),
      cmocka_unit_test(the_64_bytes_around_the_place_are_shown),
      cmocka_unit_test(bytes_that_cannot_be_read_are_shown_as_such),
      cmocka_unit_test(code_is_told_by_its_module_and_the_place_in_it),
      cmocka_unit_test(a_stack_ends_where_code_does),
      cmocka_unit_test(full_stacks_of_three_fit),
      cmocka_unit_test(the_option_says_what_follows),
      cmocka_unit_test(a_misuse_within_a_report_is_one_line),
      cmocka_unit_test(reports_of_several_threads_do_not_mix),
  };
  allocation.addresses[1] = (uintptr_t)whole + 1;
  return SUITE_RUN(tests);
}
