// SPDX-License-Identifier: MIT
//
// mend for C++: memory that is wiped before it is given back, for keys and passwords. Since 0.3.
//
//     custom_alloc::secure::vector<unsigned char> key(32);
//
// What this is: nothing of the secret is left in free memory, whoever gets it next, also not where
// a vector has grown and left its old place. What it is not: the memory can be swapped out and
// dumped, a fork copies it, and what else holds the secret, a register, a stack, a buffer of an
// input stream, is not touched.
//
// There is no string here, on purpose: std::basic_string keeps up to some 22 characters inside of
// itself, where no allocator sees them, and so would leave just the short passwords behind. Use
// vector<char>.
#ifndef CUSTOM_ALLOC_SECURE_ALLOCATOR_HPP
#define CUSTOM_ALLOC_SECURE_ALLOCATOR_HPP

#include <cstddef>
#include <cstring>
#include <type_traits>
#include <vector>

#include "parts/detail.hpp"

namespace custom_alloc
{
inline namespace CUSTOM_ALLOC_ABI
{
namespace secure
{

// Zeroes memory, also where the compiler sees that nobody reads it afterwards. `memory` may be NULL
// if `bytes` is 0. Any thread.
inline void wipe(void *memory, std::size_t bytes) noexcept
{
#if defined(__GNUC__)
  if (bytes > 0) std::memset(memory, 0, bytes);
  __asm__ volatile("" : : "r"(memory) : "memory");  // where somebody may read it, for all it knows
#else
  volatile unsigned char *at = static_cast<unsigned char *>(memory);
  while (bytes-- > 0) *at++ = 0;
#endif
}

// The allocator of containers that hold secrets: the whole block is wiped before it is given back,
// its room behind the last element as well. All are equal. Elements that are only erased, or
// overwritten, stay where they are until then. T may be aligned to any power of two.
template <class T> class allocator
{
public:
  using value_type = T;
  using size_type = std::size_t;
  using difference_type = std::ptrdiff_t;
  using propagate_on_container_move_assignment = std::true_type;
  using is_always_equal = std::true_type;

  constexpr allocator() noexcept = default;
  template <class U> constexpr allocator(const allocator<U> &) noexcept
  {
  }

  // Room for `count` elements, none of which is made. Throws std::bad_array_new_length if no size_t
  // holds their size, else std::bad_alloc, after the program's new-handler.
  CUSTOM_ALLOC_NODISCARD T *allocate(std::size_t count)
  {
    std::size_t size = detail::array_bytes(count, sizeof(T));
    return static_cast<T *>(detail::allocate_from(nullptr, size, alignof(T)));
  }
  // Wipes all of the block, then gives it back; `count` may be anything. (A block never grows by
  // mend_realloc, which would leave the old place as it was.)
  void deallocate(T *block, std::size_t) noexcept
  {
    wipe(block, mend_malloc_usable_size(block));
    mend_free(block);
  }
};

template <class T, class U>
constexpr bool operator==(const allocator<T> &, const allocator<U> &) noexcept
{
  return true;
}
template <class T, class U>
constexpr bool operator!=(const allocator<T> &, const allocator<U> &) noexcept
{
  return false;
}

// A vector whose memory is wiped whenever it is left: when the vector grows, and at its end.
template <class T> using vector = std::vector<T, allocator<T>>;

}  // namespace secure
}  // namespace CUSTOM_ALLOC_ABI
}  // namespace custom_alloc

#endif
