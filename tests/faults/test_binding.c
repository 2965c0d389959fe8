// SPDX-License-Identifier: MIT
//
// What the library tells the kernel of a block on a node, to the bit, and what it makes of a kernel
// without NUMA or one that allows no binding. The public functions are used, the kernel is played.
#define _GNU_SOURCE 1
#include "../support/suite.h"

#include <errno.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>

static void *kernel_mmap(void *start, size_t bytes, int protection, int flags, int file, off_t at);
static long kernel_syscall(long number, ...);

// The library's own, with the test's kernel below.
#define mmap kernel_mmap
#include "os/memory.c"
#undef mmap
#define syscall kernel_syscall
#include "os/node.c"
#undef syscall

#include "core/chunk.h"
#include "mend/mend.h"
#include "mend/numa.h"
#include "mend/stats.h"

static struct {
  int error;  // of mbind and move_pages; 0: none
  int node;   // of every page
  bool refuses_renewal;
  const char *renewed;  // what was mapped anew last
  // The last binding.
  size_t bindings, releases;
  const char *start;
  size_t bytes;
  unsigned long mask[1024 / WORD_BITS];
  unsigned long bits;
  long flags;
  const char *renewed_before;
} kernel;

static void *kernel_mmap(void *start, size_t bytes, int protection, int flags, int file, off_t at)
{
  if ((flags & MAP_FIXED) != 0 && kernel.refuses_renewal) {
    errno = ENOMEM;
    return MAP_FAILED;
  }
  if ((flags & MAP_FIXED) != 0) kernel.renewed = start;
  return mmap(start, bytes, protection, flags, file, at);
}

static void note_binding(const unsigned long *mask, unsigned long bits)
{
  kernel.bindings++;
  kernel.bits = bits;
  kernel.renewed_before = kernel.renewed;
  memset(kernel.mask, 0, sizeof kernel.mask);
  // As the kernel does it: the last bit is not read.
  for (unsigned long i = 0; i + 1 < bits; i++) {
    kernel.mask[i / WORD_BITS] |= mask[i / WORD_BITS] & 1UL << i % WORD_BITS;
  }
}

static long play_mbind(va_list arguments)
{
  kernel.start = va_arg(arguments, void *);
  kernel.bytes = va_arg(arguments, size_t);
  long policy = va_arg(arguments, long);
  const unsigned long *mask = va_arg(arguments, void *);
  unsigned long bits = va_arg(arguments, unsigned long);
  kernel.flags = va_arg(arguments, long);
  CHECK(policy == 0 || policy == 2);
  if (policy == 2) {
    note_binding(mask, bits);
  } else {
    CHECK(mask == NULL && bits == 0 && kernel.flags == 0);
    kernel.releases++;
  }
  errno = kernel.error;
  return kernel.error == 0 ? 0 : -1;
}

static long kernel_syscall(long number, ...)
{
  long result = -1;
  va_list arguments;
  va_start(arguments, number);
  if (number == SYS_mbind) {
    result = play_mbind(arguments);
  } else {
    CHECK(number == SYS_move_pages);
    CHECK(va_arg(arguments, long) == 0 && va_arg(arguments, unsigned long) == 1);
    CHECK(va_arg(arguments, void **) != NULL && va_arg(arguments, void *) == NULL);
    int *status = va_arg(arguments, int *);
    CHECK(va_arg(arguments, long) == 0);
    errno = kernel.error;
    result = kernel.error == 0 ? 0 : -1;
    if (result == 0) *status = kernel.node;
  }
  va_end(arguments);
  return result;
}

static int set_back(void **state)
{
  (void)state;
  memset(&kernel, 0, sizeof kernel);
  return 0;
}

static void check_binding(const void *block, size_t size, int node)
{
  size_t usable = mend_malloc_usable_size(block);
  assert_ptr_equal(kernel.start, block);
  assert_true(kernel.bytes >= usable && kernel.bytes >= size);
  assert_int_equal(kernel.bytes % os_page_bytes(), 0);
  assert_int_equal(kernel.flags, 3);  // what is there moves, and must be able to
  for (size_t i = 0; i < sizeof kernel.mask / sizeof kernel.mask[0]; i++) {
    bool is_its = i == (size_t)node / WORD_BITS;
    assert_int_equal(kernel.mask[i], is_its ? 1UL << (size_t)node % WORD_BITS : 0);
  }
}

static void the_kernel_is_told_of_one_node(void **state)
{
  (void)state;
  static const int nodes[] = {0, 1, 7, 31, 32, 62, 63, 64, 65, 127, 128, 1000, 1022, 1023};
  for (size_t i = 0; i < sizeof nodes / sizeof nodes[0]; i++) {
    void *block = mend_numa_alloc_on_node(70000 + i * 10000, nodes[i]);
    assert_non_null(block);
    check_binding(block, 70000 + i * 10000, nodes[i]);
    assert_ptr_equal(kernel.renewed_before, block);
    mend_free(block);
    assert_ptr_equal(kernel.renewed, block);
  }
  assert_int_equal(kernel.bindings, sizeof nodes / sizeof nodes[0]);
  assert_null(mend_numa_alloc_on_node(1, 1024));
  assert_int_equal(kernel.bindings, sizeof nodes / sizeof nodes[0]);
}

static void a_block_that_cannot_be_renewed_is_released(void **state)
{
  (void)state;
  void *block = mend_numa_alloc_on_node(100000, 3);
  assert_non_null(block);
  kernel.refuses_renewal = true;
  mend_free(block);
  assert_int_equal(kernel.releases, 1);
  assert_ptr_equal(kernel.start, block);
}

static void without_numa_there_is_node_0(void **state)
{
  (void)state;
  kernel.error = ENOSYS;
  unsigned char *block = mend_numa_alloc_on_node(100000, 0);
  assert_non_null(block);
  assert_true(is_zero(block, 100000));
  block = mend_realloc(block, 5000000);
  assert_non_null(block);
  assert_int_equal(mend_numa_node_of(block), 0);
  size_t used = chunk_statistics().used_bytes;
  kernel.refuses_renewal = true;
  mend_free(block);
  kernel.refuses_renewal = false;
  assert_true(chunk_statistics().used_bytes <= used - 5000000);  // it was let go of
  errno = 0;
  assert_null(mend_numa_alloc_on_node(100000, 1));
  assert_int_equal(errno, EINVAL);
}

static void each_error_of_the_kernel_is_told(void **state)
{
  (void)state;
  static const struct {
    int error, told;
  } cases[] = {{EPERM, EPERM},   {EACCES, EPERM}, {EINVAL, EINVAL},
               {ENOMEM, ENOMEM}, {EIO, ENOMEM},   {EFAULT, ENOMEM}};
  for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
    kernel.error = cases[i].error;
    errno = 0;
    assert_null(mend_numa_alloc_on_node(100000, 0));
    assert_int_equal(errno, cases[i].told);
  }
  kernel.error = EPERM;
  assert_int_equal(mend_numa_node_of(&kernel), -1);
  assert_int_equal(errno, EPERM);
}

static void a_block_survives_that_binding_is_forbidden_later(void **state)
{
  (void)state;
  unsigned char *block = mend_numa_alloc_on_node(100000, 0);
  assert_non_null(block);
  memset(block, 1, 100000);
  kernel.error = EPERM;
  errno = 0;
  assert_null(mend_realloc(block, 1000000));
  assert_int_equal(errno, EPERM);
  assert_int_equal(block[99999], 1);
  mend_free(block);
}

static void a_node_is_what_the_kernel_says(void **state)
{
  (void)state;
  kernel.node = 12;
  assert_int_equal(mend_numa_node_of(&kernel), 12);
  kernel.node = -ENOENT;
  assert_int_equal(mend_numa_node_of(&kernel), -1);
  assert_int_equal(errno, ENOENT);
}

static int nothing_is_left(void **state)
{
  set_back(state);
  mend_collect(true);
  chunk_assert_valid();
  struct mend_stats stats = {.bytes = sizeof stats};
  return mend_stats_get(&stats) && stats.large_count == 0 && stats.large_bytes == 0 ? 0 : -1;
}

#define BINDING_TEST(function) cmocka_unit_test_setup_teardown(function, set_back, nothing_is_left)

int main(void)
{
  static const struct CMUnitTest tests[] = {
      BINDING_TEST(the_kernel_is_told_of_one_node),
      BINDING_TEST(a_block_that_cannot_be_renewed_is_released),
      BINDING_TEST(without_numa_there_is_node_0),
      BINDING_TEST(each_error_of_the_kernel_is_told),
      BINDING_TEST(a_block_survives_that_binding_is_forbidden_later),
      BINDING_TEST(a_node_is_what_the_kernel_says),
  };
  return SUITE_RUN(tests);
}
