// SPDX-License-Identifier: MIT
//
// mend for C++: untyped memory, and the allocator of containers. Since 0.3.
//
//     void *block = custom_alloc::allocate(1024);
//     custom_alloc::deallocate(block);
//     std::vector<int, custom_alloc::allocator<int>> numbers;
//
// Every function may be called from any thread. A block may be given back by another thread, and by
// any name of free that mend serves. Where memory runs out the program's new-handler is called as
// by operator new; if there is none, std::bad_alloc is thrown.
#ifndef CUSTOM_ALLOC_MEMORY_HPP
#define CUSTOM_ALLOC_MEMORY_HPP

#include <cstddef>
#include <memory>
#include <new>
#include <type_traits>

#include "detail.hpp"

namespace custom_alloc
{
inline namespace CUSTOM_ALLOC_ABI
{

// A block of at least `size` bytes, contents undefined, aligned to 16 bytes. Size 0 gives a unique
// block. The caller owns it until deallocate(). Throws std::bad_alloc.
CUSTOM_ALLOC_NODISCARD inline void *allocate(std::size_t size)
{
  return detail::allocate_from(nullptr, size, detail::natural_alignment);
}

// The same, aligned to `alignment` bytes, any power of two; for others std::bad_alloc is thrown.
CUSTOM_ALLOC_NODISCARD inline void *allocate(std::size_t size, std::size_t alignment)
{
  return detail::allocate_from(nullptr, size, alignment);
}

// The same two, but NULL where they would throw. No new-handler is called.
CUSTOM_ALLOC_NODISCARD inline void *allocate(std::size_t size, const std::nothrow_t &) noexcept
{
  return mend_malloc(size);
}
CUSTOM_ALLOC_NODISCARD inline void *allocate(std::size_t size, std::size_t alignment,
                                             const std::nothrow_t &) noexcept
{
  return detail::try_allocate(nullptr, size, alignment);
}

// Gives back what any of the above has returned. NULL is allowed.
inline void deallocate(void *block) noexcept
{
  mend_free(block);
}

// What allocate_at_least returns: a block and how many elements it has room for.
#if defined(__cpp_lib_allocate_at_least)
template <class Pointer, class Size = std::size_t>
using allocation_result = std::allocation_result<Pointer, Size>;
#else
template <class Pointer, class Size = std::size_t> struct allocation_result {
  Pointer ptr;
  Size count;
};
#endif

// The allocator of containers, a std::allocator whose memory is mend's. All are equal, so that
// containers swap, splice and move their memory. T may be aligned to any power of two.
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
  // holds their size, else std::bad_alloc.
  CUSTOM_ALLOC_NODISCARD T *allocate(std::size_t count)
  {
    std::size_t size = detail::array_bytes(count, sizeof(T));
    return static_cast<T *>(detail::allocate_from(nullptr, size, alignof(T)));
  }

  // The same, but tells of all the room there is, all of which may be used.
  CUSTOM_ALLOC_NODISCARD allocation_result<T *> allocate_at_least(std::size_t count)
  {
    T *block = allocate(count);
    return {block, mend_malloc_usable_size(block) / sizeof(T)};
  }

  // Gives the room back; `count` may be anything between what was asked for and what was told.
  void deallocate(T *block, std::size_t) noexcept
  {
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

}  // namespace CUSTOM_ALLOC_ABI
}  // namespace custom_alloc

#endif
