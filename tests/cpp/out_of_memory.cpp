// SPDX-License-Identifier: MIT
//
// Memory that really runs out, by a limit on the address space: what throws leaves all as it was,
// and the program goes on.
#include "support.hpp"

#include <list>
#include <memory>
#include <new>
#include <string>
#include <sys/resource.h>
#include <vector>

#include "allocator.hpp"

namespace
{

// No more memory for this program from here to the end of the block. Not under tools that need
// memory of their own.
class no_memory
{
public:
  no_memory() noexcept
  {
    getrlimit(RLIMIT_AS, &before_);
    rlimit none = before_;
    none.rlim_cur = 1;
    setrlimit(RLIMIT_AS, &none);
  }
  no_memory(const no_memory &) = delete;
  no_memory &operator=(const no_memory &) = delete;
  ~no_memory()
  {
    setrlimit(RLIMIT_AS, &before_);
  }

private:
  rlimit before_;
};

constexpr std::size_t large = std::size_t(64) << 20;
struct room {
  char bytes[large];
};

// Whether `grow` throws some time; doctest, which allocates, hears of it afterwards.
template <class Grow> bool throws_in_the_end(Grow grow)
{
  no_memory limit;
  try {
    for (int round = 0; round < 100000000; ++round) grow();
  } catch (const std::bad_alloc &) {
    return true;
  }
  return false;
}

bool cannot_run()
{
  if (!test_is_instrumented()) return false;
  MESSAGE("not under a tool that shares the program's memory");
  return true;
}

}  // namespace

TEST_CASE("every way to memory throws std::bad_alloc, and works again when there is some")
{
  if (cannot_run()) return;
  custom_alloc::heap heap;
  custom_alloc::heap_allocator<char> in_heap(heap);
  custom_alloc::memory_resource resource(heap);
  custom_alloc::frame_resource frame(heap);
  CHECK(throws_in_the_end([] { custom_alloc::deallocate(custom_alloc::allocate(large)); }));
  CHECK(throws_in_the_end([] { custom_alloc::deallocate(custom_alloc::allocate(large, 8192)); }));
  CHECK(throws_in_the_end([] { (void)custom_alloc::make_unique<char[]>(large); }));
  CHECK(throws_in_the_end([] { (void)custom_alloc::make_unique<std::string[]>(large / 32); }));
  CHECK(throws_in_the_end([] { (void)custom_alloc::make_shared<room>(); }));
  CHECK(throws_in_the_end([&] { (void)custom_alloc::make_unique_in<char[]>(heap, large); }));
  CHECK(throws_in_the_end([&] { (void)custom_alloc::make_shared_in<room>(heap); }));
  CHECK(throws_in_the_end([&] { (void)in_heap.allocate(large); }));
  CHECK(throws_in_the_end([&] { (void)resource.allocate(large); }));
  CHECK(throws_in_the_end([&] { (void)frame.allocate(large); }));
  custom_alloc::deallocate(custom_alloc::allocate(large));
  CHECK(frame.allocate(large) != nullptr);
}

TEST_CASE("every way to a handle throws std::bad_alloc, and works again when there is some")
{
  if (cannot_run()) return;
  using custom_alloc::deallocate_handle;
  custom_alloc::relocatable_vector<char> vector(10, 'a');
  std::vector<custom_alloc::handle<char[]>> all;  // that is left, as of the test before
  all.reserve(1000);
  CHECK(throws_in_the_end([&] { all.push_back(custom_alloc::make_handle<char[]>(large)); }));
  CHECK(throws_in_the_end([] { deallocate_handle(custom_alloc::allocate_handle(large)); }));
  CHECK(throws_in_the_end([] { (void)custom_alloc::make_handle<room>(); }));
  CHECK(throws_in_the_end([] { (void)custom_alloc::make_shared_handle<room>(); }));
  CHECK(throws_in_the_end([] { (void)custom_alloc::relocatable_vector<char>(large); }));
  CHECK(throws_in_the_end([&] { vector.reserve(vector.capacity() + large); }));
  CHECK(throws_in_the_end([&] { vector.push_back('a'); }));
  std::size_t wrong = 0;
  for (std::size_t i = 0; i < vector.size(); ++i) wrong += vector[i] != 'a';
  CHECK(wrong == 0);
  all.clear();
  deallocate_handle(custom_alloc::allocate_handle(large));
  vector.push_back('b');
  CHECK(vector.back() == 'b');
}

TEST_CASE("a vector that can't grow is as it was")
{
  if (cannot_run()) return;
  std::vector<int, custom_alloc::allocator<int>> numbers;
  CHECK(throws_in_the_end([&] { numbers.push_back(static_cast<int>(numbers.size())); }));
  REQUIRE(numbers.size() == numbers.capacity());
  std::size_t wrong = 0;
  for (std::size_t i = 0; i < numbers.size(); ++i) wrong += numbers[i] != static_cast<int>(i);
  CHECK(wrong == 0);
  numbers.push_back(7);
  CHECK(numbers.back() == 7);
}

TEST_CASE("small objects run out, too, and what was made stays")
{
  if (cannot_run()) return;
  std::list<counted, custom_alloc::allocator<counted>> list;
  CHECK(throws_in_the_end([&] { list.emplace_back(static_cast<int>(list.size())); }));
  CHECK(list.size() == static_cast<std::size_t>(counted::live()));
  int wanted = 0, wrong = 0;
  for (const counted &element : list) wrong += element.value != wanted++;
  CHECK(wrong == 0);
  std::vector<std::shared_ptr<counted>> shared;
  shared.reserve(std::size_t(1) << 24);
  CHECK(throws_in_the_end([&] { shared.push_back(custom_alloc::make_shared<counted>(1)); }));
  shared.clear();
  list.clear();
  CHECK(counted::live() == 0);
  CHECK(live_blocks() == 0);
}
