// SPDX-License-Identifier: MIT
//
// The hooks: where the library's text goes, and the function that is asked when memory runs out.
// The latter needs a limited heap, so this program runs itself again with MEND_LIMIT set.
#include "../support/suite.h"

#include <errno.h>
#include <string.h>

#include "../support/respawn.h"
#include "mend/mend.h"

static char captured[65536];
static size_t captured_bytes;

static void capture(const char *text, size_t bytes, void *argument)
{
  assert_ptr_equal(argument, &captured_bytes);
  assert_true(captured_bytes + bytes < sizeof captured);
  memcpy(captured + captured_bytes, text, bytes);
  captured_bytes += bytes;
}

static void output_goes_to_the_function(void **state)
{
  (void)state;
  mend_set_output(capture, &captured_bytes);
  mend_malloc_stats();
  assert_true(captured_bytes > 20);
  captured[captured_bytes] = '\0';
  assert_int_equal(captured[captured_bytes - 1], '\n');
  size_t before = captured_bytes;
  mend_set_output(NULL, NULL);
  mend_malloc_stats();  // to stderr
  assert_int_equal(captured_bytes, before);
}

enum { RESERVE_COUNT = 8, FILLED_MOST = 8, BLOCK = 4 << 20 };
static void *reserve[RESERVE_COUNT];
static void *filled[FILLED_MOST + RESERVE_COUNT];
static size_t filled_count;
static size_t reserve_left;
static size_t asked_count;
static size_t asked_size;

// Gives back one block of the reserve at each call, and says so.
static bool give_back(size_t size, void *argument)
{
  CHECK(argument == &reserve_left);
  asked_count++;
  asked_size = size;
  if (reserve_left == 0) return false;
  reserve_left--;
  mend_free(reserve[reserve_left]);
  return true;
}

// Takes one more block if it can be had.
static bool fill(void)
{
  void *block = mend_malloc(BLOCK);
  if (block == NULL) return false;
  CHECK(filled_count < sizeof filled / sizeof filled[0]);
  filled[filled_count] = block;
  filled_count++;
  return true;
}

// Runs with MEND_LIMIT=64m: eight blocks of 4 MiB are kept for the hook, the rest is used up.
static int run_out_of_memory(void)
{
  for (reserve_left = 0; reserve_left < RESERVE_COUNT; reserve_left++) {
    reserve[reserve_left] = mend_malloc(BLOCK);
    CHECK(reserve[reserve_left] != NULL);
  }
  while (fill()) continue;
  CHECK(filled_count > 0 && filled_count <= FILLED_MOST);
  mend_set_out_of_memory(give_back, &reserve_left);
  for (size_t i = 0; i < RESERVE_COUNT; i++) {
    size_t calls = asked_count;
    CHECK(fill());  // the hook made room for it
    CHECK(asked_count == calls + 1 && asked_size >= BLOCK);
  }
  errno = 0;
  size_t calls = asked_count;
  CHECK(mend_malloc(BLOCK) == NULL && errno == ENOMEM);
  CHECK(asked_count == calls + 1);
  mend_set_out_of_memory(NULL, NULL);
  CHECK(mend_malloc(BLOCK) == NULL && asked_count == calls + 1);
  for (size_t i = 0; i < filled_count; i++) mend_free(filled[i]);
  return TEST_PASS;
}

// The hook itself allocates too much: it must not be called again within its own call.
static bool allocate_in_hook(size_t size, void *argument)
{
  (void)argument;
  asked_count++;
  CHECK(mend_malloc(size) == NULL);
  return false;
}

static int run_recursive(void)
{
  mend_set_out_of_memory(allocate_in_hook, NULL);
  CHECK(mend_malloc(100 * MIB) == NULL);
  CHECK(asked_count == 1);
  return TEST_PASS;
}

static void run_limited(const char *argument)
{
  static const char *const environment[] = {"MEND_LIMIT", "64m", NULL};
  static struct outcome outcome;
  respawn_check(&(struct respawn){.argument = argument, .environment = environment}, &outcome);
}

static void the_hook_makes_room(void **state)
{
  (void)state;
  run_limited("out-of-memory");
}

static void the_hook_is_not_called_within_itself(void **state)
{
  (void)state;
  run_limited("recursive");
}

static void sizes_that_overflow_do_not_need_the_hook_to_fail(void **state)
{
  (void)state;
  reserve_left = 0;
  mend_set_out_of_memory(give_back, &reserve_left);
  errno = 0;
  assert_null(mend_malloc(opaque_size(SIZE_MAX)));
  assert_int_equal(errno, ENOMEM);
  assert_true(asked_count <= 1);
  mend_set_out_of_memory(NULL, NULL);
}

int main(int argc, char **argv)
{
  if (argc > 1) return strcmp(argv[1], "recursive") == 0 ? run_recursive() : run_out_of_memory();
  static const struct CMUnitTest tests[] = {
      cmocka_unit_test(output_goes_to_the_function),
      cmocka_unit_test(the_hook_makes_room),
      cmocka_unit_test(the_hook_is_not_called_within_itself),
      cmocka_unit_test(sizes_that_overflow_do_not_need_the_hook_to_fail),
  };
  return SUITE_RUN(tests);
}
