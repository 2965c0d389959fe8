// SPDX-License-Identifier: MIT
//
// shared_handle<T>: one of many owners of an object that may be moved; weak_handle<T>: a name for
// it that does not keep it. Eight bytes each: the mend_handle.
//
// The object is {count, T}. Everybody reaches the count by resolving, within a scope, so it moves
// with T. Why that is right:
//
//   No count is lost in a move. A mover copies an object only after every scope in which its old
//   address may have been resolved has closed, and what the threads did there comes before the copy
//   (the end of a scope is a release, the mover's look at it an acquire). Who resolves later calls
//   the move off, or waits until it is done (types with a move constructor) and then sees the new
//   place, by an acquire of what the mover has released. So the changes of a count are one order,
//   over however many places: and what any owner did before its release comes before the
//   destructor, though the counts at two places are two atomics. The object is there for whoever
//   looks. Who has counted itself keeps it from being freed. Who has not, a weak_handle, resolves
//   within a scope: either the handle is stale by then, which is told by its generation, however
//   often the memory has been used since; or the free, which is deferred where there has been a
//   weak_handle, waits for the scope. The count it finds is 0 as soon as the last owner has gone,
//   and nobody counts up from 0: so T is never taken while or after it is destroyed. The last owner
//   is in a scope from its last look at the count to the free: no mover meets a T that has been
//   destroyed, and nobody else frees.
//
// An address does not last, so there is no shared_handle to a part of an object.
#ifndef CUSTOM_ALLOC_SHARED_HANDLE_HPP
#define CUSTOM_ALLOC_SHARED_HANDLE_HPP

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <type_traits>
#include <utility>

#include "handle.hpp"
#include "pinned.hpp"
#include "raw_handle.hpp"
#include "relocatable.hpp"

namespace custom_alloc
{
inline namespace CUSTOM_ALLOC_ABI
{

namespace detail
{

// What a shared_handle names: how many own it, and T, which is destroyed before the count is.
template <class T> class counted
{
public:
  template <class... Arguments>
  explicit counted(std::true_type /* not a move */, Arguments &&...arguments) : owners_(one_owner)
  {
    ::new (static_cast<void *>(value_)) T(std::forward<Arguments>(arguments)...);
  }
  // For the mover, when nobody else has the object's address.
  counted(counted &&other) noexcept : owners_(other.owners_.load(std::memory_order_relaxed))
  {
    relocate_one(std::addressof(value()), std::addressof(other.value()));
  }
  ~counted() = default;  // of what the mover has left: there is no T in it

  T &value() noexcept
  {
    return *static_cast<T *>(static_cast<void *>(value_));
  }
  std::size_t owners() const noexcept
  {
    return owners_.load(std::memory_order_relaxed) / one_owner;
  }
  // By an owner, for another.
  void retain() noexcept
  {
    owners_.fetch_add(one_owner, std::memory_order_relaxed);
  }
  // By somebody who is none; false if there are no owners any more.
  bool retain_if_owned() noexcept
  {
    std::size_t owners = owners_.load(std::memory_order_relaxed);
    while (owners >= one_owner) {
      if (owners_.compare_exchange_weak(owners, owners + one_owner, std::memory_order_relaxed)) {
        return true;
      }
    }
    return false;
  }
  // By an owner, before there is a weak_handle.
  void watch() noexcept
  {
    if ((owners_.load(std::memory_order_relaxed) & watched) == 0) {
      owners_.fetch_or(watched, std::memory_order_relaxed);
    }
  }
  // Whether that was the last one.
  bool release() noexcept
  {
    // release: what this owner did; acquire: what the others did, for the destructor
    return owners_.fetch_sub(one_owner, std::memory_order_acq_rel) / one_owner == 1;
  }
  // Whether there has been a weak_handle; by the last owner.
  bool is_watched() const noexcept
  {
    return (owners_.load(std::memory_order_relaxed) & watched) != 0;
  }

private:
  static constexpr std::size_t watched = 1, one_owner = 2;

  std::atomic<std::size_t> owners_;  // and whether there has been a weak_handle
  alignas(T) unsigned char value_[sizeof(T)];
};

// Within a scope; nullptr where there is no such object.
template <class T> counted<T> *resolve_counted(mend_handle object) noexcept
{
  return static_cast<counted<T> *>(mend_resolve(object));
}

// The same where a stale handle is no mistake.
template <class T> counted<T> *resolve_counted_weak(mend_handle object) noexcept
{
  return static_cast<counted<T> *>(mend_resolve_weak(object));
}

template <class T> void retain_object(mend_handle object) noexcept
{
  if (mend_handle_is_null(object)) return;
  scope open;
  counted<T> *counts = resolve_counted<T>(object);
  if (counts != nullptr) counts->retain();
}

template <class T> void watch_object(mend_handle object) noexcept
{
  if (mend_handle_is_null(object)) return;
  scope open;
  counted<T> *counts = resolve_counted<T>(object);
  if (counts != nullptr) counts->watch();
}

template <class T> bool retain_object_if_owned(mend_handle object) noexcept
{
  scope open;
  counted<T> *counts = resolve_counted_weak<T>(object);
  return counts != nullptr && counts->retain_if_owned();
}

template <class T> void release_object(mend_handle object) noexcept
{
  if (mend_handle_is_null(object)) return;
  scope open;
  counted<T> *counts = resolve_counted<T>(object);
  if (counts == nullptr || !counts->release()) return;
  counts->value().~T();
  if (counts->is_watched()) {
    (void)mend_handle_free_deferred(object);
  } else {
    (void)mend_handle_free(object);
  }
}

template <class T> std::size_t owners_of_object(mend_handle object) noexcept
{
  scope open;
  counted<T> *counts = resolve_counted_weak<T>(object);
  return counts != nullptr ? counts->owners() : 0;
}

}  // namespace detail

template <class T>
struct is_trivially_relocatable<detail::counted<T>> : is_trivially_relocatable<T> {
};

template <class T> class weak_handle;

// Owns an object together with its copies; the last one to go destroys it. Its memory is free then,
// or, where there has been a weak_handle, some time after the scopes of that moment have closed.
// Copies may be used by many threads at once; one shared_handle by one that changes it, or many
// that look. Since 0.3.
template <class T> class shared_handle
{
  static_assert(!std::is_array<T>::value, "custom_alloc: shared_handle owns one object");
  using value = typename std::remove_cv<T>::type;
  using counted = detail::counted<value>;

public:
  using element_type = T;

  constexpr shared_handle() noexcept : id_{0}
  {
  }
  constexpr shared_handle(std::nullptr_t) noexcept : id_{0}
  {
  }
  shared_handle(const shared_handle &other) noexcept : id_(other.id_)
  {
    detail::retain_object<value>(id_);
  }
  shared_handle(shared_handle &&other) noexcept : id_(other.release())
  {
  }
  // A shared_handle<const T> may own together with a shared_handle<T>.
  template <class U, class = typename std::enable_if<std::is_same<const U, T>::value &&
                                                     !std::is_same<U, T>::value>::type>
  shared_handle(shared_handle<U> other) noexcept : id_(other.release())
  {
  }
  shared_handle &operator=(shared_handle other) noexcept
  {
    swap(other);
    return *this;
  }
  ~shared_handle()
  {
    reset();
  }

  // The object's address, good until the thread's scope ends: the implicit one, if none is open.
  // nullptr if the handle is empty.
  T *get() const noexcept
  {
    if (mend_handle_is_null(id_)) return nullptr;
    counted *counts = detail::resolve_counted<value>(id_);
    return counts != nullptr ? std::addressof(counts->value()) : nullptr;
  }
  // What an empty handle does not have.
  T &operator*() const noexcept
  {
    return detail::resolve_counted<value>(id_)->value();
  }
  T *operator->() const noexcept
  {
    return std::addressof(detail::resolve_counted<value>(id_)->value());
  }
  explicit operator bool() const noexcept
  {
    return !mend_handle_is_null(id_);
  }
  // How many own the object at some moment of the call; 0 if the handle is empty.
  std::size_t use_count() const noexcept
  {
    return detail::owners_of_object<value>(id_);
  }
  // The object's name in C. Its owners still own it.
  mend_handle id() const noexcept
  {
    return id_;
  }
  // The same; this handle's share is the caller's now, who gives it back by adopt.
  CUSTOM_ALLOC_NODISCARD mend_handle release() noexcept
  {
    mend_handle object = id_;
    id_ = MEND_HANDLE_NULL;
    return object;
  }
  static shared_handle adopt(mend_handle object) noexcept
  {
    shared_handle owner;
    owner.id_ = object;
    return owner;
  }
  // The object stays where it is as long as the result lives, which this handle or a copy must
  // outlive. std::bad_alloc if there is no memory for one more pin.
  CUSTOM_ALLOC_NODISCARD pinned<T> pin() const &
  {
    counted *counts = static_cast<counted *>(detail::pin_object(id_));
    return pinned<T>(id_, counts != nullptr ? std::addressof(counts->value()) : nullptr);
  }
  pinned<T> pin() const && = delete;

  // No longer an owner.
  void reset() noexcept
  {
    detail::release_object<value>(release());
  }
  void swap(shared_handle &other) noexcept
  {
    std::swap(id_, other.id_);
  }

private:
  mend_handle id_;
};

// Names an object without owning it. It is not told that the object has gone: it asks.
template <class T> class weak_handle
{
  using value = typename std::remove_cv<T>::type;

public:
  using element_type = T;

  constexpr weak_handle() noexcept : id_{0}
  {
  }
  weak_handle(const shared_handle<T> &owner) noexcept : id_(owner.id())
  {
    detail::watch_object<value>(id_);
  }

  // One more owner of the object, or an empty handle if it has none any more.
  shared_handle<T> lock() const noexcept
  {
    bool is_owned = detail::retain_object_if_owned<value>(id_);
    return is_owned ? shared_handle<T>::adopt(id_) : shared_handle<T>();
  }
  std::size_t use_count() const noexcept
  {
    return detail::owners_of_object<value>(id_);
  }
  // Whether lock would fail, now and from now on.
  bool expired() const noexcept
  {
    return use_count() == 0;
  }
  mend_handle id() const noexcept
  {
    return id_;
  }
  void reset() noexcept
  {
    id_ = MEND_HANDLE_NULL;
  }
  void swap(weak_handle &other) noexcept
  {
    std::swap(id_, other.id_);
  }

private:
  mend_handle id_;
};

template <class T> struct is_trivially_relocatable<shared_handle<T>> : std::true_type {
};

template <class T> bool operator==(const shared_handle<T> &a, const shared_handle<T> &b) noexcept
{
  return a.id().bits == b.id().bits;
}
template <class T> bool operator!=(const shared_handle<T> &a, const shared_handle<T> &b) noexcept
{
  return !(a == b);
}
template <class T> bool operator==(const shared_handle<T> &a, std::nullptr_t) noexcept
{
  return !a;
}
template <class T> bool operator!=(const shared_handle<T> &a, std::nullptr_t) noexcept
{
  return static_cast<bool>(a);
}
template <class T> bool operator==(std::nullptr_t, const shared_handle<T> &a) noexcept
{
  return !a;
}
template <class T> bool operator!=(std::nullptr_t, const shared_handle<T> &a) noexcept
{
  return static_cast<bool>(a);
}
// Two weak handles are equal if they were made for one object, which may be no more.
template <class T> bool operator==(const weak_handle<T> &a, const weak_handle<T> &b) noexcept
{
  return a.id().bits == b.id().bits;
}
template <class T> bool operator!=(const weak_handle<T> &a, const weak_handle<T> &b) noexcept
{
  return !(a == b);
}
template <class T> void swap(shared_handle<T> &a, shared_handle<T> &b) noexcept
{
  a.swap(b);
}
template <class T> void swap(weak_handle<T> &a, weak_handle<T> &b) noexcept
{
  a.swap(b);
}

namespace detail
{

template <class T, class... Arguments>
shared_handle<T> make_shared_handle(mend_handle_heap *heap, Arguments &&...arguments)
{
  using value = typename std::remove_cv<T>::type;
  static_assert(movable<value>::value, "");
  scope open;
  unfinished<counted<value>> object(heap, 1);
  object.add(std::true_type(), std::forward<Arguments>(arguments)...);
  return shared_handle<T>::adopt(object.release());
}

}  // namespace detail

// A new T made from the arguments, with one owner: the result. std::bad_alloc, or what the
// constructor throws: then nothing is left.
template <class T, class... Arguments>
CUSTOM_ALLOC_NODISCARD shared_handle<T> make_shared_handle(Arguments &&...arguments)
{
  return detail::make_shared_handle<T>(nullptr, std::forward<Arguments>(arguments)...);
}
// The same in a heap, which must outlive the object.
template <class T, class... Arguments>
CUSTOM_ALLOC_NODISCARD shared_handle<T> make_shared_handle_in(handle_heap &heap,
                                                              Arguments &&...arguments)
{
  return detail::make_shared_handle<T>(heap.native(), std::forward<Arguments>(arguments)...);
}

}  // namespace CUSTOM_ALLOC_ABI
}  // namespace custom_alloc

namespace std
{
template <class T> struct hash<custom_alloc::shared_handle<T>> {
  size_t operator()(const custom_alloc::shared_handle<T> &handle) const noexcept
  {
    return hash<uint64_t>()(handle.id().bits);
  }
};
template <class T> struct hash<custom_alloc::weak_handle<T>> {
  size_t operator()(const custom_alloc::weak_handle<T> &handle) const noexcept
  {
    return hash<uint64_t>()(handle.id().bits);
  }
};
}  // namespace std

#endif
