// SPDX-License-Identifier: MIT
// standards: 11 14 17 20
//
// make_unique and its deleter: objects, arrays, alignments, bases, and constructors that throw.
#include "support.hpp"

#include <climits>
#include <memory>
#include <string>
#include <type_traits>
#include <utility>
#include <vector>

#include "allocator.hpp"

using custom_alloc::deleter;

using custom_alloc::unique_ptr;

namespace
{

template <std::size_t alignment> struct alignas(alignment) wide {
  wide() : text("long enough that it has memory of its own")
  {
    ++live;
  }
  ~wide()
  {
    --live;
  }
  std::string text;
  static int live;
};
template <std::size_t alignment> int wide<alignment>::live;

struct pair_of {
  pair_of(int first_value, std::unique_ptr<int> second_value)
      : first(first_value), second(std::move(second_value))
  {
  }
  int first;
  std::unique_ptr<int> second;
};

// Bases at the start, further in, and virtual ones, which lie at the end.
struct base {
  virtual ~base() = default;
  virtual int kind() const = 0;
  long padding = 1;
};
struct other_base {
  virtual ~other_base() = default;
  long padding = 2;
};
struct derived : other_base, base, counted {
  int kind() const override
  {
    return 1;
  }
};
struct left : virtual base {
  long padding_left = 3;
};
struct right : virtual base {
  long padding_right = 4;
};
struct bottom : left, right, counted {
  int kind() const override
  {
    return 2;
  }
};
struct plain_base {
};
struct plain_derived : plain_base {
};
struct incomplete;

struct owner {  // of a type that is complete only where the owner is made and ends
  owner();
  owner(owner &&) noexcept;
  owner &operator=(owner &&) noexcept;
  ~owner();
  unique_ptr<incomplete> hidden;
};
struct incomplete {
  counted inside;
};
owner::owner() : hidden(custom_alloc::make_unique<incomplete>())
{
}
owner::owner(owner &&) noexcept = default;
owner &owner::operator=(owner &&) noexcept = default;
owner::~owner() = default;

template <class T, class... Arguments> struct can_make {
  template <class U>
  static std::true_type
  test(decltype(custom_alloc::make_unique<U>(std::declval<Arguments>()...)) *);
  template <class U> static std::false_type test(...);
  static constexpr bool value = decltype(test<T>(nullptr))::value;
};

}  // namespace

static_assert(sizeof(unique_ptr<int>) == sizeof(int *), "the deleter takes no room");
static_assert(sizeof(unique_ptr<std::string[]>) == sizeof(void *), "nor that of arrays");
static_assert(std::is_convertible<unique_ptr<derived>, unique_ptr<base>>::value, "");
static_assert(std::is_convertible<unique_ptr<int>, unique_ptr<const int>>::value, "");
static_assert(std::is_convertible<unique_ptr<int[]>, unique_ptr<const int[]>>::value, "");
static_assert(!std::is_constructible<deleter<plain_base>, deleter<plain_derived>>::value,
              "the block of a base without a virtual destructor can't be found");
static_assert(!std::is_constructible<deleter<derived>, deleter<base>>::value, "");
static_assert(!std::is_constructible<deleter<plain_base[]>, deleter<plain_derived[]>>::value, "");
static_assert(!std::is_constructible<deleter<plain_base>, deleter<plain_base[]>>::value, "");
static_assert(can_make<int>::value && can_make<int[], std::size_t>::value, "");
static_assert(!can_make<int[3]>::value && !can_make<int[3], std::size_t>::value, "deleted");

TEST_CASE("an object is made of its arguments, in mend's memory, and ends with its pointer")
{
  {
    auto object = custom_alloc::make_unique<pair_of>(3, std::unique_ptr<int>(new int(4)));
    CHECK(mend_owns(object.get()));
    CHECK(object->first == 3);
    CHECK(*object->second == 4);
    CHECK(live_blocks() == 1);
    auto taken = std::move(object);
    CHECK(object == nullptr);
    CHECK(live_blocks() == 1);
    taken = custom_alloc::make_unique<pair_of>(5, nullptr);
    CHECK(live_blocks() == 1);
    unique_ptr<const int> constant = custom_alloc::make_unique<int>(6);
    CHECK(*constant == 6);
    CHECK(*custom_alloc::make_unique<const int>(7) == 7);
    *custom_alloc::make_unique_for_overwrite<int>() = 8;
  }
  CHECK(live_blocks() == 0);
}

TEST_CASE("arrays: each element is made and destroyed once, numbers are zero")
{
  for (std::size_t count : {0u, 1u, 2u, 100u, 5000u}) {
    auto array = custom_alloc::make_unique<counted[]>(count);
    CHECK(counted::live() == static_cast<int>(count));
    for (std::size_t i = 0; i < count; ++i) REQUIRE(array[i].value == 7);
    array.reset();
    CHECK(counted::live() == 0);
    auto numbers = custom_alloc::make_unique<int[]>(count);
    for (std::size_t i = 0; i < count; ++i) REQUIRE(numbers[i] == 0);
    auto raw = custom_alloc::make_unique_for_overwrite<unsigned char[]>(count);
    for (std::size_t i = 0; i < count; ++i) raw[i] = 1;
    unique_ptr<const counted[]> constant = custom_alloc::make_unique<counted[]>(count);
    auto default_made = custom_alloc::make_unique_for_overwrite<counted[]>(count);
    CHECK(counted::live() == 2 * static_cast<int>(count));
  }
  auto rows = custom_alloc::make_unique<counted[][3]>(4);
  CHECK(counted::live() == 12);
  rows[3][2].value = 1;
  rows.reset();
  CHECK(counted::live() == 0);
  CHECK(live_blocks() == 0);
}

TEST_CASE("the elements of a bare array are its block; others have their count in front")
{
  auto bare = custom_alloc::make_unique<long[]>(8);
  CHECK(mend_malloc_usable_size(bare.get()) >= 64);
  auto array = custom_alloc::make_unique<counted[]>(5);
  const unsigned char *first = reinterpret_cast<unsigned char *>(array.get());
  CHECK(*reinterpret_cast<const std::size_t *>(first - sizeof(std::size_t)) == 5);
}

// All live at once, so that not each of them is the first in its page.
template <std::size_t alignment> void check_alignment()
{
  {
    auto object = custom_alloc::make_unique<wide<alignment>>();
    CHECK(is_aligned(object.get(), alignment));
    auto plain = custom_alloc::make_unique_for_overwrite<wide<alignment>>();
    CHECK(is_aligned(plain.get(), alignment));
    std::vector<unique_ptr<wide<alignment>[]>> arrays;
    for (std::size_t count = 0; count < 20; ++count) {
      arrays.push_back(custom_alloc::make_unique<wide<alignment>[]>(count / 2));
      CHECK(is_aligned(arrays.back().get(), alignment));
    }
    CHECK(wide<alignment>::live == 2 + 90);
  }
  CHECK(wide<alignment>::live == 0);
  CHECK(live_blocks() == 0);
}

TEST_CASE("types that are aligned to more than a block")
{
  check_alignment<16>();
  check_alignment<32>();
  check_alignment<64>();
  check_alignment<128>();
  check_alignment<4096>();
}

TEST_CASE("what was made as derived ends as its base, wherever that lies in it")
{
  unique_ptr<base> first = custom_alloc::make_unique<derived>();
  unique_ptr<other_base> second = custom_alloc::make_unique<derived>();
  unique_ptr<base> third = custom_alloc::make_unique<bottom>();
  unique_ptr<left> fourth = custom_alloc::make_unique<bottom>();
  unique_ptr<right> fifth = custom_alloc::make_unique<bottom>();
  unique_ptr<const base> sixth = std::move(fourth);
  CHECK(static_cast<void *>(third.get()) != dynamic_cast<void *>(third.get()));
  CHECK(first->kind() == 1);
  CHECK(third->kind() == 2);
  CHECK(counted::live() == 5);
  first = std::move(fifth);
  CHECK(counted::live() == 4);
  first.reset();
  second.reset();
  third.reset();
  sixth.reset();
  CHECK(counted::live() == 0);
  CHECK(live_blocks() == 0);
}

TEST_CASE("an owner of what is incomplete can be moved")
{
  {
    owner one;
    owner other(std::move(one));
    one = std::move(other);
    CHECK(counted::live() == 1);
  }
  CHECK(counted::live() == 0);
  CHECK(live_blocks() == 0);
}

TEST_CASE("a constructor that throws leaves nothing behind, whichever element it is")
{
  counted::fuse() = 0;
  CHECK_THROWS_AS((void)custom_alloc::make_unique<counted>(1), int);
  counted::fuse() = 0;
  CHECK_THROWS_AS((void)custom_alloc::make_unique_for_overwrite<counted>(), int);
  for (int element = 0; element < 12; ++element) {
    counted::fuse() = element;
    CHECK_THROWS_AS((void)custom_alloc::make_unique<counted[]>(12), int);
    CHECK(counted::live() == 0);
    counted::fuse() = element;
    CHECK_THROWS_AS((void)custom_alloc::make_unique_for_overwrite<counted[]>(12), int);
    counted::fuse() = element;
    CHECK_THROWS_AS((void)custom_alloc::make_unique<counted[][3]>(4), int);
    CHECK(counted::live() == 0);
  }
  counted::fuse() = -1;
  CHECK(live_blocks() == 0);
}

TEST_CASE("arrays that are too large")
{
  CHECK_THROWS_AS((void)custom_alloc::make_unique<long[]>(opaque(SIZE_MAX / 4)),
                  std::bad_array_new_length);
  CHECK_THROWS_AS((void)custom_alloc::make_unique<wide<64>[]>(opaque(SIZE_MAX / sizeof(wide<64>))),
                  std::bad_array_new_length);
  CHECK_THROWS_AS((void)custom_alloc::make_unique<char[][8]>(opaque(SIZE_MAX / 4)),
                  std::bad_array_new_length);
  CHECK_THROWS_AS((void)custom_alloc::make_unique<char[]>(opaque(PTRDIFF_MAX)), std::bad_alloc);
  CHECK(live_blocks() == 0);
}
