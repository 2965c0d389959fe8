// SPDX-License-Identifier: MIT
// standards: 11 17
//
// The standard containers on each of mend's allocators, against the same operations on
// std::allocator: random inserts, erases, copies, moves, swaps and splices between containers that
// may be in different heaps. What differs in the end, or does not live in the memory that its
// allocator names, is a failure; so is a block that is left over.
#include "support.hpp"

#include <algorithm>
#include <deque>
#include <forward_list>
#include <functional>
#include <list>
#include <map>
#include <memory>
#include <queue>
#include <set>
#include <stack>
#include <string>
#include <unordered_map>
#include <unordered_set>
#include <utility>
#include <vector>

#include "allocator.hpp"

namespace
{

template <class T> using global = custom_alloc::allocator<T>;
template <class T> using in_heap = custom_alloc::heap_allocator<T>;

// Where containers are made: two places, which for allocators without a heap are one.
struct global_places {
  template <class T> using allocator = global<T>;
  template <class T> global<T> at(std::size_t) const
  {
    return global<T>();
  }
  static bool holds(std::size_t, const void *pointer)
  {
    return mend_owns(pointer);
  }
};
struct two_heaps {
  bool holds(std::size_t place, const void *pointer) const
  {
    return heaps[place].owns(pointer);
  }
  custom_alloc::heap heaps[2];
};
struct heap_places : two_heaps {
  template <class T> using allocator = in_heap<T>;
  template <class T> in_heap<T> at(std::size_t place)
  {
    return in_heap<T>(heaps[place]);
  }
};
#if defined(CUSTOM_ALLOC_HAS_MEMORY_RESOURCE)
struct pmr_places : two_heaps {
  template <class T> using allocator = std::pmr::polymorphic_allocator<T>;
  template <class T> allocator<T> at(std::size_t place)
  {
    return allocator<T>(&resources[place]);
  }
  custom_alloc::memory_resource resources[2] = {custom_alloc::memory_resource(heaps[0]),
                                                custom_alloc::memory_resource(heaps[1])};
};
#endif

// How each kind of container takes and loses an element.
struct at_back {
  template <class C> static void insert(C &container, std::size_t, const typename C::value_type &v)
  {
    container.push_back(v);
  }
};
struct anywhere {
  template <class C>
  static void insert(C &container, std::size_t where, const typename C::value_type &value)
  {
    auto place = container.begin();
    std::advance(place, static_cast<std::ptrdiff_t>(where % (container.size() + 1)));
    container.insert(place, value);
  }
};
struct by_key {
  template <class C> static void insert(C &container, std::size_t, const typename C::value_type &v)
  {
    container.insert(v);
  }
};

template <class C> void erase_one(C &container, std::size_t where)
{
  if (container.empty()) return;
  auto place = container.begin();
  std::advance(place, static_cast<std::ptrdiff_t>(where % container.size()));
  container.erase(place);
}

template <class C, class Model> void erase_same(C &ours, Model &model, std::size_t where)
{
  erase_one(ours, where);
  erase_one(model, where);
}

// The orders of unordered containers may differ: what goes is named by its key.
template <class... A, class... B>
void erase_same(std::unordered_set<A...> &ours, std::unordered_set<B...> &model, std::size_t where)
{
  const int key = static_cast<int>(where % 500);
  CHECK(ours.erase(key) == model.erase(key));
}
template <class... A, class... B>
void erase_same(std::unordered_multiset<A...> &ours, std::unordered_multiset<B...> &model,
                std::size_t where)
{
  const int key = static_cast<int>(where % 500);
  CHECK(ours.erase(key) == model.erase(key));
}

template <class One, class Other> bool same(const One &one, const Other &other)
{
  return one.size() == other.size() && std::equal(one.begin(), one.end(), other.begin());
}

// In any order of theirs: unordered containers may differ there.
template <class One, class Other> bool same_as_sets(const One &one, const Other &other)
{
  if (one.size() != other.size()) return false;
  for (const auto &element : other)
    if (one.count(element) != other.count(element)) return false;
  return true;
}
struct compare_sequences {
  template <class One, class Other> static bool equal(const One &one, const Other &other)
  {
    return same(one, other);
  }
};
struct compare_sets {
  template <class One, class Other> static bool equal(const One &one, const Other &other)
  {
    return same_as_sets(one, other);
  }
};

int number_of(std::uint64_t random, const int *)
{
  return static_cast<int>(random % 500);
}
std::pair<const int, int> number_of(std::uint64_t random, const std::pair<const int, int> *)
{
  return {static_cast<int>(random % 500), static_cast<int>(random % 3)};
}
char number_of(std::uint64_t random, const char *)
{
  return static_cast<char>('a' + random % 26);
}

// Four containers, two in each place, and their models.
template <class C, class Model, class Kind, class Compare, class Places> void play(Places &places)
{
  using value = typename C::value_type;
  std::mt19937_64 random(random_seed());
  std::vector<C> ours;
  Model models[4];
  ours.reserve(4);
  for (std::size_t i = 0; i < 4; ++i)
    ours.emplace_back(places.template at<typename C::value_type>(i / 2));
  for (std::size_t step = 0; step < test_scaled(20000) + 200; ++step) {
    const std::size_t i = random() % 4, j = random() % 4, where = random();
    const value made = number_of(random(), static_cast<value *>(nullptr));
    switch (random() % 64) {
    case 0:
      if (i != j) ours[i] = ours[j], models[i] = models[j];
      break;
    case 1:
      if (i != j) {
        ours[i] = std::move(ours[j]);
        models[i] = std::move(models[j]);
        // What is left is unspecified; a fresh one of the right place follows.
        ours[j] = C(places.template at<value>(j / 2));
        models[j] = Model();
        ours[i] = C(ours[i], places.template at<value>(i / 2));
      }
      break;
    case 2:  // within a place: the standard asks for equal allocators
      ours[i].swap(ours[i ^ 1]), models[i].swap(models[i ^ 1]);
      break;
    case 3:
      ours[i].clear(), models[i].clear();
      break;
    case 4:
    case 5: {
      C copy(ours[i], places.template at<value>(j / 2));
      C moved(std::move(copy), places.template at<value>(i / 2));
      REQUIRE(Compare::equal(moved, models[i]));
      break;
    }
    default:
      if (random() % 3 == 0)
        erase_same(ours[i], models[i], where);
      else {
        Kind::insert(ours[i], where, made);
        Kind::insert(models[i], where, made);
      }
    }
  }
  for (std::size_t i = 0; i < 4; ++i) {
    CHECK(Compare::equal(ours[i], models[i]));
    for (const auto &element : ours[i])
      REQUIRE((sizeof(value) < sizeof(int) || places.holds(i / 2, &element)));
  }
}

std::size_t left_over(const two_heaps &places)
{
  return live_blocks(places.heaps[0].native()) + live_blocks(places.heaps[1].native());
}
std::size_t left_over(const global_places &)
{
  return live_blocks();
}

template <class Places> void play_sequences()
{
  using ints = typename Places::template allocator<int>;
  using chars = typename Places::template allocator<char>;
  Places places;
  play<std::vector<int, ints>, std::vector<int>, anywhere, compare_sequences>(places);
  play<std::deque<int, ints>, std::deque<int>, anywhere, compare_sequences>(places);
  play<std::list<int, ints>, std::list<int>, anywhere, compare_sequences>(places);
  play<std::basic_string<char, std::char_traits<char>, chars>, std::string, at_back,
       compare_sequences>(places);
  CHECK(left_over(places) == 0);
}

template <class Places> void play_associative()
{
  using ints = typename Places::template allocator<int>;
  using pairs = typename Places::template allocator<std::pair<const int, int>>;
  Places places;
  play<std::set<int, std::less<int>, ints>, std::set<int>, by_key, compare_sequences>(places);
  play<std::multiset<int, std::less<int>, ints>, std::multiset<int>, by_key, compare_sequences>(
      places);
  play<std::map<int, int, std::less<int>, pairs>, std::map<int, int>, by_key, compare_sequences>(
      places);
  play<std::multimap<int, int, std::less<int>, pairs>, std::multimap<int, int>, by_key,
       compare_sequences>(places);
  play<std::unordered_set<int, std::hash<int>, std::equal_to<int>, ints>, std::unordered_set<int>,
       by_key, compare_sets>(places);
  play<std::unordered_multiset<int, std::hash<int>, std::equal_to<int>, ints>,
       std::unordered_multiset<int>, by_key, compare_sets>(places);
  CHECK(left_over(places) == 0);
}

// Lists hand over nodes, not copies: the addresses of their elements stay.
template <class Places> void play_lists()
{
  using ints = typename Places::template allocator<int>;
  Places places;
  {
    std::list<int, ints> one({5, 3, 1}, places.template at<int>(0));
    std::list<int, ints> two({6, 4, 2}, places.template at<int>(0));
    const int *element = &two.front();
    one.splice(one.begin(), two, two.begin());
    CHECK(&one.front() == element);
    one.sort();
    two.sort();
    one.merge(two);
    CHECK(two.empty());
    CHECK(same(one, std::vector<int>{1, 2, 3, 4, 5, 6}));
    CHECK(&one.back() == element);
    one.reverse();
    one.remove(3);
    one.unique();

    std::forward_list<int, ints> three({1, 2, 3}, places.template at<int>(0));
    std::forward_list<int, ints> four({7, 8}, places.template at<int>(0));
    three.splice_after(three.before_begin(), four);
    std::forward_list<int, ints> copy(three, places.template at<int>(1));
    CHECK(copy == std::forward_list<int, ints>({7, 8, 1, 2, 3}, places.template at<int>(1)));
    copy = three;
    copy.sort();
    copy.remove_if([](int number) { return number > 2; });
    CHECK(places.holds(1, &copy.front()));
  }
  CHECK(left_over(places) == 0);
}

template <class Places> void play_adapters()
{
  using ints = typename Places::template allocator<int>;
  Places places;
  {
    std::queue<int, std::deque<int, ints>> queue(places.template at<int>(0));
    std::stack<int, std::vector<int, ints>> stack(places.template at<int>(1));
    std::priority_queue<int, std::vector<int, ints>> largest(std::less<int>(),
                                                             places.template at<int>(1));
    for (int number = 0; number < 1000; ++number) {
      queue.push(number);
      stack.push(number);
      largest.push(number * 7 % 1000);
    }
    for (int number = 0; number < 1000; ++number) {
      REQUIRE(queue.front() == number);
      REQUIRE(stack.top() == 999 - number);
      REQUIRE(largest.top() == 999 - number);
      queue.pop(), stack.pop(), largest.pop();
    }
    std::vector<bool, typename Places::template allocator<bool>> bits(places.template at<bool>(0));
    for (int number = 0; number < 1000; ++number) bits.push_back(number % 3 == 0);
    CHECK(std::count(bits.begin(), bits.end(), true) == 334);
  }
  CHECK(left_over(places) == 0);
}

#if CUSTOM_ALLOC_CXX17
template <class Places> void play_nodes()
{
  using pairs = typename Places::template allocator<std::pair<const int, int>>;
  using map = std::map<int, int, std::less<int>, pairs>;
  using table = std::unordered_map<int, int, std::hash<int>, std::equal_to<int>, pairs>;
  Places places;
  {
    map one(places.template at<std::pair<const int, int>>(0)), two(one.get_allocator());
    table three(one.get_allocator()), four(one.get_allocator());
    for (int key = 0; key < 100; ++key) {
      (key % 2 == 0 ? one : two)[key] = key;
      (key % 3 == 0 ? three : four)[key] = key;
    }
    const int *element = &two.at(1);
    auto node = two.extract(1);
    node.key() = 1001;
    one.insert(std::move(node));
    CHECK(&one.at(1001) == element);
    one.merge(two);
    three.merge(four);
    CHECK(one.size() == 100);
    CHECK(two.empty());
    CHECK(three.size() == 100);
    for (const auto &entry : three) REQUIRE(entry.first == entry.second);
  }
  CHECK(left_over(places) == 0);
}
#endif

}  // namespace

TEST_CASE_TEMPLATE_DEFINE("containers do on mend what they do elsewhere", Places, all)
{
  SUBCASE("sequences")
  {
    play_sequences<Places>();
  }
  SUBCASE("associative")
  {
    play_associative<Places>();
  }
  SUBCASE("lists")
  {
    play_lists<Places>();
  }
  SUBCASE("adapters")
  {
    play_adapters<Places>();
  }
#if CUSTOM_ALLOC_CXX17
  SUBCASE("nodes")
  {
    play_nodes<Places>();
  }
#endif
}
TEST_CASE_TEMPLATE_INVOKE(all, global_places, heap_places);
#if defined(CUSTOM_ALLOC_HAS_MEMORY_RESOURCE)
TEST_CASE_TEMPLATE_INVOKE(all, pmr_places);
#endif

TEST_CASE("growth that fails leaves a container as it was")
{
  std::vector<counted, global<counted>> all(8);
  const counted *data = all.data();
  for (int element = 0; element < 8; ++element) {
    counted::fuse() = element;
    CHECK_THROWS_AS(all.reserve(all.capacity() + 100), int);
    CHECK(all.size() == 8);
    CHECK(all.data() == data);
    CHECK(counted::live() == 8);
    CHECK(live_blocks() == 1);
  }
  counted::fuse() = -1;
}
