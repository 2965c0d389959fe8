// SPDX-License-Identifier: MIT
//
// Objects that are aligned to more than 16 bytes: from the start, wherever they move, and when they
// are resized with their alignment.
#define _GNU_SOURCE 1
#include "handles.h"

#define GRACE_NS UINT64_C(10000000000)

static const size_t alignments[] = {1, 2, 8, 16, 32, 64, 128, 512, 1024, 4096};
static const size_t sizes[] = {0,    1,    15,   16,    17,    33,    100,   500,   1000, 2049,
                               4095, 4096, 4097, 12289, 20481, 33000, 61441, 65535, 65536};
enum {
  ALIGNMENTS = sizeof alignments / sizeof alignments[0],
  SIZES = sizeof sizes / sizeof sizes[0]
};

static void objects_of_every_size_have_every_alignment(void **state)
{
  (void)state;
  static const size_t large[] = {65537, 100001, 3 * MIB};
  for (size_t i = 0; i < ALIGNMENTS; i++) {
    for (size_t j = 0; j < SIZES + 3; j++) {
      size_t size = j < SIZES ? sizes[j] : large[j - SIZES];
      uint64_t handle = object_allocate(heap, alignments[i], size, MEND_ALLOC_ZEROED, 0);
      assert_true(is_aligned(place_of(handle), alignments[i]));
      assert_int_equal(object_bytes(handle), size);
      write_object(handle);
      assert_true(is_whole(handle));
      assert_int_equal(object_free(handle, false), MEND_OK);
    }
  }
}

// Many of a size, few of which stay: those move.
static void move_aligned(size_t alignment, size_t size)
{
  enum { MOST = 6000, STRIDE = 7 };
  static uint64_t handles[MOST];
  size_t count = bits_smaller(MOST, 4 * MIB / bits_larger(size, alignment));
  struct mend_defrag_report report;
  for (size_t i = 0; i < count; i++) {
    handles[i] = object_allocate(heap, alignment, size, 0, 0);
    write_object(handles[i]);
  }
  for (size_t i = 0; i < count; i++) {
    if (i % STRIDE != 0) assert_int_equal(object_free(handles[i], false), MEND_OK);
  }
  assert_int_equal(run_pass(&report, GRACE_NS), MEND_OK);
  // Free blocks that are os pages go back where they are.
  assert_true(report.objects_moved > 0 || alignment == MEND_HANDLE_MAX_ALIGNMENT);
  for (size_t i = 0; i < count; i += STRIDE) {
    assert_true(is_aligned(place_of(handles[i]), alignment));
    assert_true(is_whole(handles[i]));
    assert_int_equal(object_bytes(handles[i]), size);
    assert_int_equal(object_free(handles[i], false), MEND_OK);
  }
}

static void an_alignment_lasts_wherever_the_object_moves(void **state)
{
  (void)state;
  for (size_t i = 0; i < ALIGNMENTS; i++) {
    move_aligned(alignments[i], 24);
    move_aligned(alignments[i], 720);
    move_aligned(alignments[i], 5000);
  }
}

static void resizing_keeps_the_alignment_it_is_given(void **state)
{
  (void)state;
  struct random random = {random_seed()};
  for (size_t i = 0; i < ALIGNMENTS; i++) {
    size_t size = 1;
    uint64_t handle = object_allocate(heap, alignments[i], size, 0, 0);
    for (size_t j = 0; j < test_scaled(300); j++) {
      write_object(handle);
      size_t smaller = size;
      size = random_size(&random, 70000);
      if (size < smaller) smaller = size;
      assert_int_equal(object_resize(handle, alignments[i], size), MEND_OK);
      assert_int_equal(object_bytes(handle), size);
      assert_true(is_aligned(place_of(handle), alignments[i]));
      assert_true(pattern_difference(place_of(handle), smaller, handle) == smaller);
    }
    assert_int_equal(object_free(handle, false), MEND_OK);
  }
}

int main(void)
{
  static const struct CMUnitTest tests[] = {
      HANDLES_TEST(objects_of_every_size_have_every_alignment),
      HANDLES_TEST(an_alignment_lasts_wherever_the_object_moves),
      HANDLES_TEST(resizing_keeps_the_alignment_it_is_given),
  };
  return SUITE_RUN(tests);
}
