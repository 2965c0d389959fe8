// SPDX-License-Identifier: MIT
//
// mend for C++: a heap of its own for what belongs together. Since 0.3.
//
//     custom_alloc::heap request;
//     std::vector<int, custom_alloc::heap_allocator<int>> numbers(request);
//
// A heap's end gives all of its blocks back at once. It calls no destructors: what is still used by
// then, containers on the heap among it, must have ended before. Any thread may use a heap, which
// is guarded by a lock of its own.
#ifndef CUSTOM_ALLOC_HEAP_HPP
#define CUSTOM_ALLOC_HEAP_HPP

#include <cstddef>
#include <memory>
#include <new>
#include <type_traits>
#include <utility>

#include "detail.hpp"
#include "memory.hpp"
#include "smart_ptr.hpp"

namespace custom_alloc
{
inline namespace CUSTOM_ALLOC_ABI
{

// Owns a mend_heap. One that was moved from owns nothing, and may only be assigned to, swapped or
// destroyed.
class heap
{
public:
  // A new, empty heap. Throws std::bad_alloc.
  heap() : heap_(mend_heap_create())
  {
    if (heap_ == nullptr) detail::throw_bad_alloc();
  }
  heap(heap &&other) noexcept : heap_(other.heap_)
  {
    other.heap_ = nullptr;
  }
  // What was owned before ends, as at the destructor.
  heap &operator=(heap &&other) noexcept
  {
    heap taken(std::move(other));
    swap(taken);
    return *this;
  }
  // Nobody may be using the heap or its blocks.
  ~heap()
  {
    mend_heap_destroy(heap_);
  }

  void swap(heap &other) noexcept
  {
    std::swap(heap_, other.heap_);
  }
  friend void swap(heap &one, heap &other) noexcept
  {
    one.swap(other);
  }

  // As the functions of these names, from this heap; given back by custom_alloc::deallocate, from
  // any thread, or with the heap.
  CUSTOM_ALLOC_NODISCARD void *allocate(std::size_t size)
  {
    return detail::allocate_from(heap_, size, detail::natural_alignment);
  }
  CUSTOM_ALLOC_NODISCARD void *allocate(std::size_t size, std::size_t alignment)
  {
    return detail::allocate_from(heap_, size, alignment);
  }
  // The same two, but NULL where they would throw. No new-handler is called.
  CUSTOM_ALLOC_NODISCARD void *allocate(std::size_t size, const std::nothrow_t &) noexcept
  {
    return detail::try_allocate(heap_, size, detail::natural_alignment);
  }
  CUSTOM_ALLOC_NODISCARD void *allocate(std::size_t size, std::size_t alignment,
                                        const std::nothrow_t &) noexcept
  {
    return detail::try_allocate(heap_, size, alignment);
  }

  // Whether the address lies in memory of this heap: see mend_heap_owns.
  bool owns(const void *pointer) const noexcept
  {
    return mend_heap_owns(heap_, pointer);
  }
  // Gives wholly free pages back: see mend_heap_collect.
  void collect() noexcept
  {
    mend_heap_collect(heap_);
  }
  // For the functions of mend.h. It stays this object's.
  mend_heap *native() const noexcept
  {
    return heap_;
  }

private:
  mend_heap *heap_;
};

// The allocator of containers that live in a heap. Two are equal if their heap is the same. A
// container takes its allocator along when it is moved or swapped, and keeps its own when it is
// copied to; the copy of a container is in the same heap. The heap must outlive them all.
template <class T> class heap_allocator
{
public:
  using value_type = T;
  using size_type = std::size_t;
  using difference_type = std::ptrdiff_t;
  using propagate_on_container_copy_assignment = std::false_type;
  using propagate_on_container_move_assignment = std::true_type;
  using propagate_on_container_swap = std::true_type;
  using is_always_equal = std::false_type;

  heap_allocator(heap &from) noexcept : heap_(from.native())
  {
  }
  // A heap of the C functions; NULL stands for mend_malloc's memory.
  explicit heap_allocator(mend_heap *native) noexcept : heap_(native)
  {
  }
  template <class U> heap_allocator(const heap_allocator<U> &other) noexcept : heap_(other.native())
  {
  }

  // Room for `count` elements, none of which is made. Throws std::bad_array_new_length if no size_t
  // holds their size, else std::bad_alloc.
  CUSTOM_ALLOC_NODISCARD T *allocate(std::size_t count)
  {
    std::size_t size = detail::array_bytes(count, sizeof(T));
    return static_cast<T *>(detail::allocate_from(heap_, size, alignof(T)));
  }
  // The same, but tells of all the room there is, all of which may be used.
  CUSTOM_ALLOC_NODISCARD allocation_result<T *> allocate_at_least(std::size_t count)
  {
    T *block = allocate(count);
    return {block, mend_malloc_usable_size(block) / sizeof(T)};
  }
  void deallocate(T *block, std::size_t) noexcept
  {
    mend_free(block);
  }
  mend_heap *native() const noexcept
  {
    return heap_;
  }

private:
  mend_heap *heap_;
};

template <class T, class U>
bool operator==(const heap_allocator<T> &one, const heap_allocator<U> &other) noexcept
{
  return one.native() == other.native();
}
template <class T, class U>
bool operator!=(const heap_allocator<T> &one, const heap_allocator<U> &other) noexcept
{
  return one.native() != other.native();
}

// make_unique, make_unique_for_overwrite and make_shared in a heap. What they return must end
// before the heap does.
template <class T, class... Arguments>
CUSTOM_ALLOC_NODISCARD typename detail::unique_of<T>::object
make_unique_in(heap &where, Arguments &&...arguments)
{
  return unique_ptr<T>(detail::make_object<T, detail::value_init>(
      where.native(), std::forward<Arguments>(arguments)...));
}
template <class T>
CUSTOM_ALLOC_NODISCARD typename detail::unique_of<T>::array make_unique_in(heap &where,
                                                                           std::size_t count)
{
  return detail::make_unique_array<T, detail::value_init>(where.native(), count);
}
template <class T>
CUSTOM_ALLOC_NODISCARD typename detail::unique_of<T>::object
make_unique_for_overwrite_in(heap &where)
{
  return unique_ptr<T>(detail::make_object<T, detail::default_init>(where.native()));
}
template <class T>
CUSTOM_ALLOC_NODISCARD typename detail::unique_of<T>::array
make_unique_for_overwrite_in(heap &where, std::size_t count)
{
  return detail::make_unique_array<T, detail::default_init>(where.native(), count);
}
template <class T, class... Arguments>
CUSTOM_ALLOC_NODISCARD std::shared_ptr<T> make_shared_in(heap &where, Arguments &&...arguments)
{
  return detail::make_shared_by<T>(heap_allocator<char>(where),
                                   std::forward<Arguments>(arguments)...);
}

}  // namespace CUSTOM_ALLOC_ABI
}  // namespace custom_alloc

#endif
