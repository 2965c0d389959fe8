// SPDX-License-Identifier: MIT
//
// handle<T>: the owner of an object that may be moved, as std::unique_ptr is of one that stays.
//
//     auto name = custom_alloc::make_handle<std::string>("moves, yet stays");
//     custom_alloc::scope scope;
//     name->append("!");                        // the address is good until the scope ends
//
// Eight bytes: the mend_handle. T is any type that can be moved (relocatable.hpp), or T[]: a number
// of them that is known at run time. A constructor runs within a scope that was opened before the
// object was there, a destructor in one that ends after the object: so no mover ever meets an
// object that is not whole. (Neither should take long; and defragmenting in them is MEND_BUSY.)
//
// A handle itself is no safer among threads than a std::unique_ptr: one thread at a time changes
// it, or many look. What it names may be used by many at once by the rules of T.
#ifndef CUSTOM_ALLOC_HANDLE_HPP
#define CUSTOM_ALLOC_HANDLE_HPP

#include <cstddef>
#include <cstdint>
#include <functional>
#include <type_traits>
#include <utility>

#include "detail.hpp"
#include "pinned.hpp"
#include "raw_handle.hpp"
#include "relocatable.hpp"

namespace custom_alloc
{
inline namespace CUSTOM_ALLOC_ABI
{

template <class T> class handle;

namespace detail
{

// What T[] has elements of; T itself for others. Without const.
template <class T>
using element_of = typename std::remove_cv<typename std::remove_extent<T>::type>::type;

// An object that is being made: frees it, and destroys the elements that are there, unless it is
// released. Within a scope.
template <class T> class unfinished
{
public:
  unfinished(mend_handle_heap *heap, std::size_t count)
      : id_(allocate_object(heap, alignof(T), array_bytes(count, sizeof(T)),
                            move_type<elements_mover<T>>())),
        elements_(static_cast<T *>(mend_resolve(id_)))
  {
    static_assert(movable<T>::value, "");
  }
  unfinished(const unfinished &) = delete;
  unfinished &operator=(const unfinished &) = delete;
  ~unfinished()
  {
    if (mend_handle_is_null(id_)) return;
    destroy(elements_, made_);
    (void)mend_handle_free(id_);
  }

  template <class... Arguments> void add(Arguments &&...arguments)
  {
    ::new (static_cast<void *>(elements_ + made_)) T(std::forward<Arguments>(arguments)...);
    made_++;
  }
  mend_handle release() noexcept
  {
    mend_handle object = id_;
    id_ = MEND_HANDLE_NULL;
    return object;
  }

private:
  mend_handle id_;
  T *elements_;
  std::size_t made_ = 0;
};

// Ends an object of one T, or of an array's elements.
template <class T> void destroy_object(mend_handle object) noexcept
{
  using element = element_of<T>;
  if (std::is_trivially_destructible<element>::value) {
    (void)mend_handle_free(object);
    return;
  }
  scope open;
  void *elements = mend_resolve(object);
  if (elements == nullptr) return;  // its heap is no more
  destroy(static_cast<element *>(elements),
          std::is_array<T>::value ? mend_handle_size(object) / sizeof(element) : 1);
  (void)mend_handle_free(object);
}

// What handle<T> and handle<T[]> have in common.
template <class T> class owner
{
public:
  using element_type = typename std::remove_extent<T>::type;
  using pointer = element_type *;

  constexpr owner() noexcept : id_{0}
  {
  }
  explicit owner(mend_handle object) noexcept : id_(object)
  {
  }
  owner(owner &&other) noexcept : id_(other.release())
  {
  }
  owner &operator=(owner &&other) noexcept
  {
    owner old(std::move(other));
    swap(old);
    return *this;
  }
  ~owner()
  {
    reset();
  }

  // The object's address, good until the thread's scope ends: the implicit one, if none is open.
  // nullptr if the handle is empty.
  pointer get() const noexcept
  {
    return mend_handle_is_null(id_) ? nullptr : resolve();
  }
  // The object's name in C. The handle still owns it.
  mend_handle id() const noexcept
  {
    return id_;
  }
  // The same; the caller owns the object now, and gives it back by handle<T>::adopt.
  CUSTOM_ALLOC_NODISCARD mend_handle release() noexcept
  {
    mend_handle object = id_;
    id_ = MEND_HANDLE_NULL;
    return object;
  }
  // Destroys and frees the object, if there is one.
  void reset() noexcept
  {
    mend_handle object = release();
    if (!mend_handle_is_null(object)) destroy_object<T>(object);
  }
  void swap(owner &other) noexcept
  {
    std::swap(id_, other.id_);
  }
  explicit operator bool() const noexcept
  {
    return !mend_handle_is_null(id_);
  }

protected:
  // get() of a handle that is not empty.
  pointer resolve() const noexcept
  {
    return static_cast<pointer>(mend_resolve(id_));
  }

private:
  mend_handle id_;
};

template <class T> bool operator==(const owner<T> &a, const owner<T> &b) noexcept
{
  return a.id().bits == b.id().bits;
}
template <class T> bool operator!=(const owner<T> &a, const owner<T> &b) noexcept
{
  return !(a == b);
}
template <class T> bool operator==(const owner<T> &a, std::nullptr_t) noexcept
{
  return !a;
}
template <class T> bool operator!=(const owner<T> &a, std::nullptr_t) noexcept
{
  return static_cast<bool>(a);
}
template <class T> bool operator==(std::nullptr_t, const owner<T> &a) noexcept
{
  return !a;
}
template <class T> bool operator!=(std::nullptr_t, const owner<T> &a) noexcept
{
  return static_cast<bool>(a);
}
template <class T> void swap(owner<T> &a, owner<T> &b) noexcept
{
  a.swap(b);
}

}  // namespace detail

// Owns one object. Empty after default construction, a move from it, or release. Since 0.3.
template <class T> class handle : public detail::owner<T>
{
public:
  constexpr handle() noexcept = default;
  constexpr handle(std::nullptr_t) noexcept
  {
  }
  // A handle<const T> takes what a handle<T> owns.
  template <class U, class = typename std::enable_if<std::is_same<const U, T>::value &&
                                                     !std::is_same<U, T>::value>::type>
  handle(handle<U> &&other) noexcept : detail::owner<T>(other.release())
  {
  }
  // Owns an object that release has given away, of a handle of the same T.
  static handle adopt(mend_handle object) noexcept
  {
    return handle(object);
  }

  T &operator*() const noexcept
  {
    return *this->resolve();
  }
  T *operator->() const noexcept
  {
    return this->resolve();
  }
  // The object stays where it is as long as the result lives, which the handle must outlive.
  // std::bad_alloc if there is no memory for one more pin.
  CUSTOM_ALLOC_NODISCARD pinned<T> pin() const &
  {
    return pinned<T>(this->id(), static_cast<T *>(detail::pin_object(this->id())));
  }
  pinned<T> pin() const && = delete;

private:
  explicit handle(mend_handle object) noexcept : detail::owner<T>(object)
  {
  }
};

// The same for a number of elements that is known at run time.
template <class T> class handle<T[]> : public detail::owner<T[]>
{
public:
  constexpr handle() noexcept = default;
  constexpr handle(std::nullptr_t) noexcept
  {
  }
  template <class U, class = typename std::enable_if<std::is_same<const U, T>::value &&
                                                     !std::is_same<U, T>::value>::type>
  handle(handle<U[]> &&other) noexcept : detail::owner<T[]>(other.release())
  {
  }
  static handle adopt(mend_handle object) noexcept
  {
    return handle(object);
  }

  T &operator[](std::size_t index) const noexcept
  {
    return this->resolve()[index];
  }
  // How many elements there are.
  std::size_t size() const noexcept
  {
    return *this ? mend_handle_size(this->id()) / sizeof(T) : 0;
  }
  CUSTOM_ALLOC_NODISCARD pinned<T[]> pin() const &
  {
    return pinned<T[]>(this->id(), static_cast<T *>(detail::pin_object(this->id())), size());
  }
  pinned<T[]> pin() const && = delete;

private:
  explicit handle(mend_handle object) noexcept : detail::owner<T[]>(object)
  {
  }
};

template <class T> struct is_trivially_relocatable<handle<T>> : std::true_type {
};

namespace detail
{

template <class T, class... Arguments>
handle<T> make_handle_of_one(mend_handle_heap *heap, Arguments &&...arguments)
{
  scope open;
  unfinished<element_of<T>> object(heap, 1);
  object.add(std::forward<Arguments>(arguments)...);
  return handle<T>::adopt(object.release());
}

template <class T> handle<T> make_handle_of_many(mend_handle_heap *heap, std::size_t count)
{
  static_assert(std::extent<T>::value == 0, "custom_alloc: make_handle<T[]>(count), not T[N]");
  scope open;
  unfinished<element_of<T>> object(heap, count);
  for (std::size_t i = 0; i < count; i++) object.add();
  return handle<T>::adopt(object.release());
}

template <class T>
using handle_of_one = typename std::enable_if<!std::is_array<T>::value, handle<T>>::type;
template <class T>
using handle_of_many = typename std::enable_if<std::is_array<T>::value, handle<T>>::type;

}  // namespace detail

// A new T made from the arguments. std::bad_alloc, or what the constructor throws: then nothing is
// left.
template <class T, class... Arguments>
CUSTOM_ALLOC_NODISCARD detail::handle_of_one<T> make_handle(Arguments &&...arguments)
{
  return detail::make_handle_of_one<T>(nullptr, std::forward<Arguments>(arguments)...);
}
// The same for T[]: `count` elements, each of which is T().
template <class T> CUSTOM_ALLOC_NODISCARD detail::handle_of_many<T> make_handle(std::size_t count)
{
  return detail::make_handle_of_many<T>(nullptr, count);
}
// The same two in a heap, which must outlive the handle.
template <class T, class... Arguments>
CUSTOM_ALLOC_NODISCARD detail::handle_of_one<T> make_handle_in(handle_heap &heap,
                                                               Arguments &&...arguments)
{
  return detail::make_handle_of_one<T>(heap.native(), std::forward<Arguments>(arguments)...);
}
template <class T>
CUSTOM_ALLOC_NODISCARD detail::handle_of_many<T> make_handle_in(handle_heap &heap,
                                                                std::size_t count)
{
  return detail::make_handle_of_many<T>(heap.native(), count);
}

}  // namespace CUSTOM_ALLOC_ABI
}  // namespace custom_alloc

namespace std
{
template <class T> struct hash<custom_alloc::handle<T>> {
  size_t operator()(const custom_alloc::handle<T> &handle) const noexcept
  {
    return hash<uint64_t>()(handle.id().bits);
  }
};
}  // namespace std

#endif
