// SPDX-License-Identifier: MIT
//
// Ownership in C++ as one suite that stands alone: random graphs of owners. Objects are made,
// handed on, shared, watched, turned into their bases and let go, in mend's memory and in heaps, by
// random steps against a model that counts who holds what; at times a constructor throws. Threads
// then do the same to objects that they share. At the end no object and no block is left.
//
// The details, type by type, are in cpp/. MEND_TEST_SEED repeats a run.
#include "support.hpp"

#include <atomic>
#include <cstdlib>
#include <map>
#include <memory>
#include <random>
#include <thread>
#include <utility>
#include <vector>

#include "allocator.hpp"

namespace
{

struct part {
  virtual ~part() = default;
  long first = 11;
};

// Counted, with a base that is not at its start, members of its own, and wider than a block's
// alignment.
struct alignas(64) thing : counted, part {
  explicit thing(int number = 7) : counted(number), child(custom_alloc::make_unique<int>(number))
  {
  }
  custom_alloc::unique_ptr<int> child;
};

using random_numbers = std::mt19937_64;

// Runs `make`, which may make several things, so that the one after the next `fuse` throws; says
// whether it did.
template <class Make> bool make_or_throw(random_numbers &random, Make make)
{
  counted::fuse() = random() % 8 == 0 ? static_cast<int>(random() % 6) : -1;
  bool has_thrown = false;
  try {
    make();
  } catch (int) {
    has_thrown = true;
  }
  counted::fuse() = -1;
  return has_thrown;
}

// Owners of one: at each index a thing or none, as the thing itself or as its base.
class single_owners
{
public:
  explicit single_owners(custom_alloc::heap &heap) : heap_(heap), things_(50), parts_(50)
  {
  }

  void step(random_numbers &random)
  {
    const std::size_t i = random() % things_.size(), j = random() % things_.size();
    const int number = static_cast<int>(random() % 1000);
    switch (random() % 6) {
    case 0:
      make_or_throw(random, [&] { things_[i] = custom_alloc::make_unique<thing>(number); });
      break;
    case 1:
      make_or_throw(random,
                    [&] { things_[i] = custom_alloc::make_unique_in<thing>(heap_, number); });
      break;
    case 2:
      parts_[j] = std::move(things_[i]);
      break;
    case 3:
      if (i != j) things_[i] = std::move(things_[j]);
      break;
    case 4:
      swap(parts_[i], parts_[j]);
      break;
    default:
      parts_[i].reset();
    }
  }

  // How many things there are; each is whole.
  std::size_t count() const
  {
    std::size_t found = 0;
    for (const auto &owner : things_)
      if (owner != nullptr) {
        REQUIRE(is_aligned(owner.get(), 64));
        REQUIRE(*owner->child == owner->value);
        ++found;
      }
    for (const auto &owner : parts_)
      if (owner != nullptr) {
        REQUIRE(owner->first == 11);
        ++found;
      }
    return found;
  }

private:
  custom_alloc::heap &heap_;
  std::vector<custom_alloc::unique_ptr<thing>> things_;
  std::vector<custom_alloc::unique_ptr<part>> parts_;
};

// Owners of many: shared and weak pointers, the model beside each is the thing's number.
class shared_owners
{
public:
  explicit shared_owners(custom_alloc::heap &heap) : heap_(heap), owners_(40), watchers_(40)
  {
  }

  void step(random_numbers &random)
  {
    shared &one = owners_[random() % owners_.size()];
    shared &other = owners_[random() % owners_.size()];
    watcher &seen = watchers_[random() % watchers_.size()];
    switch (random() % 6) {
    case 0:
      make_or_throw(random, [&] { make(one, random() % 2 == 0); });
      break;
    case 1:
      one = other;
      break;
    case 2:  // an alias: the base, or the child, keeps the whole
      if (other.whole != nullptr) one.base = std::shared_ptr<part>(other.whole, other.whole.get());
      break;
    case 3:
      seen.number = other.number;
      seen.whole = other.whole;
      break;
    case 4:
      if (std::shared_ptr<thing> found = seen.whole.lock()) REQUIRE(found->value == seen.number);
      break;
    default:
      one = shared();
    }
  }

  // How many things there are, by who owns them; each pointer's count is the number of its owners.
  std::size_t count() const
  {
    std::map<const void *, long> owners;
    for (const shared &owner : owners_) {
      if (owner.whole != nullptr) ++owners[owner.whole.get()];
      if (owner.base != nullptr) ++owners[static_cast<thing *>(owner.base.get())];
    }
    for (const shared &owner : owners_)
      if (owner.whole != nullptr) {
        REQUIRE(owner.whole->value == owner.number);
        REQUIRE(owner.whole.use_count() == owners[owner.whole.get()]);
      }
    return owners.size();
  }

private:
  struct shared {
    std::shared_ptr<thing> whole;
    std::shared_ptr<part> base;
    int number = 0;
  };
  struct watcher {
    std::weak_ptr<thing> whole;
    int number = 0;
  };

  void make(shared &owner, bool is_in_heap)
  {
    const int number = ++last_;
    owner.whole = is_in_heap ? custom_alloc::make_shared_in<thing>(heap_, number)
                             : custom_alloc::make_shared<thing>(number);
    owner.number = number;
  }

  custom_alloc::heap &heap_;
  std::vector<shared> owners_;
  std::vector<watcher> watchers_;
  int last_ = 0;
};

void all_is_gone(custom_alloc::heap &heap)
{
  CHECK(counted::live() == 0);
  CHECK(live_blocks() == 0);
  CHECK(live_blocks(heap.native()) == 0);
}

}  // namespace

TEST_CASE("unique owners")
{
  custom_alloc::heap heap;
  {
    random_numbers random(random_seed());
    single_owners owners(heap);
    for (std::size_t round = 0; round < test_scaled(20000) + 10; ++round) {
      for (int step = 0; step < 50; ++step) owners.step(random);
      REQUIRE(owners.count() == static_cast<std::size_t>(counted::live()));
    }
  }
  all_is_gone(heap);
}

TEST_CASE("shared owners")
{
  custom_alloc::heap heap;
  {
    random_numbers random(random_seed());
    shared_owners owners(heap);
    for (std::size_t round = 0; round < test_scaled(20000) + 10; ++round) {
      for (int step = 0; step < 50; ++step) owners.step(random);
      REQUIRE(owners.count() == static_cast<std::size_t>(counted::live()));
    }
  }
  all_is_gone(heap);
}

TEST_CASE("arrays of any length, some of which throw while they are made")
{
  custom_alloc::heap heap;
  random_numbers random(random_seed());
  for (std::size_t round = 0; round < test_scaled(20000) + 20; ++round) {
    const std::size_t count = random() % 40;
    custom_alloc::unique_ptr<thing[]> array;
    const bool has_thrown = make_or_throw(random, [&] {
      array = random() % 2 == 0 ? custom_alloc::make_unique<thing[]>(count)
                                : custom_alloc::make_unique_in<thing[]>(heap, count);
    });
    REQUIRE(counted::live() == (has_thrown ? 0 : static_cast<int>(count)));
    for (std::size_t i = 0; !has_thrown && i < count; ++i) REQUIRE(*array[i].child == 7);
  }
  all_is_gone(heap);
}

TEST_CASE("threads hand shared objects around; each ends once, wherever that is")
{
  struct told {
    told(std::atomic<long> *counter, long own_number) : living(counter), number(own_number)
    {
      living->fetch_add(1);
    }
    ~told()
    {
      if (number < 0) std::abort();
      number = -1;
      living->fetch_sub(1);
    }
    std::atomic<long> *living;
    long number;
  };
  std::atomic<long> living(0);
  const std::size_t rounds = test_scaled(20000) + 100;
  const std::uint64_t seed = random_seed();
  std::vector<std::shared_ptr<told>> board(16);
  std::vector<std::thread> team;
  for (std::size_t worker = 0; worker < 4; ++worker)
    team.emplace_back([&living, &board, rounds, seed, worker] {
      random_numbers random(seed + worker);
      std::vector<std::weak_ptr<told>> seen(16);
      for (std::size_t i = 0; i < rounds; ++i) {
        std::shared_ptr<told> &place = board[random() % board.size()];
        if (random() % 2 == 0)
          std::atomic_store(&place, custom_alloc::make_shared<told>(&living, static_cast<long>(i)));
        else
          seen[random() % 16] = std::atomic_load(&place);
        if (auto found = seen[random() % 16].lock())
          if (found->number < 0) std::abort();
      }
    });
  for (std::thread &thread : team) thread.join();
  board.clear();
  CHECK(living == 0);
}
