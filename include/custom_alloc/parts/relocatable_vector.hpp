// SPDX-License-Identifier: MIT
//
// relocatable_vector<T>: a growable array in one object that may be moved; eight bytes, the
// mend_handle. The interface is std::vector's, with these differences:
//
//   - Pointers, references and iterators (which are plain pointers) are good until the thread's
//     scope ends, the implicit one if none is open; and, as always, until the vector grows.
//     emplace_back returns nothing, so that filling a vector opens no scope that stays. Those that
//     return an iterator (insert, emplace, erase) open the implicit one.
//   - T is any type that can be moved (relocatable.hpp); insert and erase relocate, so they need no
//     assignment of T. Of bool it is an array of bool.
//   - Whatever throws has changed nothing, but perhaps capacity(): also assignments, which make the
//     new elements before the old ones end. (What emplace and emplace_back were given to move from
//     is lost where there is no memory then; push_back and insert leave it as it was.)
//   - Memory grows by mend_handle_aligned_realloc: id() stays the same from the first element on,
//     assignments by move aside. Growing an array that is pinned is std::bad_alloc, unless there is
//     room where it is.
//   - There are no allocators. The memory is of the heap that stands last among a constructor's
//     arguments, else of the one that is always there; assignments by copy keep it.
//
// The object is {count, room, padding to the alignment of T, elements}. Constructors of elements
// run within a scope, in which no mover meets the array.
#ifndef CUSTOM_ALLOC_RELOCATABLE_VECTOR_HPP
#define CUSTOM_ALLOC_RELOCATABLE_VECTOR_HPP

#include <algorithm>
#include <cstddef>
#include <initializer_list>
#include <iterator>
#include <type_traits>
#include <utility>

#include "array_owner.hpp"
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
  template <class Iterator>
  using if_iterator =
      typename std::enable_if<!std::is_integral<Iterator>::value,
                              typename std::iterator_traits<Iterator>::iterator_category>::type;
  template <class Iterator>
  using category = typename std::iterator_traits<Iterator>::iterator_category;

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

  constexpr relocatable_vector() noexcept = default;
  // Empty, in a heap that must outlive it. Takes the array's object at once.
  explicit relocatable_vector(handle_heap &heap) : array_(heap.native())
  {
  }
  explicit relocatable_vector(size_type count) : relocatable_vector()
  {
    resize(count);
  }
  relocatable_vector(size_type count, handle_heap &heap) : relocatable_vector(heap)
  {
    resize(count);
  }
  relocatable_vector(size_type count, const T &value) : relocatable_vector()
  {
    resize(count, value);
  }
  relocatable_vector(size_type count, const T &value, handle_heap &heap) : relocatable_vector(heap)
  {
    resize(count, value);
  }
  template <class Iterator, class = if_iterator<Iterator>>
  relocatable_vector(Iterator first, Iterator last) : relocatable_vector()
  {
    array_.insert(0, first, last, category<Iterator>());
  }
  template <class Iterator, class = if_iterator<Iterator>>
  relocatable_vector(Iterator first, Iterator last, handle_heap &heap) : relocatable_vector(heap)
  {
    array_.insert(0, first, last, category<Iterator>());
  }
  relocatable_vector(std::initializer_list<T> values)
      : relocatable_vector(values.begin(), values.end())
  {
  }
  relocatable_vector(std::initializer_list<T> values, handle_heap &heap)
      : relocatable_vector(values.begin(), values.end(), heap)
  {
  }
  relocatable_vector(const relocatable_vector &other) : relocatable_vector()
  {
    scope open;
    insert(end(), other.begin(), other.end());
  }
  relocatable_vector(const relocatable_vector &other, handle_heap &heap) : relocatable_vector(heap)
  {
    scope open;
    insert(end(), other.begin(), other.end());
  }
  relocatable_vector(relocatable_vector &&other) noexcept = default;
  relocatable_vector &operator=(const relocatable_vector &other)
  {
    if (this != &other) array_.take(std::move(relocatable_vector(other).array_));
    return *this;
  }
  relocatable_vector &operator=(relocatable_vector &&other) noexcept = default;
  relocatable_vector &operator=(std::initializer_list<T> values)
  {
    assign(values);
    return *this;
  }

  // -- the elements, by addresses that are good until the scope ends

  T *data() noexcept
  {
    return array_.first();
  }
  const T *data() const noexcept
  {
    return array_.first();
  }
  T &operator[](size_type index) noexcept
  {
    return array_[index];
  }
  const T &operator[](size_type index) const noexcept
  {
    return array_[index];
  }
  // std::out_of_range if there is no such element.
  T &at(size_type index)
  {
    return array_.at(index);
  }
  const T &at(size_type index) const
  {
    return array_.at(index);
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
    return array_.last();
  }
  const T &back() const noexcept
  {
    return array_.last();
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
    return array_.past_last();
  }
  const_iterator end() const noexcept
  {
    return array_.past_last();
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
  const_reverse_iterator crbegin() const noexcept
  {
    return rbegin();
  }
  const_reverse_iterator crend() const noexcept
  {
    return rend();
  }

  // -- how many there are

  bool empty() const noexcept
  {
    return size() == 0;
  }
  size_type size() const noexcept
  {
    return array_.size();
  }
  size_type capacity() const noexcept
  {
    return array_.capacity();
  }
  static constexpr size_type max_size() noexcept
  {
    return detail::array_owner<T>::max_size();
  }
  // std::length_error above max_size().
  void reserve(size_type count)
  {
    array_.reserve(count);
  }
  // Gives unused room back, where that can be done. id() stays.
  void shrink_to_fit() noexcept
  {
    array_.shrink();
  }
  // New elements are T().
  void resize(size_type count)
  {
    size_type used = size();
    if (count > used) array_.add_values(count - used);
    if (count < used) array_.truncate(count);
  }
  void resize(size_type count, const T &value)
  {
    size_type used = size();
    if (count > used) array_.insert(used, count - used, value);
    if (count < used) array_.truncate(count);
  }
  void clear() noexcept
  {
    array_.truncate(0);
  }

  // -- changes

  void push_back(const T &value)
  {
    array_.add_value(value);
  }
  void push_back(T &&value)
  {
    array_.add_value(std::move(value));
  }
  template <class... Arguments> void emplace_back(Arguments &&...arguments)
  {
    array_.add(std::forward<Arguments>(arguments)...);
  }
  void pop_back() noexcept
  {
    array_.truncate(size() - 1);
  }
  template <class... Arguments> iterator emplace(const_iterator place, Arguments &&...arguments)
  {
    size_type index = index_of(place);
    array_.emplace(index, std::forward<Arguments>(arguments)...);
    return data() + index;
  }
  iterator insert(const_iterator place, const T &value)
  {
    size_type index = index_of(place);
    array_.insert_value(index, value);
    return data() + index;
  }
  iterator insert(const_iterator place, T &&value)
  {
    size_type index = index_of(place);
    array_.insert_value(index, std::move(value));
    return data() + index;
  }
  iterator insert(const_iterator place, size_type count, const T &value)
  {
    size_type index = index_of(place);
    array_.insert(index, count, value);
    return data() + index;
  }
  // The range must not be of this vector.
  template <class Iterator, class = if_iterator<Iterator>>
  iterator insert(const_iterator place, Iterator first, Iterator last)
  {
    size_type index = index_of(place);
    array_.insert(index, first, last, category<Iterator>());
    return data() + index;
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
    size_type index = index_of(first);
    array_.erase(index, static_cast<size_type>(last - first));
    return data() + index;
  }
  void assign(size_type count, const T &value)
  {
    array_.take(std::move(relocatable_vector(count, value).array_));
  }
  template <class Iterator, class = if_iterator<Iterator>>
  void assign(Iterator first, Iterator last)
  {
    array_.take(std::move(relocatable_vector(first, last).array_));
  }
  void assign(std::initializer_list<T> values)
  {
    assign(values.begin(), values.end());
  }
  void swap(relocatable_vector &other) noexcept
  {
    array_.swap(other.array_);
  }

  // -- the object

  // The array's name in C, which the vector owns. MEND_HANDLE_NULL as long as nothing was put in.
  mend_handle id() const noexcept
  {
    return array_.id();
  }
  // The elements stay where they are as long as the result lives, which the vector must outlive.
  // std::bad_alloc if there is no memory for one more pin.
  CUSTOM_ALLOC_NODISCARD pinned<T[]> pin() &
  {
    return pinned_elements<T>();
  }
  CUSTOM_ALLOC_NODISCARD pinned<const T[]> pin() const &
  {
    return pinned_elements<const T>();
  }
  pinned<const T[]> pin() const && = delete;

private:
  size_type index_of(const_iterator place) const noexcept
  {
    return static_cast<size_type>(place - begin());
  }
  template <class Element> pinned<Element[]> pinned_elements() const
  {
    void *object = detail::pin_object(id());
    T *elements = object != nullptr ? detail::array_object<T>::elements_of(object) : nullptr;
    return pinned<Element[]>(id(), elements, size());
  }

  detail::array_owner<T> array_;
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
template <class T> bool operator<(const relocatable_vector<T> &a, const relocatable_vector<T> &b)
{
  scope open;
  return std::lexicographical_compare(a.begin(), a.end(), b.begin(), b.end());
}
template <class T> bool operator>(const relocatable_vector<T> &a, const relocatable_vector<T> &b)
{
  return b < a;
}
template <class T> bool operator<=(const relocatable_vector<T> &a, const relocatable_vector<T> &b)
{
  return !(b < a);
}
template <class T> bool operator>=(const relocatable_vector<T> &a, const relocatable_vector<T> &b)
{
  return !(a < b);
}
template <class T> void swap(relocatable_vector<T> &a, relocatable_vector<T> &b) noexcept
{
  a.swap(b);
}

}  // namespace CUSTOM_ALLOC_ABI
}  // namespace custom_alloc

#endif
