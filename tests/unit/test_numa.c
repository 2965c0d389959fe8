// SPDX-License-Identifier: MIT
//
// What the public functions make of what the kernel says, whom the test plays: errors, when
// something is tried again, and what errno is afterwards.
#include "../support/suite.h"

#include <errno.h>
#include <limits.h>

#include "core/heap.h"
#include "mend/mend.h"
#include "mend/numa.h"
#include "mend/stats.h"
#include "os/node.h"

static struct {
  enum os_bound answers[4];  // to the calls in turn; the last one to all that follow
  size_t calls;
  int node;
  int node_of;
  int error_of;
} kernel;

enum os_bound os_node_bind(void *start, size_t bytes, int node)
{
  size_t last = sizeof kernel.answers / sizeof kernel.answers[0] - 1;
  CHECK(start != NULL && bytes > 0);
  kernel.node = node;
  errno = ERANGE;
  size_t call = kernel.calls++;
  return kernel.answers[call < last ? call : last];
}

bool os_node_unbind(void *start, size_t bytes)
{
  CHECK(start != NULL && bytes > 0);
  return true;
}

int os_node_of(const void *address)
{
  (void)address;
  errno = kernel.error_of;
  return kernel.node_of;
}

void os_nodes_of(const void *const *addresses, int *nodes, size_t count)
{
  for (size_t i = 0; i < count; i++) nodes[i] = os_node_of(addresses[i]);
}

static void answer(enum os_bound first, enum os_bound rest)
{
  kernel.calls = 0;
  kernel.answers[0] = first;
  for (size_t i = 1; i < 4; i++) kernel.answers[i] = rest;
}

static size_t large_count(void)
{
  struct mend_stats stats = {.bytes = sizeof stats};
  CHECK(mend_stats_get(&stats));
  return stats.large_count;
}

static void each_refusal_has_its_error(void **state)
{
  (void)state;
  static const struct {
    enum os_bound outcome;
    int error;
  } cases[] = {{OS_BIND_NO_NODE, EINVAL}, {OS_BIND_NO_MEMORY, ENOMEM}, {OS_BIND_REFUSED, EPERM}};
  size_t before = large_count();
  for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
    answer(cases[i].outcome, cases[i].outcome);
    errno = 0;
    assert_null(mend_numa_alloc_on_node(100000, 5));
    assert_int_equal(errno, cases[i].error);
    assert_int_equal(kernel.node, 5);
    // Only lack of memory may be over at the next attempt.
    assert_int_equal(kernel.calls, cases[i].outcome == OS_BIND_NO_MEMORY ? 2 : 1);
  }
  assert_int_equal(large_count(), before);
}

static void lack_of_memory_is_tried_again(void **state)
{
  (void)state;
  answer(OS_BIND_NO_MEMORY, OS_BOUND);
  errno = 1234;
  void *block = mend_numa_alloc_on_node(100000, 3);
  assert_non_null(block);
  assert_int_equal(errno, 1234);
  assert_int_equal(kernel.calls, 2);
  mend_free(block);
}

static void a_negative_node_is_not_asked_for(void **state)
{
  (void)state;
  answer(OS_BOUND, OS_BOUND);
  errno = 0;
  assert_null(mend_numa_alloc_on_node(100, -1));
  assert_int_equal(errno, EINVAL);
  assert_null(mend_numa_alloc_on_node(100, INT_MIN));
  assert_int_equal(kernel.calls, 0);
}

// Growing asks for the same node again; refused, the block is as it was.
static void a_block_moves_to_its_own_node_or_not_at_all(void **state)
{
  (void)state;
  static const size_t moves[] = {200000, 3000000};  // by copying, and by the kernel
  for (size_t i = 0; i < 2; i++) {
    answer(OS_BOUND, OS_BOUND);
    unsigned char *block = mend_numa_alloc_on_node(moves[i], 6);
    assert_non_null(block);
    block[0] = 1;
    block[moves[i] - 1] = 2;
    for (size_t j = 0; j < 2; j++) {
      answer(j == 0 ? OS_BIND_NO_MEMORY : OS_BIND_REFUSED,
             j == 0 ? OS_BIND_NO_MEMORY : OS_BIND_REFUSED);
      errno = 0;
      assert_null(mend_realloc(block, 4 * moves[i]));
      assert_int_equal(errno, j == 0 ? ENOMEM : EPERM);
      assert_true(block[0] == 1 && block[moves[i] - 1] == 2);
    }
    answer(OS_BOUND, OS_BOUND);
    kernel.node = -1;
    block = mend_realloc(block, 4 * moves[i]);
    assert_non_null(block);
    assert_int_equal(kernel.node, 6);
    assert_true(block[0] == 1 && block[moves[i] - 1] == 2);
    mend_free(block);
  }
}

static void the_node_of_an_address_is_the_kernels_answer(void **state)
{
  (void)state;
  kernel.node_of = 9;
  kernel.error_of = ERANGE;
  errno = 1234;
  assert_int_equal(mend_numa_node_of(&kernel), 9);
  assert_int_equal(errno, 1234);
  kernel.node_of = -1;
  kernel.error_of = ENOENT;
  assert_int_equal(mend_numa_node_of(&kernel), -1);
  assert_int_equal(errno, ENOENT);
}

int main(void)
{
  static const struct CMUnitTest tests[] = {
      cmocka_unit_test(each_refusal_has_its_error),
      cmocka_unit_test(lack_of_memory_is_tried_again),
      cmocka_unit_test(a_negative_node_is_not_asked_for),
      cmocka_unit_test(a_block_moves_to_its_own_node_or_not_at_all),
      cmocka_unit_test(the_node_of_an_address_is_the_kernels_answer),
  };
  return SUITE_RUN(tests);
}
