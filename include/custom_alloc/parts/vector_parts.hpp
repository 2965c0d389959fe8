// SPDX-License-Identifier: MIT
//
// What relocatable_vector.hpp is made of: the object that holds an array, seen through an address
// that is good for the scope; a gap in it that is being filled; an element that is made before its
// place is there. Nothing here is for users.
#ifndef CUSTOM_ALLOC_VECTOR_PARTS_HPP
#define CUSTOM_ALLOC_VECTOR_PARTS_HPP

#include <cstddef>
#include <cstdint>
#include <new>
#include <stdexcept>
#include <type_traits>
#include <utility>

#include "detail.hpp"
#include "raw_handle.hpp"
#include "relocatable.hpp"

namespace custom_alloc
{
inline namespace CUSTOM_ALLOC_ABI
{
namespace detail
{

[[noreturn]] inline void throw_out_of_range()
{
  throw_or_abort<std::out_of_range>("custom_alloc::relocatable_vector::at");
}
[[noreturn]] inline void throw_length_error()
{
  throw_or_abort<std::length_error>("custom_alloc::relocatable_vector");
}

// An element that is made before its place is there: relocate_to moves it there.
template <class T, class = bytes_move<T>> class temporary
{
public:
  template <class... Arguments>
  explicit temporary(Arguments &&...arguments) : value_(std::forward<Arguments>(arguments)...)
  {
  }
  temporary(const temporary &) = delete;
  temporary &operator=(const temporary &) = delete;
  void relocate_to(T *place) noexcept
  {
    ::new (static_cast<void *>(place)) T(std::move(value_));
  }

private:
  T value_;
};

// The same by bytes: then there is nothing left to be destroyed.
template <class T> class temporary<T, std::true_type>
{
public:
  template <class... Arguments> explicit temporary(Arguments &&...arguments)
  {
    ::new (static_cast<void *>(bytes_)) T(std::forward<Arguments>(arguments)...);
  }
  temporary(const temporary &) = delete;
  temporary &operator=(const temporary &) = delete;
  ~temporary()
  {
    if (!is_gone_) address()->~T();
  }
  void relocate_to(T *place) noexcept
  {
    relocate(place, address(), 1);
    is_gone_ = true;
  }

private:
  T *address() noexcept
  {
    return static_cast<T *>(static_cast<void *>(bytes_));
  }

  bool is_gone_ = false;
  alignas(T) unsigned char bytes_[sizeof(T)];
};

// What an array's object begins with.
struct array_header {
  std::size_t count;  // of elements
  std::size_t room;   // for so many; kept here, so that growing asks for one address only
};

// The object {header, padding, elements, room}: an address of it. Made and used within a scope.
template <class T> class array_object
{
  static constexpr std::size_t alignment = alignof(T) > alignof(array_header)
                                               ? alignof(T)
                                               : alignof(array_header);
  static constexpr std::size_t header_bytes =
      (sizeof(array_header) + alignof(T) - 1) / alignof(T) * alignof(T);

  static constexpr std::size_t bytes_of(std::size_t count)
  {
    return header_bytes + count * sizeof(T);
  }
  // As a mend_move_function. The object may be growing or shrinking: only the elements count.
  struct mover {
    using element = T;
    static void move(void *to, void *from, std::size_t, void *) noexcept
    {
      const array_header *header = ::new (to) array_header(*static_cast<array_header *>(from));
      relocate(elements_of(to), elements_of(from), header->count);
    }
  };

public:
  explicit array_object(mend_handle object) noexcept : object_(mend_resolve(object))
  {
  }
  // A new one without elements, and with room for some; the caller owns it.
  static mend_handle make(mend_handle_heap *heap, std::size_t room)
  {
    static_assert(movable<T>::value, "");
    scope open;
    mend_handle object = allocate_object(heap, alignment, bytes_of(room), move_type<mover>());
    ::new (mend_resolve(object)) array_header{0, room};
    return object;
  }
  // Makes room for so many elements, at least those that there are. std::bad_alloc.
  static void grow(mend_handle object, std::size_t room)
  {
    scope open;
    reallocate_handle(object, bytes_of(room), alignment);
    array_object(object).header().room = room;
  }
  // Room for those that there are, if that can be done.
  static void shrink(mend_handle object) noexcept
  {
    scope open;
    std::size_t count = array_object(object).count();
    mend_status status = reallocate_handle(object, bytes_of(count), alignment, std::nothrow);
    if (status == MEND_OK) array_object(object).header().room = count;
  }
  static constexpr std::size_t max_count() noexcept
  {
    return (PTRDIFF_MAX - header_bytes) / sizeof(T);
  }
  static T *elements_of(void *object) noexcept
  {
    return static_cast<T *>(static_cast<void *>(static_cast<char *>(object) + header_bytes));
  }

  bool is_there() const noexcept
  {
    return object_ != nullptr;
  }
  T *elements() const noexcept
  {
    return elements_of(object_);
  }
  std::size_t &count() const noexcept
  {
    return header().count;
  }
  std::size_t room() const noexcept
  {
    return header().room;
  }

  // One more element, for which there is room.
  template <class... Arguments> void add(Arguments &&...arguments)
  {
    ::new (static_cast<void *>(elements() + count())) T(std::forward<Arguments>(arguments)...);
    count()++;
  }
  void add_temporary(temporary<T> &value) noexcept
  {
    value.relocate_to(elements() + count());
    count()++;
  }
  // All elements of another array, for which there is room; it has none then.
  void add_all(const array_object &from) noexcept
  {
    relocate(elements() + count(), from.elements(), from.count());
    count() += from.count();
    from.count() = 0;
  }
  void truncate(std::size_t left) noexcept
  {
    std::size_t gone = count() - left;
    count() = left;
    destroy(elements() + left, gone);
  }
  void erase(std::size_t index, std::size_t gone) noexcept
  {
    T *place = elements() + index;
    destroy(place, gone);
    relocate(place, place + gone, count() - index - gone);
    count() -= gone;
  }

private:
  array_header &header() const noexcept
  {
    return *static_cast<array_header *>(object_);
  }

  void *object_;
};

// Opens a gap for `count` elements before element `index`; there is room for them. What add() has
// not filled when it ends is closed again, and the elements that were added are gone.
template <class T> class array_gap
{
public:
  array_gap(array_object<T> array, std::size_t index, std::size_t count) noexcept
      : array_(array), place_(array_.elements() + index), width_(count),
        after_(array_.count() - index)
  {
    relocate(place_ + width_, place_, after_);
  }
  array_gap(const array_gap &) = delete;
  array_gap &operator=(const array_gap &) = delete;
  ~array_gap()
  {
    if (is_closed_) return;
    destroy(place_, added_);
    relocate(place_, place_ + width_, after_);
  }

  template <class... Arguments> void add(Arguments &&...arguments)
  {
    ::new (static_cast<void *>(place_ + added_)) T(std::forward<Arguments>(arguments)...);
    added_++;
  }
  void add_temporary(temporary<T> &value) noexcept
  {
    value.relocate_to(place_ + added_);
    added_++;
  }
  // All elements of another array, which fill it; that has none then.
  void add_all(const array_object<T> &from) noexcept
  {
    relocate(place_, from.elements(), from.count());
    added_ = from.count();
    from.count() = 0;
  }
  // It is full: the array has so many elements more.
  void close() noexcept
  {
    array_.count() += width_;
    is_closed_ = true;
  }

private:
  array_object<T> array_;
  T *place_;
  std::size_t width_;
  std::size_t after_;
  std::size_t added_ = 0;
  bool is_closed_ = false;
};

}  // namespace detail
}  // namespace CUSTOM_ALLOC_ABI
}  // namespace custom_alloc

#endif
