// SPDX-License-Identifier: MIT
//
// mend for C++: owning pointers to memory of mend's. Since 0.3.
//
//     auto object = custom_alloc::make_unique<widget>(1, 2);
//     auto numbers = custom_alloc::make_unique<int[]>(100);
//     auto shared = custom_alloc::make_shared<widget>(1, 2);
//
// unique_ptr is std::unique_ptr with a deleter of no size; make_shared gives a std::shared_ptr with
// object and counts in one block. All of these throw std::bad_alloc where memory runs out, and
// whatever a constructor throws; then nothing is left behind: elements already made are destroyed
// in reverse.
//
// An array with a destructor has its count in front of its elements, at a distance that depends on
// the element's type alone; one without a destructor is a bare block.
#ifndef CUSTOM_ALLOC_SMART_PTR_HPP
#define CUSTOM_ALLOC_SMART_PTR_HPP

#include <cstddef>
#include <memory>
#include <new>
#include <type_traits>
#include <utility>

#include "detail.hpp"
#include "memory.hpp"

namespace custom_alloc
{
inline namespace CUSTOM_ALLOC_ABI
{
namespace detail
{

// Whether what was made as a U may be deleted as a T. Looks at T only where that is another type:
// until then it may be incomplete.
template <class U, class T>
struct is_deletable_as
    : std::integral_constant<
          bool, std::is_convertible<U *, T *>::value &&
                    std::conditional<std::is_same<typename std::remove_cv<U>::type,
                                                  typename std::remove_cv<T>::type>::value,
                                     std::true_type, std::has_virtual_destructor<T>>::type::value> {
};

template <class T> void *address_of_block(T *object, std::false_type) noexcept
{
  return const_cast<void *>(static_cast<const volatile void *>(object));
}
// A polymorphic object may be a part of the one that was made: the whole one is where the block
// begins. The object must be alive.
template <class T> void *address_of_block(T *object, std::true_type) noexcept
{
  return const_cast<void *>(dynamic_cast<const volatile void *>(object));
}

// Where the elements of an array of T begin in its block; in front of them, at the block's start,
// is their count. T is no array.
template <class T> constexpr std::size_t array_offset() noexcept
{
  return std::is_trivially_destructible<T>::value ? 0
         : alignof(T) > sizeof(std::size_t)       ? alignof(T)
                                                  : sizeof(std::size_t);
}

// Destroys the elements made so far, last first, at its end, unless release() was called.
template <class T> class elements_guard
{
public:
  explicit elements_guard(T *first) noexcept : first_(first), made_(0)
  {
  }
  elements_guard(const elements_guard &) = delete;
  elements_guard &operator=(const elements_guard &) = delete;
  ~elements_guard()
  {
    while (made_ > 0) first_[--made_].~T();
  }
  void *next() const noexcept
  {
    return const_cast<void *>(static_cast<const volatile void *>(first_ + made_));
  }
  void one_more() noexcept
  {
    ++made_;
  }
  void release() noexcept
  {
    made_ = 0;
  }

private:
  T *first_;
  std::size_t made_;
};

// How an object is made: T(arguments...), or T, which leaves numbers as the memory was.
struct value_init {
  template <class T, class... Arguments> static T *make(void *place, Arguments &&...arguments)
  {
    return ::new (place) T(std::forward<Arguments>(arguments)...);
  }
};
struct default_init {
  template <class T> static T *make(void *place)
  {
    return ::new (place) T;
  }
};

// An array of `count` elements of T, which is no array, from the heap (NULL: mend_malloc's memory).
template <class T, class Init> T *make_array(mend_heap *heap, std::size_t count)
{
  constexpr std::size_t offset = array_offset<T>();
  if (count > (static_cast<std::size_t>(-1) - offset) / sizeof(T)) throw_bad_array_new_length();
  void *block = allocate_from(heap, offset + count * sizeof(T), alignof(T));
  block_guard memory(block);
  T *first = reinterpret_cast<T *>(static_cast<unsigned char *>(block) + offset);
  elements_guard<T> elements(first);
  for (std::size_t index = 0; index < count; ++index) {
    Init::template make<T>(elements.next());
    elements.one_more();
  }
  if (offset != 0) *static_cast<std::size_t *>(block) = count;
  elements.release();
  memory.release();
  return first;
}

template <class T> void delete_array(T *first) noexcept
{
  constexpr std::size_t offset = array_offset<T>();
  void *elements = const_cast<void *>(static_cast<const volatile void *>(first));
  void *block = static_cast<unsigned char *>(elements) - offset;
  if (offset != 0) {
    std::size_t count = *static_cast<std::size_t *>(block);
    while (count > 0) first[--count].~T();
  }
  mend_free(block);
}

template <class T, class Init, class... Arguments>
T *make_object(mend_heap *heap, Arguments &&...arguments)
{
  void *block = allocate_from(heap, sizeof(T), alignof(T));
  block_guard memory(block);
  T *object = Init::template make<T>(block, std::forward<Arguments>(arguments)...);
  memory.release();
  return object;
}

}  // namespace detail

// Destroys an object and gives its block back: one that make_unique has made, or one that was
// constructed at the start of a block that mend has handed out. A deleter of U turns into one of T
// where that is right: both are the same type but for const and volatile, or T has a virtual
// destructor.
template <class T> struct deleter {
  constexpr deleter() noexcept = default;
  template <class U, typename std::enable_if<detail::is_deletable_as<U, T>::value, int>::type = 0>
  constexpr deleter(const deleter<U> &) noexcept
  {
  }
  void operator()(T *object) const noexcept
  {
    static_assert(sizeof(T) > 0, "custom_alloc::deleter: T must be a complete type here");
    if (object == nullptr) return;
    void *block = detail::address_of_block(
        object, std::integral_constant<bool, std::is_polymorphic<T>::value>());
    object->~T();
    mend_free(block);
  }
};

// The same for arrays that make_unique<T[]> has made, and for no others.
template <class T> struct deleter<T[]> {
  constexpr deleter() noexcept = default;
  template <class U,
            typename std::enable_if<std::is_convertible<U (*)[], T (*)[]>::value, int>::type = 0>
  constexpr deleter(const deleter<U[]> &) noexcept
  {
  }
  void operator()(T *first) const noexcept
  {
    using element = typename std::remove_all_extents<T>::type;
    if (first != nullptr) detail::delete_array(reinterpret_cast<element *>(first));
  }
};

// As large as a pointer. Its release() gives up what only a deleter takes back.
template <class T> using unique_ptr = std::unique_ptr<T, deleter<T>>;

namespace detail
{

// Which make_unique a type has: for objects and for arrays without a bound. Those with one have
// none, as in the standard library.
template <class T> struct unique_of {
  using object = unique_ptr<T>;
};
template <class T> struct unique_of<T[]> {
  using array = unique_ptr<T[]>;
};
template <class T, std::size_t count> struct unique_of<T[count]> {
  using bounded = void;
};

template <class T, class Init> unique_ptr<T> make_unique_array(mend_heap *heap, std::size_t count)
{
  using row = typename std::remove_extent<T>::type;
  using element = typename std::remove_all_extents<T>::type;
  constexpr std::size_t in_a_row = sizeof(row) / sizeof(element);
  element *first = make_array<element, Init>(heap, array_bytes(count, in_a_row));
  return unique_ptr<T>(reinterpret_cast<row *>(first));
}

}  // namespace detail

// A new T of these arguments.
template <class T, class... Arguments>
CUSTOM_ALLOC_NODISCARD typename detail::unique_of<T>::object make_unique(Arguments &&...arguments)
{
  return unique_ptr<T>(
      detail::make_object<T, detail::value_init>(nullptr, std::forward<Arguments>(arguments)...));
}
// A new array of `count` elements, each as by T(): numbers are zero. Throws
// std::bad_array_new_length where no size_t holds the array's size.
template <class T>
CUSTOM_ALLOC_NODISCARD typename detail::unique_of<T>::array make_unique(std::size_t count)
{
  return detail::make_unique_array<T, detail::value_init>(nullptr, count);
}
template <class T, class... Arguments>
typename detail::unique_of<T>::bounded make_unique(Arguments &&...) = delete;

// The same two, without a first value: numbers, and plain structures of them, hold anything.
template <class T>
CUSTOM_ALLOC_NODISCARD typename detail::unique_of<T>::object make_unique_for_overwrite()
{
  return unique_ptr<T>(detail::make_object<T, detail::default_init>(nullptr));
}
template <class T>
CUSTOM_ALLOC_NODISCARD typename detail::unique_of<T>::array
make_unique_for_overwrite(std::size_t count)
{
  return detail::make_unique_array<T, detail::default_init>(nullptr, count);
}
template <class T, class... Arguments>
typename detail::unique_of<T>::bounded make_unique_for_overwrite(Arguments &&...) = delete;

namespace detail
{

// By any allocator of characters.
template <class T, class Allocator, class... Arguments>
std::shared_ptr<T> make_shared_by(const Allocator &allocator, Arguments &&...arguments)
{
#if !defined(__cpp_lib_shared_ptr_arrays) || __cpp_lib_shared_ptr_arrays < 201707L
  static_assert(!std::is_array<T>::value,
                "custom_alloc::make_shared: arrays need the standard library of C++20");
#endif
  return std::allocate_shared<T>(allocator, std::forward<Arguments>(arguments)...);
}

}  // namespace detail

// A new T of these arguments, with its counts in the same block. Where the standard library is that
// of C++20, also arrays: make_shared<T[]>(count), make_shared<T[N]>(). The counts are atomic:
// copies of the pointer may be used and destroyed in any threads.
template <class T, class... Arguments>
CUSTOM_ALLOC_NODISCARD std::shared_ptr<T> make_shared(Arguments &&...arguments)
{
  return detail::make_shared_by<T>(allocator<char>(), std::forward<Arguments>(arguments)...);
}

}  // namespace CUSTOM_ALLOC_ABI
}  // namespace custom_alloc

#endif
