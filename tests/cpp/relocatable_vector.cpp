// SPDX-License-Identifier: MIT
// standards: 11 14 17 20
//
// The growable array behind a handle: its interface, what a failure leaves, and random operations
// beside std::vector, with passes between them.
#include "moving.hpp"

#include <algorithm>
#include <forward_list>
#include <iterator>
#include <numeric>
#include <random>
#include <sstream>
#include <stdexcept>

using namespace custom_alloc;

namespace
{

using texts = relocatable_vector<std::string>;

template <class T> bool same(const relocatable_vector<T> &one, const std::vector<T> &other)
{
  scope open;
  return one.size() == other.size() && std::equal(one.begin(), one.end(), other.begin());
}

// Not movable, but by its bytes.
struct fixed {
  explicit fixed(int n) : number(new int(n))
  {
  }
  fixed(fixed &&) = delete;
  ~fixed()
  {
    delete number;
  }
  int *number;
};

}  // namespace

template <> struct custom_alloc::is_trivially_relocatable<fixed> : std::true_type {
};

TEST_CASE("vector: made in every way")
{
  static_assert(sizeof(texts) == 8, "");
  static_assert(std::is_nothrow_move_constructible<texts>::value, "");
  const std::vector<std::string> three = {"a", "b", "c"};
  std::forward_list<std::string> list(three.begin(), three.end());
  std::istringstream stream("a b c");
  texts empty, five(5), four(4, "x"), range(list.begin(), list.end()), literal = {"a", "b", "c"};
  texts read((std::istream_iterator<std::string>(stream)), std::istream_iterator<std::string>());
  CHECK(empty.empty());
  CHECK(empty.data() == nullptr);
  CHECK(empty.begin() == empty.end());
  CHECK(empty.capacity() == 0);
  CHECK(mend_handle_is_null(empty.id()));
  CHECK(same(five, std::vector<std::string>(5)));
  CHECK(same(four, std::vector<std::string>(4, "x")));
  CHECK(same(range, three));
  CHECK(same(literal, three));
  CHECK(same(read, three));
  texts copy(literal), moved(std::move(literal));
  CHECK(literal.empty());
  CHECK(copy == moved);
  CHECK(copy != four);
  literal = moved;
  CHECK(same(literal, three));
  mend_handle name = four.id();
  four = moved;
  CHECK(four.id().bits == name.bits);
  const texts &itself = four;
  four = itself;
  CHECK(same(four, three));
  four = std::move(moved);
  CHECK(moved.empty());
  four = {"d"};
  CHECK(four[0] == "d");
  swap(four, copy);
  CHECK(same(four, three));
  relocatable_vector<bool> bits(3, true);
  CHECK(*(bits.data() + 2));
}

TEST_CASE("vector: ordered as std::vector is")
{
  const texts one = {"a", "b"}, longer = {"a", "b", "c"}, greater = {"b"};
  CHECK(one < longer);
  CHECK(longer < greater);
  CHECK(texts() < one);
  CHECK(!(one < one));
  CHECK(one <= one);
  CHECK(!(greater <= longer));
  CHECK(greater > longer);
  CHECK(!(one > one));
  CHECK(one >= one);
  CHECK(!(one >= longer));
}

TEST_CASE("vector: elements and their addresses")
{
  texts some = {"a", "b", "c"};
  const texts &fixed_view = some;
  CHECK(some.front() == "a");
  CHECK(fixed_view.front() == "a");
  CHECK(some.back() == "c");
  CHECK(fixed_view.back() == "c");
  CHECK(some.at(1) == "b");
  CHECK(fixed_view.at(2) == "c");
  CHECK(fixed_view[1] == "b");
  CHECK_THROWS_AS((void)some.at(3), std::out_of_range);
  CHECK_THROWS_AS((void)texts().at(0), std::out_of_range);
  CHECK(std::string(*some.rbegin()) + *(some.rend() - 1) == "ca");
  CHECK(*fixed_view.rbegin() == "c");
  CHECK(*(fixed_view.rend() - 1) == "a");
  CHECK(fixed_view.cend() - fixed_view.cbegin() == 3);
  CHECK(*some.crbegin() == "c");
  CHECK(some.crend() - some.crbegin() == 3);
  std::sort(some.begin(), some.end(), std::greater<std::string>());
  CHECK(same(some, {"c", "b", "a"}));
}

TEST_CASE("vector: grows in place of its handle, and is as large as it says")
{
  relocatable_vector<int> numbers;
  numbers.push_back(0);
  mend_handle name = numbers.id();
  for (int i = 1; i < 100000; i++) numbers.push_back(i);
  CHECK(numbers.id().bits == name.bits);
  CHECK(numbers.size() == 100000);
  CHECK(numbers.capacity() >= 100000);
  CHECK(std::accumulate(numbers.begin(), numbers.end(), 0LL) == 4999950000LL);
  numbers.resize(10);
  numbers.shrink_to_fit();
  CHECK(numbers.capacity() == 10);
  CHECK(numbers.back() == 9);
  numbers.reserve(1000);
  CHECK(numbers.capacity() == 1000);
  numbers.clear();
  CHECK(numbers.empty());
  CHECK(numbers.capacity() == 1000);
  CHECK(numbers.id().bits == name.bits);
  CHECK_THROWS_AS(numbers.reserve(numbers.max_size() + 1), std::length_error);
  CHECK_THROWS_AS(numbers.resize(numbers.max_size() + 1), std::length_error);
  CHECK_THROWS_AS(numbers.reserve(numbers.max_size()), std::bad_alloc);
  CHECK(numbers.capacity() == 1000);
}

TEST_CASE("vector: an element of itself may be put in")
{
  const std::string text = "an element that is not in the string itself";
  texts some = {text};
  for (int i = 0; i < 100; i++) {
    scope open;
    some.push_back(some[0]);
    some.emplace_back(some.back());
    some.insert(some.begin(), some.back());
    some.insert(some.begin() + 1, 2, some[0]);
  }
  CHECK(same(some, std::vector<std::string>(501, text)));
  some.assign(7, some[3]);
  some.resize(900, some[6]);
  CHECK(same(some, std::vector<std::string>(900, text)));
}

// end() of a vector that has no object yet opens no scope: the result must be good all the same. In
// many rounds, as only some objects are moved at the end of a scope.
TEST_CASE("vector: the results of changes are good after them")
{
  const std::vector<std::string> two = {"d", "e"};
  for (int round = 0; round < 300; round++) {
    texts one, emplaced, many, range, listed;
    quiescent();
    REQUIRE(*one.insert(one.end(), "a") == "a");
    quiescent();
    REQUIRE(*emplaced.emplace(emplaced.end(), "b") == "b");
    quiescent();
    REQUIRE(*many.insert(many.end(), 2, "c") == "c");
    quiescent();
    REQUIRE(*range.insert(range.end(), two.begin(), two.end()) == "d");
    quiescent();
    REQUIRE(*listed.insert(listed.end(), {"h", "i", "j"}) == "h");
  }
  quiescent();
  std::istringstream stream("f g");
  std::istream_iterator<std::string> from(stream), none;
  texts some;
  CHECK(*some.insert(some.end(), from, none) == "f");
  CHECK(*some.insert(some.begin() + 1, 2, "k") == "k");
  CHECK(*some.erase(some.begin()) == "k");
  CHECK(*some.erase(some.begin(), some.begin() + 2) == "g");
  CHECK(*some.erase(some.begin(), some.begin()) == "g");
  CHECK(same(some, {"g"}));
}

TEST_CASE("vector: a failure leaves what was there")
{
  {
    relocatable_vector<tracked> some;
    for (std::size_t i = 0; i < 5; i++) some.emplace_back(i);
    const std::vector<tracked> before(some.begin(), some.end());
    const mend_handle name = some.id();
    const relocatable_vector<tracked> other(9, tracked(7u));
    auto fails = [&](void (*change)(relocatable_vector<tracked> &, decltype(other) &)) {
      for (int fuse = 0; fuse < 3; fuse++) {
        tracked::fuse() = fuse;
        CHECK_THROWS_AS(change(some, other), int);
        tracked::fuse() = -1;
        CHECK(same(some, before));
        CHECK(some.id().bits == name.bits);
      }
    };
    using vector = relocatable_vector<tracked>;
    using another = const vector;
    fails([](vector &at, another &from) { at = from; });
    fails([](vector &at, another &from) { at.assign(from.begin(), from.end()); });
    fails([](vector &at, another &from) { at.assign(9, from[0]); });
    fails([](vector &at, another &from) { at.insert(at.begin(), from.begin(), from.end()); });
    fails([](vector &at, another &from) { at.insert(at.begin(), 9, from[0]); });
    fails([](vector &at, another &from) { at.resize(9, from[0]); });
    fails([](vector &at, another &) { at.resize(9); });
    // No room where it is pinned.
    pinned<tracked[]> pin = some.pin();
    const relocatable_vector<tracked> large(1000, tracked(7u));
    CHECK_THROWS_AS(some = large, std::bad_alloc);
    tracked mine(42u);
    some.reserve(some.size());
    while (some.size() < some.capacity()) some.push_back(tracked(1u));
    CHECK_THROWS_AS(some.push_back(std::move(mine)), std::bad_alloc);
    CHECK_THROWS_AS(some.insert(some.begin(), std::move(mine)), std::bad_alloc);
    CHECK(mine.holds(42));
    CHECK_THROWS_AS(some.push_back(std::move(some[0])), std::bad_alloc);
    some.erase(some.begin() + static_cast<std::ptrdiff_t>(before.size()), some.end());
    CHECK_THROWS_AS(some.assign(1000, large[0]), std::bad_alloc);
    CHECK(same(some, before));
    some.assign({large[0]});
    CHECK(some.size() == 1);
    CHECK(pin[0].holds(7));
  }
  CHECK(tracked::live() == 0);
  CHECK(objects() == 0);
}

TEST_CASE("vector: pinned, it stays, and does not grow out of its place")
{
  texts some = {"a", "b"};
  const texts &fixed_view = some;
  pinned<std::string[]> pin = some.pin();
  CHECK(pin.size() == 2);
  CHECK(pin[1] == "b");
  CHECK(fixed_view.pin()[0] == "a");
  (void)whole_pass();
  CHECK(some.data() == pin.get());
  CHECK_THROWS_AS(some.reserve(10000), std::bad_alloc);
  CHECK(some.data() == pin.get());
  pin.reset();
  some.reserve(10000);
  CHECK(same(some, {"a", "b"}));
  pin = some.pin();
  some.shrink_to_fit();  // can't
  CHECK(some.capacity() == 10000);
}

TEST_CASE("vector: in a heap, where it stays whatever it is assigned")
{
  handle_heap heap;
  {
    texts some(heap), other = {"a"};
    CHECK(fragmentation(heap).objects == 1);
    some = other;
    some.resize(5000);
    CHECK(fragmentation(heap).objects == 1);
    some.clear();
    some.shrink_to_fit();
    CHECK(fragmentation(heap).objects == 1);
    CHECK(some.capacity() == 0);
  }
  CHECK(fragmentation(heap).objects == 0);
}

TEST_CASE("vector: made in a heap in every way")
{
  handle_heap heap;
  const std::vector<std::string> three = {"a", "b", "c"};
  {
    texts empty(heap), five(5, heap), four(4, "x", heap), literal({"a", "b", "c"}, heap);
    texts range(three.begin(), three.end(), heap), copy(range, heap);
    CHECK(fragmentation(heap).objects == 6);
    CHECK(empty.empty());
    CHECK(same(five, std::vector<std::string>(5)));
    CHECK(same(four, std::vector<std::string>(4, "x")));
    CHECK(same(literal, three));
    CHECK(same(range, three));
    CHECK(same(copy, three));
    texts elsewhere(copy);
    CHECK(fragmentation(heap).objects == 6);
  }
  tracked::fuse() = 2;
  CHECK_THROWS_AS((void)relocatable_vector<tracked>(5, heap), int);
  tracked::fuse() = -1;
  CHECK(tracked::live() == 0);
  CHECK(fragmentation(heap).objects == 0);
}

TEST_CASE("vector: of what only its bytes move")
{
  relocatable_vector<fixed> some;
  for (int i = 0; i < 1000; i++) some.emplace_back(i);
  some.emplace(some.begin() + 10, -1);
  some.erase(some.begin() + 20, some.begin() + 30);
  some.pop_back();
  (void)whole_pass();
  CHECK(some.size() == 990);
  CHECK(*some[10].number == -1);
  CHECK(*some[20].number == 29);
  CHECK(*some.back().number == 998);
  {
    std::istringstream stream("5 6");
    std::istream_iterator<int> from(stream), none;
    some.insert(some.begin() + 1, from, none);
  }
  CHECK(*some[1].number == 5);
  CHECK(*some[2].number == 6);
  CHECK(*some[3].number == 1);
  const int numbers[] = {7, 8};
  some.assign(std::begin(numbers), std::end(numbers));
  CHECK(some.size() == 2);
  CHECK(*some[1].number == 8);
}

namespace
{

// Does the same to both; the vectors of tracked may throw half-way.
class pair_of_vectors
{
public:
  explicit pair_of_vectors(std::uint64_t seed) : random_(seed)
  {
  }

  void step()
  {
    scope open;
    tracked::fuse() = below(4) == 0 ? static_cast<int>(below(8)) : -1;
    std::size_t kind = below(15);
    try {
      change(kind);
      tracked::fuse() = -1;
      repeat(kind);
    } catch (int) {  // nothing has changed
      tracked::fuse() = -1;
    }
    REQUIRE(same(made_, other_));
    for (const tracked &each : made_) REQUIRE(each.is_whole());
    REQUIRE(made_.capacity() >= made_.size());
    if (mend_handle_is_null(made_.id())) return;
    const std::size_t header = 2 * sizeof(std::size_t);
    REQUIRE(header + made_.capacity() * sizeof(tracked) == handle_size(made_.id()));
  }

private:
  std::size_t below(std::size_t limit)
  {
    return random_() % limit;
  }
  tracked fresh()
  {
    int fuse = tracked::fuse();
    tracked::fuse() = -1;
    tracked value(random_() % 100000);
    tracked::fuse() = fuse;
    return value;
  }

  void change(std::size_t kind)
  {
    place_ = below(other_.size() + 1);
    count_ = below(6);
    value_ = fresh();
    auto at = made_.begin() + place_;
    switch (kind) {
    case 0:
    case 1:
    case 2:
      made_.push_back(value_);
      break;
    case 3:
      made_.emplace_back(std::size_t{7});
      break;
    case 4:
      made_.insert(at, value_);
      break;
    case 5:
      made_.insert(at, tracked(value_));
      break;
    case 6:
      made_.insert(at, count_, value_);
      break;
    case 7:
      made_.insert(at, other_.begin(), other_.begin() + offset(count_));
      break;
    case 8:
      made_.erase(at, made_.begin() + end_of_range());
      break;
    case 9:
      made_.resize(place_ + count_, value_);
      break;
    case 10:
      made_.resize(place_ + count_);
      break;
    case 11:
      made_.assign(count_, value_);
      break;
    case 12:
      made_ = relocatable_vector<tracked>(made_);
      break;
    case 13: {
      const relocatable_vector<tracked> copy(at, made_.begin() + end_of_range());
      made_ = copy;
      break;
    }
    default:
      made_.assign({value_, value_});
      made_.shrink_to_fit();
      break;
    }
  }
  void repeat(std::size_t kind)
  {
    auto at = other_.begin() + static_cast<std::ptrdiff_t>(place_);
    switch (kind) {
    case 0:
    case 1:
    case 2:
      other_.push_back(value_);
      break;
    case 3:
      other_.emplace_back(std::size_t{7});
      break;
    case 4:
    case 5:
      other_.insert(at, value_);
      break;
    case 6:
      other_.insert(at, count_, value_);
      break;
    case 7: {
      std::vector<tracked> copy(other_.begin(), other_.begin() + offset(count_));
      other_.insert(at, copy.begin(), copy.end());
      break;
    }
    case 8:
      other_.erase(at, other_.begin() + static_cast<std::ptrdiff_t>(end_of_range()));
      break;
    case 9:
      other_.resize(place_ + count_, value_);
      break;
    case 10:
      other_.resize(place_ + count_);
      break;
    case 11:
      other_.assign(count_, value_);
      break;
    case 12:
      break;
    case 13:
      other_ =
          std::vector<tracked>(at, other_.begin() + static_cast<std::ptrdiff_t>(end_of_range()));
      break;
    default:
      other_.assign({value_, value_});
      break;
    }
  }
  std::ptrdiff_t offset(std::size_t count) const
  {
    return static_cast<std::ptrdiff_t>(std::min(count, other_.size()));
  }
  std::size_t end_of_range() const
  {
    return std::min(place_ + count_, other_.size());
  }

  std::minstd_rand random_;
  relocatable_vector<tracked> made_;
  std::vector<tracked> other_;
  std::size_t place_ = 0, count_ = 0;
  tracked value_;
};

}  // namespace

TEST_CASE("vector: random operations beside std::vector, which throw now and then")
{
  {
    const std::uint64_t seed = random_seed();
    std::vector<pair_of_vectors> pairs;
    for (std::uint64_t i = 0; i < 20; i++) pairs.emplace_back(seed + i);
    for (std::size_t i = test_scaled(20000); i > 0; i--) {
      pairs[i % pairs.size()].step();
      if (i % 1000 == 0) (void)whole_pass();
    }
  }
  CHECK(tracked::live() == 0);
  CHECK(objects() == 0);
}
