// SPDX-License-Identifier: MIT
//
// The table for those who read the heap from outside: here it is read as they do, through addresses
// and offsets alone, and the answers are compared with what the library says itself.
#include "../support/suite.h"

#include <string.h>

#include "base/size_class.h"
#include "core/page.h"
#include "core/remote.h"
#include "mend/root.h"

static uint64_t read_number(const void *address, size_t bytes)
{
  uint64_t number = 0;
  memcpy(&number, address, bytes);
  return number;
}

static uint64_t read_pointed(const void *address)
{
  return read_number(address, sizeof(uint64_t));
}

// The descriptor of the slice that holds an address.
static const char *descriptor_of(const void *address)
{
  uint64_t offset = (uintptr_t)address - read_pointed(mend_root.region_start);
  assert_true(offset < read_pointed(mend_root.region_units) * 16);
  uint64_t index = offset / mend_root.slice_bytes;
  return (const char *)(uintptr_t)read_pointed(mend_root.page_table) +
         index * mend_root.descriptor_bytes;
}

static uint64_t field(const char *descriptor, struct mend_root_field field)
{
  assert_true(field.bytes > 0 && field.offset + field.bytes <= mend_root.descriptor_bytes);
  return read_number(descriptor + field.offset, field.bytes);
}

static void the_table_knows_itself(void **state)
{
  (void)state;
  assert_memory_equal(mend_root.magic, "mendroot", 8);
  assert_int_equal(mend_root.version, MEND_ROOT_VERSION);
  assert_int_equal(mend_root.bytes, sizeof mend_root);
}

static void every_class_is_found_with_its_size_and_count(void **state)
{
  (void)state;
  for (unsigned i = 1; i < SIZE_CLASS_COUNT; i++) {
    size_t size = size_class_bytes(i) - (TEST_IS_ANNOTATED ? 16 : 0);
    char *block = mend_malloc(size);
    const char *slice = descriptor_of(block);
    if (field(slice, mend_root.kind) == MEND_ROOT_PAGE_INSIDE) {
      slice -= field(slice, mend_root.slices) * mend_root.descriptor_bytes;
    }
    bool is_list = i < SIZE_CLASS_SMALL_COUNT;
    assert_int_equal(field(slice, mend_root.kind),
                     is_list ? MEND_ROOT_PAGE_LIST : MEND_ROOT_PAGE_BITMAP);
    assert_int_equal(field(slice, mend_root.size_class), i);
    assert_int_equal(field(slice, mend_root.block_bytes), size_class_bytes(i));
    uint64_t carved = field(slice, mend_root.carved);
    assert_true(carved >= 1 && carved <= field(slice, mend_root.capacity));
    uint64_t used = field(slice, mend_root.used) - (field(slice, mend_root.remote) >> 48);
    uint64_t free = (uint64_t)__builtin_popcountll(field(slice, mend_root.bits));
    struct page *page = page_first(page_at(block));
    if (is_list) assert_int_equal(used, page_used(page) - remote_count(page));
    if (!is_list) used = field(slice, mend_root.capacity) - free;
    assert_true(used >= 1 && used <= carved);
    mend_free(block);
  }
}

static void a_large_block_is_found_from_its_start(void **state)
{
  (void)state;
  char *block = mend_malloc(1000000);
  const char *slice = descriptor_of(block);
  assert_int_equal(field(slice, mend_root.kind), MEND_ROOT_PAGE_LARGE);
  assert_true(field(slice, mend_root.block_bytes) >= 1000000);
  assert_int_equal(field(slice, mend_root.slices), 1000000 / mend_root.slice_bytes + 1);
  mend_free(block);
  assert_int_not_equal(field(slice, mend_root.kind), MEND_ROOT_PAGE_LARGE);
}

static void the_metadata_is_apart_from_the_blocks(void **state)
{
  (void)state;
  char *block = mend_malloc(10);
  uint64_t start = read_pointed(mend_root.metadata_start);
  uint64_t bytes = read_pointed(mend_root.metadata_bytes);
  assert_true(start != 0 && bytes > 0);
  assert_true((uintptr_t)block < start || (uintptr_t)block >= start + bytes);
  mend_free(block);
}

int main(void)
{
  static const struct CMUnitTest tests[] = {
      cmocka_unit_test(the_table_knows_itself),
      cmocka_unit_test(every_class_is_found_with_its_size_and_count),
      cmocka_unit_test(a_large_block_is_found_from_its_start),
      cmocka_unit_test(the_metadata_is_apart_from_the_blocks),
  };
  return SUITE_RUN(tests);
}
