// SPDX-License-Identifier: MIT
//
// Vaults over a kernel that the test plays: memory between guards that are only marked, so that it
// can be looked at when it is given back; refusals at every call; and the table of many vaults
// against a simple list.
#define _GNU_SOURCE 1
#include "../support/suite.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "base/bits.h"
#include "child.h"
#include "os/memory.h"
#include "os/secret.h"
#include "secure/vault.h"

static size_t page;

static struct {
  int map_error, lock_error;  // 0: none
  bool refuses_protect, refuses_retire, refuses_bar;
  size_t mapped, retired, locked;  // vaults now
  size_t maps;                     // so far
  enum os_fork_fate fate;
  enum os_secret_access access;
  bool was_wiped;  // the one that was given back last
} kernel;

void *os_secret_map(size_t bytes, enum os_fork_fate fate, int *error)
{
  *error = kernel.map_error;
  if (kernel.map_error != 0) return NULL;
  int flags = MAP_PRIVATE | MAP_ANONYMOUS;
  char *outer = mmap(NULL, bytes + 2 * page, PROT_READ | PROT_WRITE, flags, -1, 0);
  CHECK(outer != MAP_FAILED);
  kernel.fate = fate;
  kernel.mapped++;
  kernel.maps++;
  return outer + page;
}

int os_secret_lock(void *start, size_t bytes)
{
  CHECK(start != NULL && bytes > 0);
  kernel.locked += kernel.lock_error == 0;
  return kernel.lock_error;
}

bool os_secret_protect(void *start, size_t bytes, enum os_secret_access access)
{
  CHECK(start != NULL && bytes > 0);
  if (kernel.refuses_protect) return false;
  kernel.access = access;
  return true;
}

bool os_secret_retire(void *start, size_t bytes)
{
  if (kernel.refuses_retire) return false;
  kernel.was_wiped = is_zero(start, bytes);
  kernel.retired++;
  return true;
}

bool os_secret_bar(void *start, size_t bytes)
{
  CHECK(start != NULL && bytes > 0);
  return !kernel.refuses_bar;
}

void os_secret_unmap(void *start, size_t bytes)
{
  kernel.mapped--;
  kernel.was_wiped = is_zero(start, bytes);
  munmap((char *)start - page, bytes + 2 * page);
}

static int error;

static char *allocate(size_t size, unsigned flags)
{
  char *block = vault_allocate(size, flags, &error);
  CHECK(block != NULL);
  CHECK(is_aligned(block, 16));
  CHECK(is_zero(block, size));
  return block;
}

static enum vault_verdict free_it(void *block)
{
  const void *changed = NULL;
  enum vault_verdict verdict = vault_free(block, &changed);
  CHECK((changed != NULL) == (verdict == VAULT_OVERFLOWN || verdict == VAULT_UNDERRUN));
  vault_assert_valid();
  return verdict;
}

static int set_back(void **state)
{
  (void)state;
  size_t mapped = kernel.mapped;
  memset(&kernel, 0, sizeof kernel);
  kernel.mapped = mapped;
  return 0;
}

#define VAULT_TEST(function) cmocka_unit_test_setup_teardown(function, set_back, NULL)

// ---------------------------------------------------------------------------------------------

static const size_t sizes[] = {0, 1, 15, 16, 17, 32, 480, 481, 4000, 4096, 4097, 100000};
enum { SIZE_COUNT = sizeof sizes / sizeof sizes[0] };

static void a_block_ends_where_its_pages_do(void **state)
{
  (void)state;
  for (size_t i = 0; i < SIZE_COUNT; i++) {
    struct vault_block answer = {0, false};
    char *block = allocate(sizes[i], 0);
    assert_true((uintptr_t)(block + bits_align_up(sizes[i], 16)) % page == 0);
    assert_int_equal(vault_ask(block, &answer), VAULT_FINE);
    assert_int_equal(answer.size, sizes[i]);
    assert_true(answer.is_locked);
    memset(block, 1, sizes[i]);
    assert_int_equal(free_it(block), VAULT_FINE);
    assert_true(kernel.was_wiped);
  }
}

// A byte that is changed, at a distance from the block's start, and put back.
static void check_change(char *block, ptrdiff_t at, enum vault_verdict wanted)
{
  const void *changed = NULL;
  block[at] ^= 1;
  assert_int_equal(vault_free(block, &changed), wanted);
  assert_ptr_equal(changed, block + at);
  block[at] ^= 1;
}

static void every_byte_around_a_block_is_watched(void **state)
{
  (void)state;
  for (unsigned flags = 0; flags <= VAULT_SHARE_PAGES; flags += VAULT_SHARE_PAGES) {
    for (size_t size = 1; size <= 200; size += 7) {
      char *block = allocate(size, flags);
      size_t slot = bits_larger(bits_next_power_of_two(size + 32), 64);
      size_t held = bits_align_up(size, 16);
      size_t behind = flags != 0 ? held + 16 : held;
      size_t before = flags != 0 ? slot - behind : page - behind;
      for (size_t at = size; at < behind; at++) check_change(block, (ptrdiff_t)at, VAULT_OVERFLOWN);
      for (size_t at = 1; at <= before; at++) check_change(block, -(ptrdiff_t)at, VAULT_UNDERRUN);
      assert_int_equal(free_it(block), VAULT_FINE);
      assert_true(kernel.was_wiped);
    }
  }
}

static void bytes_of_canaries_differ_from_vault_to_vault(void **state)
{
  (void)state;
  char *one = allocate(16, 0);
  char *other = allocate(16, 0);
  assert_int_not_equal(memcmp(one - 16, other - 16, 16), 0);
  assert_int_equal(free_it(one), VAULT_FINE);
  assert_int_equal(free_it(other), VAULT_FINE);
}

static void what_is_no_block_is_told(void **state)
{
  (void)state;
  char local[16];
  char *alone = allocate(100, 0);
  char *shared = allocate(32, VAULT_SHARE_PAGES);
  assert_int_equal(free_it(local), VAULT_UNKNOWN);
  assert_int_equal(free_it(NULL), VAULT_UNKNOWN);
  for (ptrdiff_t at = -20; at < 120; at++) {
    if (at != 0) assert_int_equal(free_it(alone + at), VAULT_INSIDE);
    if (at != 0) assert_int_equal(free_it(shared + at), VAULT_INSIDE);
    assert_int_equal(vault_owns(alone + at), at >= 0 && at < 100);
    if (at < 60) assert_int_equal(vault_owns(shared + at), at >= 0 && at < 32);
    assert_true(vault_holds(alone + at));
  }
  assert_false(vault_holds(local));
  assert_int_equal(vault_protect(shared, OS_SECRET_READ), VAULT_UNFIT);
  assert_int_equal(vault_protect(alone + 1, OS_SECRET_READ), VAULT_INSIDE);
  assert_int_equal(free_it(shared), VAULT_FINE);
  assert_int_equal(free_it(alone), VAULT_FINE);
}

static void a_second_free_is_told_for_a_while(void **state)
{
  (void)state;
  static char *blocks[80];
  for (size_t i = 0; i < 80; i++) blocks[i] = allocate(50, 0);
  for (size_t i = 0; i < 80; i++) {
    assert_int_equal(free_it(blocks[i]), VAULT_FINE);
    assert_false(vault_owns(blocks[i]));
    for (size_t j = 0; j <= i; j++) {
      enum vault_verdict verdict = i - j < 32 ? VAULT_FREED : VAULT_UNKNOWN;
      assert_int_equal(free_it(blocks[j]), verdict);
      assert_int_equal(vault_protect(blocks[j], OS_SECRET_READ), verdict);
      assert_int_equal(vault_holds(blocks[j]), verdict == VAULT_FREED);
    }
  }
  assert_int_equal(kernel.mapped, 32);
}

static void large_ones_go_at_once(void **state)
{
  (void)state;
  size_t mapped = kernel.mapped;
  char *block = allocate(300 * KIB, 0);
  memset(block, 1, 300 * KIB);
  assert_int_equal(free_it(block), VAULT_FINE);
  assert_true(kernel.was_wiped);
  assert_int_equal(kernel.mapped, mapped);
  assert_int_equal(free_it(block), VAULT_UNKNOWN);
}

static void small_ones_share_a_page(void **state)
{
  (void)state;
  char *keys[130];
  for (size_t i = 0; i < 130; i++) {
    keys[i] = allocate(32, VAULT_SHARE_PAGES);
    memset(keys[i], (int)i + 1, 32);
  }
  assert_int_equal(kernel.maps, 3);
  for (size_t i = 0; i < 130; i++) {
    assert_int_equal(keys[i][0], (char)(i + 1));
    for (size_t j = 0; j < i; j++) assert_true(keys[j] + 48 <= keys[i] || keys[i] + 48 <= keys[j]);
  }
  assert_int_equal(free_it(keys[3]), VAULT_FINE);
  assert_true(is_zero(keys[3], 32));
  assert_int_equal(free_it(keys[3]), VAULT_FREED);
  assert_ptr_equal(allocate(20, VAULT_SHARE_PAGES), keys[3] + 0);  // also 32 bytes of its slot
  assert_int_equal(kernel.maps, 3);
  for (size_t i = 0; i < 130; i++) assert_int_equal(free_it(keys[i]), VAULT_FINE);
  assert_int_equal(kernel.retired, 3);
  assert_int_equal(free_it(keys[3]), VAULT_FREED);
}

static void others_do_not_share(void **state)
{
  (void)state;
  char *blocks[5];
  blocks[0] = allocate(32, VAULT_SHARE_PAGES);
  blocks[1] = allocate(32, VAULT_SHARE_PAGES | VAULT_WIPE_ON_FORK);
  assert_int_equal(kernel.fate, OS_FORK_WIPED);
  blocks[2] = allocate(33, VAULT_SHARE_PAGES);
  blocks[3] = allocate(481, VAULT_SHARE_PAGES | VAULT_OMIT_ON_FORK);
  assert_int_equal(kernel.fate, OS_FORK_OMITTED);
  blocks[4] = allocate(0, VAULT_SHARE_PAGES);
  assert_int_equal(kernel.fate, OS_FORK_COPIED);
  assert_int_equal(kernel.maps, 5);
  assert_int_equal(vault_protect(blocks[3], OS_SECRET_NONE), VAULT_FINE);  // it is alone
  assert_int_equal(kernel.access, OS_SECRET_NONE);
  for (size_t i = 0; i < 5; i++) assert_int_equal(free_it(blocks[i]), VAULT_FINE);
  assert_int_equal(kernel.access, OS_SECRET_WRITE);  // to be wiped
}

static void each_refusal_has_its_error(void **state)
{
  (void)state;
  size_t mapped = kernel.mapped;
  kernel.lock_error = EAGAIN;
  for (unsigned flags = 0; flags <= VAULT_SHARE_PAGES; flags += VAULT_SHARE_PAGES) {
    assert_null(vault_allocate(10, flags, &error));
    assert_int_equal(error, EAGAIN);
    assert_int_equal(kernel.mapped, mapped);
  }
  struct vault_block answer;
  char *block = allocate(10, VAULT_MAY_SWAP);
  assert_int_equal(vault_ask(block, &answer), VAULT_FINE);
  assert_false(answer.is_locked);
  kernel.refuses_protect = true;
  assert_int_equal(vault_protect(block, OS_SECRET_READ), VAULT_NO_MEMORY);
  kernel.refuses_retire = true;
  mapped = kernel.mapped;
  assert_int_equal(free_it(block), VAULT_FINE);  // unseen, and gone
  assert_int_equal(kernel.mapped, mapped - 1);
  assert_int_equal(free_it(block), VAULT_UNKNOWN);
  kernel.map_error = EPERM;
  assert_null(vault_allocate(10, 0, &error));
  assert_int_equal(error, EPERM);
  assert_null(vault_allocate(10, VAULT_ALL_FLAGS + 1, &error));
  assert_int_equal(error, EINVAL);
  assert_null(vault_allocate(10, VAULT_WIPE_ON_FORK | VAULT_OMIT_ON_FORK, &error));
  assert_int_equal(error, EINVAL);
  assert_null(vault_allocate(SIZE_MAX - 100, 0, &error));
  assert_int_equal(error, ENOMEM);
}

// ---------------------------------------------------------------------------------------------

enum { BLOCKS = 600 };

static void many_blocks_at_random(void **state)
{
  (void)state;
  static struct {
    char *block;
    size_t size;
    uint64_t seed;
  } live[BLOCKS];
  struct random random = {random_seed()};
  for (size_t i = 0; i < test_scaled(40000); i++) {
    size_t at = random_below(&random, BLOCKS);
    if (live[at].block == NULL) {
      live[at].size = random_size(&random, 20000);
      live[at].seed = random_next(&random);
      live[at].block =
          allocate(live[at].size, random_below(&random, 2) > 0 ? VAULT_SHARE_PAGES : 0);
      pattern_fill(live[at].block, live[at].size, live[at].seed);
    } else {
      CHECK(pattern_difference(live[at].block, live[at].size, live[at].seed) == live[at].size);
      CHECK(vault_owns(live[at].block + live[at].size - 1));
      CHECK(free_it(live[at].block) == VAULT_FINE);
      CHECK(free_it(live[at].block) == VAULT_FREED);
      live[at].block = NULL;
    }
  }
  for (size_t i = 0; i < BLOCKS; i++) {
    if (live[i].block != NULL) assert_int_equal(free_it(live[i].block), VAULT_FINE);
  }
  assert_true(kernel.mapped <= 32);
}

// ---------------------------------------------------------------------------------------------
// Forks: the child is this test's; what the kernel does to memory there is played too.

static char *copied, *wiped, *omitted, *shared, *freed;

static void look_at_what_was_inherited(void)
{
  struct vault_block answer;
  size_t maps = kernel.maps;
  memset(wiped + 32 - page, 0, page);  // with the canaries
  CHECK(vault_ask(copied, &answer) == VAULT_FINE && answer.size == 32 && !answer.is_locked);
  CHECK(vault_ask(shared, &answer) == VAULT_FINE && !answer.is_locked);
  CHECK(vault_owns(copied) && vault_owns(wiped) && !vault_owns(omitted));
  CHECK(vault_ask(omitted, &answer) == VAULT_FINE && answer.size == 32);
  CHECK(vault_protect(omitted, OS_SECRET_READ) == VAULT_UNFIT);
  CHECK(free_it(freed) == VAULT_FREED);
  char *other = allocate(32, VAULT_SHARE_PAGES);  // not beside what is not locked here
  CHECK(kernel.maps == maps + 1);
  omitted[-1] ^= 1;  // nobody looks at what is not there
  CHECK(free_it(omitted) == VAULT_FINE && free_it(omitted) == VAULT_FREED);
  wiped[-1] = 1;
  CHECK(free_it(wiped) == VAULT_UNDERRUN);
  wiped[-1] = 0;
  CHECK(free_it(wiped) == VAULT_FINE && free_it(copied) == VAULT_FINE);
  CHECK(free_it(shared) == VAULT_FINE && free_it(other) == VAULT_FINE);
}

static void find_its_place_taken(void)
{
  CHECK(free_it(omitted) == VAULT_UNKNOWN);
  CHECK(free_it(copied) == VAULT_FINE);
}

static void a_child_knows_what_it_has(void **state)
{
  (void)state;
  freed = allocate(32, VAULT_OMIT_ON_FORK);
  copied = allocate(32, 0);
  wiped = allocate(32, VAULT_WIPE_ON_FORK);
  omitted = allocate(32, VAULT_OMIT_ON_FORK);
  shared = allocate(32, VAULT_SHARE_PAGES);
  char *beside = allocate(32, VAULT_SHARE_PAGES);
  assert_int_equal(free_it(freed), VAULT_FINE);
  child_check(look_at_what_was_inherited);
  kernel.refuses_bar = true;
  child_check(find_its_place_taken);
  kernel.refuses_bar = false;
  size_t maps = kernel.maps;
  char *other = allocate(32, VAULT_SHARE_PAGES);  // the parent goes on as before
  assert_int_equal(kernel.maps, maps);
  char *blocks[] = {copied, wiped, omitted, shared, beside, other};
  for (size_t i = 0; i < 6; i++) assert_int_equal(free_it(blocks[i]), VAULT_FINE);
}

int main(void)
{
  os_memory_init(0, false);
  page = os_page_bytes();
  vault_register_forks();
  static const struct CMUnitTest tests[] = {
      VAULT_TEST(a_block_ends_where_its_pages_do),
      VAULT_TEST(every_byte_around_a_block_is_watched),
      VAULT_TEST(bytes_of_canaries_differ_from_vault_to_vault),
      VAULT_TEST(what_is_no_block_is_told),
      VAULT_TEST(a_second_free_is_told_for_a_while),
      VAULT_TEST(large_ones_go_at_once),
      VAULT_TEST(small_ones_share_a_page),
      VAULT_TEST(others_do_not_share),
      VAULT_TEST(each_refusal_has_its_error),
      VAULT_TEST(many_blocks_at_random),
      VAULT_TEST(a_child_knows_what_it_has),
  };
  return SUITE_RUN(tests);
}
