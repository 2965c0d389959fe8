// SPDX-License-Identifier: MIT
// standards: 11 14 17 20
//
// Untyped memory: alignments, no bytes at all, sizes that there are not, and the new-handler.
#include "support.hpp"

#include <climits>
#include <cstring>
#include <new>

#include "allocator.hpp"

namespace
{

// The compiler no longer knows the value: it would warn of it.
int handler_calls;

void give_up_at_third_call()
{
  if (++handler_calls == 3) std::set_new_handler(nullptr);
}

}  // namespace

TEST_CASE("blocks are aligned, distinct and wholly usable")
{
  for (std::size_t alignment = 1; alignment <= 4096; alignment *= 2) {
    for (std::size_t size : {0u, 1u, 15u, 64u, 1000u, 70000u}) {
      void *one = custom_alloc::allocate(size, alignment);
      void *other = custom_alloc::allocate(size, alignment, std::nothrow);
      CHECK(is_aligned(one, alignment));
      CHECK(is_aligned(other, alignment));
      CHECK(one != other);
      std::memset(one, 1, size);
      std::memset(other, 2, size);
      custom_alloc::deallocate(one);
      custom_alloc::deallocate(other);
    }
  }
  custom_alloc::deallocate(nullptr);
}

TEST_CASE("what can't be had is told by an exception, or by NULL")
{
  const std::size_t too_large = opaque(PTRDIFF_MAX);
  CHECK_THROWS_AS((void)custom_alloc::allocate(too_large), std::bad_alloc);
  CHECK_THROWS_AS((void)custom_alloc::allocate(too_large, 64), std::bad_alloc);
  CHECK(custom_alloc::allocate(too_large, std::nothrow) == nullptr);
  CHECK(custom_alloc::allocate(too_large, 64, std::nothrow) == nullptr);
}

TEST_CASE("an alignment that is no power of two is refused, without a question to the handler")
{
  handler_calls = 0;
  std::set_new_handler(give_up_at_third_call);
  for (std::size_t wrong : {0u, 3u, 12u, 48u, 6000u}) {
    CHECK_THROWS_AS((void)custom_alloc::allocate(100, opaque(wrong)), std::bad_alloc);
    CHECK(custom_alloc::allocate(100, opaque(wrong), std::nothrow) == nullptr);
  }
  std::set_new_handler(nullptr);
  CHECK(handler_calls == 0);
}

TEST_CASE("the new-handler is asked until it gives up")
{
  handler_calls = 0;
  std::set_new_handler(give_up_at_third_call);
  CHECK_THROWS_AS((void)custom_alloc::allocate(opaque(PTRDIFF_MAX)), std::bad_alloc);
  CHECK(handler_calls == 3);
}

TEST_CASE("a handler may throw")
{
  std::set_new_handler([] { throw 42; });
  CHECK_THROWS_AS((void)custom_alloc::allocate(opaque(PTRDIFF_MAX)), int);
  std::set_new_handler(nullptr);
}

TEST_CASE("allocator: an overflow of the count, and room that is told of")
{
  custom_alloc::allocator<int> ints;
  CHECK_THROWS_AS((void)ints.allocate(opaque(SIZE_MAX / 2)), std::bad_array_new_length);
  CHECK_THROWS_AS((void)ints.allocate(opaque(SIZE_MAX / 8)), std::bad_alloc);
  for (std::size_t count : {0u, 1u, 5u, 100u, 20000u}) {
    auto room = ints.allocate_at_least(count);
    CHECK(room.count >= count);
    std::memset(room.ptr, 3, room.count * sizeof(int));
    ints.deallocate(room.ptr, room.count);
  }
}

TEST_CASE("allocator: all are equal, of any type")
{
  constexpr custom_alloc::allocator<int> ints;
  constexpr custom_alloc::allocator<char> chars(ints);
  static_assert(ints == chars && !(ints != chars), "");
  using traits = std::allocator_traits<custom_alloc::allocator<int>>;
  static_assert(traits::is_always_equal::value, "");
  static_assert(traits::propagate_on_container_move_assignment::value, "");
  static_assert(!traits::propagate_on_container_copy_assignment::value, "");
  static_assert(std::is_same<traits::rebind_alloc<char>, custom_alloc::allocator<char>>::value, "");
  CHECK(live_blocks() == 0);
}
