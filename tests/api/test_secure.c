// SPDX-License-Identifier: MIT
//
// Blocks for secrets as a second process sees them (../support/vm_flags.h): the judged one is a
// child that waits while the kernel is asked of it. Besides: what faults and what does not, forks,
// threads, limits, and what is left of wiped blocks, by a look past the pointers.
#define _GNU_SOURCE 1
#include "../support/suite.h"

#include <errno.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <sys/wait.h>

#include "../support/fault.h"
#include "../support/vm_flags.h"
#include "mend/mend.h"
#include "mend/secure.h"

enum { SECRET = 0xA7, THREADS = 4 };

static size_t page;
static bool is_lockable;  // whether locks are what they seem: checkers and emulators have none

static char *allocate(size_t size, unsigned flags)
{
  char *block = mend_secure_alloc(size, flags | (is_lockable ? 0 : MEND_SECURE_MAY_SWAP));
  CHECK(block != NULL);
  CHECK(is_aligned(block, 16) && is_zero(block, size));
  CHECK(mend_secure_size(block) == size);
  CHECK(mend_secure_owns(block));
  return block;
}

// ---------------------------------------------------------------------------------------------

static void a_byte_too_far_faults(void **state)
{
  (void)state;
  static const size_t sizes[] = {0, 16, 32, 4096, 65536, 1 << 20, (1 << 20) + 16};
  for (size_t i = 0; i < sizeof sizes / sizeof sizes[0]; i++) {
    size_t size = sizes[i];
    char *block = allocate(size, 0);
    if (size > 0) memset(block, 1, size);
    assert_true(fault_reads(block + size) && fault_writes(block + size));
    assert_true(fault_reads(block + size + page - 1));
    if (size % page == 0 && size > 0) {
      assert_true(fault_reads(block - 1) && fault_writes(block - 1));
      assert_true(fault_reads(block - page));
    }
    mend_secure_free(block);
    assert_true(fault_reads(block) && fault_reads(block - 1));
    assert_false(mend_secure_owns(block));
  }
}

// Exactly the canary lies between: at most 15 bytes behind, less than an os page before.
static void other_sizes_fault_soon(void **state)
{
  (void)state;
  for (size_t size = 1; size < 100; size++) {
    char *block = allocate(size, 0);
    size_t held = (size + 15) / 16 * 16;
    assert_true(fault_none(block + held - 1) && fault_none(block + held - page));
    assert_true(fault_reads(block + held));
    assert_true(fault_reads(block + held - page - 1));
    mend_secure_free(block);
  }
}

static void access_is_limited_and_given_back(void **state)
{
  (void)state;
  char *block = allocate(1000, 0);
  memset(block, SECRET, 1000);
  assert_true(mend_secure_protect(block, MEND_SECURE_READ_ONLY));
  assert_int_equal(block[999], (char)SECRET);
  assert_true(fault_writes(block) && fault_writes(block + 999));
  assert_true(mend_secure_protect(block, MEND_SECURE_NO_ACCESS));
  assert_true(fault_reads(block) && fault_reads(block + 999));
  assert_true(mend_secure_protect(block, MEND_SECURE_READ_WRITE));
  assert_int_equal(block[999], (char)SECRET);
  assert_true(fault_none(block));
  assert_true(mend_secure_protect(block, MEND_SECURE_NO_ACCESS));
  mend_secure_free(block);
}

// ---------------------------------------------------------------------------------------------
// From outside.

static struct judged {
  char *locked, *wiped, *omitted, *shared, *swapped;
  unsigned char *plain;  // of malloc's family: what the judge finds where nothing is done
} judged;

static _Noreturn void be_judged(int answers, int requests)
{
  char request;
  judged.locked = allocate(3000, 0);
  judged.wiped = allocate(100, MEND_SECURE_WIPE_ON_FORK);
  judged.omitted = allocate(100, MEND_SECURE_OMIT_ON_FORK | MEND_SECURE_MAY_SWAP);
  judged.shared = allocate(32, MEND_SECURE_SHARE_PAGES);
  CHECK(mend_secure_is_locked(judged.locked) && mend_secure_is_locked(judged.shared));
  judged.plain = mend_malloc(3000);
  memset(judged.locked, SECRET, 3000);
  memset(judged.plain, SECRET, 3000);
  CHECK(mend_secure_protect(judged.wiped, MEND_SECURE_NO_ACCESS));
  CHECK(write(answers, &judged, sizeof judged) == sizeof judged);
  CHECK(read(requests, &request, 1) == 1);
  mend_secure_free(judged.locked);
  mend_free(judged.plain);
  CHECK(write(answers, &judged, sizeof judged) == sizeof judged);
  CHECK(read(requests, &request, 1) == 0);
  _exit(0);
}

static void judge(pid_t process)
{
  static unsigned char seen[3000];
  const char *const blocks[] = {judged.locked, judged.wiped, judged.omitted, judged.shared};
  for (size_t i = 0; i < 4; i++) {
    CHECK(vm_has_flag(process, blocks[i], "lo") && vm_has_flag(process, blocks[i], "dd"));
    CHECK(vm_has_flag(process, blocks[i], "wf") == (i == 1));
    CHECK(vm_has_flag(process, blocks[i], "dc") == (i == 2));
    CHECK(vm_has_flag(process, blocks[i], "rd") == (i != 1));
    CHECK(!vm_has_flag(process, blocks[i] + 2 * page, "rd"));
    CHECK(!vm_has_flag(process, blocks[i], "ex"));
  }
  CHECK(!vm_has_flag(process, judged.plain, "lo") && !vm_has_flag(process, judged.plain, "dd"));
  CHECK(vm_read(process, judged.locked, seen, sizeof seen));  // the look finds what is there
  CHECK(seen[0] == SECRET && seen[2999] == SECRET);
}

static void a_second_process_sees_what_was_promised(void **state)
{
  (void)state;
  if (!is_lockable) skip();
  static unsigned char seen[3000];
  int answers[2], requests[2], status;
  CHECK(pipe(answers) == 0 && pipe(requests) == 0);
  pid_t process = test_fork();
  if (process == 0) {
    close(requests[1]);
    be_judged(answers[1], requests[0]);
  }
  close(requests[0]);
  CHECK(read(answers[0], &judged, sizeof judged) == sizeof judged);
  judge(process);
  CHECK(write(requests[1], "", 1) == 1);
  CHECK(read(answers[0], &judged, sizeof judged) == sizeof judged);
  CHECK(!vm_read(process, judged.locked, seen, sizeof seen) || is_zero(seen, sizeof seen));
  CHECK(!vm_has_flag(process, judged.locked, "lo"));
  bool is_wiped = test_harden_level() >= 2;  // by every free
  CHECK(test_harden_level() == 4 || vm_read(process, judged.plain, seen, sizeof seen));
  CHECK(seen[2999] == (is_wiped ? 0 : SECRET));
  close(requests[1]);
  CHECK(waitpid(process, &status, 0) == process && status == 0);
  CHECK(close(answers[0]) == 0 && close(answers[1]) == 0);
}

// ---------------------------------------------------------------------------------------------

// The child of this fork must end well.
static void wait_for(pid_t child)
{
  int status;
  CHECK(waitpid(child, &status, 0) == child && status == 0);
}

static void a_child_of_a_fork_has_what_it_should(void **state)
{
  (void)state;
  if (test_is_instrumented() && !TEST_IS_ANNOTATED) skip();  // emulators know no fates
  char *copied = allocate(100, 0);
  char *wiped = allocate(100, MEND_SECURE_WIPE_ON_FORK);
  char *shared = allocate(32, MEND_SECURE_SHARE_PAGES | MEND_SECURE_WIPE_ON_FORK);
  char *omitted = allocate(100, MEND_SECURE_OMIT_ON_FORK);
  char *const blocks[] = {copied, wiped, shared, omitted};
  const size_t inherited = TEST_IS_VALGRIND ? 3 : 4;  // there the place is not known to be vacant
  for (size_t i = 0; i < 4; i++) memset(blocks[i], SECRET, 32);
  pid_t child = test_fork();
  if (child == 0) {
    CHECK(copied[31] == (char)SECRET && is_zero(wiped, 100) && is_zero(shared, 32));
    CHECK(fault_reads(omitted) && !mend_secure_owns(omitted));
    CHECK(!mend_secure_is_locked(copied));
    char *more = allocate(32, MEND_SECURE_SHARE_PAGES | MEND_SECURE_WIPE_ON_FORK);
    CHECK(mend_secure_is_locked(more) || !is_lockable);
    pid_t grandchild = test_fork();
    if (grandchild == 0) _exit(is_zero(wiped, 100) && fault_reads(omitted) ? 0 : 1);
    wait_for(grandchild);
    for (size_t i = 0; i < inherited; i++) mend_secure_free(blocks[i]);
    mend_secure_free(more);
    _exit(0);
  }
  wait_for(child);
  for (size_t i = 0; i < 4; i++) {
    CHECK(blocks[i][31] == (char)SECRET);
    mend_secure_free(blocks[i]);
  }
}

static void use_up_the_limit(void)
{
  CHECK(setrlimit(RLIMIT_MEMLOCK, &(struct rlimit){64 * KIB, 64 * KIB}) == 0);
  CHECK(geteuid() != 0 || setuid(65534) == 0);  // root may lock all it likes
  size_t count = 0;
  while (mend_secure_alloc(32, 0) != NULL) count++;
  CHECK(errno == EAGAIN && count == 64 * KIB / page);
  CHECK(mend_secure_alloc(32, MEND_SECURE_SHARE_PAGES) == NULL && errno == EAGAIN);
  char *block = mend_secure_alloc(32, MEND_SECURE_MAY_SWAP);
  CHECK(block != NULL && !mend_secure_is_locked(block));
  mend_secure_free(block);
}

static void keep_many_keys(void)
{
  CHECK(setrlimit(RLIMIT_MEMLOCK, &(struct rlimit){64 * KIB, 64 * KIB}) == 0);
  CHECK(geteuid() != 0 || setuid(65534) == 0);
  for (size_t i = 0; i < 64 * (64 * KIB / page); i++) {
    char *key = mend_secure_alloc(32, MEND_SECURE_SHARE_PAGES);
    CHECK(key != NULL && mend_secure_is_locked(key));
    memset(key, SECRET, 32);
  }
  CHECK(mend_secure_alloc(32, MEND_SECURE_SHARE_PAGES) == NULL && errno == EAGAIN);
}

static void lock_nothing(void)
{
  CHECK(setrlimit(RLIMIT_MEMLOCK, &(struct rlimit){0, 0}) == 0);
  CHECK(geteuid() != 0 || setuid(65534) == 0);
  CHECK(mend_secure_alloc(32, 0) == NULL && errno == EPERM);
  CHECK(mend_secure_alloc(32, MEND_SECURE_MAY_SWAP) != NULL);
}

static void the_limit_on_locked_memory_is_told(void **state)
{
  (void)state;
  if (!is_lockable) skip();
  void (*const bodies[])(void) = {use_up_the_limit, keep_many_keys, lock_nothing};
  for (size_t i = 0; i < 3; i++) {
    pid_t child = test_fork();
    if (child == 0) {
      bodies[i]();
      _exit(0);
    }
    wait_for(child);
  }
}

// ---------------------------------------------------------------------------------------------

static void *work(void *argument)
{
  struct random random = {*(uint64_t *)argument};
  char *blocks[20] = {NULL};
  for (size_t i = 0; i < test_scaled(4000); i++) {
    char **at = &blocks[random_below(&random, 20)];
    unsigned flags = random_below(&random, 3) == 0 ? 0 : MEND_SECURE_SHARE_PAGES;
    if (*at == NULL) {
      *at = mend_secure_alloc(32, flags | MEND_SECURE_MAY_SWAP);
      CHECK(*at != NULL && is_zero(*at, 32));
      pattern_fill(*at, 32, (uintptr_t)*at);
    } else {
      CHECK(pattern_difference(*at, 32, (uintptr_t)*at) == 32);
      mend_secure_free(*at);
      *at = NULL;
    }
  }
  for (size_t i = 0; i < 20; i++) mend_secure_free(blocks[i]);
  return NULL;
}

static void threads_do_not_meet(void **state)
{
  (void)state;
  uint64_t seeds[THREADS];
  uint64_t seed = random_seed();
  for (size_t i = 0; i < THREADS; i++) seeds[i] = seed + i;
  threads_run(THREADS, work, seeds, sizeof seeds[0]);
}

static void *fork_now_and_then(void *argument)
{
  if (*(uint64_t *)argument % 2 == 0) return work(argument);
  for (int i = 0; i < 5; i++) {
    pid_t child = test_fork();
    if (child == 0) {
      char *block = mend_secure_alloc(10, MEND_SECURE_MAY_SWAP | MEND_SECURE_SHARE_PAGES);
      CHECK(block != NULL);
      mend_secure_free(block);
      _exit(0);
    }
    wait_for(child);
  }
  return NULL;
}

static void a_child_can_go_on_whatever_others_did(void **state)
{
  (void)state;
  uint64_t seeds[THREADS] = {2, 3, 4, 5};
  threads_run(THREADS, fork_now_and_then, seeds, sizeof seeds[0]);
}

// ---------------------------------------------------------------------------------------------
// Wiping.

// How many bytes of the secret are at an address, four of them or more in a row: fewer can be
// parts of an address.
static size_t count_secrets(const void *start, size_t bytes)
{
  static unsigned char seen[8 << 20];
  size_t count = 0, row = 0;
  CHECK(bytes <= sizeof seen);
  if (!vm_read(getpid(), start, seen, bytes)) return 0;
  for (size_t i = 0; i < bytes; i++) {
    row = seen[i] == SECRET ? row + 1 : 0;
    if (row >= 4) count += row == 4 ? 4 : 1;
  }
  return count;
}

static const size_t sizes[] = {8, 24, 100, 1000, 5000, 70000, 500000};
enum { SIZE_COUNT = sizeof sizes / sizeof sizes[0] };

// Whether that much may be left where nobody has asked for wiping.
static bool is_left_otherwise(size_t count)
{
  return test_harden_level() >= 2 ? count == 0 : count > 1000;
}

// What is left of a block after it has been given back; a neighbour keeps its page.
static size_t left_by(mend_heap *heap, size_t size, void (*give_back)(void *))
{
  void *neighbour = mend_heap_malloc(heap, size);
  unsigned char *block = mend_heap_malloc(heap, size);
  CHECK(block != NULL && neighbour != NULL);
  size_t usable = mend_malloc_usable_size(block);
  memset(opaque(block), SECRET, usable);
  CHECK(count_secrets(block, usable) == usable);
  give_back(block);
  size_t left = count_secrets(block, usable);
  mend_free(neighbour);
  return left;
}

static void blocks_are_wiped_by_call(void **state)
{
  (void)state;
  size_t left_otherwise = 0;
  mend_heap *heap = mend_heap_create();
  for (size_t i = 0; i < SIZE_COUNT; i++) {
    assert_int_equal(left_by(NULL, sizes[i], mend_free_wiped), 0);
    assert_int_equal(left_by(heap, sizes[i], mend_free_wiped), 0);
    left_otherwise += left_by(NULL, sizes[i], mend_free);
  }
  assert_true(is_left_otherwise(left_otherwise));
  mend_heap_destroy(heap);
}

static void blocks_are_wiped_by_heap(void **state)
{
  (void)state;
  mend_heap *heap = mend_heap_create();
  size_t left_otherwise = 0;
  for (size_t i = 0; i < SIZE_COUNT; i++) {
    assert_true(mend_heap_set_wipe(heap, true));
    assert_int_equal(left_by(heap, sizes[i], mend_free), 0);
    assert_true(mend_heap_set_wipe(heap, false));
    left_otherwise += left_by(heap, sizes[i], mend_free);
  }
  assert_true(is_left_otherwise(left_otherwise));
  mend_heap_destroy(heap);
}

// Grown and shrunk, in place and by a move: nothing is left but what the block holds.
static size_t left_by_realloc(mend_heap *heap, size_t from, size_t to)
{
  unsigned char *neighbour = mend_heap_malloc(heap, from);
  unsigned char *block = mend_heap_malloc(heap, from);
  unsigned char *other = mend_heap_malloc(heap, from);
  const size_t usable = mend_malloc_usable_size(block), kept = from < to ? from : to;
  memset(opaque(block), SECRET, usable);
  unsigned char *moved = mend_realloc(opaque(block), to);
  CHECK(moved != NULL && moved[0] == SECRET);
  size_t left = 0;
  if (moved != block) {
    left = count_secrets(block, usable);
  } else if (to < usable) {
    left = count_secrets(block + to, usable - to);
  }
  CHECK(count_secrets(moved, kept) == (kept < 4 ? 0 : kept));
  mend_free(moved);
  mend_free(neighbour);
  mend_free(other);
  return left;
}

static void what_realloc_leaves_is_wiped(void **state)
{
  (void)state;
  mend_heap *heap = mend_heap_create();
  size_t left_otherwise = 0;
  for (size_t i = 0; i < SIZE_COUNT; i++) {
    for (size_t j = 0; j < SIZE_COUNT; j++) {
      assert_true(mend_heap_set_wipe(heap, true));
      assert_int_equal(left_by_realloc(heap, sizes[i], sizes[j]), 0);
      assert_true(mend_heap_set_wipe(heap, false));
      left_otherwise += left_by_realloc(heap, sizes[i], sizes[j]);
    }
  }
  assert_true(is_left_otherwise(left_otherwise));
  mend_heap_destroy(heap);
}

// Moved over memory that is there already, a block is copied and not remapped.
static size_t left_by_a_large_move(bool wipes)
{
  mend_heap *heap = mend_heap_create();
  CHECK(heap != NULL && mend_heap_set_wipe(heap, wipes));
  char *first = mend_heap_malloc(heap, 4 * MIB);
  char *behind = mend_heap_malloc(heap, 8 * MIB);
  CHECK(first != NULL && behind != NULL);
  memset(opaque(first), SECRET, 4 * MIB);
  memset(opaque(behind), 1, 8 * MIB);
  char *guard = mend_heap_malloc(heap, MIB);
  mend_free(behind);  // dirty, and the best place for what grows
  char *between = mend_heap_malloc(heap, MIB);
  CHECK(guard != NULL && between != NULL);
  char *moved = mend_realloc(opaque(first), 6 * MIB);
  CHECK(moved != NULL && count_secrets(moved, 4 * MIB) == 4 * MIB);
  size_t left = moved != first ? count_secrets(first, 4 * MIB) : 0;
  mend_heap_destroy(heap);
  return left;
}

static void a_large_move_leaves_nothing(void **state)
{
  (void)state;
  assert_int_equal(left_by_a_large_move(true), 0);
  if (!TEST_IS_WASTEFUL && !TEST_IS_ANNOTATED && !test_is_instrumented()) {
    assert_true(left_by_a_large_move(false) > MIB || TEST_IS_HARDENED);
  }
}

static size_t left_by_the_end(bool wipes)
{
  mend_heap *heap = mend_heap_create();
  void *blocks[SIZE_COUNT];
  size_t left = 0;
  CHECK(heap != NULL && mend_heap_set_wipe(heap, wipes));
  for (size_t i = 0; i < SIZE_COUNT; i++) {
    blocks[i] = mend_heap_malloc(heap, sizes[i]);
    memset(opaque(blocks[i]), SECRET, sizes[i]);
  }
  mend_heap_destroy(heap);
  for (size_t i = 0; i < SIZE_COUNT; i++) left += count_secrets(blocks[i], sizes[i]);
  return left;
}

static void a_heap_ends_wiped(void **state)
{
  (void)state;
  assert_int_equal(left_by_the_end(true), 0);
  mend_heap *next = mend_heap_create();  // which does not wipe because that one did
  assert_true(is_left_otherwise(left_by(next, 5000, mend_free)));
  mend_heap_destroy(next);
  assert_true(left_by_the_end(false) > 1000 || TEST_IS_HARDENED);
}

static void equal_is_what_memcmp_says(void **state)
{
  (void)state;
  unsigned char one[70], other[70];
  struct random random = {random_seed()};
  for (size_t bytes = 0; bytes < sizeof one; bytes++) {
    pattern_fill(one, sizeof one, bytes);
    memcpy(other, one, sizeof one);
    assert_true(mend_secure_equal(one, other, bytes));
    for (size_t at = 0; at < sizeof one; at++) {
      other[at] ^= (unsigned char)(1U << random_below(&random, 8));
      assert_int_equal(mend_secure_equal(one, other, bytes), at >= bytes);
      other[at] = one[at];
    }
  }
}

int main(void)
{
  page = (size_t)sysconf(_SC_PAGESIZE);
  is_lockable = !test_is_instrumented();
  static const struct CMUnitTest tests[] = {
      cmocka_unit_test(a_byte_too_far_faults),
      cmocka_unit_test(other_sizes_fault_soon),
      cmocka_unit_test(access_is_limited_and_given_back),
      cmocka_unit_test(a_second_process_sees_what_was_promised),
      cmocka_unit_test(a_child_of_a_fork_has_what_it_should),
      cmocka_unit_test(the_limit_on_locked_memory_is_told),
      cmocka_unit_test(threads_do_not_meet),
      cmocka_unit_test(a_child_can_go_on_whatever_others_did),
      cmocka_unit_test(blocks_are_wiped_by_call),
      cmocka_unit_test(blocks_are_wiped_by_heap),
      cmocka_unit_test(what_realloc_leaves_is_wiped),
      cmocka_unit_test(a_large_move_leaves_nothing),
      cmocka_unit_test(a_heap_ends_wiped),
      cmocka_unit_test(equal_is_what_memcmp_says),
  };
  return SUITE_RUN(tests);
}
