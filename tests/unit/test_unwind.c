// SPDX-License-Identifier: MIT
//
// Walks by rules through code without frame pointers, compared with those of the compiler's own
// unwinder: below functions of the C library, in signal handlers, on other stacks, from frames of
// every shape, by many threads; and modules that come to lie where others were.
#define _GNU_SOURCE 1
#include "../support/suite.h"

#include <alloca.h>
#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>
#include <unwind.h>

#include "../support/eh_image.h"
#include "os/stack.h"
#include "os/system.h"
#include "os/unwind.h"

#if defined(__x86_64__) && defined(__GLIBC__)
#include <ucontext.h>

#if defined(__clang__)
#define FRAMELESS __attribute__((noinline))
#else
#define FRAMELESS __attribute__((noinline, optimize("O2", "omit-frame-pointer")))
#endif
#define KEEP_FRAME() ((void)opaque(__builtin_frame_address(0)))

struct walks {
  struct os_stack_bounds bounds;
  struct os_stack_trace trace;
  uintptr_t addresses[OS_STACK_TRACE_DEPTH];  // what the other unwinder has found
  size_t count;
  size_t compared;
  bool has_no_end;  // what the outermost function returns to does not say that it is the end
};

static _Unwind_Reason_Code add_address(struct _Unwind_Context *context, void *argument)
{
  struct walks *walks = argument;
  int is_before = 0;
  uintptr_t address = _Unwind_GetIPInfo(context, &is_before) + (uintptr_t)is_before;
  if (address == 0 || walks->count == OS_STACK_TRACE_DEPTH) return _URC_END_OF_STACK;
  walks->addresses[walks->count++] = address;
  return _URC_NO_REASON;
}

// The other one's first frame is this function's own.
__attribute__((noinline)) static void compare(struct walks *walks)
{
  uintptr_t frame = (uintptr_t)__builtin_frame_address(0);
  walks->count = 0;
  (void)_Unwind_Backtrace(add_address, walks);
  for (int again = 0; again < 2; again++) {  // the second time perhaps by what was remembered
    os_stack_walk(&walks->bounds, &walks->trace, frame, OS_STACK_TRACE_DEPTH - 1);
    CHECK(walks->trace.count + 1 >= walks->count);
    bool is_enough = walks->trace.count == OS_STACK_TRACE_DEPTH - 1;
    CHECK(is_enough || walks->trace.why == OS_STACK_WHOLE || walks->has_no_end);
    for (size_t i = 1; i < walks->count; i++) {
      CHECK(walks->trace.addresses[i - 1] == walks->addresses[i]);
    }
  }
  walks->compared++;
  KEEP_FRAME();
}

static _Thread_local struct walks own;

FRAMELESS static int compare_items(const void *one, const void *other)
{
  compare(&own);
  return *(const int *)one - *(const int *)other;
}

FRAMELESS static int sort(size_t count)
{
  int items[16] = {7, 1, 5, 3, 8, 2};
  qsort(items, count, sizeof items[0], compare_items);
  return items[opaque_size(3)];
}

FRAMELESS static size_t with_room(size_t bytes)
{
  char *room = alloca(bytes);
  memset(room, 1, bytes);
  compare(&own);
  return (size_t)((char *)opaque(room))[bytes - 1];
}

FRAMELESS static size_t realigned(size_t depth)
{
  _Alignas(64) volatile char room[128];
  room[depth % 64] = 1;
  CHECK((uintptr_t)room % 64 == 0);
  if (depth > 0) return realigned(depth - 1) + (size_t)room[depth % 64];
  compare(&own);
  return (size_t)room[0];
}

FRAMELESS static size_t realigned_with_room(size_t bytes)
{
  _Alignas(64) volatile char aligned[64];
  char *room = alloca(bytes);
  memset(room, 1, bytes);
  aligned[0] = room[bytes / 2];
  compare(&own);
  return (size_t)aligned[0] + (size_t)((char *)opaque(room))[bytes - 1];
}

FRAMELESS static size_t many_arguments(size_t a, size_t b, size_t c, size_t d, size_t e, size_t f,
                                       size_t g, size_t h)
{
  compare(&own);
  return opaque_size(a) + b * c + d * e + f * g + h;
}

FRAMELESS static size_t all_shapes(size_t depth)
{
  size_t sum = (size_t)sort(6);
  sum += with_room(100 + depth * 200) + realigned(depth % 5) + realigned_with_room(50 + depth);
  sum += many_arguments(depth, sum, 1, 2, 3, depth, 5, 6);
  if (depth > 0) sum += all_shapes(depth - 1);
  return opaque_size(sum);
}

static void *walk_all_shapes(void *unused)
{
  for (size_t i = 0; i < 20; i++) (void)all_shapes(i % 8);
  CHECK(own.compared > 100);
  return unused;
}

static void frames_of_every_shape_are_left(void **state)
{
  (void)state;
  (void)walk_all_shapes(NULL);
  assert_true(own.bounds.lasts || OS_STACK_ALWAYS_PROBES);
}

static void threads_walk_at_once(void **state)
{
  (void)state;
  threads_run(8, walk_all_shapes, NULL, 0);
}

static void compare_in_handler(int number)
{
  (void)number;
  compare(&own);
  (void)all_shapes(1);
}

FRAMELESS static int sort_with_signals(const void *one, const void *other)
{
  CHECK(raise(SIGUSR1) == 0);
  return *(const int *)one - *(const int *)other;
}

static void walk_from_handlers(int flags)
{
  struct sigaction action = {.sa_handler = compare_in_handler, .sa_flags = flags}, old;
  int items[4] = {2, 1, 4, 3};
  size_t before = own.compared;
  assert_int_equal(sigaction(SIGUSR1, &action, &old), 0);
  assert_int_equal(raise(SIGUSR1), 0);
  qsort(items, 4, sizeof items[0], sort_with_signals);
  assert_int_equal(sigaction(SIGUSR1, &old, NULL), 0);
  assert_true(own.compared > before);
}

static void what_a_signal_has_interrupted_is_found(void **state)
{
  (void)state;
  enum { BYTES = 256 << 10 };
  walk_from_handlers(0);
  stack_t other = {.ss_size = BYTES}, before;
  other.ss_sp = mmap(NULL, BYTES, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  assert_true(other.ss_sp != MAP_FAILED);
  assert_int_equal(sigaltstack(&other, &before), 0);
  walk_from_handlers(SA_ONSTACK);
  assert_int_equal(sigaltstack(&before, NULL), 0);
  assert_int_equal(munmap(other.ss_sp, BYTES), 0);
}

static ucontext_t main_context, coroutine_context;

static void run_coroutine(void)
{
  for (size_t i = 0; i < 3; i++) {
    own.has_no_end = true;
    (void)all_shapes(i);
    own.has_no_end = false;
    CHECK(swapcontext(&coroutine_context, &main_context) == 0);
  }
}

static void a_coroutine_has_a_stack_of_its_own(void **state)
{
  (void)state;
  enum { BYTES = 256 << 10 };
  if (test_is_instrumented()) skip();  // which wants to be told of stacks
  void *stack = mmap(NULL, BYTES, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  assert_true(stack != MAP_FAILED);
  assert_int_equal(getcontext(&coroutine_context), 0);
  coroutine_context.uc_stack = (stack_t){.ss_sp = stack, .ss_size = BYTES};
  coroutine_context.uc_link = &main_context;
  makecontext(&coroutine_context, run_coroutine, 0);
  for (size_t i = 0; i < 3; i++) {
    (void)all_shapes(i);
    assert_int_equal(swapcontext(&main_context, &coroutine_context), 0);
  }
  assert_int_equal(munmap(stack, BYTES), 0);
}

// Maps a made-up module whose function says so; NULL: anywhere.
static unsigned char *map_module(void *where, const char *program, size_t bytes)
{
  unsigned char image[EH_IMAGE_BYTES];
  int file = memfd_create("module", 0);
  int flags = MAP_PRIVATE | (where != NULL ? MAP_FIXED : 0);
  eh_image_make(image, 0, 0x1b, "zR", program, bytes);
  assert_true(file >= 0 && write(file, image, sizeof image) == sizeof image);
  void *module = mmap(where, sizeof image, PROT_READ | PROT_EXEC, flags, file, 0);
  assert_true(module != MAP_FAILED);
  assert_int_equal(close(file), 0);
  return module;
}

// Asks for rules of other places, as a program does that runs code that is new.
static int32_t offset_after(uintptr_t address, int32_t old)
{
  struct os_unwind_rule rule = {.offset = old};
  for (size_t i = 1; i < 500 && rule.offset == old; i++) {
    os_sleep_ms(10);
    (void)os_unwind_rule((uintptr_t)qsort + i);
    rule = os_unwind_rule(address);
  }
  return rule.offset;
}

static void a_module_in_the_place_of_another_has_its_own_rules(void **state)
{
  (void)state;
  unsigned char *module = map_module(NULL, "\x0e\x20", 2);
  uintptr_t address = (uintptr_t)module + EH_IMAGE_CODE + 4;
  assert_int_equal(offset_after(address, 0), 32);
  assert_int_equal(os_unwind_rule(address).kind, OS_UNWIND_SP);
  (void)map_module(module, "\x0e\x30", 2);
  assert_int_equal(offset_after(address, 32), 48);
  assert_int_equal(munmap(module, EH_IMAGE_BYTES), 0);
  assert_int_equal(offset_after(address, 48), 0);
  assert_true(os_unwind_rule(address).kind <= OS_UNWIND_UNSURE);
}

int main(void)
{
  static const struct CMUnitTest tests[] = {
      cmocka_unit_test(frames_of_every_shape_are_left),
      cmocka_unit_test(threads_walk_at_once),
      cmocka_unit_test(what_a_signal_has_interrupted_is_found),
      cmocka_unit_test(a_coroutine_has_a_stack_of_its_own),
      cmocka_unit_test(a_module_in_the_place_of_another_has_its_own_rules),
  };
  return SUITE_RUN(tests);
}

#else

int main(void)
{
  return test_cannot_run("rules are for x86-64, and this C library has none of its own");
}

#endif
