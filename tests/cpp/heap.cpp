// SPDX-License-Identifier: MIT
// standards: 11 17
//
// A heap as an object, its allocator, and what is made in it.
#include "support.hpp"

#include <climits>
#include <cstring>
#include <list>
#include <new>
#include <type_traits>
#include <utility>
#include <vector>

#include "allocator.hpp"

using custom_alloc::heap;
using custom_alloc::heap_allocator;

namespace
{

struct alignas(64) wide {
  char bytes[64];
};

using vector = std::vector<int, heap_allocator<int>>;

int handler_calls;

}  // namespace

static_assert(!std::is_copy_constructible<heap>::value, "");
static_assert(std::is_nothrow_move_constructible<heap>::value, "");
static_assert(!std::is_default_constructible<heap_allocator<int>>::value, "of no heap");
static_assert(!std::is_constructible<heap_allocator<int>, heap>::value, "of one that ends here");

TEST_CASE("blocks are the heap's, and end with it")
{
  heap one;
  void *small = one.allocate(100);
  void *aligned = one.allocate(100, 4096);
  CHECK(one.owns(small));
  CHECK(is_aligned(aligned, 4096));
  CHECK(live_blocks(one.native()) == 2);
  custom_alloc::deallocate(small);
  CHECK(live_blocks(one.native()) == 1);
  one.collect();
  const std::size_t too_large = opaque(PTRDIFF_MAX);
  CHECK_THROWS_AS((void)one.allocate(too_large), std::bad_alloc);
  CHECK(one.allocate(too_large, std::nothrow) == nullptr);
  CHECK(one.allocate(too_large, 64, std::nothrow) == nullptr);
  CHECK(one.owns(one.allocate(10, std::nothrow)));
  CHECK(is_aligned(one.allocate(10, 256, std::nothrow), 256));
  one = heap();
  CHECK(live_blocks(one.native()) == 0);
  CHECK_FALSE(one.owns(aligned));
}

TEST_CASE("an alignment that is no power of two is refused, without a question to the handler")
{
  heap one;
  handler_calls = 0;
  std::set_new_handler([] {
    handler_calls++;
    std::set_new_handler(nullptr);
  });
  for (std::size_t wrong : {0u, 3u, 12u, 48u, 6000u}) {
    CHECK_THROWS_AS((void)one.allocate(100, opaque(wrong)), std::bad_alloc);
    CHECK(one.allocate(100, opaque(wrong), std::nothrow) == nullptr);
  }
  std::set_new_handler(nullptr);
  CHECK(handler_calls == 0);
  CHECK(live_blocks(one.native()) == 0);
}

TEST_CASE("room that is told of")
{
  heap one;
  heap_allocator<int> ints(one);
  for (std::size_t count : {0u, 1u, 5u, 100u, 20000u}) {
    auto room = ints.allocate_at_least(count);
    CHECK(room.count >= count);
    CHECK(one.owns(room.ptr));
    std::memset(room.ptr, 3, room.count * sizeof(int));
    ints.deallocate(room.ptr, room.count);
  }
}

TEST_CASE("a heap can be moved and swapped")
{
  heap one, other;
  mend_heap *first = one.native(), *second = other.native();
  void *block = one.allocate(10);
  swap(one, other);
  CHECK(other.native() == first);
  heap taken(std::move(other));
  CHECK(other.native() == nullptr);
  CHECK(taken.owns(block));
  other = std::move(one);
  CHECK(other.native() == second);
  CHECK(one.native() == nullptr);
  one = std::move(taken);
  other = std::move(one);
  CHECK(one.native() == nullptr);  // what it had is gone, and was not swapped
  CHECK(other.owns(block));
  taken = std::move(other);
  heap &same = taken;
  taken = std::move(same);
  CHECK(taken.native() == first);
}

TEST_CASE("heap_allocator: equal where the heap is, and what goes along with a container")
{
  heap one, other;
  heap_allocator<int> ints(one);
  heap_allocator<wide> wides(ints);
  CHECK(ints == wides);
  CHECK(ints != heap_allocator<int>(other));
  std::vector<wide *> blocks;
  for (std::size_t count = 0; count < 20; ++count) {
    blocks.push_back(wides.allocate(count / 2));
    CHECK(is_aligned(blocks.back(), 64));
    CHECK(one.owns(blocks.back()));
  }
  for (wide *block : blocks) wides.deallocate(block, 0);
  volatile std::size_t too_many = SIZE_MAX / 2;
  CHECK_THROWS_AS((void)ints.allocate(too_many), std::bad_array_new_length);
  heap_allocator<int> global(nullptr);
  int *block = global.allocate(4);
  CHECK_FALSE(one.owns(block));
  global.deallocate(block, 4);
}

TEST_CASE("a container takes its heap along when it is moved, and keeps it when it is copied to")
{
  heap one, other;
  vector first({1, 2, 3}, one), second({4}, other);
  const int *data = first.data();
  second = first;
  CHECK(other.owns(second.data()));
  vector copy(first);
  CHECK(one.owns(copy.data()));
  second = std::move(first);
  CHECK(second.data() == data);
  CHECK(second.get_allocator() == heap_allocator<int>(one));
  vector third({5}, other);
  swap(second, third);
  CHECK(third.data() == data);
  CHECK(second.get_allocator() == heap_allocator<int>(other));
  vector moved(std::move(third), heap_allocator<int>(other));
  CHECK(other.owns(moved.data()));
  CHECK(moved == vector({1, 2, 3}, one));
}

TEST_CASE("objects and arrays in a heap")
{
  heap one;
  auto object = custom_alloc::make_unique_in<counted>(one, 5);
  auto array = custom_alloc::make_unique_in<counted[]>(one, 10);
  CHECK(one.owns(object.get()));
  CHECK(one.owns(array.get()));
  CHECK(object->value == 5);
  CHECK(counted::live() == 11);
  {
    auto raw = custom_alloc::make_unique_for_overwrite_in<int>(one);
    auto raw_array = custom_alloc::make_unique_for_overwrite_in<counted[]>(one, 3);
    CHECK(one.owns(raw.get()));
    CHECK(one.owns(raw_array.get()));
    CHECK(raw_array[2].value == 7);
  }
  counted::fuse() = 4;
  CHECK_THROWS_AS((void)custom_alloc::make_unique_in<counted[]>(one, 10), int);
  counted::fuse() = -1;
  object.reset();
  array.reset();
  CHECK(counted::live() == 0);
  CHECK(live_blocks(one.native()) == 0);
}
