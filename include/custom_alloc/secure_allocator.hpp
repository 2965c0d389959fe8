// SPDX-License-Identifier: MIT
//
// mend for C++: memory for keys and passwords, in two strengths.
//
//     custom_alloc::secure::vector<unsigned char> password;           // wiped; since 0.3
//     custom_alloc::secure::locked_vector<unsigned char> salt(32);    // locked; since 0.4
//     auto key = custom_alloc::secure::make_locked<session_key>();    // one object; since 0.4
//
// *Wiped* memory is malloc's: nothing of the secret is left in it when it is free, also not where a
// vector has grown and left its old place; but it can be swapped out and dumped, and a fork copies
// it. *Locked* memory is that of mend/secure.h: besides being wiped it is kept in memory, out of
// core dumps, by flag out of forks, and between inaccessible pages; each block takes some of those.
// What else holds the secret, a register, a stack, a buffer of an input stream, neither touches.
//
// There is no string here, on purpose: std::basic_string keeps up to some 22 characters inside of
// itself, where no allocator sees them, and so would leave just the short passwords behind. Use
// vector<char>.
#ifndef CUSTOM_ALLOC_SECURE_ALLOCATOR_HPP
#define CUSTOM_ALLOC_SECURE_ALLOCATOR_HPP

#include <cerrno>
#include <cstddef>
#include <new>
#include <system_error>
#include <type_traits>
#include <utility>
#include <vector>

#include "mend/secure.h"
#include "parts/detail.hpp"

namespace custom_alloc
{
inline namespace CUSTOM_ALLOC_ABI
{
namespace detail
{

// A locked block; never NULL. For lack of memory the program's new-handler is asked, as by operator
// new; what else is in the way is a system_error with that code.
inline void *allocate_locked(std::size_t size, unsigned flags)
{
  for (;;) {
    void *block = mend_secure_alloc(size, flags);
    if (block != nullptr) return block;
    if (errno != ENOMEM)
      throw_or_abort<std::system_error>(errno, std::generic_category(),
                                        "custom_alloc::secure: cannot lock memory");
    call_new_handler();
  }
}

// Gives a locked block back at its end, unless release() was called.
class locked_block_guard
{
public:
  explicit locked_block_guard(void *block) noexcept : block_(block)
  {
  }
  locked_block_guard(const locked_block_guard &) = delete;
  locked_block_guard &operator=(const locked_block_guard &) = delete;
  ~locked_block_guard()
  {
    mend_secure_free(block_);
  }
  void release() noexcept
  {
    block_ = nullptr;
  }

private:
  void *block_;
};

}  // namespace detail

namespace secure
{

// Zeroes memory, also where the compiler sees that nobody reads it afterwards. `memory` may be NULL
// if `bytes` is 0. Any thread.
inline void wipe(void *memory, std::size_t bytes) noexcept
{
  mend_wipe(memory, bytes);
}

// The allocator of containers that hold secrets: the whole block is wiped before it is given back,
// its room behind the last element as well. All are equal. Elements that are only erased, or
// overwritten, stay where they are until then. T may be aligned to any power of two.
template <class T> class allocator
{
public:
  using value_type = T;
  using size_type = std::size_t;
  using difference_type = std::ptrdiff_t;
  using propagate_on_container_move_assignment = std::true_type;
  using is_always_equal = std::true_type;

  constexpr allocator() noexcept = default;
  template <class U> constexpr allocator(const allocator<U> &) noexcept
  {
  }

  // Room for `count` elements, none of which is made. Throws std::bad_array_new_length if no size_t
  // holds their size, else std::bad_alloc, after the program's new-handler.
  CUSTOM_ALLOC_NODISCARD T *allocate(std::size_t count)
  {
    std::size_t size = detail::array_bytes(count, sizeof(T));
    return static_cast<T *>(detail::allocate_from(nullptr, size, alignof(T)));
  }
  // Wipes all of the block, then gives it back; `count` may be anything. (A block never grows by
  // mend_realloc, which would leave the old place as it was.)
  void deallocate(T *block, std::size_t) noexcept
  {
    wipe(block, mend_malloc_usable_size(block));
    mend_free(block);
  }
};

template <class T, class U>
constexpr bool operator==(const allocator<T> &, const allocator<U> &) noexcept
{
  return true;
}
template <class T, class U>
constexpr bool operator!=(const allocator<T> &, const allocator<U> &) noexcept
{
  return false;
}

// A vector whose memory is wiped whenever it is left: when the vector grows, and at its end.
template <class T> using vector = std::vector<T, allocator<T>>;

// ---------------------------------------------------------------------------------------------
// Locked memory: mend_secure_alloc's. `Flags` are those of enum mend_secure_flags.

// The allocator of containers whose memory is locked. All of the same flags are equal. Each block
// takes os pages of its own, unless it is small and Flags has MEND_SECURE_SHARE_PAGES: for vectors.
template <class T, unsigned Flags = 0> class locked_allocator
{
public:
  using value_type = T;
  using size_type = std::size_t;
  using difference_type = std::ptrdiff_t;
  using propagate_on_container_move_assignment = std::true_type;
  using is_always_equal = std::true_type;
  template <class U> struct rebind {
    using other = locked_allocator<U, Flags>;
  };

  constexpr locked_allocator() noexcept = default;
  template <class U> constexpr locked_allocator(const locked_allocator<U, Flags> &) noexcept
  {
  }

  // Room for `count` elements, none of which is made. Throws std::bad_array_new_length if no size_t
  // holds their size, std::bad_alloc, after the program's new-handler, for lack of memory, and
  // std::system_error with the code EAGAIN if the process has locked as much as it may, EPERM if it
  // may lock nothing (neither with MEND_SECURE_MAY_SWAP), EINVAL for flags that are none.
  CUSTOM_ALLOC_NODISCARD T *allocate(std::size_t count)
  {
    static_assert(alignof(T) <= detail::natural_alignment,
                  "custom_alloc::secure::locked_allocator: T is aligned to more than 16 bytes");
    return static_cast<T *>(detail::allocate_locked(detail::array_bytes(count, sizeof(T)), Flags));
  }
  void deallocate(T *block, std::size_t) noexcept
  {
    mend_secure_free(block);
  }
};

template <class T, class U, unsigned Flags>
constexpr bool operator==(const locked_allocator<T, Flags> &,
                          const locked_allocator<U, Flags> &) noexcept
{
  return true;
}
template <class T, class U, unsigned Flags>
constexpr bool operator!=(const locked_allocator<T, Flags> &,
                          const locked_allocator<U, Flags> &) noexcept
{
  return false;
}

// A vector in locked memory. It cannot be made inaccessible: for that there is locked_ptr.
template <class T, unsigned Flags = 0>
using locked_vector = std::vector<T, locked_allocator<T, Flags>>;

// What may be done to an object in locked memory: by anybody, in any thread.
enum class access { read_write, read_only, none };

// Owns one object in locked memory; made by make_locked. Empty after default construction and a
// move from it. One thread at a time, as a std::unique_ptr; the access is for all threads.
template <class T> class locked_ptr
{
public:
  using element_type = T;
  using pointer = T *;

  constexpr locked_ptr() noexcept = default;
  // Takes over an object in a block of mend_secure_alloc, to all of which access is allowed.
  explicit locked_ptr(T *object) noexcept : object_(object)
  {
  }
  locked_ptr(locked_ptr &&other) noexcept : object_(other.object_), allowed_(other.allowed_)
  {
    other.object_ = nullptr;
  }
  locked_ptr &operator=(locked_ptr &&other) noexcept
  {
    locked_ptr taken(std::move(other));
    swap(taken);
    return *this;
  }
  // Destroys and wipes the object, whatever access is allowed. In the child of a fork that has left
  // it out (MEND_SECURE_OMIT_ON_FORK) there is nothing to destroy.
  ~locked_ptr()
  {
    reset();
  }
  void reset() noexcept
  {
    T *object = object_;
    object_ = nullptr;
    if (object == nullptr) return;
    if (mend_secure_owns(object)) {
      if (allowed_ != access::read_write) change(object, access::read_write);
      object->~T();
    }
    mend_secure_free(const_cast<void *>(static_cast<const volatile void *>(object)));
  }
  void swap(locked_ptr &other) noexcept
  {
    std::swap(object_, other.object_);
    std::swap(allowed_, other.allowed_);
  }

  T *get() const noexcept
  {
    return object_;
  }
  T &operator*() const noexcept
  {
    return *object_;
  }
  T *operator->() const noexcept
  {
    return object_;
  }
  explicit operator bool() const noexcept
  {
    return object_ != nullptr;
  }

  // What is allowed now.
  access allowed() const noexcept
  {
    return allowed_;
  }
  // Allows it from now on: what else is done faults. Throws std::system_error with the code EINVAL
  // for an owner of nothing, and an object that shares its pages or that a fork has left out.
  void allow(access what)
  {
    change(object_, what);
    allowed_ = what;
  }

private:
  static void change(T *object, access what)
  {
    static const enum mend_secure_access accesses[] = {
        MEND_SECURE_READ_WRITE, MEND_SECURE_READ_ONLY, MEND_SECURE_NO_ACCESS};
    void *block = const_cast<void *>(static_cast<const volatile void *>(object));
    if (!mend_secure_protect(block, accesses[static_cast<int>(what)]))
      detail::throw_or_abort<std::system_error>(errno, std::generic_category(),
                                                "custom_alloc::secure: cannot change the access");
  }

  T *object_ = nullptr;
  access allowed_ = access::read_write;
};

// Makes a T of these arguments in locked memory of its own. Throws as locked_allocator::allocate,
// and what the constructor throws.
template <class T, unsigned Flags = 0, class... Arguments>
CUSTOM_ALLOC_NODISCARD locked_ptr<T> make_locked(Arguments &&...arguments)
{
  static_assert(alignof(T) <= detail::natural_alignment,
                "custom_alloc::secure::make_locked: T is aligned to more than 16 bytes");
  void *block = detail::allocate_locked(sizeof(T), Flags);
  detail::locked_block_guard guard(block);
  T *object = ::new (block) T(std::forward<Arguments>(arguments)...);
  guard.release();
  return locked_ptr<T>(object);
}

// Allows an access to the object of a locked_ptr, which must outlive it and stay where it is, and
// at its end what was allowed before: for the few lines that use a secret.
template <class T> class access_scope
{
public:
  // Throws as locked_ptr::allow.
  access_scope(locked_ptr<T> &owner, access what) : owner_(owner), before_(owner.allowed())
  {
    owner.allow(what);
  }
  access_scope(const access_scope &) = delete;
  access_scope &operator=(const access_scope &) = delete;
  // Ends the program rather than leave more allowed than was.
  ~access_scope()
  {
    owner_.allow(before_);
  }

private:
  locked_ptr<T> &owner_;
  access before_;
};

}  // namespace secure
}  // namespace CUSTOM_ALLOC_ABI
}  // namespace custom_alloc

#endif
