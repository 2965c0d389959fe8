// SPDX-License-Identifier: MIT
//
// Handles as they are in C (mend/handle.h), for C++: objects that are named by a mend_handle and
// may be moved, scopes, and heaps of such objects. What has a type is in handle.hpp,
// shared_handle.hpp and relocatable_vector.hpp.
//
// Here an object is bytes: nothing is constructed or destroyed, and moving it copies the bytes. How
// long an address is good is told at the head of mend/handle.h; any thread may call anything. Where
// memory has run out, the program's new-handler is asked for more; without one that is
// std::bad_alloc (without exceptions: abort), or what the forms with std::nothrow return, which do
// not ask. Since 0.3.
#ifndef CUSTOM_ALLOC_RAW_HANDLE_HPP
#define CUSTOM_ALLOC_RAW_HANDLE_HPP

#include <cerrno>
#include <cstddef>
#include <new>
#include <stdexcept>
#include <utility>

#include "detail.hpp"
#include "mend/handle.h"

namespace custom_alloc
{
inline namespace CUSTOM_ALLOC_ABI
{

namespace detail
{

// A new object; `heap` NULL: of the heap that is always there.
inline mend_handle allocate_object(mend_handle_heap *heap, std::size_t alignment, std::size_t size,
                                   mend_type type)
{
  for (;;) {
    mend_handle object = mend_handle_heap_aligned_alloc(heap, alignment, size, 0, type);
    if (!mend_handle_is_null(object)) return object;
    if (errno != ENOMEM) throw_bad_alloc();  // there is no such alignment
    call_new_handler();
  }
}

}  // namespace detail

// A scope from here to the end of the block: addresses that are resolved in it are good until the
// thread's outermost scope ends. About 1 ns. Keep it short, and never across threads.
class CUSTOM_ALLOC_NODISCARD scope
{
public:
  CUSTOM_ALLOC_NODISCARD scope() noexcept
  {
    mend_scope_enter();
  }
  ~scope()
  {
    mend_scope_leave();
  }
  scope(const scope &) = delete;
  scope &operator=(const scope &) = delete;
  static void *operator new(std::size_t) = delete;
  static void *operator new[](std::size_t) = delete;
};

// A heap of objects that are measured and freed together. Owns it; move-only. Its end frees the
// memory of all objects that are left, without their destructors: end every handle<T>,
// shared_handle<T> and relocatable_vector<T> of the heap before.
class handle_heap
{
public:
  handle_heap() : heap_(mend_handle_heap_create())
  {
    if (heap_ == nullptr) detail::throw_bad_alloc();
  }
  handle_heap(handle_heap &&other) noexcept : heap_(other.heap_)
  {
    other.heap_ = nullptr;
  }
  handle_heap &operator=(handle_heap &&other) noexcept
  {
    handle_heap old(std::move(other));
    swap(old);
    return *this;
  }
  ~handle_heap()
  {
    mend_handle_heap_destroy(heap_);
  }

  void swap(handle_heap &other) noexcept
  {
    std::swap(heap_, other.heap_);
  }
  friend void swap(handle_heap &one, handle_heap &other) noexcept
  {
    one.swap(other);
  }

  // The heap as C knows it. NULL, which stands for the heap that is always there, after a move.
  mend_handle_heap *native() const noexcept
  {
    return heap_;
  }

private:
  mend_handle_heap *heap_;
};

// A new object of `size` bytes, contents undefined, which the caller frees by deallocate_handle. It
// keeps `alignment`, a power of two up to MEND_HANDLE_MAX_ALIGNMENT (else std::bad_alloc), wherever
// it moves.
CUSTOM_ALLOC_NODISCARD inline mend_handle
allocate_handle(std::size_t size, std::size_t alignment = detail::natural_alignment)
{
  return detail::allocate_object(nullptr, alignment, size, 0);
}
CUSTOM_ALLOC_NODISCARD inline mend_handle
allocate_handle(handle_heap &heap, std::size_t size,
                std::size_t alignment = detail::natural_alignment)
{
  return detail::allocate_object(heap.native(), alignment, size, 0);
}
// The same; where there is no memory, MEND_HANDLE_NULL.
CUSTOM_ALLOC_NODISCARD inline mend_handle allocate_handle(std::size_t size, std::size_t alignment,
                                                          const std::nothrow_t &) noexcept
{
  return mend_handle_heap_aligned_alloc(nullptr, alignment, size, 0, 0);
}
CUSTOM_ALLOC_NODISCARD inline mend_handle allocate_handle(std::size_t size,
                                                          const std::nothrow_t &) noexcept
{
  return allocate_handle(size, detail::natural_alignment, std::nothrow);
}
CUSTOM_ALLOC_NODISCARD inline mend_handle allocate_handle(handle_heap &heap, std::size_t size,
                                                          std::size_t alignment,
                                                          const std::nothrow_t &) noexcept
{
  return mend_handle_heap_aligned_alloc(heap.native(), alignment, size, 0, 0);
}

// Resizes the object; its handle stays, addresses of it do not. No other thread may be using it.
// `alignment`: the one that it was made with, which is not remembered; without it the object is
// aligned to 16 bytes afterwards. As mend_handle_aligned_realloc; on failure nothing has changed.
inline mend_status reallocate_handle(mend_handle object, std::size_t size, std::size_t alignment,
                                     const std::nothrow_t &) noexcept
{
  return mend_handle_aligned_realloc(object, alignment, size);
}
inline mend_status reallocate_handle(mend_handle object, std::size_t size,
                                     const std::nothrow_t &) noexcept
{
  return mend_handle_aligned_realloc(object, detail::natural_alignment, size);
}
// The same. std::bad_alloc: no memory, or the object is pinned and there is no room where it is.
// std::invalid_argument: there is no such object, or no such alignment.
inline void reallocate_handle(mend_handle object, std::size_t size,
                              std::size_t alignment = detail::natural_alignment)
{
  mend_status status;
  while ((status = mend_handle_aligned_realloc(object, alignment, size)) == MEND_NO_MEMORY) {
    detail::call_new_handler();
  }
  if (status == MEND_PINNED) detail::throw_bad_alloc();
  if (status != MEND_OK) detail::throw_or_abort<std::invalid_argument>(mend_status_text(status));
}

// Frees the object, which nobody may be using. MEND_STALE: somebody has freed it before.
inline mend_status deallocate_handle(mend_handle object) noexcept
{
  return mend_handle_free(object);
}
// The same where other threads may still be using it by addresses that they have resolved.
inline mend_status deallocate_handle_deferred(mend_handle object) noexcept
{
  return mend_handle_free_deferred(object);
}

// The object's address, good until the thread's scope ends; nullptr where there is no such object.
inline void *resolve(mend_handle object) noexcept
{
  return mend_resolve(object);
}
// Holds the object where it is until as many unpin have followed; its address, or nullptr.
inline void *pin(mend_handle object) noexcept
{
  return mend_pin(object);
}
inline mend_status unpin(mend_handle object) noexcept
{
  return mend_unpin(object);
}
// The size that was asked for last; 0 where there is no such object.
inline std::size_t handle_size(mend_handle object) noexcept
{
  return mend_handle_size(object);
}
// Whether the handle names an object. Never ends the process, whatever the options say.
inline bool is_valid(mend_handle object) noexcept
{
  return mend_handle_status(object) == MEND_OK;
}
// Says that the thread holds no address any more, where it has no scope of its own open.
inline void quiescent() noexcept
{
  mend_quiescent();
}

}  // namespace CUSTOM_ALLOC_ABI
}  // namespace custom_alloc

#endif
