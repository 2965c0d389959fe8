// SPDX-License-Identifier: MIT
//
// The table for those who read the heap from outside: here it is read as they do, through addresses
// and offsets alone, and the answers are compared with what the library says itself.
#include "../support/suite.h"

#include <string.h>

#include "base/options.h"
#include "base/size_class.h"
#include "core/page.h"
#include "core/remote.h"
#include "mend/handle.h"
#include "mend/root.h"
#include "os/thread.h"

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

static void options_are_found_by_their_names(void **state)
{
  (void)state;
  bool is_found = false;
  for (uint32_t i = 0; i < mend_root.option_count; i++) {
    const struct mend_root_option *row = &mend_root.option_rows[i];
    assert_true(memchr(row->name, '\0', sizeof row->name) != NULL && row->name[0] != '\0');
    assert_true(memchr(row->kind, '\0', sizeof row->kind) != NULL);
    if (strcmp(row->name, "map_budget") != 0) continue;
    is_found = true;
    assert_string_equal(row->kind, "NUMBER");
    assert_int_equal(read_number((const char *)mend_root.options + row->offset, row->bytes),
                     options.map_budget);
  }
  assert_true(is_found);
}

static uint64_t heap_field(uint64_t heap, struct mend_root_field field)
{
  assert_true(field.bytes > 0 && field.offset + field.bytes <= mend_root.heap_bytes);
  return read_number((const char *)(uintptr_t)heap + field.offset, field.bytes);
}

// A page leads to its heap, which is in the chain and is this thread's.
static void the_heap_of_a_page_is_in_the_chain(void **state)
{
  (void)state;
  char *block = mend_malloc(100);
  uint64_t heap = field(descriptor_of(block), mend_root.heap);
  uint64_t at = read_pointed(mend_root.first_heap);
  while (at != 0 && at != heap) at = heap_field(at, mend_root.heap_next);
  assert_true(at != 0);
  assert_int_equal(heap_field(heap, mend_root.heap_thread), os_thread_number());
  assert_int_equal(heap_field(heap, mend_root.heap_is_taken), 1);
  assert_int_equal(heap_field(heap, mend_root.heap_is_first_class), 0);
  uint64_t common = read_pointed(mend_root.common_heap);
  assert_int_equal(heap_field(common, mend_root.heap_owner), 2);
  mend_free(block);
}

// What was freed last is the first of its bin, and leads to what was freed before.
static void freed_blocks_are_found_in_their_bin(void **state)
{
  (void)state;
  if (TEST_IS_ANNOTATED) skip();  // a checker minds that free memory is read
  char *first = mend_malloc(1000);
  char *second = mend_malloc(1000);
  const char *slice = descriptor_of(first);
  uint64_t heap = field(slice, mend_root.heap);
  uint64_t size_class = field(slice, mend_root.size_class);
  mend_free(first);
  mend_free(second);
  assert_true(size_class < mend_root.bin_classes && mend_root.bins.count >= mend_root.bin_classes);
  const char *bin =
      (const char *)(uintptr_t)heap + mend_root.bins.offset + size_class * mend_root.bins.stride;
  uint64_t block = read_number(bin + mend_root.bin_first.offset, mend_root.bin_first.bytes);
  assert_int_equal(block, (uintptr_t)second);
  assert_int_equal(read_pointed((const void *)(uintptr_t)block), (uintptr_t)first);
}

static void objects_are_found_by_their_table(void **state)
{
  (void)state;
  mend_handle handle = mend_handle_alloc(100);
  uint64_t address = (uintptr_t)mend_pin(handle);
  const char *row = (const char *)mend_root.handle_tables + mend_root.handle_rows.offset;
  uint64_t entries = read_number(row + mend_root.handle_entries.offset, 8);
  uint64_t infos = read_number(row + mend_root.handle_infos.offset, 8);
  uint64_t count = read_number(row + mend_root.handle_count.offset, 4);
  bool is_found = false;
  for (uint64_t i = 0; i < count && !is_found; i++) {
    uint64_t entry = read_pointed((const char *)(uintptr_t)entries + i * 8);
    uint64_t info = read_number((const char *)(uintptr_t)infos + i * 4, 4);
    if ((entry & mend_root.entry_state_mask) == 0) continue;
    is_found =
        read_pointed(mend_root.region_start) + (entry >> mend_root.entry_shift) * 16 == address &&
        (info & mend_root.info_pinned) != 0;
  }
  assert_true(is_found);
  uint64_t heap = field(descriptor_of((void *)(uintptr_t)address), mend_root.heap);
  assert_int_equal(heap_field(heap, mend_root.heap_has_objects), 1);
  mend_handle_free(handle);
}

int main(void)
{
  static const struct CMUnitTest tests[] = {
      cmocka_unit_test(the_table_knows_itself),
      cmocka_unit_test(every_class_is_found_with_its_size_and_count),
      cmocka_unit_test(a_large_block_is_found_from_its_start),
      cmocka_unit_test(the_metadata_is_apart_from_the_blocks),
      cmocka_unit_test(options_are_found_by_their_names),
      cmocka_unit_test(the_heap_of_a_page_is_in_the_chain),
      cmocka_unit_test(freed_blocks_are_found_in_their_bin),
      cmocka_unit_test(objects_are_found_by_their_table),
  };
  return SUITE_RUN(tests);
}
