// SPDX-License-Identifier: MIT
//
// mend for C++: the operators new and delete of a program. Since 0.3.
//
// Include it in exactly one source file: it defines all forms that the language of that file has.
// Then every `new` of the program and of its libraries is served by mend, while `malloc` is left
// alone. The exception: where that file is C++11 or 14, `new` of types that are aligned to more
// than 16 bytes, which C++17 has brought, stays what it was in the others. Programs that are linked
// with libmend, or run with it preloaded, need none of this.
#ifndef CUSTOM_ALLOC_NEW_DELETE_HPP
#define CUSTOM_ALLOC_NEW_DELETE_HPP

#include <cstddef>
#include <new>

#include "parts/detail.hpp"

namespace custom_alloc
{
inline namespace CUSTOM_ALLOC_ABI
{
namespace detail
{

// As a nothrow form of operator new: asks the new-handler, and swallows what it throws.
inline void *new_or_null(std::size_t size, std::size_t alignment) noexcept
{
#if CUSTOM_ALLOC_EXCEPTIONS
  try {
    return allocate_from(nullptr, size, alignment);
  } catch (...) {
    return nullptr;
  }
#else
  for (;;) {
    void *block = try_allocate(nullptr, size, alignment);
    if (block != nullptr) return block;
    std::new_handler handler = std::get_new_handler();
    if (handler == nullptr) return nullptr;
    handler();
  }
#endif
}

}  // namespace detail
}  // namespace CUSTOM_ALLOC_ABI
}  // namespace custom_alloc

void *operator new(std::size_t size)
{
  return custom_alloc::detail::allocate_from(nullptr, size,
                                             custom_alloc::detail::natural_alignment);
}
void *operator new[](std::size_t size)
{
  return ::operator new(size);
}
void *operator new(std::size_t size, const std::nothrow_t &) noexcept
{
  return custom_alloc::detail::new_or_null(size, custom_alloc::detail::natural_alignment);
}
void *operator new[](std::size_t size, const std::nothrow_t &nothrow) noexcept
{
  return ::operator new(size, nothrow);
}

void operator delete(void *block) noexcept
{
  mend_free(block);
}
void operator delete[](void *block) noexcept
{
  mend_free(block);
}
void operator delete(void *block, const std::nothrow_t &) noexcept
{
  mend_free(block);
}
void operator delete[](void *block, const std::nothrow_t &) noexcept
{
  mend_free(block);
}

#if defined(__cpp_sized_deallocation)
void operator delete(void *block, std::size_t) noexcept
{
  mend_free(block);
}
void operator delete[](void *block, std::size_t) noexcept
{
  mend_free(block);
}
#endif

#if defined(__cpp_aligned_new)
void *operator new(std::size_t size, std::align_val_t alignment)
{
  return custom_alloc::detail::allocate_from(nullptr, size, static_cast<std::size_t>(alignment));
}
void *operator new[](std::size_t size, std::align_val_t alignment)
{
  return ::operator new(size, alignment);
}
void *operator new(std::size_t size, std::align_val_t alignment, const std::nothrow_t &) noexcept
{
  return custom_alloc::detail::new_or_null(size, static_cast<std::size_t>(alignment));
}
void *operator new[](std::size_t size, std::align_val_t alignment,
                     const std::nothrow_t &nothrow) noexcept
{
  return ::operator new(size, alignment, nothrow);
}

void operator delete(void *block, std::align_val_t) noexcept
{
  mend_free(block);
}
void operator delete[](void *block, std::align_val_t) noexcept
{
  mend_free(block);
}
void operator delete(void *block, std::align_val_t, const std::nothrow_t &) noexcept
{
  mend_free(block);
}
void operator delete[](void *block, std::align_val_t, const std::nothrow_t &) noexcept
{
  mend_free(block);
}
#if defined(__cpp_sized_deallocation)
void operator delete(void *block, std::size_t, std::align_val_t) noexcept
{
  mend_free(block);
}
void operator delete[](void *block, std::size_t, std::align_val_t) noexcept
{
  mend_free(block);
}
#endif
#endif

#endif
