// SPDX-License-Identifier: MIT
// standards: 11 14 17 20
//
// Owners that share an object, and names that do not keep it: counts, ends, and that a name of an
// object that is gone stays so, also where its memory and its place in the table are used again.
#include "moving.hpp"

#include <type_traits>
#include <unordered_set>
#include <utility>

using namespace custom_alloc;

namespace
{

struct base {
  explicit base(std::size_t seed) : label(seed)
  {
  }
  tracked label;
  weak_handle<base> self;
  shared_handle<base> next;
};

}  // namespace

TEST_CASE("shared: counts its owners")
{
  static_assert(sizeof(shared_handle<base>) == 8, "");
  static_assert(sizeof(weak_handle<base>) == 8, "");
  static_assert(std::is_nothrow_copy_constructible<shared_handle<base>>::value, "");
  static_assert(std::is_nothrow_move_constructible<shared_handle<base>>::value, "");
  static_assert(std::is_trivially_copyable<weak_handle<base>>::value, "");
  shared_handle<base> one = make_shared_handle<base>(7u);
  CHECK(one.use_count() == 1);
  {
    shared_handle<base> two = one, three;
    three = two;
    CHECK(one.use_count() == 3);
    CHECK(two == one);
    CHECK(two.get() == three.get());
    shared_handle<base> four = std::move(two);
    CHECK(!two);
    CHECK(two.get() == nullptr);
    CHECK(two.use_count() == 0);
    CHECK(one.use_count() == 3);
    const shared_handle<base> &same = four;
    four = same;
    CHECK(one.use_count() == 3);
    four = std::move(three);
    CHECK(one.use_count() == 2);
    four = nullptr;
    swap(four, three);
  }
  CHECK(one.use_count() == 1);
  CHECK((*one).label.holds(7));
  CHECK(tracked::live() == 1);
  one = make_shared_handle<base>(8u);
  CHECK(tracked::live() == 1);
  CHECK(one->label.holds(8));
  one.reset();
  one.reset();
  CHECK(one == nullptr);
  CHECK(tracked::live() == 0);
  CHECK(objects() == 0);
}

TEST_CASE("shared: const, and shares that are passed through C")
{
  shared_handle<tracked> one = make_shared_handle<tracked>(1u);
  shared_handle<const tracked> fixed = one;
  static_assert(std::is_same<decltype(*fixed), const tracked &>::value, "");
  static_assert(!std::is_constructible<shared_handle<tracked>, shared_handle<const tracked>>::value,
                "");
  CHECK(one.use_count() == 2);
  mend_handle share = one.release();
  CHECK(!one);
  CHECK(fixed.use_count() == 2);
  one = shared_handle<tracked>::adopt(share);
  CHECK(fixed.use_count() == 2);
  CHECK(make_shared_handle<const tracked>(1u)->holds(1));
  one.reset();
  fixed.reset();
  CHECK(tracked::live() == 0);
}

TEST_CASE("weak: does not keep, and is never fooled")
{
  weak_handle<base> weak, empty;
  CHECK(weak.expired());
  CHECK(!weak.lock());
  {
    shared_handle<base> one = make_shared_handle<base>(7u);
    weak = one;
    CHECK(weak.use_count() == 1);
    shared_handle<base> two = weak.lock();
    CHECK(two == one);
    CHECK(weak.use_count() == 2);
  }
  CHECK(tracked::live() == 0);
  CHECK(weak.expired());
  CHECK(!weak.lock());
  std::vector<shared_handle<base>> later;
  (void)whole_pass();  // what was freed may be used again
  for (unsigned i = 0; i < 1000; i++) {
    later.push_back(make_shared_handle<base>(i));
    REQUIRE(!weak.lock());
    REQUIRE(weak != weak_handle<base>(later.back()));
  }
  weak_handle<base> other = later[0];
  swap(other, weak);
  CHECK(weak.lock() == later[0]);
  CHECK(other.expired());
  weak.reset();
  CHECK(weak == empty);
  std::unordered_set<shared_handle<base>> set(later.begin(), later.end());
  std::unordered_set<weak_handle<base>> weak_set(later.begin(), later.end());
  CHECK(set.size() == 1000);
  CHECK(weak_set.size() == 1000);
}

TEST_CASE("weak: the destructor of an object finds it gone already")
{
  static bool was_expired, was_locked;
  struct asks {
    weak_handle<asks> self;
    asks() = default;
    asks(asks &&) noexcept = default;
    ~asks()
    {
      was_expired = self.expired();
      was_locked = static_cast<bool>(self.lock());
    }
  };
  shared_handle<asks> one = make_shared_handle<asks>();
  one->self = one;
  one.reset();
  CHECK(was_expired);
  CHECK(!was_locked);
  CHECK(objects() == 0);
}

TEST_CASE("shared: memory waits for the scopes in which somebody may look at the count")
{
  std::vector<shared_handle<base>> later;
  scope open;
  shared_handle<base> one = make_shared_handle<base>(7u);
  weak_handle<base> watcher = one;
  const base *address = one.get();
  one.reset();
  CHECK(watcher.expired());
  for (unsigned i = 0; i < 1000; i++) {
    later.push_back(make_shared_handle<base>(i));
    REQUIRE(later.back().get() != address);
  }
}

TEST_CASE("shared: memory that nobody can look at is free at once")
{
  const std::size_t before = objects();
  scope open;
  for (unsigned i = 0; i < 1000; i++) {
    shared_handle<base> one = make_shared_handle<base>(i);
    const shared_handle<base> copy = one;
    one.reset();
    CHECK(copy->label.holds(i));
  }
  CHECK(fragmentation().objects == before);
}

// Whose address is not to be had by its own &.
class without_address
{
public:
  explicit without_address(std::string text) : text_(std::move(text))
  {
  }
  without_address *operator&() = delete;
  const std::string &text() const noexcept
  {
    return text_;
  }

private:
  std::string text_;
};

TEST_CASE("shared: of a type that overloads &")
{
  std::vector<shared_handle<without_address>> made, all;
  for (unsigned i = 0; i < 4000; i++) {
    made.push_back(make_shared_handle<without_address>("text " + std::to_string(i)));
    if (i % 8 == 0) all.push_back(made.back());
  }
  made.clear();
  CHECK(whole_pass().objects_moved > 0);
  scope open;
  for (std::size_t i = 0; i < all.size(); i++) {
    CHECK(all[i]->text() == "text " + std::to_string(8 * i));
    CHECK((*all[i]).text() == all[i].get()->text());
    CHECK(all[i].pin()->text() == all[i]->text());
  }
}

TEST_CASE("shared: lists end one after the other")
{
  shared_handle<base> list;
  for (unsigned i = 0; i < 300; i++) {
    shared_handle<base> first = make_shared_handle<base>(i);
    first->self = first;
    first->next = std::move(list);
    list = std::move(first);
  }
  (void)whole_pass();
  CHECK(list->next->next->label.holds(297));
  CHECK(list->self.lock() == list);
  list.reset();
  CHECK(tracked::live() == 0);
  CHECK(objects() == 0);
}

TEST_CASE("shared: pinned stays where it is")
{
  std::vector<shared_handle<base>> all;
  for (unsigned i = 0; i < 2000; i++) all.push_back(make_shared_handle<base>(i));
  thin_out(all);
  shared_handle<base> none;
  CHECK(!none.pin());
  std::vector<pinned<base>> pins;
  for (const shared_handle<base> &each : all) pins.push_back(each.pin());
  CHECK(whole_pass().objects_moved == 0);
  for (std::size_t i = 0; i < all.size(); i++) {
    scope open;
    REQUIRE(pins[i].get() == all[i].get());
    REQUIRE(pins[i]->label.holds(8 * i));
  }
  pins.clear();
  CHECK(whole_pass().objects_moved > 0);
  for (std::size_t i = 0; i < all.size(); i++) {
    scope open;
    REQUIRE(all[i]->label.holds(8 * i));
    REQUIRE(all[i].use_count() == 1);
  }
}
