// SPDX-License-Identifier: MIT
//
// The growable array of relocatable_vector.hpp without its interface: who owns the object, when it
// grows, and how elements come and go by their index. All of it opens a scope where it looks at the
// object, but for what returns an address. Nothing here is for users.
//
// What throws has changed nothing, but perhaps capacity(): new elements are made in a gap that is
// closed again (vector_parts.hpp), or in an array of their own.
#ifndef CUSTOM_ALLOC_ARRAY_OWNER_HPP
#define CUSTOM_ALLOC_ARRAY_OWNER_HPP

#include <algorithm>
#include <cstddef>
#include <functional>
#include <iterator>
#include <memory>
#include <utility>

#include "detail.hpp"
#include "raw_handle.hpp"
#include "vector_parts.hpp"

namespace custom_alloc
{
inline namespace CUSTOM_ALLOC_ABI
{
namespace detail
{

template <class T> class array_owner
{
  using array = array_object<T>;

public:
  constexpr array_owner() noexcept : id_{0}
  {
  }
  explicit array_owner(mend_handle_heap *heap) : id_(array::make(heap, 0))
  {
  }
  array_owner(array_owner &&other) noexcept : id_(other.id_)
  {
    other.id_ = MEND_HANDLE_NULL;
  }
  array_owner &operator=(array_owner &&other) noexcept
  {
    array_owner old(std::move(other));
    swap(old);
    return *this;
  }
  ~array_owner()
  {
    if (!has_object()) return;
    scope open;
    array elements(id_);
    if (elements.is_there()) elements.truncate(0);
    (void)mend_handle_free(id_);
  }
  void swap(array_owner &other) noexcept
  {
    std::swap(id_, other.id_);
  }
  mend_handle id() const noexcept
  {
    return id_;
  }

  // -- addresses, good until the caller's scope ends; nullptr where there is no object

  T *first() const noexcept
  {
    return has_object() ? array(id_).elements() : nullptr;
  }
  T *past_last() const noexcept
  {
    if (!has_object()) return nullptr;
    array elements(id_);
    return elements.elements() + elements.count();
  }
  T &operator[](std::size_t index) const noexcept
  {
    return array(id_).elements()[index];
  }
  T &last() const noexcept
  {
    array elements(id_);
    return elements.elements()[elements.count() - 1];
  }
  T &at(std::size_t index) const
  {
    if (has_object()) {
      array elements(id_);
      if (index < elements.count()) return elements.elements()[index];
    }
    throw_out_of_range();
  }

  // -- room

  std::size_t size() const noexcept
  {
    if (!has_object()) return 0;
    scope open;
    return array(id_).count();
  }
  std::size_t capacity() const noexcept
  {
    if (!has_object()) return 0;
    scope open;
    return array(id_).room();
  }
  static constexpr std::size_t max_size() noexcept
  {
    return array::max_count();
  }
  void reserve(std::size_t count)
  {
    if (count <= capacity()) return;
    if (count > max_size()) throw_length_error();
    if (!has_object()) {
      id_ = array::make(nullptr, count);
    } else {
      array::grow(id_, count);
    }
  }
  void shrink() noexcept
  {
    if (has_object()) array::shrink(id_);
  }

  // -- elements

  template <class... Arguments> void add(Arguments &&...arguments)
  {
    scope open;
    if (has_object()) {
      array elements(id_);
      if (elements.count() < elements.room()) {
        elements.add(std::forward<Arguments>(arguments)...);
        return;
      }
    }
    // First the element, which may be made from one of those that are about to move.
    temporary<T> value(std::forward<Arguments>(arguments)...);
    grown(1).add_temporary(value);
  }
  // The same of one value, which may be one of the elements: if there is no memory, it is as it
  // was.
  template <class Value> void add_value(Value &&value)
  {
    scope open;
    std::size_t place = index_of(value);
    array elements = grown(1);
    Value &source = place < elements.count() ? elements.elements()[place] : value;
    elements.add(std::forward<Value>(source));
  }
  template <class... Arguments> void emplace(std::size_t index, Arguments &&...arguments)
  {
    scope open;
    temporary<T> value(std::forward<Arguments>(arguments)...);
    array_gap<T> gap(grown(1), index, 1);
    gap.add_temporary(value);
    gap.close();
  }
  template <class Value> void insert_value(std::size_t index, Value &&value)
  {
    scope open;
    std::size_t place = index_of(value);
    array elements = grown(1);
    Value &source = place < elements.count() ? elements.elements()[place] : value;
    temporary<T> made(std::forward<Value>(source));
    array_gap<T> gap(elements, index, 1);
    gap.add_temporary(made);
    gap.close();
  }
  // As many copies of a value, which may be one of the elements.
  void insert(std::size_t index, std::size_t count, const T &value)
  {
    if (count == 0) return;
    scope open;
    const T copy(value);
    array_gap<T> gap(grown(count), index, count);
    for (std::size_t i = 0; i < count; i++) gap.add(copy);
    gap.close();
  }
  // Those of a range that is not of this array.
  template <class Iterator>
  void insert(std::size_t index, Iterator first, Iterator last, std::forward_iterator_tag)
  {
    if (first == last) return;
    scope open;
    std::size_t count = static_cast<std::size_t>(std::distance(first, last));
    array_gap<T> gap(grown(count), index, count);
    for (; first != last; ++first) gap.add(*first);
    gap.close();
  }
  template <class Iterator>
  void insert(std::size_t index, Iterator first, Iterator last, std::input_iterator_tag)
  {
    array_owner made;
    for (; first != last; ++first) made.add(*first);
    if (!made.has_object()) return;
    scope open;
    array from(made.id_);
    array_gap<T> gap(grown(from.count()), index, from.count());
    gap.add_all(from);
    gap.close();
  }
  // Elements T() behind those that there are.
  void add_values(std::size_t count)
  {
    if (count == 0) return;
    scope open;
    array_gap<T> gap(grown(count), size(), count);
    for (std::size_t i = 0; i < count; i++) gap.add();
    gap.close();
  }
  void erase(std::size_t index, std::size_t count) noexcept
  {
    if (count == 0) return;
    scope open;
    array(id_).erase(index, count);
  }
  void truncate(std::size_t count) noexcept
  {
    if (!has_object()) return;
    scope open;
    array(id_).truncate(count);
  }
  // Puts the elements of another one in the place of its own, in its own object if it has one.
  void take(array_owner &&other)
  {
    if (!has_object()) {
      swap(other);
      return;
    }
    scope open;
    reserve(other.size());
    truncate(0);
    if (other.has_object()) array(id_).add_all(array(other.id_));
  }

private:
  // Which element it is; the largest number if it is none. Within a scope.
  std::size_t index_of(const T &value) const noexcept
  {
    const T *first = this->first(), *past_last = this->past_last();
    const T *address = std::addressof(value);
    bool is_element =
        std::less_equal<const T *>()(first, address) && std::less<const T *>()(address, past_last);
    return is_element ? static_cast<std::size_t>(address - first) : static_cast<std::size_t>(-1);
  }
  bool has_object() const noexcept
  {
    return !mend_handle_is_null(id_);
  }
  // The array, with room for `count` elements more, at least 1. Within a scope.
  array grown(std::size_t count)
  {
    std::size_t used = size(), room = capacity();
    if (count > max_size() - used) throw_length_error();
    if (count > room - used) reserve(std::min(std::max(used + count, room + room / 2), max_size()));
    return array(id_);
  }

  mend_handle id_;
};

}  // namespace detail
}  // namespace CUSTOM_ALLOC_ABI
}  // namespace custom_alloc

#endif
