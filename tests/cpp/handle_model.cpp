// SPDX-License-Identifier: MIT
//
// Thousands of objects of many types in two heaps, made, changed, passed on and ended at random,
// with steps, passes and pins between: each holds what a plain table says, at the address that its
// type needs, and the heaps count as many objects as the table.
#include "moving.hpp"

#include <map>
#include <random>

using namespace custom_alloc;

namespace
{

enum { SLOTS = 6000 };

struct alignas(128) wide {
  void fill(std::size_t seed)
  {
    number = seed;
  }
  bool holds(std::size_t seed) const
  {
    return number == seed && is_aligned(this, 128);
  }
  std::size_t number = 0;
  char rest[200] = {};
};

struct table {
  void fill(std::size_t seed)
  {
    names[seed] = std::to_string(seed);
    inner = make_handle<std::string>(names[seed]);
  }
  bool holds(std::size_t seed) const
  {
    return names.count(seed) == 1 && *inner == names.at(seed);
  }
  std::map<std::size_t, std::string> names;
  handle<std::string> inner;
};

// What a slot holds, if anything: an object of one of the kinds, of a seed.
class slot
{
public:
  void make(handle_heap &heap, std::size_t kind, std::size_t seed)
  {
    end();
    seed_ = seed;
    kind_ = kind;
    scope open;
    switch (kind) {
    case 0:
      (tracked_ = make_handle_in<tracked>(heap))->fill(seed);
      break;
    case 1:
      (wide_ = make_handle_in<wide>(heap))->fill(seed);
      break;
    case 2:
      (table_ = make_handle_in<table>(heap))->fill(seed);
      break;
    case 3:
      (many_ = make_handle_in<tracked[]>(heap, 1 + seed % 9))[seed % 9].fill(seed);
      break;
    case 4:
      (shared_ = make_shared_handle_in<tracked>(heap))->fill(seed);
      break;
    default:
      vector_ = relocatable_vector<wide>(heap);
      for (std::size_t i = 0; i <= seed % 20; i++) vector_.emplace_back();
      vector_.back().fill(seed);
    }
  }
  void end()
  {
    kind_ = 99;
    tracked_.reset();
    wide_.reset();
    table_.reset();
    many_.reset();
    shared_.reset();
    relocatable_vector<wide>().swap(vector_);
  }
  bool is_as_told() const
  {
    scope open;
    switch (kind_) {
    case 0:
      return tracked_->holds(seed_);
    case 1:
      return wide_->holds(seed_);
    case 2:
      return table_->holds(seed_);
    case 3:
      return many_.size() == 1 + seed_ % 9 && many_[seed_ % 9].holds(seed_);
    case 4:
      return shared_->holds(seed_) && shared_.use_count() == 1;
    case 99:
      return !tracked_ && !wide_ && !table_ && !many_ && !shared_ && vector_.empty();
    default:
      return vector_.size() == 1 + seed_ % 20 && vector_.back().holds(seed_);
    }
  }
  // In the heap that it was made in; the string of a table is in the one that is always there.
  bool is_there() const
  {
    return kind_ != 99;
  }
  bool is_table() const
  {
    return kind_ == 2;
  }
  pinned<tracked> pin() const
  {
    return tracked_.pin();
  }

private:
  std::size_t kind_ = 99, seed_ = 0;
  handle<tracked> tracked_;
  handle<wide> wide_;
  handle<table> table_;
  handle<tracked[]> many_;
  shared_handle<tracked> shared_;
  relocatable_vector<wide> vector_;
};

}  // namespace

TEST_CASE("objects of all kinds beside a table of what they hold")
{
  handle_heap heaps[2];
  std::size_t moved = 0;
  {
    std::vector<slot> slots(SLOTS);
    std::mt19937_64 random(random_seed());
    const std::size_t rounds = 4 + test_scaled(12);
    for (std::size_t round = 0; round < rounds; round++) {
      for (slot &each : slots) {
        std::size_t what = random() % 10;
        if (what < 3) each.make(heaps[random() % 2], random() % 6, random() % 100000);
        if (what > 4) each.end();
        if (what == 9) std::swap(each, slots[random() % SLOTS]);
      }
      std::vector<pinned<tracked>> pins;
      for (slot &each : slots) {
        if (random() % 20 == 0) pins.push_back(each.pin());
      }
      custom_alloc::defrag_report step;
      defrag_budget budget;
      budget.objects = 100;
      if (round % 2 == 0) (void)defragment_step(heaps[0], budget, step);
      moved += step.objects_moved + whole_pass().objects_moved;
      std::size_t there = 0, tables = 0;
      for (const slot &each : slots) {
        REQUIRE(each.is_as_told());
        there += each.is_there();
        tables += each.is_table();
      }
      REQUIRE(fragmentation(heaps[0]).objects + fragmentation(heaps[1]).objects == there);
      REQUIRE(objects() == there + tables);
    }
  }
  CHECK(moved > 0);
  CHECK(tracked::live() == 0);
  CHECK(objects() == 0);
}
