// SPDX-License-Identifier: MIT
//
// mend_leak_check while other threads are at work: what they have on their stacks and in their
// registers is reached, also where that is the only place; a busy program that loses nothing is
// told so a hundred times, and goes on as if nothing had been; what it does lose is found.
#define _GNU_SOURCE 1
#include "../support/suite.h"

#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "../support/leaks.h"
#include "mend/mend.h"

struct node {
  struct node *next;
  size_t number;
  char rest[48];
};

// A block of a size that no other test has: at an address that no stack remembers.
__attribute__((noinline)) static struct hidden make_hidden(size_t more_bytes)
{
  struct node *node = mend_malloc(sizeof *node + more_bytes);
  CHECK(node != NULL);
  memset(node, 0, sizeof *node);
  return hide(opaque(node));
}

// ---------------------------------------------------------------------------------------------
// In a blocked thread.

static int pipe_ends[2];
static atomic_bool is_ready;
static struct hidden the_block;

static void await_block_in_kernel(void)
{
  while (!atomic_load(&is_ready)) sched_yield();
  usleep(20000);  // so that the other is probably in the call; either way its block is reached
}

static void end_and_join(pthread_t thread)
{
  CHECK(write(pipe_ends[1], "x", 1) == 1);
  CHECK(pthread_join(thread, NULL) == 0);
  atomic_store(&is_ready, false);
  mend_free(unhide(the_block));
}

static void *hold_on_stack(void *unused)
{
  (void)unused;
  struct node *volatile node = unhide(the_block);
  char byte;
  atomic_store(&is_ready, true);
  CHECK(read(pipe_ends[0], &byte, 1) == 1);
  CHECK(node != NULL);
  node = NULL;
  return NULL;
}

static void what_is_on_another_threads_stack_is_reached(void **state)
{
  (void)state;
  pthread_t thread;
  the_block = make_hidden(100);
  assert_int_equal(pipe(pipe_ends), 0);
  assert_int_equal(pthread_create(&thread, NULL, hold_on_stack, NULL), 0);
  await_block_in_kernel();
  struct mend_leaks leaks = look();
  assert_int_equal(all_lost(&leaks), 0);
  end_and_join(thread);
}

// Reads a byte with an address in a register that calls preserve, and nowhere else. What it held is
// on the stack meanwhile.
static long read_holding(int file, void *byte, uintptr_t disguised)
{
  long result;
#if defined(__x86_64__)
  __asm__ volatile("not %[held]\n\t"
                   "mov %[held], %%r12\n\t"
                   "xor %k[held], %k[held]\n\t"
                   "syscall\n\t"
                   "xor %%r12d, %%r12d"
                   : "=a"(result), [held] "+r"(disguised)
                   : "a"(SYS_read), "D"(file), "S"(byte), "d"(1L)
                   : "rcx", "r11", "r12", "memory");
#elif defined(__aarch64__)
  register long number __asm__("x8") = SYS_read;
  register long first __asm__("x0") = file;
  register void *second __asm__("x1") = byte;
  register long third __asm__("x2") = 1;
  __asm__ volatile("mvn x21, %[held]\n\t"
                   "mov %[held], xzr\n\t"
                   "svc 0\n\t"
                   "mov x21, xzr"
                   : "+r"(first), [held] "+r"(disguised)
                   : "r"(number), "r"(second), "r"(third)
                   : "x21", "memory");
  result = first;
#else
  (void)disguised;
  result = read(file, byte, 1);
#endif
  return result;
}

static void *hold_in_register(void *unused)
{
  (void)unused;
  char byte = 0;
  atomic_store(&is_ready, true);
  CHECK(read_holding(pipe_ends[0], &byte, the_block.bits) == 1);  // is begun again
  CHECK(byte == 'x');
  return NULL;
}

static void what_is_in_another_threads_registers_is_reached(void **state)
{
  (void)state;
  pthread_t thread;
  the_block = make_hidden(300);
  struct hidden really_lost = make_hidden(200);
  assert_int_equal(pipe(pipe_ends), 0);
  assert_int_equal(pthread_create(&thread, NULL, hold_in_register, NULL), 0);
  await_block_in_kernel();
  struct mend_leaks leaks = look();
#if defined(__x86_64__) || defined(__aarch64__)
  assert_int_equal(leaks.direct_count, 1);
#endif
  assert_true(all_lost(&leaks) >= 1);
  if (!test_is_instrumented()) assert_int_equal(leaks.unparked_count, 0);
  end_and_join(thread);
  leaks = look();
  assert_int_equal(leaks.direct_count, 1);
  mend_free(unhide(really_lost));
}

static void *refuse_signals(void *unused)
{
  (void)unused;
  sigset_t all;
  sigfillset(&all);
  pthread_sigmask(SIG_SETMASK, &all, NULL);
  return hold_on_stack(NULL);
}

static void a_thread_that_blocks_all_signals_is_counted(void **state)
{
  (void)state;
  pthread_t thread;
  the_block = make_hidden(400);
  struct hidden really_lost = make_hidden(500);
  assert_int_equal(pipe(pipe_ends), 0);
  assert_int_equal(pthread_create(&thread, NULL, refuse_signals, NULL), 0);
  await_block_in_kernel();
  struct mend_leaks leaks = look();
  assert_int_equal(all_lost(&leaks), 1);
  assert_true(leaks.unparked_count >= 1);
  end_and_join(thread);
  mend_free(unhide(really_lost));
}

// ---------------------------------------------------------------------------------------------
// A busy program.

enum { WORKERS = 3, SHELVES = 64, KEPT = 50 };

static struct {
  pthread_mutex_t lock;
  struct node *nodes[SHELVES];  // handed from thread to thread
  atomic_bool is_over;
  atomic_size_t rounds;
} work = {.lock = PTHREAD_MUTEX_INITIALIZER};

static struct node *make_list(struct random *random, size_t count)
{
  struct node *list = NULL;
  for (size_t i = 0; i < count; i++) {
    struct node *node = mend_malloc(sizeof *node + random_below(random, 500));
    CHECK(node != NULL);
    node->next = list;
    node->number = i;
    list = node;
  }
  return list;
}

static size_t free_list(struct node *list)
{
  size_t count = 0;
  while (list != NULL) {
    struct node *next = list->next;
    mend_free(list);
    list = next;
    count++;
  }
  return count;
}

static struct node *exchange(struct random *random, struct node *list)
{
  size_t place = random_below(random, SHELVES);
  CHECK(pthread_mutex_lock(&work.lock) == 0);
  struct node *other = work.nodes[place];
  work.nodes[place] = list;
  CHECK(pthread_mutex_unlock(&work.lock) == 0);
  return other;
}

static void *be_busy(void *seed)
{
  struct random random = {*(uint64_t *)seed};
  while (!atomic_load(&work.is_over)) {
    struct node *mine = make_list(&random, 1 + random_below(&random, KEPT));
    struct node *brief = mend_malloc(random_below(&random, 3000));
    struct node *others = exchange(&random, mine);
    size_t count = free_list(others);
    CHECK(count <= KEPT);
    mend_free(brief);
    atomic_fetch_add(&work.rounds, 1);
  }
  return NULL;
}

static void begin_work(pthread_t *threads, uint64_t *seeds)
{
  atomic_store(&work.is_over, false);
  for (size_t i = 0; i < WORKERS; i++) {
    seeds[i] = random_seed();
    CHECK(pthread_create(&threads[i], NULL, be_busy, &seeds[i]) == 0);
  }
}

static void end_work(pthread_t *threads)
{
  atomic_store(&work.is_over, true);
  for (size_t i = 0; i < WORKERS; i++) CHECK(pthread_join(threads[i], NULL) == 0);
  for (size_t i = 0; i < SHELVES; i++) {
    free_list(work.nodes[i]);
    work.nodes[i] = NULL;
  }
}

static void a_busy_program_that_loses_nothing_is_told_so(void **state)
{
  (void)state;
  pthread_t threads[WORKERS];
  uint64_t seeds[WORKERS];
  size_t longest = 0, reports = 0, unparked = 0;
  size_t checks = test_scaled(100);
  begin_work(threads, seeds);
  for (size_t i = 0; i < checks; i++) {
    size_t before = atomic_load(&work.rounds);
    struct mend_leaks leaks = look();
    reports += all_lost(&leaks) > 0;
    unparked += leaks.unparked_count;
    if (leaks.pause_ns > longest) longest = leaks.pause_ns;
    while (atomic_load(&work.rounds) == before) sched_yield();  // they go on
  }
  end_work(threads);
  printf("%zu checks, %zu rounds, longest pause %zu us, %zu times a thread was not parked\n",
         checks, atomic_load(&work.rounds), longest / 1000, unparked);
  assert_int_equal(reports, 0);
}

static void *volatile first_block;
enum { LOST = 10 };
static void *volatile seen[LOST];  // blocks until they are lost

// The first test with threads at work: so these blocks are at addresses that were never another
// thread's, of which its stack may have kept one.
static void what_a_busy_program_loses_is_found(void **state)
{
  (void)state;
  pthread_t threads[WORKERS];
  uint64_t seeds[WORKERS];
  struct hidden lost[LOST];
  for (size_t i = 0; i < LOST; i++) {
    lost[i] = make_hidden(600);
    seen[i] = unhide(lost[i]);
  }
  begin_work(threads, seeds);
  for (size_t i = 0; i < LOST; i++) {
    seen[i] = NULL;
    struct mend_leaks leaks = look();
    // Some word of a thread at work may look like an address for a while.
    for (int j = 0; j < 5 && leaks.direct_count < i + 1; j++) leaks = look();
    assert_int_equal(leaks.direct_count, i + 1);
    assert_int_equal(all_lost(&leaks), i + 1);
  }
  end_work(threads);
  for (size_t i = 0; i < LOST; i++) mend_free(unhide(lost[i]));
  struct mend_leaks leaks = look();
  assert_int_equal(all_lost(&leaks), 0);
}

static void *check_at_once(void *unused)
{
  (void)unused;
  for (size_t i = 0; i < 5; i++) CHECK(mend_leak_check(NULL, -1));
  return NULL;
}

static void two_threads_may_check_at_the_same_time(void **state)
{
  (void)state;
  struct hidden lost = make_hidden(700);
  threads_run(2, check_at_once, NULL, 0);
  mend_free(unhide(lost));
}

int main(void)
{
  if (test_is_instrumented()) {
    return test_cannot_run("a checker keeps addresses in memory of its own");
  }
  // The first block lies where the region starts, which mend's own functions leave on stacks.
  first_block = mend_malloc(1);
  static const struct CMUnitTest tests[] = {
      cmocka_unit_test(what_is_on_another_threads_stack_is_reached),
      cmocka_unit_test(what_is_in_another_threads_registers_is_reached),
      cmocka_unit_test(a_thread_that_blocks_all_signals_is_counted),
      cmocka_unit_test(what_a_busy_program_loses_is_found),
      cmocka_unit_test(a_busy_program_that_loses_nothing_is_told_so),
      cmocka_unit_test(two_threads_may_check_at_the_same_time),
  };
  int result = SUITE_RUN(tests);
  mend_free(first_block);
  return result;
}
