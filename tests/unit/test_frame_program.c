// SPDX-License-Identifier: MIT
//
// Programs about frames: every step by itself, what a rule cannot say, programs that are cut off,
// and bytes at random.
#include "../support/suite.h"

#include <string.h>

#include "os/frame_program.h"

enum { DISTANCE = 0x100, WHOLE = 0x1000 };

static struct os_reader over(const void *bytes, size_t count)
{
  return os_reader_of((uintptr_t)bytes, (uintptr_t)bytes + count);
}

// As gcc begins: the caller's stack at the stack pointer + 8, the return address below.
static const unsigned char usual[] = {0x0c, 7, 8, 0x90, 1};

static struct os_unwind_rule rule_at(uintptr_t distance, const char *program, size_t bytes)
{
  struct os_frame_common common = {.code_step = 1, .data_step = -8};
  common.program = over(usual, sizeof usual);
  return os_frame_program_run(&common, over(program, bytes), distance);
}

static void check_rule(struct os_unwind_rule rule, struct os_unwind_rule expected)
{
  assert_int_equal(rule.kind, expected.kind);
  assert_int_equal(rule.saved, expected.saved);
  assert_int_equal(rule.offset, expected.offset);
  assert_int_equal(rule.saved_words, expected.saved_words);
}

#define CHECK_PROGRAM(program, ...) \
  check_rule(rule_at(DISTANCE, program, sizeof(program) - 1), (struct os_unwind_rule){__VA_ARGS__})
#define NONE .kind = OS_UNWIND_NONE, .saved = OS_UNWIND_LOST
#define PLAIN .kind = OS_UNWIND_SP, .offset = 8

static void every_step_does_what_it_says(void **state)
{
  (void)state;
  CHECK_PROGRAM("", PLAIN);
  CHECK_PROGRAM("\0\0", PLAIN);
  CHECK_PROGRAM("\x0e\x10\x86\2", .kind = OS_UNWIND_SP, .offset = 16, .saved = OS_UNWIND_BELOW,
                .saved_words = -2);
  CHECK_PROGRAM("\x0e\x10\x86\2\x0d\6", .kind = OS_UNWIND_FP, .offset = 16,
                .saved = OS_UNWIND_BELOW, .saved_words = -2);
  CHECK_PROGRAM("\x0c\6\x90\1", .kind = OS_UNWIND_FP, .offset = 144);
  CHECK_PROGRAM("\x12\6\x7e", .kind = OS_UNWIND_FP, .offset = 16);
  CHECK_PROGRAM("\x13\x7d", .kind = OS_UNWIND_SP, .offset = 24);
  CHECK_PROGRAM("\5\6\3", PLAIN, .saved = OS_UNWIND_BELOW, .saved_words = -3);
  CHECK_PROGRAM("\x11\6\x7e", PLAIN, .saved = OS_UNWIND_BELOW, .saved_words = 2);
  CHECK_PROGRAM("\x2f\6\2", PLAIN, .saved = OS_UNWIND_BELOW, .saved_words = 2);
  CHECK_PROGRAM("\x86\2\xc6", PLAIN);
  CHECK_PROGRAM("\x86\2\6\6", PLAIN);
  CHECK_PROGRAM("\x86\2\x08\6", PLAIN);
  CHECK_PROGRAM("\7\6", PLAIN, .saved = OS_UNWIND_LOST);
  CHECK_PROGRAM("\x09\6\3", PLAIN, .saved = OS_UNWIND_LOST);
  CHECK_PROGRAM("\x14\6\3", PLAIN, .saved = OS_UNWIND_LOST);
  CHECK_PROGRAM("\x15\6\x7f", PLAIN, .saved = OS_UNWIND_LOST);
  CHECK_PROGRAM("\x16\6\2\x76\0", PLAIN, .saved = OS_UNWIND_LOST);
  CHECK_PROGRAM("\x83\5\x8c\4\7\3\x08\x0c\x2e\x20\xc3", PLAIN);  // others do not matter
  CHECK_PROGRAM("\x0a\x0e\x40\x86\2\x0b", PLAIN);
  CHECK_PROGRAM("\7\x10", .kind = OS_UNWIND_END, .saved = OS_UNWIND_LOST);
}

// A frame that is realigned: what lies below the frame pointer is where the caller's stack begins.
static void the_usual_expressions_are_understood(void **state)
{
  (void)state;
  CHECK_PROGRAM("\x0f\3\x76\x78\6", .kind = OS_UNWIND_AT_FP, .offset = -8);
  CHECK_PROGRAM("\x10\6\2\x76\0\x0f\3\x76\x78\6", .kind = OS_UNWIND_AT_FP, .offset = -8,
                .saved = OS_UNWIND_BESIDE);
  CHECK_PROGRAM("\x10\6\2\x76\x70", PLAIN, .saved = OS_UNWIND_BESIDE, .saved_words = -2);
  CHECK_PROGRAM("\x0f\3\x77\x20\6", .kind = OS_UNWIND_AT_SP, .offset = 32);
  CHECK_PROGRAM("\x0f\2\x77\x20", .kind = OS_UNWIND_SP, .offset = 32);
  CHECK_PROGRAM("\x10\6\3\x76\0\6", PLAIN, .saved = OS_UNWIND_LOST);
  CHECK_PROGRAM("\x10\6\2\x77\0", PLAIN, .saved = OS_UNWIND_LOST);
  CHECK_PROGRAM("\x10\6\2\x76\1", PLAIN, .saved = OS_UNWIND_LOST);
  CHECK_PROGRAM("\x0f\x0b\x77\x08\x80\0\x3f\x1a\x3b\x2a\x33\x24\x22", NONE);  // a PLT's
  CHECK_PROGRAM("\x0f\2\x7a\0", NONE);
  CHECK_PROGRAM("\x0f\0", NONE);
}

static void what_a_rule_cannot_say_is_none(void **state)
{
  (void)state;
  CHECK_PROGRAM("\x0d\x0a", NONE);                      // another register
  CHECK_PROGRAM("\x90\2", NONE);                        // the return address elsewhere
  CHECK_PROGRAM("\x09\x10\3", NONE);                    // in a register
  CHECK_PROGRAM("\x0e\xff\xff\xff\xff\xff\x7f", NONE);  // too far
  CHECK_PROGRAM("\x86\xff\xff\xff\x7f", PLAIN, .saved = OS_UNWIND_LOST);
  CHECK_PROGRAM("\1\0\0\0\0\0\0\0\0", NONE);
  CHECK_PROGRAM("\x0b", NONE);
  CHECK_PROGRAM("\x0a\x0a\x0a\x0a\x0a\x0a\x0a\x0a\x0a\x0a\x0a\x0a\x0a\x0a\x0a\x0a\x0a", NONE);
  CHECK_PROGRAM("\x3f", NONE);
  CHECK_PROGRAM("\x2d", NONE);
  struct os_frame_common common = {.code_step = 1, .data_step = -8, .program = over(usual, 3)};
  check_rule(os_frame_program_run(&common, over(usual, 0), 0), (struct os_unwind_rule){NONE});
  common.is_signal = true;
  assert_int_equal(os_frame_program_run(&common, over(usual, 0), 0).kind, OS_UNWIND_SIGNAL);
}

// push %rbp; mov %rsp, %rbp; ...; early return; ...
static void a_program_runs_up_to_the_address(void **state)
{
  (void)state;
  static const char program[] =
      "\x41\x0e\x10\x86\2\x43\x0d\6\2\x40\x0a\x0c\7\x08\x41\x0b\3\0\2\x0e\x20\4\0\0\1\0\x0e\x30";
  static const struct {
    uintptr_t distance;
    int kind;
    int offset;
  } cases[] = {
      {0, OS_UNWIND_SP, 8},        {1, OS_UNWIND_SP, 16},       {3, OS_UNWIND_SP, 16},
      {4, OS_UNWIND_FP, 16},       {0x43, OS_UNWIND_FP, 16},    {0x44, OS_UNWIND_SP, 8},
      {0x45, OS_UNWIND_FP, 16},    {0x244, OS_UNWIND_FP, 16},   {0x245, OS_UNWIND_FP, 32},
      {0x10244, OS_UNWIND_FP, 32}, {0x10245, OS_UNWIND_FP, 48}, {UINTPTR_MAX, OS_UNWIND_FP, 48},
  };
  for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
    struct os_unwind_rule rule = rule_at(cases[i].distance, program, sizeof program - 1);
    assert_int_equal(rule.kind, cases[i].kind);
    assert_int_equal(rule.offset, cases[i].offset);
  }
}

static void a_step_that_is_cut_off_is_no_rule(void **state)
{
  (void)state;
  static const char *const steps[] = {"\2\0",   "\3\0\0",   "\4\0\0\0\0", "\5\3\1",   "\6\3",
                                      "\7\3",   "\x08\3",   "\x09\3\2",   "\x0c\7\1", "\x0d\7",
                                      "\x0e\1", "\x0f\1\6", "\x10\3\1\6", "\x11\3\1", "\x12\7\1",
                                      "\x13\1", "\x14\3\1", "\x16\3\1\6", "\x2e\1",   "\x2f\3\1"};
  static const unsigned char lengths[] = {2, 3, 5, 3, 2, 2, 2, 3, 3, 2,
                                          2, 3, 4, 3, 3, 2, 3, 4, 2, 3};
  for (size_t i = 0; i < sizeof lengths; i++) {
    for (size_t bytes = 1; bytes < lengths[i]; bytes++) {
      assert_int_equal(rule_at(WHOLE, steps[i], bytes).kind, OS_UNWIND_NONE);
    }
  }
}

// Whatever it says, there is an end, and a rule that is one.
static void bytes_at_random_do_no_harm(void **state)
{
  (void)state;
  struct random random = {random_seed()};
  for (size_t i = 0; i < test_scaled(20000); i++) {
    char program[64];
    for (size_t j = 0; j < sizeof program; j++) {
      program[j] = (char)random_below(&random, random_below(&random, 2) ? 256 : 0x18);
    }
    size_t bytes = random_below(&random, sizeof program);
    struct os_unwind_rule rule = rule_at(random_below(&random, WHOLE), program, bytes);
    assert_in_range(rule.kind, OS_UNWIND_NONE, OS_UNWIND_AT_FP);
    assert_in_range(rule.saved, OS_UNWIND_KEPT, OS_UNWIND_BESIDE);
  }
}

int main(void)
{
  static const struct CMUnitTest tests[] = {
      cmocka_unit_test(every_step_does_what_it_says),
      cmocka_unit_test(the_usual_expressions_are_understood),
      cmocka_unit_test(what_a_rule_cannot_say_is_none),
      cmocka_unit_test(a_program_runs_up_to_the_address),
      cmocka_unit_test(a_step_that_is_cut_off_is_no_rule),
      cmocka_unit_test(bytes_at_random_do_no_harm),
  };
  return SUITE_RUN(tests);
}
