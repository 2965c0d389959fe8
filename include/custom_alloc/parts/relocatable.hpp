// SPDX-License-Identifier: MIT
//
// How objects with a type are moved.
//
// A type that is *trivially relocatable* is moved by copying its bytes: the new place is the object
// from then on, and no destructor runs at the old one. That is cheapest, and no reader ever waits
// for it. Every other type is moved by its move constructor and destructor, which the mover calls
// in its own thread while nobody has an address of the object; who resolves its handle meanwhile
// waits for them. So they must not throw, must not call anything of mend/handle.h (moving a
// handle<U> calls nothing), and must not take a lock that anybody holds while resolving a handle.
// They may allocate.
//
// Types are never unregistered: a library that has made objects of a type of its own that is not
// trivially relocatable must stay loaded as long as there are any.
#ifndef CUSTOM_ALLOC_RELOCATABLE_HPP
#define CUSTOM_ALLOC_RELOCATABLE_HPP

#include <cstddef>
#include <cstring>
#include <memory>
#include <new>
#include <type_traits>
#include <utility>

#include "detail.hpp"
#include "mend/handle.h"
#include "smart_ptr.hpp"

namespace custom_alloc
{
inline namespace CUSTOM_ALLOC_ABI
{

namespace detail
{

// Bytes are the object, and it may be moved at all. (Compilers call a type whose copies and moves
// are all deleted trivially copyable, too; it often points into itself.)
template <class T>
struct is_plain : std::integral_constant<bool, std::is_trivially_copyable<T>::value &&
                                                   std::is_move_constructible<T>::value> {
};

}  // namespace detail

// Whether objects of the type may be moved by copying their bytes. Specialise it for types that are
// not trivially copyable, yet do not point into themselves, nor are pointed to by what they own or
// know: most types that hold pointers to other memory. The same for a const or volatile T. Since
// 0.3.
template <class T>
struct is_trivially_relocatable
    : std::conditional<std::is_same<T, typename std::remove_cv<T>::type>::value,
                       detail::is_plain<T>,
                       is_trivially_relocatable<typename std::remove_cv<T>::type>>::type {
};
template <class T, std::size_t N>
struct is_trivially_relocatable<T[N]> : is_trivially_relocatable<T> {
};
template <class T, class U>
struct is_trivially_relocatable<std::unique_ptr<T, deleter<U>>> : std::true_type {
};
// In the standard libraries of gcc and clang these are plain pointers.
template <class T, class U>
struct is_trivially_relocatable<std::unique_ptr<T, std::default_delete<U>>> : std::true_type {
};
template <class T> struct is_trivially_relocatable<std::shared_ptr<T>> : std::true_type {
};
template <class T> struct is_trivially_relocatable<std::weak_ptr<T>> : std::true_type {
};

namespace detail
{

template <class T>
using bytes_move = std::integral_constant<bool, is_trivially_relocatable<T>::value>;

// Says at compile time why a type cannot live behind a handle. `value` is always true.
template <class T> struct movable {
  static_assert(bytes_move<T>::value || (std::is_nothrow_move_constructible<T>::value &&
                                         std::is_nothrow_destructible<T>::value),
                "custom_alloc: objects of this type cannot be moved: either its move constructor "
                "and destructor are noexcept, or is_trivially_relocatable says that copying its "
                "bytes moves it. (A class that declares a destructor or a copy has no move "
                "constructor unless it declares that, too.)");
  static_assert(alignof(T) <= MEND_HANDLE_MAX_ALIGNMENT,
                "custom_alloc: objects behind handles are aligned to at most "
                "MEND_HANDLE_MAX_ALIGNMENT bytes");
  static constexpr bool value = true;
};

// Moves `count` objects to memory that holds none, which may overlap; afterwards `from` holds none.
template <class T>
void relocate(T *to, T *from, std::size_t count, std::true_type /* by bytes */) noexcept
{
  if (count > 0)
    std::memmove(static_cast<void *>(to), static_cast<void *>(from), count * sizeof(T));
}
template <class T> void relocate_one(T *to, T *from) noexcept
{
  ::new (static_cast<void *>(to)) T(std::move(*from));
  from->~T();
}
template <class T>
void relocate(T *to, T *from, std::size_t count, std::false_type /* by bytes */) noexcept
{
  if (to < from) {
    for (std::size_t i = 0; i < count; i++) relocate_one(to + i, from + i);
  } else if (to > from) {
    for (std::size_t i = count; i > 0; i--) relocate_one(to + i - 1, from + i - 1);
  }
}
template <class T> void relocate(T *to, T *from, std::size_t count) noexcept
{
  relocate(to, from, count, bytes_move<T>());
}

template <class T> void destroy(T *objects, std::size_t count) noexcept
{
  for (std::size_t i = count; i > 0; i--) objects[i - 1].~T();
}

// A mend_move_function for objects that are nothing but elements of T.
template <class T> struct elements_mover {
  using element = T;
  static void move(void *to, void *from, std::size_t size, void *) noexcept
  {
    relocate(static_cast<T *>(to), static_cast<T *>(from), size / sizeof(T));
  }
};

// The mend_type of objects that Mover moves, each of which holds elements of Mover::element. A type
// of the table of types is used only where bytes do not do.
template <class Mover> mend_type move_type(std::true_type /* by bytes */) noexcept
{
  return 0;
}
template <class Mover> mend_type move_type(std::false_type /* by bytes */)
{
  static const mend_type type = mend_type_register_move(&Mover::move, nullptr);
  if (type == 0) throw_bad_alloc();  // there are 1023 already
  return type;
}
template <class Mover> mend_type move_type()
{
  return move_type<Mover>(bytes_move<typename Mover::element>());
}

}  // namespace detail
}  // namespace CUSTOM_ALLOC_ABI
}  // namespace custom_alloc

#endif
