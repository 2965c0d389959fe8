// SPDX-License-Identifier: MIT
//
// The churn of containers. Each workload is written once, for any allocator of the standard's kind;
// who includes this chooses.
//
// Maps, hash tables and queues of 8, 32, 128 and 512 elements, whose values have 8, 24, 56 and 120
// bytes: the many small ones of usual programs. A step takes one at random and puts an element in
// or takes one out, also at random. One step in as many as it has elements copies a whole one of
// its kind in its place, and as many fill it anew, as one does who reads a document: of five
// elements two are made by copies, two by fillings and one alone. What this is not: one large
// container, whose cache misses outweigh its allocator.
//
// The sum that a workload returns depends on all that it has done.
#ifndef BENCH_CONTAINERS_HPP
#define BENCH_CONTAINERS_HPP

#include <cstdint>
#include <cstring>
#include <functional>
#include <list>
#include <map>
#include <memory>
#include <string>
#include <string_view>
#include <unordered_map>
#include <utility>
#include <vector>

#include "common.h"

namespace churn
{

enum { SMALLEST = 8, GROWTH = 4, SIZES = 4, PER_SIZE = 8, LARGEST = 512 };

template <class Allocator, class T>
using rebound = typename std::allocator_traits<Allocator>::template rebind_alloc<T>;
template <class Allocator>
using text_of = std::basic_string<char, std::char_traits<char>, rebound<Allocator, char>>;

// What is kept under a key, or in a list: so many words.
template <std::size_t words> struct record {
  std::uint64_t word[words];

  explicit record(std::uint32_t number) noexcept
  {
    for (std::uint64_t &one : word) one = number;
  }
};

// The containers of one type. Container is a class of what is below: it can toggle a number, which
// puts an element in or takes one out, and fill itself.
class any_family
{
public:
  virtual ~any_family() = default;
  virtual std::uint64_t step(struct random &random) = 0;
  virtual std::uint64_t sum() const = 0;
};

template <class Container, class Allocator> class family final : public any_family
{
public:
  explicit family(const Allocator &allocator) : allocator_(allocator)
  {
    all_.reserve(SIZES * PER_SIZE);
    for (int i = 0; i < SIZES * PER_SIZE; i++) all_.emplace_back(allocator);
  }
  std::uint64_t step(struct random &random) override
  {
    std::uint32_t rank = random_below(&random, SIZES);
    std::uint32_t first = rank * PER_SIZE, chosen = first + random_below(&random, PER_SIZE);
    std::uint32_t size = SMALLEST << 2 * rank;
    Container &container = all_[chosen];
    std::uint32_t kind = random_below(&random, size), number = random_below(&random, 2 * size);
    if (kind == 0) {
      Container copy(all_[first + number % PER_SIZE], allocator_);
      container.elements.swap(copy.elements);
    } else if (kind == 1) {
      Container made(allocator_);
      for (std::uint32_t i = 0; i < size; i++) made.fill(i);
      container.elements.swap(made.elements);
    } else {
      return container.toggle(number);
    }
    return container.elements.size();
  }
  std::uint64_t sum() const override
  {
    std::uint64_t sum = 0;
    for (const Container &container : all_) sum = sum * 31 + container.elements.size();
    return sum;
  }

private:
  Allocator allocator_;
  std::vector<Container> all_;
};

// Makes so many steps on containers whose values are of four sizes.
template <class Allocator, template <class, std::size_t> class Container>
std::uint64_t families_churn(std::size_t steps, const Allocator &allocator)
{
  family<Container<Allocator, 1>, Allocator> tiny(allocator);
  family<Container<Allocator, 3>, Allocator> small(allocator);
  family<Container<Allocator, 7>, Allocator> medium(allocator);
  family<Container<Allocator, 15>, Allocator> large(allocator);
  any_family *families[] = {&tiny, &small, &medium, &large};
  struct random random = random_seeded(1);
  std::uint64_t sum = 0;
  for (std::size_t i = 0; i < steps; i++) sum += families[i % 4]->step(random);
  for (const any_family *one : families) sum = sum * 31 + one->sum();
  return sum;
}

// ---- what there is to a container ----

// Takes the key's element out if it is there, else puts one in: half of all keys are there.
template <class Elements, class Key>
std::uint64_t key_toggle(Elements &elements, Key key, std::uint32_t number)
{
  auto found = elements.find(key);
  if (found == elements.end()) {
    return elements.emplace(std::move(key), number).first->second.word[0];
  }
  std::uint64_t word = found->second.word[0];
  elements.erase(found);
  return 3 * word + 1;
}

// A tree of numbers and records.
template <class Allocator, std::size_t words> struct map {
  using element = std::pair<const std::uint64_t, record<words>>;

  explicit map(const Allocator &allocator) : elements(allocator)
  {
  }
  map(const map &other, const Allocator &allocator) : elements(other.elements, allocator)
  {
  }
  void fill(std::uint32_t number)
  {
    elements.emplace(2 * number, number);
  }
  std::uint64_t toggle(std::uint32_t number)
  {
    return key_toggle(elements, std::uint64_t{number}, number);
  }

  std::map<std::uint64_t, record<words>, std::less<std::uint64_t>, rebound<Allocator, element>>
      elements;
};

// The texts that are keys: half of them have 5 to 8 characters, which need no block of their own,
// the others 22 to 53.
inline const std::vector<std::string> &keys()
{
  static const std::vector<std::string> all = [] {
    std::vector<std::string> made;
    for (std::uint32_t i = 0; i < 2 * LARGEST; i++) {
      made.push_back("key-" + std::to_string(i));
      if (i % 2 == 0) made.back().append(17 + i % 32, '.');
    }
    return made;
  }();
  return all;
}

// A hash table of texts and records.
template <class Allocator, std::size_t words> struct unordered_map {
  using text = text_of<Allocator>;
  using element = std::pair<const text, record<words>>;
  struct hash {
    std::size_t operator()(const text &key) const noexcept
    {
      return std::hash<std::string_view>()(std::string_view(key.data(), key.size()));
    }
  };

  explicit unordered_map(const Allocator &allocator) : elements(allocator)
  {
  }
  unordered_map(const unordered_map &other, const Allocator &allocator)
      : elements(other.elements, allocator)
  {
  }
  text key(std::uint32_t number) const
  {
    const std::string &same = keys()[number];
    return text(same.data(), same.size(), elements.get_allocator());
  }
  void fill(std::uint32_t number)
  {
    elements.emplace(key(number), number);
  }
  std::uint64_t toggle(std::uint32_t number)
  {
    return key_toggle(elements, key(number), number);
  }

  std::unordered_map<text, record<words>, hash, std::equal_to<text>, rebound<Allocator, element>>
      elements;
};

// A queue of records, which grows at both ends; what is taken is near its front.
template <class Allocator, std::size_t words> struct list {
  explicit list(const Allocator &allocator) : elements(allocator)
  {
  }
  list(const list &other, const Allocator &allocator) : elements(other.elements, allocator)
  {
  }
  void fill(std::uint32_t number)
  {
    elements.emplace_back(number);
  }
  std::uint64_t toggle(std::uint32_t number)
  {
    if (elements.size() <= number) {
      elements.emplace(number % 4 == 0 ? elements.begin() : elements.end(), number);
      return number;
    }
    auto at = elements.begin();
    for (std::uint32_t i = number % 4; i > 0 && std::next(at) != elements.end(); i--) ++at;
    std::uint64_t word = at->word[0];
    elements.erase(at);
    return 3 * word + 1;
  }

  std::list<record<words>, rebound<Allocator, record<words>>> elements;
};

// ---- texts ----

enum { TEXTS = 4096, TEXT_MOST = 1024, SOURCE_BYTES = 4096 };

// What texts are taken from.
struct source {
  char bytes[SOURCE_BYTES];

  source()
  {
    struct random random = random_seeded(2);
    for (char &byte : bytes) byte = static_cast<char>('a' + random_below(&random, 26));
  }
  // Where so many bytes are to be had.
  const char *at(struct random &random, std::size_t length) const
  {
    return bytes + random_below(&random, static_cast<std::uint32_t>(SOURCE_BYTES - length));
  }
};

// 4 to 511 characters, as many below 16 as from 16 to 64 and beyond 128.
inline std::size_t text_length(struct random &random)
{
  std::uint32_t low = 4U << random_below(&random, 7);
  return random_between(&random, low, 2 * low - 1);
}

// One of the things that programs do with texts: made anew, copied, made longer, put together, cut.
template <class Text, class Allocator>
void text_change(std::vector<Text> &texts, Text &text, const source &from, struct random &random,
                 const Allocator &allocator)
{
  Text &other = texts[random_below(&random, TEXTS)];
  std::uint32_t kind = random_below(&random, 8);
  std::size_t length = text_length(random);
  if (kind < 3 || text.size() > TEXT_MOST) {
    Text made(from.at(random, length), length, allocator);
    text.swap(made);
  } else if (kind < 5) {
    Text copy(other, allocator);
    text.swap(copy);
  } else if (kind == 5) {
    text.append(from.at(random, length), length);
  } else if (kind == 6) {
    Text sum(text, allocator);
    sum += '/';
    sum.append(other, 0, 64);
    text = std::move(sum);
  } else {
    Text part(text, text.size() / 4, text.size() / 2, allocator);
    text.swap(part);
  }
}

// Texts of all lengths up to TEXT_MOST or somewhat more, half of them below 64.
template <class Allocator> std::uint64_t string(std::size_t steps, const Allocator &allocator)
{
  using text = text_of<Allocator>;
  static const source from;
  std::vector<text> texts;
  texts.reserve(TEXTS);
  for (int i = 0; i < TEXTS; i++) texts.emplace_back(allocator);
  struct random random = random_seeded(1);
  std::uint64_t sum = 0;
  for (std::size_t i = 0; i < steps; i++) {
    text &chosen = texts[random_below(&random, TEXTS)];
    text_change(texts, chosen, from, random, allocator);
    sum = sum * 31 + chosen.size();
    if (!chosen.empty()) sum += static_cast<unsigned char>(chosen.back());
  }
  return sum;
}

// ---- by name ----

template <class Allocator> struct workload {
  const char *name;
  std::size_t steps;  // that take 0.15 to 0.3 s
  std::uint64_t (*run)(std::size_t steps, const Allocator &allocator);
};

template <class Allocator> const std::vector<workload<Allocator>> &workloads()
{
  static const std::vector<workload<Allocator>> all = {
      {"map", 1000000, families_churn<Allocator, map>},
      {"unordered_map", 700000, families_churn<Allocator, unordered_map>},
      {"list", 2000000, families_churn<Allocator, list>},
      {"string", 3000000, string<Allocator>},
  };
  return all;
}

}  // namespace churn

#endif
