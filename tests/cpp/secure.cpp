// SPDX-License-Identifier: MIT
// standards: 11 14 17 20
// flags: -O2
//
// Secrets are gone when their memory is given back: it is looked at once more, not through the
// pointer, which the compiler may assume that nobody uses any more, but through /proc/self/mem. The
// same without wiping shows that the look finds what is there.
#include "support.hpp"

#include <cstring>
#include <fcntl.h>
#include <string>
#include <unistd.h>
#include <vector>

#include "allocator.hpp"
#include "secure_allocator.hpp"

namespace secure = custom_alloc::secure;

namespace
{

constexpr unsigned char secret = 0xA7;

// How many bytes of a stretch of this process's memory hold the secret, four of them or more in a
// row: fewer can be parts of an address. What is not mapped any more holds nothing.
std::size_t count_secrets(std::uintptr_t start, std::size_t bytes)
{
  static unsigned char seen[1 << 20];
  REQUIRE(bytes <= sizeof seen);
  std::memset(seen, 0, sizeof seen);
  int memory = open("/proc/self/mem", O_RDONLY | O_CLOEXEC);
  REQUIRE(memory >= 0);
  ssize_t got = pread(memory, seen, bytes, static_cast<off_t>(start));
  close(memory);
  std::size_t count = 0, row = 0;
  for (ssize_t i = 0; i < got; ++i) {
    row = seen[i] == secret ? row + 1 : 0;
    count += row == 4 ? 4 : row > 4;
  }
  return count;
}

// How much of the secret is left in a block of `count` bytes of this allocator, all of whose room
// is written to.
template <class Allocator> std::size_t left_by(Allocator allocator, std::size_t count)
{
  unsigned char *block = allocator.allocate(count);
  std::size_t usable = mend_malloc_usable_size(block);
  std::memset(block, secret, usable);
  auto start = reinterpret_cast<std::uintptr_t>(block);
  REQUIRE(count_secrets(start, usable) == usable);
  allocator.deallocate(block, count);
  return count_secrets(start, usable);
}

// Where a vector has been while it grew, and how much of it is left there.
template <class Vector> std::size_t left_by_growth()
{
  std::vector<std::pair<std::uintptr_t, std::size_t>> places;
  {
    Vector bytes;
    for (std::size_t i = 0; i < 5000; ++i) {
      bytes.push_back(secret);
      auto start = reinterpret_cast<std::uintptr_t>(bytes.data());
      if (places.empty() || places.back().first != start) places.emplace_back(start, 0);
      places.back().second = bytes.size();
    }
  }
  REQUIRE(places.size() > 5);
  std::size_t left = 0;
  for (const auto &place : places) left += count_secrets(place.first, place.second);
  return left;
}

// Leaves the secret on the stack, or wipes it, and says where.
__attribute__((noinline)) std::uintptr_t use_stack(bool wipes)
{
  unsigned char key[16384];
  std::memset(key, secret, sizeof key);
  __asm__ volatile("" : : "r"(&key[0]) : "memory");  // it is used
  if (wipes) secure::wipe(key, sizeof key);
  std::uintptr_t where = reinterpret_cast<std::uintptr_t>(&key[0]);
  __asm__ volatile("" : "+r"(where));
  return where;
}

}  // namespace

TEST_CASE("blocks of every size are wiped to the end of their room")
{
  std::size_t left_otherwise = 0;
  for (std::size_t count : {4u, 24u, 100u, 1000u, 5000u, 70000u, 500000u}) {
    CHECK(left_by(secure::allocator<unsigned char>(), count) == 0);
    left_otherwise += left_by(custom_alloc::allocator<unsigned char>(), count);
  }
  CHECK(left_otherwise > 1000);
}

TEST_CASE("a vector that grows leaves nothing behind")
{
  CHECK(left_by_growth<secure::vector<unsigned char>>() == 0);
  CHECK(left_by_growth<std::vector<unsigned char, custom_alloc::allocator<unsigned char>>>() > 0);
}

TEST_CASE("the compiler does not drop a wipe at the end of a variable's life")
{
  std::uintptr_t left = use_stack(false);
  std::size_t found = count_secrets(left, 8192);  // not the part that was used again since
  std::uintptr_t wiped = use_stack(true);
  CHECK(count_secrets(wiped, 16384) == 0);
  if (!test_is_instrumented()) CHECK(found > 1000);
}

TEST_CASE("nothing to wipe is allowed")
{
  secure::wipe(nullptr, 0);
  unsigned char bytes[3] = {1, 2, 3};
  secure::wipe(bytes + 1, 1);
  CHECK(bytes[0] == 1);
  CHECK(bytes[1] == 0);
  CHECK(bytes[2] == 3);
}

TEST_CASE("allocator: all are equal, of any type and alignment")
{
  constexpr secure::allocator<int> ints;
  constexpr secure::allocator<char> chars(ints);
  static_assert(ints == chars && !(ints != chars), "");
  struct alignas(128) key {
    unsigned char bytes[128];
  };
  secure::vector<key> keys(3);
  CHECK(is_aligned(keys.data(), 128));
  secure::vector<key> moved(std::move(keys));
  CHECK(moved.size() == 3);
}
