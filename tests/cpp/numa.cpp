// SPDX-License-Identifier: MIT
// standards: 11 14 17 20
//
// Memory on a node, in the words of C++: what it throws, and how containers on nodes are moved,
// swapped and assigned. That the memory is where it should be, tests/api/test_numa.c shows.
#include "support.hpp"

#include <cerrno>
#include <climits>
#include <cstring>
#include <new>
#include <system_error>
#include <utility>
#include <vector>

#include "numa_allocator.hpp"

namespace numa = custom_alloc::numa;

namespace
{

// Whether node 0 may be bound to: else all that is shown is that it is told.
bool has_node()
{
  void *block = numa::allocate_on_node(1, 0, std::nothrow);
  if (block == nullptr) MESSAGE("memory cannot be bound to node 0 here");
  numa::deallocate(block);
  return block != nullptr;
}

// The code of what is thrown for a node; 0 if nothing is.
int thrown_for(int node)
{
  try {
    numa::deallocate(numa::allocate_on_node(100000, node));
    return 0;
  } catch (const std::system_error &error) {
    CHECK(error.code().category() == std::generic_category());
    return error.code().value();
  }
}

int handler_calls;

using doubles = std::vector<double, numa::allocator<double>>;

}  // namespace

TEST_CASE("a block is zeroed, usable, and given back by any name of free")
{
  if (!has_node()) return;
  for (std::size_t size : {0u, 1u, 4096u, 1u << 20}) {
    auto *block = static_cast<unsigned char *>(numa::allocate_on_node(size, 0));
    CHECK(is_aligned(block, 4096));
    for (std::size_t i = 0; i < size; i += 512) REQUIRE(block[i] == 0);
    std::memset(block, 1, size);
    if (size > 0) CHECK(numa::node_of(block) == 0);
    if (size % 2 == 0) {
      numa::deallocate(block);
    } else {
      mend_free(block);
    }
  }
  numa::deallocate(nullptr);
}

TEST_CASE("a node that is not there is told by an exception with a code, or by NULL and errno")
{
  for (int node : {-1, INT_MIN, 1024, INT_MAX}) {
    CHECK(thrown_for(node) == EINVAL);
    errno = 0;
    CHECK(numa::allocate_on_node(100000, node, std::nothrow) == nullptr);
    CHECK(errno == EINVAL);
  }
  for (int node : {0, 1, 63, 1023}) {
    errno = 0;
    void *block = numa::allocate_on_node(100000, node, std::nothrow);
    CHECK(thrown_for(node) == errno);
    CHECK((block != nullptr) == (errno == 0));
    numa::deallocate(block);
  }
}

TEST_CASE("lack of memory is std::bad_alloc, after the new-handler")
{
  if (!has_node()) return;
  std::size_t too_large = opaque(PTRDIFF_MAX);
  CHECK_THROWS_AS(numa::allocate_on_node(too_large, 0), std::bad_alloc);
  handler_calls = 0;
  std::set_new_handler([] {
    if (++handler_calls == 3) std::set_new_handler(nullptr);
  });
  CHECK_THROWS_AS(numa::allocate_on_node(too_large, 0), std::bad_alloc);
  CHECK(handler_calls == 3);
  CHECK(numa::allocate_on_node(too_large, 0, std::nothrow) == nullptr);
  CHECK(handler_calls == 3);
  numa::allocator<int> ints(0);
  CHECK_THROWS_AS((void)ints.allocate(opaque(SIZE_MAX / 2)), std::bad_array_new_length);
}

TEST_CASE("allocators are equal where their nodes are, of any type")
{
  numa::allocator<int> zero(0), one(1);
  numa::allocator<char> chars(one);
  CHECK(chars.node() == 1);
  CHECK(zero != one);
  CHECK(one == chars);
  CHECK(!(zero == chars));
  CHECK(!(one != chars));
}

TEST_CASE("containers take their node along when they move, and keep it when they are assigned to")
{
  if (!has_node()) return;
  doubles numbers(100000, 1.5, numa::allocator<double>(0));
  CHECK(numa::node_of(&numbers[99999]) == 0);
  double *data = numbers.data();
  doubles moved(std::move(numbers));
  CHECK(moved.data() == data);
  doubles copy(moved);
  CHECK(copy == moved);
  doubles elsewhere(numa::allocator<double>(5));  // has no memory, so the node need not be there
  elsewhere.swap(moved);
  CHECK(elsewhere.data() == data);
  CHECK(elsewhere.get_allocator().node() == 0);
  CHECK(moved.get_allocator().node() == 5);
  moved = std::move(elsewhere);
  CHECK(moved.data() == data);
  copy.assign(10, 2.5);
  moved = copy;
  CHECK(moved.size() == 10);
  CHECK(moved.get_allocator().node() == 0);
  for (int i = 0; i < 100000; ++i) copy.push_back(i);
  CHECK(copy[100009] == 99999);
  CHECK(numa::node_of(&copy[100009]) == 0);
}
