// SPDX-License-Identifier: MIT
//
// Walking a stack by frame pointers: one that functions of this program have made, and chains
// of frames that are made up, well and badly.
#define _GNU_SOURCE 1
#include "../support/suite.h"

#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "os/stack.h"
#include "os/system.h"

enum { FRAME_WORDS = 4, FRAMES = 64, MOST_CODE_BYTES = 4096 };

// Functions that ask for their own frame have a frame pointer, whatever the compiler was told.
#define KEEP_FRAME() ((void)opaque(__builtin_frame_address(0)))

// Where a frame of so many words keeps two of them, and where its pointer leads.
#if defined(__riscv)
enum { POINTER_TO = FRAME_WORDS, CALLER = 2, RETURN = 3 };
#else
enum { POINTER_TO = 0, CALLER = 0, RETURN = 1 };
#endif

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

struct walker {
  struct os_stack_bounds bounds;
  struct os_stack_trace trace;  // of the walk before, whatever that was
};

// The callers of this are those that os_stack_read finds.
__attribute__((noinline)) static void compare_walks(struct walker *walker)
{
  struct os_stack stack;
  struct os_stack_trace other = {0};
  struct os_stack_trace *trace = &walker->trace;
  uintptr_t frame = (uintptr_t)__builtin_frame_address(0);
  errno = 4711;
  os_stack_walk(&walker->bounds, trace, frame, OS_STACK_DEPTH);
  CHECK(errno == 4711);
  os_stack_read(&stack);
  // It begins with whoever has called this function.
  bool is_whole = stack.count < OS_STACK_DEPTH;
  CHECK(is_whole ? trace->count == stack.count - 1 : trace->count >= stack.count - 1);
  CHECK(trace->count >= 1);
  for (size_t i = 1; i < stack.count; i++) CHECK(trace->addresses[i - 1] == stack.addresses[i]);
  os_stack_walk(&walker->bounds, &other, frame, 1);
  CHECK(other.count == 1 && other.hash != trace->hash);
  KEEP_FRAME();
}

__attribute__((noinline)) static void dive_and_compare(struct walker *walker, size_t depth)
{
  volatile char room[3000];
  room[0] = room[sizeof room - 1] = 1;
  if (depth == 0) {
    compare_walks(walker);
  } else {
    dive_and_compare(walker, depth - 1);
  }
  KEEP_FRAME();
}

static void *walk_often(void *unused)
{
  struct walker walker = {0};
  for (size_t i = 0; i < 200; i++) dive_and_compare(&walker, i % 12);
  CHECK(walker.bounds.lasts);
  return unused;
}

static void walks_with_bounds_find_the_same(void **state)
{
  (void)state;
  (void)walk_often(NULL);
  threads_run(4, walk_often, NULL, 0);
}

// All frames are where they were, and of only one, in the middle, the caller is another place.
static void a_walk_sees_where_a_caller_was_called(void **state)
{
  (void)state;
  struct walker walker = {0};
  uint64_t hashes[2];
  for (volatile size_t i = 0; i < 20; i++) {  // or each round might have calls of its own
    if (i % 2 == 0) dive_and_compare(&walker, 3);
    KEEP_FRAME();
    if (i % 2 == 1) dive_and_compare(&walker, 3);
    if (i >= 2) CHECK(walker.trace.hash == hashes[i % 2]);
    hashes[i % 2] = walker.trace.hash;
  }
  CHECK(hashes[0] != hashes[1]);
}

static struct walker shared_walker;

static void walk_in_handler(int number)
{
  (void)number;
  compare_walks(&shared_walker);
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
    dive_and_compare(&shared_walker, 3);
    assert_int_equal(raise(SIGUSR1), 0);
    dive_and_compare(&shared_walker, 9);
  }
  assert_int_equal(sigaction(SIGUSR1, &old, NULL), 0);
  assert_int_equal(sigaltstack(&before, NULL), 0);
  assert_int_equal(munmap(other.ss_sp, BYTES), 0);
}

static struct {
  char *start;
  struct walker walker;
  size_t walks;
} coroutine;

enum { COROUTINE_BYTES = 256 << 10, ABOVE_BYTES = 64 << 10 };

// Walks with a caller that has data in its frame pointer: a place above the stack.
__attribute__((noinline)) static void walk_with_data(int number)
{
  (void)number;
  volatile uintptr_t *own = __builtin_frame_address(0);
  uintptr_t caller = own[CALLER - POINTER_TO];
  own[CALLER - POINTER_TO] = (uintptr_t)coroutine.start + COROUTINE_BYTES + ABOVE_BYTES / 2;
  os_stack_walk(&coroutine.walker.bounds, &coroutine.walker.trace, (uintptr_t)own, OS_STACK_DEPTH);
  own[CALLER - POINTER_TO] = caller;
  coroutine.walks++;
}

// What lay above may be gone: a smaller stack is where a larger one was.
static void of_another_stack_nothing_is_taken_for_granted(void **state)
{
  (void)state;
  stack_t other = {.ss_size = COROUTINE_BYTES}, before;
  struct sigaction action = {.sa_handler = walk_with_data, .sa_flags = SA_ONSTACK}, old;
  coroutine.start = mmap(NULL, COROUTINE_BYTES + ABOVE_BYTES, PROT_READ | PROT_WRITE,
                         MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  assert_true(coroutine.start != MAP_FAILED);
  other.ss_sp = coroutine.start;
  assert_int_equal(sigaltstack(&other, &before), 0);
  assert_int_equal(sigaction(SIGUSR1, &action, &old), 0);
  assert_int_equal(raise(SIGUSR1), 0);
  assert_int_equal(mprotect(coroutine.start + COROUTINE_BYTES, ABOVE_BYTES, PROT_NONE), 0);
  assert_int_equal(raise(SIGUSR1), 0);  // all words are as they were
  coroutine.walker.trace = (struct os_stack_trace){0};
  assert_int_equal(raise(SIGUSR1), 0);
  assert_int_equal(coroutine.walks, 3);
  assert_int_equal(sigaction(SIGUSR1, &old, NULL), 0);
  assert_int_equal(sigaltstack(&before, NULL), 0);
  assert_int_equal(munmap(coroutine.start, COROUTINE_BYTES + ABOVE_BYTES), 0);
}

// A stack that a program has given a thread has no guard: a coroutine's may be directly below.
static void *walk_below_own_stack(void *below)
{
  struct walker walker = {0};
  uintptr_t *frame = (uintptr_t *)below - 16;
  CHECK((uintptr_t)__builtin_frame_address(0) > (uintptr_t)below);
  os_stack_walk(&walker.bounds, &walker.trace, (uintptr_t)__builtin_frame_address(0),
                OS_STACK_DEPTH);
  os_stack_walk(&walker.bounds, &walker.trace, (uintptr_t)frame, OS_STACK_DEPTH);
  CHECK(!walker.bounds.lasts);
  walker = (struct walker){0};
  os_stack_walk(&walker.bounds, &walker.trace, (uintptr_t)frame, OS_STACK_DEPTH);
  CHECK(!walker.bounds.lasts);
  return NULL;
}

static void a_stack_directly_below_is_another(void **state)
{
  enum { BELOW_BYTES = 1 << 16, STACK_BYTES = 1 << 18 };
  (void)state;
  pthread_attr_t attributes;
  pthread_t thread;
  char *area = mmap(NULL, BELOW_BYTES + STACK_BYTES, PROT_READ | PROT_WRITE,
                    MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  assert_true(area != MAP_FAILED);
  char *stack = area + BELOW_BYTES;
  assert_int_equal(pthread_attr_init(&attributes), 0);
  assert_int_equal(pthread_attr_setstack(&attributes, stack, STACK_BYTES), 0);
  assert_int_equal(pthread_create(&thread, &attributes, walk_below_own_stack, stack), 0);
  assert_int_equal(pthread_join(thread, NULL), 0);
  assert_int_equal(pthread_attr_destroy(&attributes), 0);
  assert_int_equal(munmap(area, BELOW_BYTES + STACK_BYTES), 0);
}

// ---------------------------------------------------------------------------------------------
// Frames that are made up: an array of them, each of which returns to 0x10000 + its index.

static _Alignas(16) uintptr_t frames[FRAMES][FRAME_WORDS];

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

// Walks until it is known that there is no code where these frames return to: before that a walk is
// not believed to find the same again.
static void settle(struct walker *walker, uintptr_t first)
{
  do {
    os_sleep_ms(10);
    os_stack_walk(&walker->bounds, &walker->trace, first, OS_STACK_DEPTH);
  } while (walker->trace.first == 0 && !OS_STACK_ALWAYS_PROBES);
}

// Code without frame pointers has any value there. (The frames lie in the thread's own stack.)
static void a_word_behind_the_last_frame_does_not_matter(void **state)
{
  (void)state;
  enum { MARK = 4711, COUNT = 4 };
  static const uintptr_t words[] = {0, 7, UINTPTR_MAX, (uintptr_t)1 << 62};
  _Alignas(16) volatile uintptr_t own[COUNT + 1][FRAME_WORDS] = {0};
  const uintptr_t first = (uintptr_t)&own[0][POINTER_TO];
  struct walker walker = {0};
  for (size_t i = 0; i <= COUNT; i++) {
    own[i][RETURN] = 0x10000 + i;
    own[i][CALLER] = i + 1 < COUNT ? (uintptr_t)&own[i + 1][POINTER_TO] : 0;
  }
  settle(&walker, first);
  assert_int_equal(walker.trace.count, COUNT);
  for (size_t i = 0; i < sizeof words / sizeof words[0]; i++) {
    own[COUNT - 1][CALLER] = words[i];
    walker.trace.hash = MARK;  // stays if no walk is made
    os_stack_walk(&walker.bounds, &walker.trace, first, OS_STACK_DEPTH);
    assert_int_equal(walker.trace.count, COUNT);
    assert_true(walker.trace.hash == MARK || OS_STACK_ALWAYS_PROBES);
  }
  own[COUNT - 1][CALLER] = (uintptr_t)&own[COUNT][POINTER_TO];
  os_stack_walk(&walker.bounds, &walker.trace, first, OS_STACK_DEPTH);
  assert_int_equal(walker.trace.count, COUNT + 1);
  own[COUNT][RETURN] = 0x30000;
  os_stack_walk(&walker.bounds, &walker.trace, first, OS_STACK_DEPTH);
  assert_int_equal(walker.trace.addresses[COUNT], 0x30000);
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
      cmocka_unit_test(a_walk_sees_where_a_caller_was_called),
      cmocka_unit_test(bounds_move_to_other_stacks),
      cmocka_unit_test(a_stack_directly_below_is_another),
      cmocka_unit_test(of_another_stack_nothing_is_taken_for_granted),
      cmocka_unit_test(a_chain_is_followed_to_its_end),
      cmocka_unit_test(a_frame_pointer_that_is_none_ends_the_walk),
      cmocka_unit_test(a_walk_only_goes_up_by_aligned_steps_that_are_not_too_long),
      cmocka_unit_test(a_word_behind_the_last_frame_does_not_matter),
      cmocka_unit_test(a_frame_that_cannot_be_read_ends_the_walk),
  };
  return SUITE_RUN(tests);
}
