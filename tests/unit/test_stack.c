// SPDX-License-Identifier: MIT
//
// Walking a stack by its frame pointers: one that functions of this program have made, and chains
// of frames that are made up, well and badly.
#define _GNU_SOURCE 1
#include "../support/suite.h"

#include <errno.h>
#include <signal.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "os/stack.h"

enum { FRAME_WORDS = 4, FRAMES = 64, MOST_CODE_BYTES = 4096 };

// Functions that ask for their own frame have a frame pointer, whatever the compiler was told.
#define KEEP_FRAME() ((void)opaque(__builtin_frame_address(0)))

static bool is_in(uintptr_t address, void *function)
{
  return address - (uintptr_t)function < MOST_CODE_BYTES;
}

__attribute__((noinline)) static void innermost(struct os_stack *stack)
{
  KEEP_FRAME();
  os_stack_read(stack);
  KEEP_FRAME();
}

__attribute__((noinline)) static void middle(struct os_stack *stack)
{
  KEEP_FRAME();
  innermost(stack);
  KEEP_FRAME();
}

__attribute__((noinline)) static void outermost(struct os_stack *stack)
{
  KEEP_FRAME();
  middle(stack);
  KEEP_FRAME();
}

static void check_own_stack(void)
{
  struct os_stack stack;
  errno = 4711;
  outermost(&stack);
  CHECK(errno == 4711);
  CHECK(stack.count >= 3 && stack.count <= OS_STACK_DEPTH);
  CHECK(is_in(stack.addresses[0], (void *)(uintptr_t)innermost));
  CHECK(is_in(stack.addresses[1], (void *)(uintptr_t)middle));
  CHECK(is_in(stack.addresses[2], (void *)(uintptr_t)outermost));
}

static void callers_are_found_from_the_innermost_on(void **state)
{
  (void)state;
  check_own_stack();
}

static void *check_in_thread(void *unused)
{
  check_own_stack();
  return unused;
}

static void threads_have_stacks_of_their_own(void **state)
{
  (void)state;
  threads_run(4, check_in_thread, NULL, 0);
}

__attribute__((noinline)) static size_t dive(struct os_stack *stack, size_t depth)
{
  KEEP_FRAME();
  if (depth == 0) {
    os_stack_read(stack);
    return 1;
  }
  size_t below = dive(stack, opaque_size(depth - 1));
  KEEP_FRAME();
  return below + 1;
}

static void of_a_deep_stack_the_innermost_calls_are_kept(void **state)
{
  (void)state;
  struct os_stack stack;
  assert_int_equal(dive(&stack, 50), 51);
  assert_int_equal(stack.count, OS_STACK_DEPTH);
  for (size_t i = 0; i < stack.count; i++) {
    assert_true(is_in(stack.addresses[i], (void *)(uintptr_t)dive));
  }
}

// ---------------------------------------------------------------------------------------------
// Many walks, with bounds.

// The callers of this are those that os_stack_read finds.
__attribute__((noinline)) static void compare_walks(struct os_stack_bounds *bounds)
{
  struct os_stack stack;
  uintptr_t addresses[OS_STACK_DEPTH];
  uint64_t hash, other;
  errno = 4711;
  size_t count = os_stack_walk(bounds, addresses, OS_STACK_DEPTH, &hash);
  CHECK(errno == 4711);
  os_stack_read(&stack);
  CHECK(count == stack.count && count >= 2);
  for (size_t i = 1; i < count; i++) CHECK(addresses[i] == stack.addresses[i]);
  CHECK(os_stack_walk(bounds, addresses, 2, &other) == 2 && other != hash);
  KEEP_FRAME();
}

__attribute__((noinline)) static void dive_and_compare(struct os_stack_bounds *bounds, size_t depth)
{
  volatile char room[3000];
  room[0] = room[sizeof room - 1] = 1;
  if (depth == 0) {
    compare_walks(bounds);
  } else {
    dive_and_compare(bounds, depth - 1);
  }
  KEEP_FRAME();
}

static void *walk_often(void *unused)
{
  struct os_stack_bounds bounds = {0, 0};
  for (size_t i = 0; i < 200; i++) dive_and_compare(&bounds, i % 12);
  return unused;
}

static void walks_with_bounds_find_the_same(void **state)
{
  (void)state;
  (void)walk_often(NULL);
  threads_run(4, walk_often, NULL, 0);
}

static struct os_stack_bounds shared_bounds;

static void walk_in_handler(int number)
{
  (void)number;
  compare_walks(&shared_bounds);
}

// A signal's stack, and then the thread's own again.
static void bounds_move_to_other_stacks(void **state)
{
  (void)state;
  enum { BYTES = 256 << 10 };
  stack_t other = {.ss_size = BYTES}, before;
  struct sigaction action = {.sa_handler = walk_in_handler, .sa_flags = SA_ONSTACK}, old;
  other.ss_sp = mmap(NULL, BYTES, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  assert_true(other.ss_sp != MAP_FAILED);
  assert_int_equal(sigaltstack(&other, &before), 0);
  assert_int_equal(sigaction(SIGUSR1, &action, &old), 0);
  for (int i = 0; i < 5; i++) {
    dive_and_compare(&shared_bounds, 3);
    assert_int_equal(raise(SIGUSR1), 0);
    dive_and_compare(&shared_bounds, 9);
  }
  assert_int_equal(sigaction(SIGUSR1, &old, NULL), 0);
  assert_int_equal(sigaltstack(&before, NULL), 0);
  assert_int_equal(munmap(other.ss_sp, BYTES), 0);
}

// ---------------------------------------------------------------------------------------------
// Frames that are made up: an array of them, each of which returns to 0x10000 + its index.

static _Alignas(16) uintptr_t frames[FRAMES][FRAME_WORDS];

// What a frame pointer to the i-th frame is, and where that keeps its two words.
#if defined(__riscv)
enum { POINTER_TO = FRAME_WORDS, CALLER = 2, RETURN = 3 };
#else
enum { POINTER_TO = 0, CALLER = 0, RETURN = 1 };
#endif

static uintptr_t frame_pointer(size_t i)
{
  return (uintptr_t)&frames[i][0] + POINTER_TO * sizeof(uintptr_t);
}

static void make_frames(size_t count)
{
  memset(frames, 0, sizeof frames);
  for (size_t i = 0; i < count; i++) {
    frames[i][RETURN] = 0x10000 + i;
    frames[i][CALLER] = i + 1 < count ? frame_pointer(i + 1) : 0;
  }
}

static size_t count_from(uintptr_t frame)
{
  struct os_stack stack;
  os_stack_read_from(&stack, 0x9999, frame);
  assert_int_equal(stack.addresses[0], 0x9999);
  for (size_t i = 1; i < stack.count; i++) assert_int_equal(stack.addresses[i], 0x10000 + i - 1);
  return stack.count;
}

static void a_chain_is_followed_to_its_end(void **state)
{
  (void)state;
  make_frames(5);
  assert_int_equal(count_from(frame_pointer(0)), 6);
  make_frames(FRAMES);
  assert_int_equal(count_from(frame_pointer(0)), OS_STACK_DEPTH);
}

static void a_frame_pointer_that_is_none_ends_the_walk(void **state)
{
  (void)state;
  static const uintptr_t none[] = {0, 16, 8, UINTPTR_MAX, UINTPTR_MAX - 15, (uintptr_t)1 << 62};
  if (test_is_in_valgrind()) skip();  // which has not been told that nothing is there
  for (size_t i = 0; i < sizeof none / sizeof none[0]; i++) {
    make_frames(5);
    assert_int_equal(count_from(none[i]), 1);
    frames[2][CALLER] = none[i];
    assert_int_equal(count_from(frame_pointer(0)), 4);
  }
}

static void a_walk_only_goes_up_by_aligned_steps_that_are_not_too_long(void **state)
{
  (void)state;
  make_frames(5);
  frames[2][CALLER] = frame_pointer(2);
  assert_int_equal(count_from(frame_pointer(0)), 4);
  frames[2][CALLER] = frame_pointer(1);
  assert_int_equal(count_from(frame_pointer(0)), 4);
  // Between the frames there are words that look like addresses of code.
  for (size_t i = 0; i < FRAMES * FRAME_WORDS; i++) {
    uintptr_t *word = &frames[i / FRAME_WORDS][i % FRAME_WORDS];
    if (*word == 0) *word = 0x7777;
  }
  frames[4][CALLER] = 0;
  frames[2][CALLER] = frame_pointer(3) + 8;
  assert_int_equal(count_from(frame_pointer(0)), 4);
  assert_int_equal(count_from(frame_pointer(0) + 8), 1);
  make_frames(5);
  frames[1][RETURN] = 0;
  assert_int_equal(count_from(frame_pointer(0)), 2);

  size_t far = (size_t)9 << 20;
  int flags = MAP_PRIVATE | MAP_ANONYMOUS;
  uintptr_t *block = mmap(NULL, far + 8192, PROT_READ | PROT_WRITE, flags, -1, 0);
  assert_true(block != MAP_FAILED);
  for (size_t step = (size_t)7 << 20; step <= far; step += (size_t)2 << 20) {
    uintptr_t *low = block + 64;
    uintptr_t *high = low + step / sizeof *low;
    low[RETURN] = high[RETURN] = 0x10000;
    low[CALLER] = (uintptr_t)(high + POINTER_TO);
    struct os_stack stack;
    os_stack_read_from(&stack, 0x9999, (uintptr_t)(low + POINTER_TO));
    assert_int_equal(stack.count, step < (size_t)8 << 20 ? 3 : 2);
  }
  assert_int_equal(munmap(block, far + 8192), 0);
}

static void a_frame_that_cannot_be_read_ends_the_walk(void **state)
{
  (void)state;
  if (test_is_in_valgrind()) skip();
  size_t page = (size_t)sysconf(_SC_PAGESIZE);
  int flags = MAP_PRIVATE | MAP_ANONYMOUS;
  char *block = mmap(NULL, 2 * page, PROT_READ | PROT_WRITE, flags, -1, 0);
  assert_true(block != MAP_FAILED);
  uintptr_t *low = (uintptr_t *)(void *)block + 64;
  low[RETURN] = 0x10000;
  low[CALLER] = (uintptr_t)(block + page) + 32 + POINTER_TO * sizeof(uintptr_t);
  assert_int_equal(mprotect(block + page, page, PROT_NONE), 0);
  assert_int_equal(count_from((uintptr_t)(low + POINTER_TO)), 2);
  assert_int_equal(munmap(block, 2 * page), 0);
}

int main(void)
{
  static const struct CMUnitTest tests[] = {
      cmocka_unit_test(callers_are_found_from_the_innermost_on),
      cmocka_unit_test(threads_have_stacks_of_their_own),
      cmocka_unit_test(of_a_deep_stack_the_innermost_calls_are_kept),
      cmocka_unit_test(walks_with_bounds_find_the_same),
      cmocka_unit_test(bounds_move_to_other_stacks),
      cmocka_unit_test(a_chain_is_followed_to_its_end),
      cmocka_unit_test(a_frame_pointer_that_is_none_ends_the_walk),
      cmocka_unit_test(a_walk_only_goes_up_by_aligned_steps_that_are_not_too_long),
      cmocka_unit_test(a_frame_that_cannot_be_read_ends_the_walk),
  };
  return SUITE_RUN(tests);
}
