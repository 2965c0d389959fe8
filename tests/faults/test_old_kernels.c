// SPDX-License-Identifier: MIT
//
// Kernels that lack what newer ones have, or that a sandbox has taken it from: everything works
// without it, and nothing is refused.
#define _GNU_SOURCE 1
#include "workload.h"

#include <pthread.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>

#include "../support/respawn.h"
#include "failing_os.h"

static _Atomic(bool) is_over;
static _Atomic(void *) handed_over;

// Frees what another thread allocates, and looks into that one's heap meanwhile.
static void *free_and_collect(void *unused)
{
  for (size_t i = 0; !atomic_load(&is_over); i++) {
    void *block = atomic_exchange(&handed_over, NULL);
    if (block != NULL) {
      mend_free(block);
    } else {
      sched_yield();
    }
    if (i % 1000 == 0) mend_collect(true);
  }
  return unused;
}

// Work by two threads, one of which has to enter the other's heap.
static void work_together(void)
{
  pthread_t thread;
  CHECK(pthread_create(&thread, NULL, free_and_collect, NULL) == 0);
  for (size_t i = 0; i < 3000; i++) {
    unsigned char *block = mend_malloc(1 + i * 7 % 30000);
    CHECK(block != NULL);
    block[0] = 1;
    while (atomic_load(&handed_over) != NULL) sched_yield();
    atomic_store(&handed_over, block);
  }
  while (atomic_load(&handed_over) != NULL) sched_yield();
  atomic_store(&is_over, true);
  CHECK(pthread_join(thread, NULL) == 0);
}

// A part of a range that somebody else has taken must not be ours.
static void meet_somebody(void)
{
  struct os_range range = {.start = NULL};
  CHECK(os_range_find(&range, 8 * MIB, 8 * MIB, MIB));
  if (range.is_reserved) return;
  int flags = MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED;
  char *theirs = mmap(range.start + MIB, MIB, PROT_READ | PROT_WRITE, flags, -1, 0);
  CHECK(theirs == range.start + MIB);
  memset(theirs, 0x77, MIB);
  CHECK(!os_range_commit(&range, range.start, 2 * MIB));
  CHECK(os_range_commit(&range, range.start, MIB) && is_zero(range.start, MIB));
  CHECK(!os_range_commit(&range, theirs, MIB));
  CHECK(os_range_find_vacant(&range, MIB, MIB, MIB) == 2 * MIB);
  CHECK(theirs[0] == 0x77 && theirs[MIB - 1] == 0x77);
  CHECK(os_range_commit(&range, theirs + MIB, MIB) && is_zero(theirs + MIB, MIB));
}

static int run_without(const char *what)
{
  meet_somebody();
  CHECK(workload_run() == 0);
  work_together();
  CHECK(workload_run() == 0);
  mend_malloc_trim(0);
  chunk_assert_valid();
  registry_each(workload_check_heap, NULL);
  // It was asked for, and is missing. (Under checkers the library does without some of it.)
  CHECK(failing_os_failures() > 0 || test_is_instrumented());
  // Without keys the heaps of threads that have ended are left as they are.
  if (strstr(what, "keys") == NULL) workload_check_nothing_left();
  return TEST_PASS;
}

static void without_in_region(const char *what, const char *is_reserved)
{
  static struct outcome outcome;
  char fault[128];
  snprintf(fault, sizeof fault, "lacks:%s", what);
  const char *const environment[] = {"MEND_TEST_FAULT", fault, "MEND_RESERVE", is_reserved, NULL};
  respawn_check(&(struct respawn){.argument = what, .environment = environment}, &outcome);
  assert_int_equal(outcome.bytes, 0);
}

static void without(const char *what)
{
  without_in_region(what, "0");
  without_in_region(what, "1");
}

static void without_membarrier(void **state)
{
  (void)state;
  without("membarrier");
}

static void when_membarrier_is_taken_away_later(void **state)
{
  (void)state;
  without("barriers");
}

static void without_mremap_that_leaves_the_addresses(void **state)
{
  (void)state;
  without("dontunmap");
}

static void without_huge_pages(void **state)
{
  (void)state;
  without("huge_pages");
}

static void where_a_place_is_only_a_hint(void **state)
{
  (void)state;
  without_in_region("noreplace", "0");  // in a reserved region nothing is placed
}

static void where_all_memory_is_locked(void **state)
{
  (void)state;
  without("dontneed");
}

static void without_keys_and_fork_handlers(void **state)
{
  (void)state;
  without("keys");
}

static void without_numa(void **state)
{
  (void)state;
  without("numa");
}

static void without_the_right_to_bind(void **state)
{
  (void)state;
  without("binding");
}

static void without_any_of_it(void **state)
{
  (void)state;
  without("membarrier,dontunmap,huge_pages,noreplace,dontneed,numa");
}

int main(int argc, char **argv)
{
  static const struct CMUnitTest tests[] = {
      cmocka_unit_test(without_membarrier),
      cmocka_unit_test(when_membarrier_is_taken_away_later),
      cmocka_unit_test(without_mremap_that_leaves_the_addresses),
      cmocka_unit_test(without_huge_pages),
      cmocka_unit_test(where_a_place_is_only_a_hint),
      cmocka_unit_test(where_all_memory_is_locked),
      cmocka_unit_test(without_keys_and_fork_handlers),
      cmocka_unit_test(without_numa),
      cmocka_unit_test(without_the_right_to_bind),
      cmocka_unit_test(without_any_of_it),
  };
  if (argc > 1) return run_without(argv[1]);
  return SUITE_RUN(tests);
}
