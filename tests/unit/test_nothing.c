// SPDX-License-Identifier: MIT
//
// Blocks of no bytes: none is at another's address, and none can be touched.
//
// linked with: mend_units_hardened
#define _GNU_SOURCE 1
#include "child.h"

#include "core/registry.h"
#include "mend/mend.h"
#include "secure/guarded.h"
#include "secure/nothing.h"
#include "secure/slot.h"

enum { MANY = 1000 };

static void there_is_one_heap_of_them(void **state)
{
  (void)state;
  struct heap *heap = nothing_heap();
  assert_non_null(heap);
  assert_ptr_equal(nothing_heap(), heap);
  assert_int_equal(heap->request.flags & PAGE_REQUEST_VOID, PAGE_REQUEST_VOID);
}

static void each_has_an_address_of_its_own(void **state)
{
  (void)state;
  static char *blocks[MANY];
  for (size_t i = 0; i < MANY; i++) {
    blocks[i] = mend_malloc(0);
    assert_non_null(blocks[i]);
    assert_true(is_aligned(blocks[i], 16));
    for (size_t j = 0; j < i; j++) assert_ptr_not_equal(blocks[j], blocks[i]);
    assert_int_equal(mend_malloc_usable_size(blocks[i]), 0);
    if (guarded_owns(blocks[i])) continue;  // by chance
    struct page *page = page_first(page_at(blocks[i]));
    assert_true(policy_is_void(page) && page_heap(page) == nothing_heap());
  }
  for (size_t i = 0; i < MANY; i++) mend_free(blocks[i]);
}

static void read_one(void)
{
  (void)*(volatile char *)opaque(mend_malloc(0));
}

static void write_one(void)
{
  *(volatile char *)opaque(mend_malloc(0)) = 1;
}

static void every_access_faults(void **state)
{
  (void)state;
  assert_int_equal(child_run(read_one).signal_number, SIGSEGV);
  assert_int_equal(child_run(write_one).signal_number, SIGSEGV);
}

static void free_twice(void)
{
  char *block = mend_malloc(0);
  mend_free(block);
  mend_free(opaque(block));
}

static void a_second_free_is_told(void **state)
{
  (void)state;
  child_check_abort(free_twice, "mend: double free: ");
}

static void one_grows_into_an_ordinary_block(void **state)
{
  (void)state;
  char *block = mend_realloc(mend_malloc(0), 100);
  assert_non_null(block);
  memset(block, 1, 100);
  assert_int_equal(mend_malloc_usable_size(block), 100);
  mend_free(block);
}

int main(void)
{
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(there_is_one_heap_of_them),
      cmocka_unit_test(each_has_an_address_of_its_own),
      cmocka_unit_test(every_access_faults),
      cmocka_unit_test(a_second_free_is_told),
      cmocka_unit_test(one_grows_into_an_ordinary_block),
  };
  return SUITE_RUN(tests);
}
