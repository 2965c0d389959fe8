// SPDX-License-Identifier: MIT
// standards: 11 14 17 20
//
// make_shared: one block for object and counts, weak pointers, aliases, pointers of an object to
// itself, arrays where the standard library has them, and threads.
#include "support.hpp"

#include <atomic>
#include <cstdlib>
#include <memory>
#include <thread>
#include <vector>

#include "allocator.hpp"

namespace
{

struct node : std::enable_shared_from_this<node>, counted {
  std::shared_ptr<node> next;
  std::weak_ptr<node> previous;
};

struct alignas(128) wide {
  char bytes[200];
};

}  // namespace

TEST_CASE("object and counts are one block of mend's, which the last weak pointer keeps")
{
  auto shared = custom_alloc::make_shared<counted>(3);
  CHECK(shared->value == 3);
  CHECK(mend_owns(shared.get()));
  CHECK(live_blocks() == 1);
  std::weak_ptr<counted> weak = shared;
  auto copy = shared;
  CHECK(shared.use_count() == 2);
  shared.reset();
  CHECK((weak.lock() == copy));
  copy.reset();
  CHECK(counted::live() == 0);
  CHECK(weak.expired());
  CHECK(live_blocks() == 1);
  weak.reset();
  CHECK(live_blocks() == 0);
}

TEST_CASE("an alias keeps the whole alive")
{
  auto whole = custom_alloc::make_shared<std::pair<counted, counted>>();
  std::shared_ptr<counted> part(whole, &whole->second);
  whole.reset();
  CHECK(counted::live() == 2);
  CHECK(part->value == 7);
  part.reset();
  CHECK(counted::live() == 0);
  CHECK(live_blocks() == 0);
}

TEST_CASE("a list of shared nodes, which know themselves")
{
  {
    auto first = custom_alloc::make_shared<node>();
    first->next = custom_alloc::make_shared<node>();
    first->next->previous = first->shared_from_this();
    std::shared_ptr<const counted> as_base = first;
    CHECK(first.use_count() == 2);
    CHECK((first->next->previous.lock() == first));
    CHECK(counted::live() == 2);
  }
  CHECK(counted::live() == 0);
  CHECK(live_blocks() == 0);
}

TEST_CASE("a constructor that throws leaves nothing behind")
{
  counted::fuse() = 0;
  CHECK_THROWS_AS((void)custom_alloc::make_shared<counted>(3), int);
  counted::fuse() = -1;
  CHECK(counted::live() == 0);
  CHECK(live_blocks() == 0);
}

TEST_CASE("types that are aligned to more than a block, and constants")
{
  for (int i = 0; i < 20; ++i) CHECK(is_aligned(custom_alloc::make_shared<wide>().get(), 128));
  CHECK(*custom_alloc::make_shared<const int>(5) == 5);
  CHECK(live_blocks() == 0);
}

TEST_CASE("in a heap")
{
  custom_alloc::heap heap;
  auto shared = custom_alloc::make_shared_in<counted>(heap, 4);
  CHECK(heap.owns(shared.get()));
  CHECK(live_blocks() == 0);
  CHECK(live_blocks(heap.native()) == 1);
  shared.reset();
  CHECK(live_blocks(heap.native()) == 0);
}

#if defined(__cpp_lib_shared_ptr_arrays) && __cpp_lib_shared_ptr_arrays >= 201707L
TEST_CASE("arrays, with a count or a bound")
{
  auto array = custom_alloc::make_shared<counted[]>(std::size_t(10));
  auto bounded = custom_alloc::make_shared<counted[3]>();
  CHECK(counted::live() == 13);
  CHECK(live_blocks() == 2);
  for (int element = 0; element < 10; ++element) {
    counted::fuse() = element;
    CHECK_THROWS_AS((void)custom_alloc::make_shared<counted[]>(std::size_t(10)), int);
  }
  counted::fuse() = -1;
  CHECK(counted::live() == 13);
  array.reset();
  bounded.reset();
  CHECK(counted::live() == 0);
  CHECK(live_blocks() == 0);
}
#endif

TEST_CASE("threads share pointers, upgrade weak ones, and one of them is the last")
{
  struct told {
    explicit told(std::atomic<int> *counter) : gone(counter)
    {
    }
    ~told()
    {
      gone->fetch_add(1);
    }
    std::atomic<int> *gone;
    std::atomic<long> sum{0};
  };
  const std::size_t rounds = test_scaled(2000);
  std::atomic<int> gone(0);
  for (int round = 0; round < 5; ++round) {
    auto shared = custom_alloc::make_shared<told>(&gone);
    std::weak_ptr<told> weak = shared;
    std::vector<std::thread> team;
    for (int worker = 0; worker < 4; ++worker)
      team.emplace_back([shared, weak, rounds] {
        for (std::size_t i = 0; i < rounds; ++i) {
          std::shared_ptr<told> copy = i % 2 == 0 ? shared : weak.lock();
          if (copy == nullptr) std::abort();
          copy->sum.fetch_add(1, std::memory_order_relaxed);
        }
      });
    CHECK(gone == round);
    shared.reset();
    for (std::thread &thread : team) thread.join();
    team.clear();
    CHECK(gone == round + 1);
    CHECK(weak.expired());
  }
}
