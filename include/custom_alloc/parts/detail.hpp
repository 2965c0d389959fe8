// SPDX-License-Identifier: MIT
//
// mend for C++: what its headers share. Which language the compiler speaks, how a
// failed allocation ends, and a guard that gives a block back. Nothing here is for users.
//
// All of these headers are header-only over the C library, in C++11 and later, with or without
// exceptions and RTTI. Without exceptions what would throw ends the program with abort(). That is
// chosen by each source file's flags, and one program may have files of both kinds: so all names
// are in an inline namespace of these flags, and the linker never takes one file's function for
// another's.
#ifndef CUSTOM_ALLOC_DETAIL_HPP
#define CUSTOM_ALLOC_DETAIL_HPP

#include <cstddef>
#include <cstdlib>
#include <new>

#include "mend/mend.h"

#if defined(__cpp_exceptions) || defined(__EXCEPTIONS)
#define CUSTOM_ALLOC_EXCEPTIONS 1
#else
#define CUSTOM_ALLOC_EXCEPTIONS 0
#endif

#if CUSTOM_ALLOC_EXCEPTIONS && (defined(__cpp_rtti) || defined(__GXX_RTTI))
#define CUSTOM_ALLOC_ABI with_exceptions_and_rtti
#elif CUSTOM_ALLOC_EXCEPTIONS
#define CUSTOM_ALLOC_ABI with_exceptions
#elif defined(__cpp_rtti) || defined(__GXX_RTTI)
#define CUSTOM_ALLOC_ABI with_rtti
#else
#define CUSTOM_ALLOC_ABI plain
#endif

#if __cplusplus >= 201703L
#define CUSTOM_ALLOC_NODISCARD [[nodiscard]]
#define CUSTOM_ALLOC_CXX17 1
#else
#define CUSTOM_ALLOC_NODISCARD
#define CUSTOM_ALLOC_CXX17 0
#endif

#if defined(__GNUC__)
#define CUSTOM_ALLOC_COLD __attribute__((cold, noinline))
#else
#define CUSTOM_ALLOC_COLD
#endif

namespace custom_alloc
{
inline namespace CUSTOM_ALLOC_ABI
{
namespace detail
{

// Every block of mend's is aligned to this.
constexpr std::size_t natural_alignment = 16;

// Throws an Exception made of these arguments, or ends the program.
template <class Exception, class... Arguments>
[[noreturn]] CUSTOM_ALLOC_COLD void throw_or_abort(const Arguments &...arguments)
{
#if CUSTOM_ALLOC_EXCEPTIONS
  throw Exception(arguments...);
#else
  static_cast<void>(sizeof...(arguments));
  std::abort();
#endif
}
[[noreturn]] inline void throw_bad_alloc()
{
  throw_or_abort<std::bad_alloc>();
}
[[noreturn]] inline void throw_bad_array_new_length()
{
  throw_or_abort<std::bad_array_new_length>();
}

constexpr bool is_alignment(std::size_t number) noexcept
{
  return number != 0 && (number & (number - 1)) == 0;
}

// count * size, or std::bad_array_new_length where that overflows.
inline std::size_t array_bytes(std::size_t count, std::size_t size)
{
  if (count > static_cast<std::size_t>(-1) / size) throw_bad_array_new_length();
  return count * size;
}

// A block of the heap (NULL: of mend_malloc's memory), or NULL, as for what is no alignment.
inline void *try_allocate(mend_heap *heap, std::size_t size, std::size_t alignment) noexcept
{
  if (!is_alignment(alignment)) return nullptr;
  if (alignment <= natural_alignment)
    return heap == nullptr ? mend_malloc(size) : mend_heap_malloc(heap, size);
  return heap == nullptr ? mend_aligned_alloc(alignment, size)
                         : mend_heap_aligned_alloc(heap, alignment, size);
}

// Asks the new-handler for memory, as operator new does: one call of it.
CUSTOM_ALLOC_COLD inline void call_new_handler()
{
  std::new_handler handler = std::get_new_handler();
  if (handler == nullptr) throw_bad_alloc();
  handler();
}

// The way that is left when memory has run out: asks the program's new-handler for more until
// there is some, the handler throws, or there is no handler, which is std::bad_alloc.
CUSTOM_ALLOC_COLD inline void *allocate_after_handler(mend_heap *heap, std::size_t size,
                                                      std::size_t alignment)
{
  if (!is_alignment(alignment)) throw_bad_alloc();
  for (;;) {
    call_new_handler();
    void *block = try_allocate(heap, size, alignment);
    if (block != nullptr) return block;
  }
}

// A block of the heap; never NULL.
inline void *allocate_from(mend_heap *heap, std::size_t size, std::size_t alignment)
{
  void *block = try_allocate(heap, size, alignment);
  return block != nullptr ? block : allocate_after_handler(heap, size, alignment);
}

// Gives a block back at its end, unless release() was called: what a constructor that throws
// leaves behind, without try and catch.
class block_guard
{
public:
  explicit block_guard(void *block) noexcept : block_(block)
  {
  }
  block_guard(const block_guard &) = delete;
  block_guard &operator=(const block_guard &) = delete;
  ~block_guard()
  {
    mend_free(block_);
  }
  void release() noexcept
  {
    block_ = nullptr;
  }

private:
  void *block_;
};

}  // namespace detail
}  // namespace CUSTOM_ALLOC_ABI
}  // namespace custom_alloc

#endif
