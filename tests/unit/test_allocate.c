// SPDX-License-Identifier: MIT
//
// The slow paths of the front: any size at any alignment, failure and who is asked before it, what
// is said of pointers that are no blocks, and being called in the middle of a slow path.
#define _GNU_SOURCE 1
#include "child.h"

#include <errno.h>
#include <stdlib.h>

#include "../support/sizes.h"
#include "api/allocate.h"
#include "base/options.h"
#include "core/chunk.h"
#include "core/registry.h"
#include "core/upkeep.h"
#include "mend/mend.h"

// As free does.
static void release(void *block)
{
  allocate_free(block, &(struct block_claim){.kind = KIND_MALLOC});
}

static void *allocate_16(size_t size)
{
  return allocate(NULL, size, 16, false);
}

static void every_size_at_every_alignment_is_aligned_and_usable(void **state)
{
  (void)state;
  for (size_t alignment = 16; alignment <= 8 * MIB; alignment *= 2) {
    for (size_t i = 0; i < TEST_SIZE_COUNT - 4; i++) {
      unsigned char *block = allocate(NULL, test_sizes[i], alignment, i % 2 == 0);
      assert_non_null(block);
      assert_true(is_aligned(block, alignment));
      assert_true(mend_malloc_usable_size(block) >= test_sizes[i]);
      if (i % 2 == 0) assert_true(is_zero(block, test_sizes[i]));
      if (test_sizes[i] <= MIB) memset(block, 0xff, test_sizes[i]);
      release(block);
    }
  }
}

static void what_was_asked_to_be_zero_is_after_any_use(void **state)
{
  (void)state;
  for (size_t round = 0; round < 3; round++) {
    for (size_t i = 0; i < TEST_SIZE_COUNT - 6; i++) {
      unsigned char *blocks[3];
      for (size_t j = 0; j < 3; j++) {
        blocks[j] = allocate(NULL, test_sizes[i], 16, true);
        assert_true(is_zero(blocks[j], test_sizes[i]));
        memset(blocks[j], 0xff, test_sizes[i]);
      }
      for (size_t j = 0; j < 3; j++) release(blocks[j]);
    }
  }
}

static void what_cannot_be_is_refused_with_enomem(void **state)
{
  (void)state;
  static const struct {
    size_t size, alignment;
  } requests[] = {
      {SIZE_MAX, 16},           {SIZE_MAX - 15, 16},
      {PTRDIFF_MAX, 16},        {(size_t)PTRDIFF_MAX + 1, 16},
      {PTRDIFF_MAX - 4096, 16}, {1, (size_t)1 << 63},
      {1, (size_t)1 << 62},     {PTRDIFF_MAX - 100, 4096},
      {(size_t)1 << 46, 16},    {(size_t)1 << 62, (size_t)1 << 62},
  };
  for (size_t i = 0; i < sizeof requests / sizeof requests[0]; i++) {
    errno = 0;
    assert_null(allocate(NULL, requests[i].size, requests[i].alignment, true));
    assert_int_equal(errno, ENOMEM);
  }
}

static void success_leaves_errno_alone_and_so_does_freeing(void **state)
{
  (void)state;
  for (size_t i = 0; i < TEST_SIZE_COUNT; i++) {
    errno = 4711;
    void *block = allocate_16(test_sizes[i]);
    assert_int_equal(errno, 4711);
    release(block);
    assert_int_equal(errno, 4711);
  }
  release(NULL);
  assert_int_equal(errno, 4711);
}

// ---------------------------------------------------------------------------------------------
// Out of memory.

static struct {
  size_t calls;
  size_t size;
  size_t retries;  // how often it asks for another try
  void *spare;     // freed at the first call
} hook;

static bool on_out_of_memory(size_t size, void *argument)
{
  CHECK(argument == &hook);
  hook.calls++;
  hook.size = size;
  release(hook.spare);
  hook.spare = NULL;
  CHECK(allocate_16((size_t)1 << 46) == NULL);  // does not call the hook again
  return hook.calls <= hook.retries;
}

static void the_hook_is_asked_until_it_gives_up(void **state)
{
  (void)state;
  mend_set_out_of_memory(on_out_of_memory, &hook);
  for (hook.retries = 0; hook.retries < 4; hook.retries++) {
    hook.calls = 0;
    errno = 0;
    assert_null(allocate_16((size_t)1 << 46));
    assert_int_equal(errno, ENOMEM);
    assert_int_equal(hook.calls, hook.retries + 1);
    assert_int_equal(hook.size, (size_t)1 << 46);
  }
  mend_set_out_of_memory(NULL, NULL);
  hook.calls = 0;
  assert_null(allocate_16((size_t)1 << 46));
  assert_int_equal(hook.calls, 0);
}

static void what_the_hook_frees_can_be_had(void **state)
{
  (void)state;
  mend_set_out_of_memory(on_out_of_memory, &hook);
  hook.spare = allocate_16(20 * MIB);
  hook.calls = 0;
  hook.retries = 1;
  options.limit = chunk_statistics().used_bytes + 5 * MIB;
  errno = 4711;
  void *block = allocate_16(15 * MIB);
  assert_non_null(block);
  assert_int_equal(errno, 4711);
  assert_int_equal(hook.calls, 1);
  options.limit = 0;
  mend_set_out_of_memory(NULL, NULL);
  release(block);
}

enum { SMALL_BLOCKS = 128 };  // of 512 bytes: a page
static void *small_blocks[SMALL_BLOCKS];

static bool free_small_blocks(size_t size, void *argument)
{
  (void)size, (void)argument;
  hook.calls++;
  for (size_t i = 0; i < SMALL_BLOCKS && hook.calls == 1; i++) release(small_blocks[i]);
  return hook.calls == 1;
}

static void so_can_what_it_frees_in_small_blocks(void **state)
{
  (void)state;
  upkeep_collect(true);
  for (size_t i = 0; i < SMALL_BLOCKS; i++) small_blocks[i] = allocate_16(500);
  hook.calls = 0;
  mend_set_out_of_memory(free_small_blocks, NULL);
  options.limit = chunk_statistics().used_bytes;
  void *block = allocate_16(SLICE_BYTES / 2 - 5000);  // a page is a slice
  options.limit = 0;
  mend_set_out_of_memory(NULL, NULL);
  assert_int_equal(hook.calls, 1);
  assert_non_null(block);
  release(block);
}

static void memory_that_is_merely_not_given_back_yet_is_collected_first(void **state)
{
  (void)state;
  static void *blocks[600];
  mend_set_out_of_memory(on_out_of_memory, &hook);
  hook.calls = 0;
  for (size_t i = 0; i < 600; i++) blocks[i] = allocate_16(60000);
  options.limit = chunk_statistics().used_bytes + MIB;
  for (size_t i = 0; i < 600; i++) release(blocks[i]);
  void *block = allocate_16(30 * MIB);
  assert_non_null(block);
  assert_int_equal(hook.calls, 0);
  options.limit = 0;
  mend_set_out_of_memory(NULL, NULL);
  release(block);
}

// ---------------------------------------------------------------------------------------------
// Pointers that are no blocks.

static char *bad_pointer;

static void free_bad(void)
{
  mend_free(bad_pointer);
}

static void realloc_bad(void)
{
  (void)!mend_realloc(bad_pointer, 100);
}

static void size_bad(void)
{
  (void)mend_malloc_usable_size(bad_pointer);
}

static void assert_refused(char *pointer, const char *what)
{
  char line[200];
  bad_pointer = opaque(pointer);
  snprintf(line, sizeof line, "mend: free of %s: %p\n", what, (void *)pointer);
  child_check_abort(free_bad, line);
  snprintf(line, sizeof line, "mend: realloc of %s: %p\n", what, (void *)pointer);
  child_check_abort(realloc_bad, line);
  snprintf(line, sizeof line, "mend: malloc_usable_size of %s: %p\n", what, (void *)pointer);
  child_check_abort(size_bad, line);
}

static void a_foreign_pointer_is_told(void **state)
{
  (void)state;
  static _Alignas(16) char here[64];
  _Alignas(16) char local[64];
  char *libcs = malloc(100);
  assert_refused(here, "a pointer that mend did not allocate");
  assert_refused(here + 5, "a pointer that mend did not allocate");
  assert_refused(local, "a pointer that mend did not allocate");
  assert_refused(libcs, "a pointer that mend did not allocate");
  assert_refused((char *)16, "a pointer that mend did not allocate");
  free(libcs);
}

static void a_misaligned_pointer_is_told(void **state)
{
  (void)state;
  static const size_t sizes[] = {100, 20000, 300000};
  for (size_t i = 0; i < 3; i++) {
    char *block = allocate_16(sizes[i]);
    for (size_t offset = 1; offset < 16; offset += 7) {
      assert_refused(block + offset, "a misaligned pointer");
    }
    release(block);
  }
}

static void a_pointer_inside_a_block_is_told_where_that_costs_nothing(void **state)
{
  (void)state;
  char *medium = allocate_16(20000);
  char *large = allocate_16(300000);
  assert_refused(medium + 16, "a pointer inside a block");
  assert_refused(medium + 10000, "a pointer inside a block");
  assert_refused(large + 16, "a pointer inside a block");
  assert_refused(large + 2 * 65536, "a pointer inside a block");
  assert_refused(large + 299984, "a pointer inside a block");
  release(medium);
  release(large);
}

static void a_large_block_that_is_free_is_told(void **state)
{
  (void)state;
  char *block = allocate_16(300000);
  release(block);
  assert_refused(block, "memory that is not in use");
  assert_refused(block + 65536, "memory that is not in use");
}

static void a_medium_block_that_is_free_is_told(void **state)
{
  (void)state;
  char *kept = allocate_16(20000);
  char *block = allocate_16(20000);
  release(block);
  char line[100];
  snprintf(line, sizeof line, "mend: double free: %p\n", (void *)block);
  bad_pointer = block;
  child_check_abort(free_bad, line);
  child_check_abort(realloc_bad, "mend: realloc of ");
  release(kept);
}

// ---------------------------------------------------------------------------------------------
// Inside a slow path, as a signal handler may be.

static void inside_a_slow_path_blocks_can_be_had_and_freed(void **state)
{
  (void)state;
  static void *blocks[TEST_SIZE_COUNT];
  for (size_t i = 0; i < TEST_SIZE_COUNT - 8; i++) blocks[i] = allocate_16(test_sizes[i]);
  struct heap *own = registry_own();
  assert_non_null(own);
  heap_enter(own);
  for (size_t i = 0; i < TEST_SIZE_COUNT - 8; i++) {
    unsigned char *block = allocate(NULL, test_sizes[i], 16, true);
    assert_non_null(block);
    assert_true(is_zero(block, test_sizes[i]));
    release(block);
    release(blocks[i]);
  }
  heap_leave(own);
  mend_collect(true);
  void *block = allocate_16(100);
  assert_non_null(block);
  release(block);
}

static void assert_place(void *block, struct heap *heap, int node)
{
  struct allocate_place place = allocate_place_of(allocate_page_of(block, USE_SIZE));
  assert_ptr_equal(place.heap, heap);
  assert_int_equal(place.node, node);
}

static void a_block_stays_in_a_first_class_heap_or_on_its_node(void **state)
{
  (void)state;
  struct heap *heap = registry_create();
  static const size_t sizes[] = {100, 20000, 300000};
  for (size_t i = 0; i < 3; i++) {
    void *homeless = allocate_16(sizes[i]);
    void *at_home = allocate(heap, sizes[i], 16, false);
    assert_place(homeless, NULL, PAGE_ANY_NODE);
    assert_place(at_home, heap, PAGE_ANY_NODE);
    void *bound = allocate_at((struct allocate_place){NULL, 0, KIND_MALLOC}, sizes[i], 16, true);
    if (bound != NULL) assert_place(bound, NULL, 0);  // else it is not allowed here
    release(bound);
    release(homeless);
    release(at_home);  // registry_destroy would not tell a checker of it
  }
  registry_destroy(heap);
}

int main(void)
{
  static const struct CMUnitTest tests[] = {
      cmocka_unit_test(every_size_at_every_alignment_is_aligned_and_usable),
      cmocka_unit_test(what_was_asked_to_be_zero_is_after_any_use),
      cmocka_unit_test(what_cannot_be_is_refused_with_enomem),
      cmocka_unit_test(success_leaves_errno_alone_and_so_does_freeing),
      cmocka_unit_test(the_hook_is_asked_until_it_gives_up),
      cmocka_unit_test(what_the_hook_frees_can_be_had),
      cmocka_unit_test(so_can_what_it_frees_in_small_blocks),
      cmocka_unit_test(memory_that_is_merely_not_given_back_yet_is_collected_first),
      cmocka_unit_test(a_foreign_pointer_is_told),
      cmocka_unit_test(a_misaligned_pointer_is_told),
      cmocka_unit_test(a_pointer_inside_a_block_is_told_where_that_costs_nothing),
      cmocka_unit_test(a_large_block_that_is_free_is_told),
      cmocka_unit_test(a_medium_block_that_is_free_is_told),
      cmocka_unit_test(inside_a_slow_path_blocks_can_be_had_and_freed),
      cmocka_unit_test(a_block_stays_in_a_first_class_heap_or_on_its_node),
  };
  return SUITE_RUN(tests);
}
