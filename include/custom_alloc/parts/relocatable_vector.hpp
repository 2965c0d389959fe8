// SPDX-License-Identifier: MIT
//
// relocatable_vector<T>: a growable array in one object that may be moved; eight bytes, the
// mend_handle. The interface is std::vector's, with these differences:
//
//   - Pointers, references and iterators (which are plain pointers) are good until the thread's
//     scope ends, the implicit one if none is open; and, as always, until the vector grows.
//     emplace_back returns nothing, so that filling a vector opens no scope that stays.
//   - T is any type that can be moved (relocatable.hpp); insert and erase relocate, so they need no
//     assignment of T and do not throw but for the new elements: insert changes nothing then.
//   - Memory grows by mend_handle_aligned_realloc: id() stays the same from the first element on.
//     Growing an array that is pinned is std::bad_alloc, unless there is room where it is.
//   - The memory is of the heap that it was constructed with, else of the one that is always there.
//
// The object is {count, padding to the alignment of T, elements, room}. Constructors of elements
// run within a scope, in which no mover meets the array.
#ifndef CUSTOM_ALLOC_RELOCATABLE_VECTOR_HPP
#define CUSTOM_ALLOC_RELOCATABLE_VECTOR_HPP

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <initializer_list>
#include <iterator>
#include <stdexcept>
#include <type_traits>
#include <utility>

#include "detail.hpp"
#include "pinned.hpp"
#include "raw_handle.hpp"
#include "relocatable.hpp"
#include "vector_parts.hpp"

namespace custom_alloc
{
inline namespace CUSTOM_ALLOC_ABI
{

// Since 0.3. Among threads as std::vector: one that changes it, or many that look.
template <class T> class relocatable_vector
{
  static_assert(std::is_same<T, typename std::remove_cv<T>::type>::value,
                "custom_alloc: relocatable_vector of a type that is not const");
  using array = detail::array_object<T>;
  template <class Iterator>
  using if_iterator =
      typename std::enable_if<!std::is_integral<Iterator>::value,
                              typename std::iterator_traits<Iterator>::iterator_category>::type;

public:
  using value_type = T;
  using size_type = std::size_t;
  using difference_type = std::ptrdiff_t;
  using reference = T &;
  using const_reference = const T &;
  using pointer = T *;
  using const_pointer = const T *;
  using iterator = T *;
  using const_iterator = const T *;
  using reverse_iterator = std::reverse_iterator<iterator>;
  using const_reverse_iterator = std::reverse_iterator<const_iterator>;

  constexpr relocatable_vector() noexcept : id_{0}
  {
  }
  // Empty, in a heap that must outlive it. Takes the array's object at once.
  explicit relocatable_vector(handle_heap &heap) : id_(array::make(heap.native(), 0))
  {
  }
  explicit relocatable_vector(size_type count) : relocatable_vector()
  {
    resize(count);
  }
  relocatable_vector(size_type count, const T &value) : relocatable_vector()
  {
    resize(count, value);
  }
  template <class Iterator, class = if_iterator<Iterator>>
  relocatable_vector(Iterator first, Iterator last) : relocatable_vector()
  {
    scope open;
    insert(end(), first, last);
  }
  relocatable_vector(std::initializer_list<T> values) : relocatable_vector()
  {
    scope open;
    insert(end(), values.begin(), values.end());
  }
  relocatable_vector(const relocatable_vector &other) : relocatable_vector()
  {
    scope open;
    insert(end(), other.begin(), other.end());
  }
  relocatable_vector(relocatable_vector &&other) noexcept : id_(other.id_)
  {
    other.id_ = MEND_HANDLE_NULL;
  }
  // Keeps its own memory, as assign does.
  relocatable_vector &operator=(const relocatable_vector &other)
  {
    scope open;
    if (this != &other) assign(other.begin(), other.end());
    return *this;
  }
  relocatable_vector &operator=(relocatable_vector &&other) noexcept
  {
    relocatable_vector old(std::move(other));
    swap(old);
    return *this;
  }
  relocatable_vector &operator=(std::initializer_list<T> values)
  {
    assign(values);
    return *this;
  }
  ~relocatable_vector()
  {
    if (mend_handle_is_null(id_)) return;
    scope open;
    array elements(id_);
    if (elements.is_there()) elements.truncate(0);
    (void)mend_handle_free(id_);
  }

  // -- the elements, by addresses that are good until the scope ends

  T *data() noexcept
  {
    return mend_handle_is_null(id_) ? nullptr : array(id_).elements();
  }
  const T *data() const noexcept
  {
    return mend_handle_is_null(id_) ? nullptr : array(id_).elements();
  }
  T &operator[](size_type index) noexcept
  {
    return array(id_).elements()[index];
  }
  const T &operator[](size_type index) const noexcept
  {
    return array(id_).elements()[index];
  }
  // std::out_of_range if there is no such element.
  T &at(size_type index)
  {
    if (index >= size()) detail::throw_out_of_range();
    return (*this)[index];
  }
  const T &at(size_type index) const
  {
    if (index >= size()) detail::throw_out_of_range();
    return (*this)[index];
  }
  T &front() noexcept
  {
    return (*this)[0];
  }
  const T &front() const noexcept
  {
    return (*this)[0];
  }
  T &back() noexcept
  {
    array elements(id_);
    return elements.elements()[elements.count() - 1];
  }
  const T &back() const noexcept
  {
    array elements(id_);
    return elements.elements()[elements.count() - 1];
  }
  iterator begin() noexcept
  {
    return data();
  }
  const_iterator begin() const noexcept
  {
    return data();
  }
  const_iterator cbegin() const noexcept
  {
    return data();
  }
  iterator end() noexcept
  {
    return data() + size();
  }
  const_iterator end() const noexcept
  {
    return data() + size();
  }
  const_iterator cend() const noexcept
  {
    return end();
  }
  reverse_iterator rbegin() noexcept
  {
    return reverse_iterator(end());
  }
  const_reverse_iterator rbegin() const noexcept
  {
    return const_reverse_iterator(end());
  }
  reverse_iterator rend() noexcept
  {
    return reverse_iterator(begin());
  }
  const_reverse_iterator rend() const noexcept
  {
    return const_reverse_iterator(begin());
  }

  // -- how many there are

  bool empty() const noexcept
  {
    return size() == 0;
  }
  size_type size() const noexcept
  {
    if (mend_handle_is_null(id_)) return 0;
    scope open;
    return array(id_).count();
  }
  size_type capacity() const noexcept
  {
    return mend_handle_is_null(id_) ? 0 : array::capacity(id_);
  }
  static constexpr size_type max_size() noexcept
  {
    return array::max_count();
  }
  // std::length_error above max_size().
  void reserve(size_type count)
  {
    if (count > capacity()) reallocate(count);
  }
  // Gives unused room back, where that can be done. id() stays.
  void shrink_to_fit() noexcept
  {
    if (!mend_handle_is_null(id_)) (void)array::reallocate(id_, size());
  }
  // New elements are T().
  void resize(size_type count)
  {
    scope open;
    size_type used = size();
    if (count <= used) return truncate(count);
    grow(count - used);
    detail::array_gap<T> gap(id_, used, count - used);
    for (size_type i = used; i < count; i++) gap.add();
    gap.close();
  }
  void resize(size_type count, const T &value)
  {
    scope open;
    size_type used = size();
    if (count <= used) return truncate(count);
    insert(end(), count - used, value);
  }
  void clear() noexcept
  {
    scope open;
    truncate(0);
  }

  // -- changes; on failure those of one element have changed nothing, but perhaps capacity()

  void push_back(const T &value)
  {
    emplace_back(value);
  }
  void push_back(T &&value)
  {
    emplace_back(std::move(value));
  }
  template <class... Arguments> void emplace_back(Arguments &&...arguments)
  {
    scope open;
    if (size() < capacity()) {
      array(id_).add(std::forward<Arguments>(arguments)...);
    } else {
      // First the element, which may be made from one of those that are about to move.
      detail::temporary<T> value(std::forward<Arguments>(arguments)...);
      grow(1);
      array(id_).add_temporary(value);
    }
  }
  void pop_back() noexcept
  {
    scope open;
    array elements(id_);
    elements.truncate(elements.count() - 1);
  }
  template <class... Arguments> iterator emplace(const_iterator place, Arguments &&...arguments)
  {
    scope open;
    size_type index = index_of(place);
    detail::temporary<T> value(std::forward<Arguments>(arguments)...);
    grow(1);
    detail::array_gap<T> gap(id_, index, 1);
    gap.add_temporary(value);
    return (gap.close(), data() + index);
  }
  iterator insert(const_iterator place, const T &value)
  {
    return emplace(place, value);
  }
  iterator insert(const_iterator place, T &&value)
  {
    return emplace(place, std::move(value));
  }
  iterator insert(const_iterator place, size_type count, const T &value)
  {
    scope open;
    size_type index = index_of(place);
    if (count == 0) return data() + index;
    const T copy(value);
    grow(count);
    detail::array_gap<T> gap(id_, index, count);
    for (size_type i = 0; i < count; i++) gap.add(copy);
    return (gap.close(), data() + index);
  }
  // The range must not be of this vector.
  template <class Iterator, class = if_iterator<Iterator>>
  iterator insert(const_iterator place, Iterator first, Iterator last)
  {
    scope open;
    return insert_range(index_of(place), first, last,
                        typename std::iterator_traits<Iterator>::iterator_category());
  }
  iterator insert(const_iterator place, std::initializer_list<T> values)
  {
    return insert(place, values.begin(), values.end());
  }
  iterator erase(const_iterator place) noexcept
  {
    return erase(place, place + 1);
  }
  iterator erase(const_iterator first, const_iterator last) noexcept
  {
    scope open;
    size_type index = index_of(first);
    if (first != last) array(id_).erase(index, static_cast<size_type>(last - first));
    return data() + index;
  }
  // New contents. If making one of them fails, those before it are there.
  void assign(size_type count, const T &value)
  {
    scope open;
    const T copy(value);
    truncate(0);
    insert(end(), count, copy);
  }
  template <class Iterator, class = if_iterator<Iterator>>
  void assign(Iterator first, Iterator last)
  {
    scope open;
    truncate(0);
    insert(end(), first, last);
  }
  void assign(std::initializer_list<T> values)
  {
    assign(values.begin(), values.end());
  }
  void swap(relocatable_vector &other) noexcept
  {
    std::swap(id_, other.id_);
  }

  // -- the object

  // The array's name in C, which the vector owns. MEND_HANDLE_NULL as long as nothing was put in.
  mend_handle id() const noexcept
  {
    return id_;
  }
  // The elements stay where they are as long as the result lives, which the vector must outlive.
  // std::bad_alloc if there is no memory for one more pin.
  pinned<T[]> pin() &
  {
    void *object = detail::pin_object(id_);
    return pinned<T[]>(id_, object != nullptr ? array::elements_of(object) : nullptr, size());
  }
  pinned<const T[]> pin() const &
  {
    void *object = detail::pin_object(id_);
    return pinned<const T[]>(id_, object != nullptr ? array::elements_of(object) : nullptr, size());
  }
  pinned<T[]> pin() && = delete;

private:
  size_type index_of(const_iterator place) const noexcept
  {
    return static_cast<size_type>(place - begin());
  }
  void reallocate(size_type count)
  {
    if (count > max_size()) detail::throw_length_error();
    if (mend_handle_is_null(id_)) {
      id_ = array::make(nullptr, count);
    } else if (!array::reallocate(id_, count)) {
      detail::throw_bad_alloc();
    }
  }
  // Room for so many more.
  void grow(size_type count)
  {
    size_type used = size(), room = capacity();
    if (count <= room - used) return;
    if (count > max_size() - used) detail::throw_length_error();
    reallocate(std::min(std::max(used + count, room + room / 2), max_size()));
  }
  // Within a scope.
  void truncate(size_type count) noexcept
  {
    if (!mend_handle_is_null(id_)) array(id_).truncate(count);
  }
  template <class Iterator>
  iterator insert_range(size_type index, Iterator first, Iterator last, std::forward_iterator_tag)
  {
    size_type count = static_cast<size_type>(std::distance(first, last));
    if (count == 0) return data() + index;
    grow(count);
    detail::array_gap<T> gap(id_, index, count);
    for (; first != last; ++first) gap.add(*first);
    return (gap.close(), data() + index);
  }
  template <class Iterator>
  iterator insert_range(size_type index, Iterator first, Iterator last, std::input_iterator_tag)
  {
    relocatable_vector values;
    for (; first != last; ++first) values.emplace_back(*first);
    return insert_range(index, std::make_move_iterator(values.begin()),
                        std::make_move_iterator(values.end()), std::forward_iterator_tag());
  }

  mend_handle id_;
};

template <class T> struct is_trivially_relocatable<relocatable_vector<T>> : std::true_type {
};

template <class T> bool operator==(const relocatable_vector<T> &a, const relocatable_vector<T> &b)
{
  scope open;
  return a.size() == b.size() && std::equal(a.begin(), a.end(), b.begin());
}
template <class T> bool operator!=(const relocatable_vector<T> &a, const relocatable_vector<T> &b)
{
  return !(a == b);
}
template <class T> void swap(relocatable_vector<T> &a, relocatable_vector<T> &b) noexcept
{
  a.swap(b);
}

}  // namespace CUSTOM_ALLOC_ABI
}  // namespace custom_alloc

#endif
