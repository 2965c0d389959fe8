// SPDX-License-Identifier: MIT
//
// Handle heaps: what handles of one that has ended are told as, and how many there can be.
#include "../support/suite.h"

#include <errno.h>

#include "mend/handle.h"

static void handles_of_a_destroyed_heap_are_told(void **state)
{
  (void)state;
  enum { COUNT = 200 };
  static mend_handle old[COUNT];
  mend_handle_heap *heap = mend_handle_heap_create();
  assert_non_null(heap);
  for (size_t i = 0; i < COUNT; i++) {
    old[i] = mend_handle_heap_alloc(heap, i * i * 10, i % 4, 0);
    assert_false(mend_handle_is_null(old[i]));
  }
  mend_handle_heap_destroy(heap);
  mend_handle_heap_destroy(NULL);
  for (size_t round = 0; round < 3; round++) {
    for (size_t i = 0; i < COUNT; i++) {
      enum mend_status status = mend_handle_status(old[i]);
      assert_true(status == MEND_STALE || status == MEND_FOREIGN);
      assert_null(mend_resolve(old[i]));
      assert_int_equal(mend_handle_free(old[i]), status);
    }
    heap = mend_handle_heap_create();  // in its place
    for (size_t i = 0; i < COUNT; i++) {
      assert_false(mend_handle_is_null(mend_handle_heap_alloc(heap, 100, 0, 0)));
    }
    for (size_t i = 0; i < COUNT; i++) assert_true(mend_handle_status(old[i]) != MEND_OK);
    mend_handle_heap_destroy(heap);
  }
}

static void heaps_end_somewhere_and_come_back(void **state)
{
  (void)state;
  static mend_handle_heap *heaps[600];
  size_t count = 0;
  errno = 0;
  while (count < 600 && (heaps[count] = mend_handle_heap_create()) != NULL) count++;
  assert_true(count >= 1 && count < 512);
  assert_int_equal(errno, ENOMEM);
  mend_handle_heap_destroy(heaps[--count]);
  assert_non_null(heaps[count] = mend_handle_heap_create());
  count++;
  while (count > 0) mend_handle_heap_destroy(heaps[--count]);
}

int main(void)
{
  static const struct CMUnitTest tests[] = {
      cmocka_unit_test(handles_of_a_destroyed_heap_are_told),
      cmocka_unit_test(heaps_end_somewhere_and_come_back),
  };
  return SUITE_RUN(tests);
}
