// SPDX-License-Identifier: MIT
// standards: 11 20
//
// What may live behind a handle, in every kind of holder, each through a pass that really moves it:
// types that bytes move, by themselves or because they say so, types that point into themselves,
// containers, types that own handles, and types aligned to more than memory is.
#include "moving.hpp"

#include <cstring>
#include <list>
#include <map>
#include <memory>
#include <mutex>
#include <utility>

#if defined(__x86_64__)
#include <immintrin.h>
#endif

using namespace custom_alloc;

namespace
{

// -- types: fill(seed), holds(seed)

struct plain {
  std::uint64_t number = 0;
  char letter = 0;

  void fill(std::size_t seed)
  {
    number = seed;
    letter = 'a';
  }
  bool holds(std::size_t seed) const
  {
    return number == seed && letter == 'a';
  }
};

// Not copyable, not movable; yet its bytes may be moved, because it says so.
struct says_so {
  says_so() = default;
  says_so(says_so &&) = delete;
  ~says_so()
  {
    delete number;
  }

  void fill(std::size_t seed)
  {
    delete number;
    number = new std::size_t(seed);
  }
  bool holds(std::size_t seed) const
  {
    return number != nullptr && *number == seed;
  }

  std::size_t *number = nullptr;
};

struct owns {
  void fill(std::size_t seed)
  {
    number = custom_alloc::make_unique<std::size_t>(seed);
  }
  bool holds(std::size_t seed) const
  {
    return *number == seed;
  }

  custom_alloc::unique_ptr<std::size_t> number;
};

// Short: kept in the std::string itself, which then points to itself.
struct short_text {
  void fill(std::size_t seed)
  {
    text = std::to_string(seed);
  }
  bool holds(std::size_t seed) const
  {
    return text == std::to_string(seed) && text.c_str()[text.size()] == 0;
  }

  std::string text;
};

struct containers {
  void fill(std::size_t seed)
  {
    numbers = {seed, seed + 1, seed + 2};
    names = {{seed, "first"}, {seed + 1, "a text too long for the string itself"}};
    pointer.reset(new std::size_t(seed));
  }
  bool holds(std::size_t seed) const
  {
    return numbers.size() == 3 && numbers.front() == seed && numbers.back() == seed + 2 &&
           names.size() == 2 && names.begin()->second == "first" &&
           (--names.end())->second.size() == 37 && *pointer == seed;
  }

  std::list<std::size_t> numbers;
  std::map<std::size_t, std::string> names;
  std::unique_ptr<std::size_t> pointer;
};

struct has_handles {
  void fill(std::size_t seed)
  {
    one = make_handle<std::string>(std::to_string(seed));
    shared = make_shared_handle<std::size_t>(seed);
    numbers.assign({seed, seed});
    weak = shared;
    text = std::to_string(seed);
  }
  bool holds(std::size_t seed) const
  {
    return *one == text && text == std::to_string(seed) && *shared == seed &&
           weak.lock() == shared && numbers.size() == 2 && numbers[1] == seed;
  }

  handle<std::string> one;
  shared_handle<std::size_t> shared;
  weak_handle<std::size_t> weak;
  relocatable_vector<std::size_t> numbers;
  std::string text;
};

template <std::size_t Alignment> struct alignas(Alignment) aligned {
  void fill(std::size_t seed)
  {
    number = seed;
  }
  bool holds(std::size_t seed) const
  {
    return number == seed && is_aligned(this, Alignment);
  }

  std::size_t number = 0;
};

template <std::size_t Alignment> struct alignas(Alignment) aligned_tracked : tracked {
  bool holds(std::size_t seed) const
  {
    return tracked::holds(seed) && is_aligned(this, Alignment);
  }
};

#if defined(__x86_64__)
// One vector register, stored and compared by aligned instructions where the processor has them.
// (Aligned by hand: g++ does not align the types of registers that it is not told of.)
#define SIMD_TYPE(name, type, feature, store, load, set) \
  struct name { \
    alignas(sizeof(type)) type lanes; \
    static bool has_it() \
    { \
      return __builtin_cpu_supports(feature) != 0; \
    } \
    __attribute__((target(feature))) void fill_lanes(float value) \
    { \
      store(reinterpret_cast<float *>(&lanes), set(value)); \
    } \
    __attribute__((target(feature))) void load_lanes(float *to) const \
    { \
      type copy = load(reinterpret_cast<const float *>(&lanes)); \
      std::memcpy(to, &copy, sizeof copy); \
    } \
    void fill(std::size_t seed) \
    { \
      std::memset(static_cast<void *>(&lanes), 0, sizeof lanes); \
      if (has_it()) fill_lanes(static_cast<float>(seed % 1000)); \
    } \
    bool holds(std::size_t seed) const \
    { \
      float found[sizeof(type) / sizeof(float)] = {}; \
      if (has_it()) load_lanes(found); \
      float wanted = has_it() ? static_cast<float>(seed % 1000) : 0; \
      for (float each : found) { \
        if (each < wanted || each > wanted) return false; \
      } \
      return is_aligned(this, sizeof(type)); \
    } \
  }
SIMD_TYPE(simd128, __m128, "sse2", _mm_store_ps, _mm_load_ps, _mm_set1_ps);
SIMD_TYPE(simd256, __m256, "avx", _mm256_store_ps, _mm256_load_ps, _mm256_set1_ps);
SIMD_TYPE(simd512, __m512, "avx512f", _mm512_store_ps, _mm512_load_ps, _mm512_set1_ps);
#else
using simd128 = aligned<16>;
using simd256 = aligned<32>;
using simd512 = aligned<64>;
#endif

// -- holders: made from a seed, an address, and whether all is still there

template <class T> struct in_handle {
  explicit in_handle(std::size_t seed) : holder(make_handle<T>())
  {
    scope open;
    holder->fill(seed);
  }
  const void *address() const
  {
    return holder.get();
  }
  bool holds(std::size_t seed) const
  {
    return holder->holds(seed);
  }

  handle<T> holder;
};

template <class T> struct in_array {
  explicit in_array(std::size_t seed) : holder(make_handle<T[]>(3))
  {
    scope open;
    for (std::size_t i = 0; i < 3; i++) holder[i].fill(seed + i);
  }
  const void *address() const
  {
    return holder.get();
  }
  bool holds(std::size_t seed) const
  {
    return holder.size() == 3 && holder[0].holds(seed) && holder[2].holds(seed + 2);
  }

  handle<T[]> holder;
};

template <class T> struct in_shared {
  explicit in_shared(std::size_t seed) : holder(make_shared_handle<T>()), other(holder)
  {
    scope open;
    holder->fill(seed);
  }
  const void *address() const
  {
    return holder.get();
  }
  bool holds(std::size_t seed) const
  {
    return holder->holds(seed) && holder.use_count() == 2;
  }

  shared_handle<T> holder, other;
};

template <class T> struct in_vector {
  explicit in_vector(std::size_t seed)
  {
    scope open;
    for (std::size_t i = 0; i < 5; i++) {
      holder.emplace_back();
      holder[i].fill(seed + i);
    }
  }
  const void *address() const
  {
    return holder.data();
  }
  bool holds(std::size_t seed) const
  {
    return holder.size() == 5 && holder[0].holds(seed) && holder[4].holds(seed + 4);
  }

  relocatable_vector<T> holder;
};

// Passes leave blocks of whole os pages where they are: freed ones do not keep others' memory.
constexpr bool moves(std::size_t alignment)
{
  return alignment < 4096;
}

template <class Store> void check_survives(std::size_t bytes, std::size_t alignment)
{
  std::size_t count = 100 + 512 * 1024 / bytes;  // some pages
  std::vector<Store> stores;
  for (std::size_t i = 0; i < count; i++) stores.emplace_back(i);
  thin_out(stores);
  std::vector<const void *> addresses;
  {
    scope open;
    for (const Store &each : stores) addresses.push_back(each.address());
  }
  custom_alloc::defrag_report report = whole_pass();
  if (moves(alignment)) CHECK(report.objects_moved > 0);
  scope open;
  std::size_t moved = 0;
  for (std::size_t i = 0; i < stores.size(); i++) {
    REQUIRE(stores[i].holds(8 * i));
    if (stores[i].address() != addresses[i]) moved++;
  }
  if (moves(alignment)) CHECK(moved > 0);
}

}  // namespace

template <> struct custom_alloc::is_trivially_relocatable<says_so> : std::true_type {
};

// The trait, of all kinds.
static_assert(is_trivially_relocatable<plain>::value && is_trivially_relocatable<says_so>::value &&
                  is_trivially_relocatable<says_so[3]>::value &&
                  is_trivially_relocatable<const says_so>::value &&
                  is_trivially_relocatable<const volatile says_so[3]>::value &&
                  is_trivially_relocatable<const handle<tracked>>::value &&
                  is_trivially_relocatable<const custom_alloc::unique_ptr<tracked>>::value &&
                  !is_trivially_relocatable<const short_text>::value &&
                  is_trivially_relocatable<handle<tracked>>::value &&
                  is_trivially_relocatable<shared_handle<tracked>>::value &&
                  is_trivially_relocatable<weak_handle<tracked>>::value &&
                  is_trivially_relocatable<relocatable_vector<tracked>>::value &&
                  is_trivially_relocatable<custom_alloc::unique_ptr<tracked>>::value &&
                  is_trivially_relocatable<custom_alloc::unique_ptr<tracked[]>>::value &&
                  is_trivially_relocatable<std::unique_ptr<tracked>>::value &&
                  is_trivially_relocatable<std::shared_ptr<tracked>>::value &&
                  is_trivially_relocatable<std::weak_ptr<tracked>>::value &&
                  !is_trivially_relocatable<std::mutex>::value &&
                  !is_trivially_relocatable<short_text>::value &&
                  !is_trivially_relocatable<has_handles>::value,
              "");

TEST_CASE_TEMPLATE("survives passes that move it", T, plain, says_so, owns, short_text, containers,
                   has_handles, tracked, aligned<32>, aligned<64>, aligned<128>, aligned<4096>,
                   aligned_tracked<64>, aligned_tracked<4096>, simd128, simd256, simd512)
{
  check_survives<in_handle<T>>(sizeof(T), alignof(T));
  check_survives<in_array<T>>(3 * sizeof(T), alignof(T));
  check_survives<in_shared<T>>(sizeof(T) + alignof(T), alignof(T));
  check_survives<in_vector<T>>(6 * sizeof(T) + alignof(T), alignof(T));
  CHECK(tracked::live() == 0);
  CHECK(objects() == 0);
}
