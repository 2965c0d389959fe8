// SPDX-License-Identifier: MIT
//
// Binding memory of the test's own, with the kernel as judge (../support/node.h).
#define _GNU_SOURCE 1
#include "../support/suite.h"

#include <errno.h>
#include <stdlib.h>

#include "../support/node.h"
#include "os/node.h"

enum { PAGES = 8 };

static size_t page;
static char *memory;

static int map_memory(void **state)
{
  (void)state;
  page = (size_t)sysconf(_SC_PAGESIZE);
  int flags = MAP_PRIVATE | MAP_ANONYMOUS;
  memory = mmap(NULL, PAGES * page, PROT_READ | PROT_WRITE, flags, -1, 0);
  return memory == MAP_FAILED;
}

static int unmap_memory(void **state)
{
  (void)state;
  return munmap(memory, PAGES * page);
}

static void a_range_is_bound_and_let_go(void **state)
{
  (void)state;
  assert_int_equal(os_node_bind(memory + page, 3 * page, 0), OS_BOUND);
  if (node_is_told()) {
    assert_true(node_is_free(memory, page));
    assert_true(node_binds(memory + page, 3 * page, 0));
    assert_true(node_is_free(memory + 4 * page, 4 * page));
  }
  assert_true(os_node_unbind(memory + page, 2 * page));
  if (node_is_told()) {
    assert_true(node_is_free(memory, 3 * page));
    assert_true(node_binds(memory + 3 * page, page, 0));
  }
  assert_true(os_node_unbind(memory, PAGES * page));
  assert_true(!node_is_told() || node_is_free(memory, PAGES * page));
}

static void what_is_there_already_is_bound_with_its_contents(void **state)
{
  (void)state;
  memset(memory, 7, PAGES * page);
  assert_int_equal(os_node_bind(memory, PAGES * page, 0), OS_BOUND);
  assert_int_equal(memory[PAGES * page - 1], 7);
  assert_int_equal(os_node_of(memory), 0);
}

static void no_node_is_no_node(void **state)
{
  (void)state;
  static const int nodes[] = {-1, INT_MIN, NODE_MOST, INT_MAX};
  for (size_t i = 0; i < sizeof nodes / sizeof nodes[0]; i++) {
    assert_int_equal(os_node_bind(memory, page, nodes[i]), OS_BIND_NO_NODE);
  }
  for (int node = 1; node < NODE_MOST; node += 61) {
    enum os_bound outcome = os_node_bind(memory, page, node);
    assert_int_equal(outcome, node_bind_error(node) == 0 ? OS_BOUND : OS_BIND_NO_NODE);
  }
}

static void what_holds_no_memory_is_on_no_node(void **state)
{
  (void)state;
  if (!node_is_told()) skip();
  assert_int_equal(os_node_of(memory), -1);
  assert_true(errno == ENOENT || errno == EFAULT);
  memory[page] = 1;
  assert_int_equal(os_node_of(memory), -1);
  assert_true(os_node_of(memory + page) >= 0);
  assert_true(os_node_of(memory + 2 * page - 1) >= 0);
  assert_int_equal(os_node_of(NULL), -1);
  assert_int_equal(errno, EFAULT);
}

#define NODE_TEST(function) cmocka_unit_test_setup_teardown(function, map_memory, unmap_memory)

int main(void)
{
  static const struct CMUnitTest tests[] = {
      NODE_TEST(a_range_is_bound_and_let_go),
      NODE_TEST(what_is_there_already_is_bound_with_its_contents),
      NODE_TEST(no_node_is_no_node),
      NODE_TEST(what_holds_no_memory_is_on_no_node),
  };
  int error = node_bind_error(0);
  if (error != 0 && error != ENOSYS)
    return test_cannot_run("memory cannot be bound to node 0 here");
  return SUITE_RUN(tests);
}
