// SPDX-License-Identifier: MIT
//
// Aligned objects, and types that move their objects themselves: what the calls refuse, and such
// objects under threads that use them while passes move them.
#include "../support/suite.h"

#include <errno.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdint.h>
#include <string.h>

#include "mend/handle.h"

static void an_alignment_is_a_power_of_two_up_to_4096(void **state)
{
  (void)state;
  static const size_t bad[] = {0, 3, 24, 4095, 8192, SIZE_MAX, (size_t)1 << 63};
  mend_handle handle = mend_handle_heap_aligned_alloc(NULL, 256, 1000, MEND_ALLOC_ZEROED, 0);
  for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
    errno = 0;
    assert_true(mend_handle_is_null(mend_handle_heap_aligned_alloc(NULL, bad[i], 100, 0, 0)));
    assert_int_equal(errno, EINVAL);
    assert_int_equal(mend_handle_aligned_realloc(handle, bad[i], 2000), MEND_INVALID);
  }
  assert_int_equal(mend_handle_size(handle), 1000);
  assert_int_equal((uintptr_t)mend_resolve(handle) % 256, 0);
  assert_int_equal(mend_handle_aligned_realloc(handle, 256, 300), MEND_OK);
  assert_int_equal((uintptr_t)mend_resolve(handle) % 256, 0);
  assert_int_equal(mend_handle_size(handle), 300);
  assert_int_equal(mend_handle_free(handle), MEND_OK);
  assert_int_equal(mend_handle_aligned_realloc(handle, 256, 300), MEND_STALE);
  errno = 0;
  assert_true(
      mend_handle_is_null(mend_handle_heap_aligned_alloc(NULL, 4096, SIZE_MAX - 4096, 0, 0)));
  assert_int_equal(errno, ENOMEM);
  mend_quiescent();
}

// An account knows where it is, and what is left behind when it moves is none.
struct account {
  struct account *self;
  uint64_t credit, debit;  // equal whenever nobody is at it
  char rest[200];
};

enum { ACCOUNTS = 4000, KEPT = 8, THREADS = 3 };

static mend_handle accounts[ACCOUNTS];
static _Atomic(size_t) moved;
static atomic_bool is_over;

static void move_account(void *to, void *from, size_t size, void *argument)
{
  struct account *old = from;
  struct account *new = to;
  CHECK(size == sizeof *new &&argument == accounts);
  CHECK(old->self == old && old->credit == old->debit);
  *new = *old;
  new->self = new;
  memset(old, 0xEE, sizeof *old);
  atomic_fetch_add(&moved, 1);
}

static void open_account(size_t i, mend_type type)
{
  mend_scope_enter();  // before it is made: it is not whole until it is left
  accounts[i] = mend_handle_heap_aligned_alloc(NULL, 32, sizeof(struct account), 0, type);
  struct account *account = mend_resolve(accounts[i]);
  CHECK(account != NULL);
  *account = (struct account){.self = account};
  mend_scope_leave();
}

static void close_account(size_t i)
{
  mend_scope_enter();
  struct account *account = mend_resolve(accounts[i]);
  CHECK(account->self == account && account->credit == account->debit);
  account->self = NULL;
  CHECK(mend_handle_free(accounts[i]) == MEND_OK);
  mend_scope_leave();
}

// Each thread has accounts of its own.
static void *book(void *number)
{
  size_t rounds = 0;
  for (size_t i = (size_t)number * KEPT; !atomic_load(&is_over); i += THREADS * KEPT, rounds++) {
    if (i >= ACCOUNTS) i = (size_t)number * KEPT;
    mend_scope_enter();
    struct account *account = mend_resolve(accounts[i]);
    CHECK(account->self == account && (uintptr_t)account % 32 == 0);
    account->credit++;
    CHECK(mend_resolve(accounts[i]) == account);
    account->debit++;
    mend_scope_leave();
  }
  return NULL;
}

// Of all accounts one in KEPT stays, and is used meanwhile.
static void move_under_threads(mend_type type)
{
  pthread_t threads[THREADS];
  for (size_t i = 0; i < ACCOUNTS; i++) open_account(i, type);
  atomic_store(&is_over, false);
  for (size_t i = 0; i < THREADS; i++) {
    assert_int_equal(pthread_create(&threads[i], NULL, book, (void *)i), 0);
  }
  for (size_t i = 0; i < ACCOUNTS; i++) {
    if (i % KEPT != 0) close_account(i);
  }
  for (size_t pass = 0; pass < 3; pass++) {
    enum mend_status status = mend_defragment(NULL);
    assert_true(status == MEND_OK || status == MEND_BLOCKED);
  }
  atomic_store(&is_over, true);
  for (size_t i = 0; i < THREADS; i++) assert_int_equal(pthread_join(threads[i], NULL), 0);
  assert_int_equal(mend_defragment(NULL), MEND_OK);  // the rest
  for (size_t i = 0; i < ACCOUNTS; i += KEPT) close_account(i);
}

static void objects_that_move_themselves_do_so_between_uses(void **state)
{
  (void)state;
  mend_type type = mend_type_register_move(move_account, accounts);
  assert_true(type != 0);
  for (size_t round = 0; round < test_scaled(10); round++) move_under_threads(type);
  assert_true(moved > 0);
}

int main(void)
{
  static const struct CMUnitTest tests[] = {
      cmocka_unit_test(an_alignment_is_a_power_of_two_up_to_4096),
      cmocka_unit_test(objects_that_move_themselves_do_so_between_uses),
  };
  return SUITE_RUN(tests);
}
