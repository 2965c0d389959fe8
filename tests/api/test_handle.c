// SPDX-License-Identifier: MIT
//
// Handles, call by call: objects of every size, what stale, null and forged handles are told as,
// reallocation, pins, scopes, types, and errno. Heaps of them are test_handle_heap.c's matter, and
// what defragmenting does to them is test_defragment.c's.
#define _GNU_SOURCE 1
#include "../support/suite.h"

#include <errno.h>
#include <stdatomic.h>
#include <string.h>

#include "../support/sizes.h"
#include "mend/handle.h"

static mend_handle make(size_t size)
{
  mend_handle handle = mend_handle_alloc(size);
  assert_false(mend_handle_is_null(handle));
  return handle;
}

static void fill(mend_handle handle, uint64_t seed)
{
  mend_scope_enter();
  void *address = mend_resolve(handle);
  assert_non_null(address);
  pattern_fill(address, mend_handle_size(handle), seed);
  mend_scope_leave();
}

static void assert_filled(mend_handle handle, size_t bytes, uint64_t seed)
{
  mend_scope_enter();
  const void *address = mend_resolve(handle);
  assert_non_null(address);
  assert_int_equal(pattern_difference(address, bytes, seed), bytes);
  mend_scope_leave();
}

static void objects_of_every_size_hold_their_contents(void **state)
{
  (void)state;
  static mend_handle handles[TEST_SIZE_COUNT];
  for (size_t i = 0; i < TEST_SIZE_COUNT; i++) {
    handles[i] = make(test_sizes[i]);
    assert_int_equal(mend_handle_size(handles[i]), test_sizes[i]);
    assert_int_equal(mend_handle_status(handles[i]), MEND_OK);
    assert_int_equal(mend_handle_type(handles[i]), 0);
    assert_true(is_aligned(mend_resolve(handles[i]), 16));
    fill(handles[i], i);
  }
  for (size_t i = 0; i < TEST_SIZE_COUNT; i++) assert_filled(handles[i], test_sizes[i], i);
  for (size_t i = 0; i < TEST_SIZE_COUNT; i++) {
    assert_int_equal(mend_handle_free(handles[i]), MEND_OK);
  }
  mend_quiescent();
}

static void zero_bytes_give_objects_of_their_own(void **state)
{
  (void)state;
  mend_handle one = make(0);
  mend_handle two = make(0);
  assert_true(one.bits != two.bits);
  assert_int_equal(mend_handle_size(one), 0);
  mend_scope_enter();
  assert_non_null(mend_resolve(one));
  assert_ptr_not_equal(mend_resolve(one), mend_resolve(two));
  mend_scope_leave();
  assert_int_equal(mend_handle_realloc(one, 100), MEND_OK);
  assert_int_equal(mend_handle_realloc(one, 0), MEND_OK);
  assert_int_equal(mend_handle_size(one), 0);
  (void)mend_handle_free(one), (void)mend_handle_free(two);
}

static void zeroed_objects_are_zero_also_where_others_were(void **state)
{
  (void)state;
  for (size_t i = 0; i < TEST_SIZE_COUNT; i++) {
    size_t size = test_sizes[i] < 8 * MIB ? test_sizes[i] : 8 * MIB;
    for (size_t round = 0; round < 3; round++) {
      mend_handle handle = round % 2 == 0
                               ? mend_handle_zalloc(size)
                               : mend_handle_heap_alloc(NULL, size, MEND_ALLOC_ZEROED, 0);
      assert_false(mend_handle_is_null(handle));
      mend_scope_enter();
      assert_true(is_zero(mend_resolve(handle), size));
      memset(mend_resolve(handle), 0x5a, size);
      mend_scope_leave();
      mend_handle_free(handle);
    }
  }
}

static void assert_names_nothing(mend_handle handle, enum mend_status status)
{
  assert_int_equal(mend_handle_status(handle), status);
  assert_null(mend_resolve(handle));
  assert_int_equal(mend_handle_size(handle), 0);
  assert_int_equal(mend_handle_type(handle), 0);
  errno = 0;
  assert_null(mend_pin(handle));
  assert_int_equal(errno, 0);
  assert_int_equal(mend_unpin(handle), status);
  assert_int_equal(mend_handle_realloc(handle, 100), status);
}

static void the_null_handle_names_nothing_and_may_be_freed(void **state)
{
  (void)state;
  static mend_handle zeroed;
  assert_true(mend_handle_is_null(MEND_HANDLE_NULL) && mend_handle_is_null(zeroed));
  assert_names_nothing(MEND_HANDLE_NULL, MEND_FOREIGN);
  assert_int_equal(mend_handle_free(MEND_HANDLE_NULL), MEND_OK);
  assert_int_equal(mend_handle_free_deferred(MEND_HANDLE_NULL), MEND_OK);
}

static void stale_handles_are_told_by_every_function(void **state)
{
  (void)state;
  for (int deferred = 0; deferred < 2; deferred++) {
    mend_handle stale = make(100);
    assert_int_equal(deferred ? mend_handle_free_deferred(stale) : mend_handle_free(stale),
                     MEND_OK);
    for (size_t i = 0; i < 3; i++) {
      assert_names_nothing(stale, MEND_STALE);
      assert_int_equal(mend_handle_free(stale), MEND_STALE);
      assert_int_equal(mend_handle_free_deferred(stale), MEND_STALE);
      mend_handle other = make(100);  // in its place, perhaps
      assert_true(other.bits != stale.bits);
      mend_handle_free(other);
    }
  }
}

static void a_stale_handle_stays_stale_however_often_its_entry_is_used_again(void **state)
{
  (void)state;
  mend_handle stale = make(100);
  mend_handle_free(stale);
  for (size_t i = 0; i < test_scaled(100000); i++) {
    mend_handle handle = make(100);
    CHECK(handle.bits != stale.bits);
    if (i % 1000 == 0) assert_int_equal(mend_handle_status(stale), MEND_STALE);
    mend_handle_free(handle);
  }
}

static void forged_handles_never_crash(void **state)
{
  (void)state;
  enum { COUNT = 2000 };
  static mend_handle handles[COUNT];
  for (size_t i = 0; i < COUNT; i++) {
    handles[i] = make(1 + i % 300);
    fill(handles[i], i);
  }
  struct random random = {random_seed()};
  for (size_t i = 0; i < test_scaled(300000); i++) {
    uint64_t bits = random_next(&random);
    if (i % 3 == 1) bits = handles[i % COUNT].bits ^ UINT64_C(1) << random_below(&random, 64);
    if (i % 3 == 2) bits = bits & UINT64_C(0x3ffffff) << 20;  // a low index of the first table
    mend_handle forged = {bits};
    void *address = mend_resolve(forged);
    enum mend_status status = mend_handle_status(forged);
    CHECK((address == NULL) == (status != MEND_OK));
    CHECK(status == MEND_OK || status == MEND_STALE || status == MEND_FOREIGN);
    CHECK(address == NULL || mend_owns(address));
    mend_quiescent();
  }
  for (size_t i = 0; i < COUNT; i++) {
    assert_filled(handles[i], 1 + i % 300, i);
    mend_handle_free(handles[i]);
  }
}

static void wrong_generations_of_a_live_entry_name_nothing(void **state)
{
  (void)state;
  mend_handle handle = make(64);
  for (unsigned bit = 0; bit < 2; bit++) {  // what all handles have in common
    mend_handle forged = {handle.bits ^ UINT64_C(1) << bit};
    assert_names_nothing(forged, MEND_FOREIGN);
    assert_int_equal(mend_handle_free(forged), MEND_FOREIGN);
  }
  for (unsigned bit = 2; bit < 23; bit++) {  // all of the generation
    mend_handle forged = {handle.bits ^ UINT64_C(1) << bit};
    assert_names_nothing(forged, MEND_STALE);
    assert_int_equal(mend_handle_free(forged), MEND_STALE);
  }
  assert_int_equal(mend_handle_status(handle), MEND_OK);
  mend_handle_free(handle);
}

static void realloc_keeps_the_handle_and_the_contents(void **state)
{
  (void)state;
  mend_handle handle = make(0);
  size_t size = 0;
  struct random random = {7};
  for (size_t i = 0; i < 300; i++) {
    size_t next = random_size(&random, i % 20 == 0 ? 3 * MIB : 9000);
    fill(handle, i);
    assert_int_equal(mend_handle_realloc(handle, next), MEND_OK);
    assert_int_equal(mend_handle_size(handle), next);
    assert_filled(handle, size < next ? size : next, i);
    size = next;
  }
  mend_handle_free(handle);
}

static void realloc_keeps_the_type(void **state)
{
  (void)state;
  mend_type type = mend_type_register(NULL, NULL);
  assert_true(type != 0);
  mend_handle handle = mend_handle_heap_alloc(NULL, 100, 0, type);
  for (size_t size = 100; size < MIB; size *= 3) {
    assert_int_equal(mend_handle_realloc(handle, size), MEND_OK);
    assert_int_equal(mend_handle_type(handle), type);
  }
  mend_handle_free(handle);
}

static void what_cannot_be_is_refused(void **state)
{
  (void)state;
  errno = 0;
  assert_true(mend_handle_is_null(mend_handle_alloc(opaque_size(SIZE_MAX))));
  assert_int_equal(errno, ENOMEM);
  errno = 0;
  assert_true(mend_handle_is_null(mend_handle_zalloc(opaque_size(SIZE_MAX - 4096))));
  assert_int_equal(errno, ENOMEM);
  assert_true(mend_handle_is_null(mend_handle_heap_alloc(NULL, 10, 0, 1024)));  // no such type
  mend_handle handle = make(100);
  fill(handle, 1);
  assert_int_equal(mend_handle_realloc(handle, opaque_size(SIZE_MAX)), MEND_NO_MEMORY);
  assert_int_equal(mend_handle_size(handle), 100);
  assert_filled(handle, 100, 1);
  mend_handle_free(handle);
}

// The first of a thread: it is registered.
static void *open_a_scope(void *unused)
{
  errno = EILSEQ;
  mend_scope_enter();
  mend_scope_leave();
  CHECK(errno == EILSEQ);
  return unused;
}

static void errno_is_preserved(void **state)
{
  (void)state;
  errno = EILSEQ;
  threads_run(1, open_a_scope, NULL, 0);
  mend_handle handle = make(100);
  mend_handle large = make(MIB);
  (void)mend_resolve(handle);
  assert_non_null(mend_pin(handle));
  assert_int_equal(mend_unpin(handle), MEND_OK);
  assert_int_equal(mend_handle_realloc(handle, 5000), MEND_OK);
  assert_int_equal(mend_handle_realloc(handle, opaque_size(SIZE_MAX)), MEND_NO_MEMORY);
  assert_int_equal(mend_handle_free(large), MEND_OK);
  assert_int_equal(mend_handle_free(handle), MEND_OK);
  mend_handle_heap *heap = mend_handle_heap_create();
  assert_non_null(heap);
  assert_false(mend_handle_is_null(mend_handle_heap_alloc(heap, MIB, 0, 0)));
  mend_handle_heap_destroy(heap);
  struct mend_fragmentation now = {.bytes = sizeof now};
  assert_int_equal(mend_fragmentation_get(NULL, &now), MEND_OK);
  assert_int_equal(mend_defragment(NULL), MEND_OK);
  assert_int_equal(mend_defragment_plan(NULL), MEND_OK);
  assert_int_equal(errno, EILSEQ);
}

static void resolve_all_says_how_many_there_are(void **state)
{
  (void)state;
  enum { COUNT = 100 };
  mend_handle handles[COUNT];
  void *addresses[COUNT];
  for (size_t i = 0; i < COUNT; i++) handles[i] = i % 10 == 3 ? MEND_HANDLE_NULL : make(i);
  mend_handle_free(handles[50]);
  mend_scope_enter();
  assert_int_equal(mend_resolve_all(handles, addresses, COUNT), 89);
  assert_int_equal(mend_resolve_all(handles, addresses, 0), 0);
  for (size_t i = 0; i < COUNT; i++) assert_ptr_equal(addresses[i], mend_resolve(handles[i]));
  assert_null(addresses[50]);
  mend_scope_leave();
  for (size_t i = 0; i < COUNT; i++) (void)mend_handle_free(handles[i]);
}

static void pins_count(void **state)
{
  (void)state;
  mend_handle handle = make(100);
  assert_int_equal(mend_unpin(handle), MEND_INVALID);
  void *address = mend_pin(handle);
  assert_non_null(address);
  for (size_t i = 0; i < 1000; i++) assert_ptr_equal(mend_pin(handle), address);
  for (size_t i = 0; i < 1001; i++) assert_int_equal(mend_unpin(handle), MEND_OK);
  assert_int_equal(mend_unpin(handle), MEND_INVALID);
  mend_handle_free(handle);
}

static void many_objects_are_pinned_at_once(void **state)
{
  (void)state;
  enum { COUNT = 5000 };
  static mend_handle handles[COUNT];
  static void *addresses[COUNT];
  for (size_t i = 0; i < COUNT; i++) {
    handles[i] = make(i % 200);
    assert_non_null(addresses[i] = mend_pin(handles[i]));
  }
  for (size_t i = 0; i < COUNT; i += 3) assert_int_equal(mend_unpin(handles[i]), MEND_OK);
  for (size_t i = 0; i < COUNT; i++) {
    assert_int_equal(mend_unpin(handles[i]), i % 3 == 0 ? MEND_INVALID : MEND_OK);
    mend_handle_free(handles[i]);
  }
}

static void freeing_a_pinned_object_ends_its_pins(void **state)
{
  (void)state;
  for (size_t i = 0; i < 100; i++) {
    mend_handle handle = make(100);
    assert_non_null(mend_pin(handle));
    assert_non_null(mend_pin(handle));
    assert_int_equal(i % 2 ? mend_handle_free(handle) : mend_handle_free_deferred(handle), MEND_OK);
    assert_int_equal(mend_unpin(handle), MEND_STALE);
    mend_handle next = make(100);
    assert_int_equal(mend_unpin(next), MEND_INVALID);
    mend_handle_free(next);
  }
}

static void a_pinned_object_is_resized_in_place_or_not_at_all(void **state)
{
  (void)state;
  mend_handle handle = make(100);
  void *address = mend_pin(handle);
  fill(handle, 3);
  assert_int_equal(mend_handle_realloc(handle, 99), MEND_OK);
  assert_int_equal(mend_handle_realloc(handle, 5000), MEND_PINNED);
  assert_int_equal(mend_handle_size(handle), 99);
  assert_filled(handle, 99, 3);
  assert_ptr_equal(mend_resolve(handle), address);
  assert_int_equal(mend_unpin(handle), MEND_OK);
  assert_int_equal(mend_handle_realloc(handle, 5000), MEND_OK);
  assert_filled(handle, 99, 3);
  mend_handle_free(handle);
  mend_quiescent();
}

static void a_deferred_free_leaves_the_memory_to_open_scopes(void **state)
{
  (void)state;
  enum { COUNT = 1000 };
  static mend_handle handles[COUNT];
  static unsigned char *addresses[COUNT];
  for (size_t i = 0; i < COUNT; i++) fill(handles[i] = make(300), i);
  mend_scope_enter();
  assert_int_equal(mend_resolve_all(handles, (void **)addresses, COUNT), COUNT);
  for (size_t i = 0; i < COUNT; i++) {
    assert_int_equal(mend_handle_free_deferred(handles[i]), MEND_OK);
  }
  static mend_handle others[COUNT];
  for (size_t i = 0; i < COUNT; i++) {
    others[i] = mend_handle_zalloc(300);
    memset(mend_resolve(others[i]), 0xff, 300);
  }
  for (size_t i = 0; i < COUNT; i++) {
    assert_int_equal(pattern_difference(addresses[i], 300, i), 300);
  }
  mend_scope_leave();
  assert_int_equal(mend_defragment(NULL), MEND_OK);
  struct mend_fragmentation now = {.bytes = sizeof now};
  assert_int_equal(mend_fragmentation_get(NULL, &now), MEND_OK);
  assert_int_equal(now.objects, COUNT);  // the deferred ones are gone
  for (size_t i = 0; i < COUNT; i++) mend_handle_free(others[i]);
}

static atomic_size_t frees_that_won;

static void *free_once(void *argument)
{
  enum mend_status status = mend_handle_free(*(mend_handle *)argument);
  CHECK(status == MEND_OK || status == MEND_STALE);
  if (status == MEND_OK) atomic_fetch_add(&frees_that_won, 1);
  return NULL;
}

static void of_frees_at_the_same_time_one_wins(void **state)
{
  (void)state;
  for (size_t i = 0; i < test_scaled(300); i++) {
    mend_handle handle = make(100);
    atomic_store(&frees_that_won, 0);
    threads_run(4, free_once, &handle, 0);
    assert_int_equal(atomic_load(&frees_that_won), 1);
  }
}

static void scopes_nest_and_superfluous_leaves_do_nothing(void **state)
{
  (void)state;
  mend_scope_leave();
  mend_handle handle = make(10);
  mend_scope_enter();
  mend_scope_enter();
  assert_non_null(mend_resolve(handle));
  mend_scope_leave();
  mend_quiescent();
  assert_int_equal(mend_defragment(NULL), MEND_BUSY);  // the outer one is open
  mend_scope_leave();
  assert_int_equal(mend_defragment(NULL), MEND_OK);
  mend_scope_leave();
  assert_int_equal(mend_defragment(NULL), MEND_OK);
  assert_non_null(mend_resolve(handle));  // an implicit scope, which a leave does not end
  mend_scope_leave();
  mend_scope_enter();
  mend_scope_leave();
  assert_int_equal(mend_defragment(NULL), MEND_OK);
  mend_handle_free(handle);
}

static void every_status_has_a_text(void **state)
{
  (void)state;
  for (int i = MEND_OK; i <= MEND_INVALID; i++) {
    assert_true(strlen(mend_status_text((enum mend_status)i)) > 3);
    for (int j = 0; j < i; j++) {
      assert_string_not_equal(mend_status_text((enum mend_status)i),
                              mend_status_text((enum mend_status)j));
    }
  }
  assert_non_null(mend_status_text((enum mend_status)opaque_size(1000)));
}

int main(void)
{
  static const struct CMUnitTest tests[] = {
      cmocka_unit_test(objects_of_every_size_hold_their_contents),
      cmocka_unit_test(zero_bytes_give_objects_of_their_own),
      cmocka_unit_test(zeroed_objects_are_zero_also_where_others_were),
      cmocka_unit_test(the_null_handle_names_nothing_and_may_be_freed),
      cmocka_unit_test(stale_handles_are_told_by_every_function),
      cmocka_unit_test(a_stale_handle_stays_stale_however_often_its_entry_is_used_again),
      cmocka_unit_test(forged_handles_never_crash),
      cmocka_unit_test(wrong_generations_of_a_live_entry_name_nothing),
      cmocka_unit_test(realloc_keeps_the_handle_and_the_contents),
      cmocka_unit_test(realloc_keeps_the_type),
      cmocka_unit_test(what_cannot_be_is_refused),
      cmocka_unit_test(errno_is_preserved),
      cmocka_unit_test(resolve_all_says_how_many_there_are),
      cmocka_unit_test(pins_count),
      cmocka_unit_test(many_objects_are_pinned_at_once),
      cmocka_unit_test(freeing_a_pinned_object_ends_its_pins),
      cmocka_unit_test(a_pinned_object_is_resized_in_place_or_not_at_all),
      cmocka_unit_test(a_deferred_free_leaves_the_memory_to_open_scopes),
      cmocka_unit_test(of_frees_at_the_same_time_one_wins),
      cmocka_unit_test(scopes_nest_and_superfluous_leaves_do_nothing),
      cmocka_unit_test(every_status_has_a_text),
  };
  return SUITE_RUN(tests);
}
