// SPDX-License-Identifier: MIT
//
// mend: ownership in C. Who gives a thing back is said where it is declared, not on every path out:
//
//     MEND_AUTO_FREE char *text = mend_malloc(100);     // freed where its block ends
//     return is_good ? mend_take(&text) : NULL;         // unless it is handed on
//
// and where there is no one owner, a *counted object* lives as long as its last reference:
//
//     struct node *node = mend_rc_make(struct node, node_end);  // one reference, ours
//     other->next = mend_rc_retain(node);                       // a second one
//     mend_rc_release(node);                                    // ours is gone, the object is not
//
// A counted object is a block with a head in front of what the user gets. Its references are
// *strong* (mend_rc_retain), which keep it alive, or *weak* (mend_rc_weak), which keep its memory
// and can be asked for a strong one (mend_rc_upgrade). The last strong one that is released runs
// the destructor, exactly once; the memory goes with the last of both kinds. Objects that hold
// references to each other in a circle keep themselves alive: make one of them weak.
//
// There are two kinds, each with functions of its own: mend_rc_* counts atomically, so references
// may be held and released by any thread; mend_rc_local_* does not, and all references to such an
// object are one thread's at a time. The object's contents are the user's to guard in both.
//
// Needs gcc or clang. In C the names that take pointers are macros that return the pointer's own
// type, in C++ templates. Nothing here is safe in a signal handler.
#ifndef MEND_SMART_H
#define MEND_SMART_H

#include <errno.h>
#include <string.h>

#include "mend/handle.h"
#include "mend/mend.h"

#ifndef __GNUC__
#error "mend/smart.h needs the cleanup attribute and the atomic builtins of gcc or clang"
#endif
// Where the C library tells that a process has one thread only, counting need not be atomic then.
#if defined(__GLIBC__) && defined(__has_include)
#if __has_include(<sys/single_threaded.h>)
#include <sys/single_threaded.h>
#define MEND_RC_IS_ALONE (__libc_single_threaded != 0)
#endif
#endif
#ifndef MEND_RC_IS_ALONE
#define MEND_RC_IS_ALONE 0
#endif

#ifdef __cplusplus
extern "C" {
#endif

// ---------------------------------------------------------------------------------------------
// Bound to a block of statements. These go in front of a declaration, which must have an
// initializer: what it says happens when the variable's block is left, by return, break or goto
// too, and by exceptions and thread cancellation where C is compiled with -fexceptions; not by
// longjmp or exit. In the reverse order of the declarations; errno is preserved. Nothing may jump
// over the declaration into its block, by goto or to a case label: what was not begun would be
// ended (gcc's -Wjump-misses-init tells). Since 0.3.
//
// The attribute doesn't see the variable's type: any that is as large as a pointer is taken for one
// to a block, any reference for a strong one. Only MEND_AUTO_HANDLE and MEND_AUTO_PIN are checked
// by the compiler.

// A block of mend_malloc and its kin, of any pointer type: mend_free. NULL is allowed. Not for
// counted objects, which lie inside of their blocks: that corrupts the heap, and is not told.
#define MEND_AUTO_FREE __attribute__((cleanup(mend_auto_free), unused))
// A mend_handle: mend_handle_free. MEND_HANDLE_NULL is allowed.
#define MEND_AUTO_HANDLE __attribute__((cleanup(mend_auto_handle), unused))
// A struct mend_pinned: mend_unpin. One that holds nothing is allowed.
#define MEND_AUTO_PIN __attribute__((cleanup(mend_auto_pin), unused))
// A strong reference, never a weak one, to a counted object, atomic or local: its release. NULL is
// allowed.
#define MEND_AUTO_RC __attribute__((cleanup(mend_auto_rc), unused))
#define MEND_AUTO_RC_LOCAL __attribute__((cleanup(mend_auto_rc_local), unused))
// This one is a declaration by itself, `MEND_AUTO_SCOPE;`: mend_scope_enter now, mend_scope_leave
// at the end of the block.
#define MEND_AUTO_SCOPE MEND_SCOPE_NUMBERED(__COUNTER__)
#define MEND_SCOPE_NUMBERED(number) MEND_SCOPE_NAMED(number)
#define MEND_SCOPE_NAMED(number) \
  __attribute__((cleanup(mend_auto_scope), unused)) const bool mend_auto_scope_##number = \
      mend_auto_scope_open()

// What a pin holds: see mend_pin_hold. All zero: nothing.
struct mend_pinned {
  mend_handle handle;
  void *address;  // good until the unpin; NULL: there is no pin
};
// mend_pin, in a form that knows what is to be unpinned. Where mend_pin fails, `address` is NULL
// (ENOMEM or no such object). Ended by MEND_AUTO_PIN, or by mend_unpin of `handle`.
MEND_INLINE struct mend_pinned mend_pin_hold(mend_handle handle) MEND_NOEXCEPT
{
  struct mend_pinned pinned = {handle, mend_pin(handle)};
  if (pinned.address == NULL) pinned.handle.bits = 0;
  return pinned;
}

// mend_take(&variable): the variable's value, leaving zero in it (NULL, MEND_HANDLE_NULL, no pin),
// so that its MEND_AUTO_... has nothing left to do: ownership is the receiver's. Not of const ones.
#ifndef __cplusplus
#define mend_take(variable) \
  __extension__({ \
    __typeof__(*(variable)) *mend_take_from = (variable); \
    __typeof__(*(variable)) mend_taken = *mend_take_from; \
    *mend_take_from = (__typeof__(*(variable))){0}; \
    mend_taken; \
  })
#endif

// ---------------------------------------------------------------------------------------------
// Counted objects. Since 0.3.

// What ends an object's contents when its last strong reference is released. `object` has no
// references any more and gets none: retaining it ends the process. It may release what the object
// holds; an object that thereby comes to its end has its own destructor called after this one has
// returned, before the outermost mend_rc_release returns, so chains of any length take no stack. It
// must return: nothing may be thrown out of it, nor longjmp'ed, and its thread may neither end nor
// be cancelled in it.
typedef void (*mend_rc_destructor)(void *object);

// A new object of `size` zeroed bytes with one strong reference, the caller's; size 0 gives an
// object of its own. Aligned to 16 bytes, or to `alignment`, a power of two; one above 16 takes as
// many bytes more. The head takes 16 bytes. `destructor` may be NULL. On failure NULL with ENOMEM,
// or EINVAL for a bad alignment (or a destructor above address 2^48); the destructor isn't called.
MEND_EXPORT void *mend_rc_new(size_t size, mend_rc_destructor destructor)
    MEND_MUST_USE MEND_NOTHROW;
MEND_EXPORT void *mend_rc_new_aligned(size_t alignment, size_t size, mend_rc_destructor destructor)
    MEND_MUST_USE MEND_NOTHROW;
// The same of the single-threaded kind.
MEND_EXPORT void *mend_rc_local_new(size_t size, mend_rc_destructor destructor)
    MEND_MUST_USE MEND_NOTHROW;
MEND_EXPORT void *mend_rc_local_new_aligned(size_t alignment, size_t size,
                                            mend_rc_destructor destructor)
    MEND_MUST_USE MEND_NOTHROW;

// The shorter way for what needs no more than 16; for types, whose alignment the compiler knows.
MEND_INLINE void *mend_rc_new_as(size_t alignment, size_t size,
                                 mend_rc_destructor destructor) MEND_NOEXCEPT
{
  if (alignment <= 16) return mend_rc_new(size, destructor);
  return mend_rc_new_aligned(alignment, size, destructor);
}
MEND_INLINE void *mend_rc_local_new_as(size_t alignment, size_t size,
                                       mend_rc_destructor destructor) MEND_NOEXCEPT
{
  if (alignment <= 16) return mend_rc_local_new(size, destructor);
  return mend_rc_local_new_aligned(alignment, size, destructor);
}

// The 16 bytes in front of every object. Here because counting is inline, and for tools that look
// for circles. The block that the object is in begins with the same first word; from the block's
// start to the object it is 2^shift bytes, so that who visits blocks finds objects. As the
// functions below are compiled into programs, this and the MEND_RC_... stay as they are for all
// libraries of one soname; programs that call the ..._untyped functions alone don't depend on it.
struct mend_rc_head {
  uint64_t kind;    // bits 54 to 63: MEND_RC_MARK's, which no address has; 48 to 53: the shift;
                    // 0 to 47: the destructor's address
  uint64_t counts;  // bits 0 to 30: strong references, 31: local; 32 to 62: weak ones, and one more
                    // until the destructor has returned, 63: local
};
#define MEND_RC_MARK (UINT64_C(0x6d40) << 48)
#define MEND_RC_MARK_BITS (UINT64_C(0xffc0) << 48)
#define MEND_RC_ONE UINT64_C(1)
#define MEND_RC_WEAK_ONE (UINT64_C(1) << 32)
#define MEND_RC_LOCAL (UINT64_C(0x80000000) << 32 | UINT64_C(0x80000000))  // added to local counts
#define MEND_RC_MOST UINT32_C(0x3fffffff)  // references of each sort that an object can have

// The slow ends of what follows; not to be called otherwise. `before` are the counts as they were.
// Ends the object if that was its last strong reference, or the process if it was none at all.
MEND_EXPORT void mend_rc_end(const void *object, uint64_t before, bool is_local) MEND_NOTHROW;
// Ends the process: this object can have no further strong reference.
MEND_EXPORT void mend_rc_refuse(const void *object, uint64_t before, bool is_local)
    __attribute__((noreturn, cold)) MEND_NOTHROW;

MEND_INLINE struct mend_rc_head *mend_rc_head_of(const void *object) MEND_NOEXCEPT
{
  return (struct mend_rc_head *)((uintptr_t)object - sizeof(struct mend_rc_head));
}

// What mend_rc_retain below is made of: a further strong reference, by one that the caller has;
// returns the pointer. NULL gives NULL. An object that is dead (where its memory is not yet
// another's), of the other kind, or that has MEND_RC_MOST references already, ends the process with
// a line. About 5 ns, 1 ns in a process of one thread.
MEND_INLINE void *mend_rc_retain_inline(const void *object) MEND_NOEXCEPT
{
  if (object == NULL) return NULL;
  uint64_t *counts = &mend_rc_head_of(object)->counts;
  uint64_t before;
  if (MEND_RC_IS_ALONE) {
    before = *counts;
    *counts = before + MEND_RC_ONE;
  } else {
    before = __atomic_fetch_add(counts, MEND_RC_ONE, __ATOMIC_RELAXED);
  }
  if (__builtin_expect((uint32_t)before - 1 >= MEND_RC_MOST - 1, 0)) {
    mend_rc_refuse(object, before, false);
  }
  return (void *)(uintptr_t)object;
}
MEND_INLINE void *mend_rc_local_retain_inline(const void *object) MEND_NOEXCEPT
{
  if (object == NULL) return NULL;
  uint64_t *counts = &mend_rc_head_of(object)->counts;
  uint64_t before = *counts;
  if (__builtin_expect((uint32_t)(before - MEND_RC_LOCAL) - 1 >= MEND_RC_MOST - 1, 0)) {
    mend_rc_refuse(object, before, true);
  }
  *counts = before + MEND_RC_ONE;
  return (void *)(uintptr_t)object;
}

// Gives one strong reference back; the last one ends the object, as the destructor's comment says.
// NULL is allowed; errno is as the destructor leaves it. Ends the process as mend_rc_retain_inline
// does. About 5 ns, 1 ns in a process of one thread, the end not counted.
MEND_INLINE void mend_rc_release(const void *object) MEND_NOEXCEPT
{
  if (object == NULL) return;
  uint64_t *counts = &mend_rc_head_of(object)->counts;
  // acquire: the only reference there is, so what all others did with the object comes before
  uint64_t before = __atomic_load_n(counts, __ATOMIC_ACQUIRE);
  if (before != MEND_RC_ONE + MEND_RC_WEAK_ONE) {
    if (MEND_RC_IS_ALONE) {
      *counts = before - MEND_RC_ONE;
    } else {
      before = __atomic_fetch_sub(counts, MEND_RC_ONE, __ATOMIC_RELEASE);  // pairs: mend_rc_end
    }
  }
  if (__builtin_expect((uint32_t)before - 2 >= MEND_RC_MOST - 1, 0)) {
    mend_rc_end(object, before, false);
  }
}
MEND_INLINE void mend_rc_local_release(const void *object) MEND_NOEXCEPT
{
  if (object == NULL) return;
  uint64_t *counts = &mend_rc_head_of(object)->counts;
  uint64_t before = *counts;
  if (__builtin_expect((uint32_t)(before - MEND_RC_LOCAL) - 2 >= MEND_RC_MOST - 1, 0)) {
    mend_rc_end(object, before, true);
  } else {
    *counts = before - MEND_RC_ONE;
  }
}

// How many strong references the object has, of either kind; 0 for NULL and in its destructor.
// Where other threads have some, it may be another number already.
MEND_EXPORT size_t mend_rc_count(const void *object) MEND_NOTHROW;

// The functions behind mend_rc_weak, mend_rc_upgrade and mend_rc_weak_release below, and retain and
// release once more, for callers that have no types or can't call what is inline, such as other
// languages. A weak reference's value is the object's address. They end the process as
// mend_rc_retain_inline does. About 10 ns each, the end not counted.
MEND_EXPORT void *mend_rc_retain_untyped(const void *object) MEND_NOTHROW;
MEND_EXPORT void mend_rc_release_untyped(const void *object) MEND_NOTHROW;
MEND_EXPORT void *mend_rc_weak_untyped(const void *object) MEND_MUST_USE MEND_NOTHROW;
MEND_EXPORT void *mend_rc_upgrade_untyped(const volatile void *weak) MEND_MUST_USE MEND_NOTHROW;
MEND_EXPORT void mend_rc_weak_release_untyped(const volatile void *weak) MEND_NOTHROW;
MEND_EXPORT void *mend_rc_local_retain_untyped(const void *object) MEND_NOTHROW;
MEND_EXPORT void mend_rc_local_release_untyped(const void *object) MEND_NOTHROW;
MEND_EXPORT void *mend_rc_local_weak_untyped(const void *object) MEND_MUST_USE MEND_NOTHROW;
MEND_EXPORT void *mend_rc_local_upgrade_untyped(const volatile void *weak)
    MEND_MUST_USE MEND_NOTHROW;
MEND_EXPORT void mend_rc_local_weak_release_untyped(const volatile void *weak) MEND_NOTHROW;

// ---------------------------------------------------------------------------------------------
// What the attributes call. Since 0.3.

MEND_INLINE void mend_auto_free(const void *variable) MEND_NOEXCEPT
{
  void *block;
  memcpy(&block, variable, sizeof block);
  mend_free(block);
}

MEND_INLINE void mend_auto_handle(const mend_handle *variable) MEND_NOEXCEPT
{
  if (!mend_handle_is_null(*variable)) (void)mend_handle_free(*variable);
}

MEND_INLINE void mend_auto_pin(const struct mend_pinned *variable) MEND_NOEXCEPT
{
  if (variable->address != NULL) (void)mend_unpin(variable->handle);
}

MEND_INLINE void mend_auto_rc(const void *variable) MEND_NOEXCEPT
{
  const void *object;
  memcpy(&object, variable, sizeof object);
  int saved_errno = errno;
  mend_rc_release(object);
  errno = saved_errno;
}

MEND_INLINE void mend_auto_rc_local(const void *variable) MEND_NOEXCEPT
{
  const void *object;
  memcpy(&object, variable, sizeof object);
  int saved_errno = errno;
  mend_rc_local_release(object);
  errno = saved_errno;
}

MEND_INLINE bool mend_auto_scope_open(void) MEND_NOEXCEPT
{
  mend_scope_enter();
  return true;
}

MEND_INLINE void mend_auto_scope(const bool *variable) MEND_NOEXCEPT
{
  (void)variable;
  mend_scope_leave();
}

#ifdef __cplusplus
}
#endif

// ---------------------------------------------------------------------------------------------
// With types. In C++ the same names are templates (below). Since 0.3.
//
//   mend_rc_make(type, destructor)  a new, zeroed object of the type, aligned as the type is; the
//                                   destructor must be a void (*)(type *), or NULL. In C++ the type
//                                   must be trivial: no constructor runs. Errors: mend_rc_new
//   mend_rc_retain(object)          see mend_rc_retain_inline
//   MEND_WEAK(type)                 the type of weak references to it: a pointer that nobody can
//                                   read the object through, for variables and members
//   mend_rc_weak(object)            a weak reference, by a strong one that the caller has
//   mend_rc_upgrade(weak)           a strong reference by a weak one, which stays; NULL if the
//                                   object has come to its end
//   mend_rc_weak_release(weak)      gives a weak reference back
//
// NULL gives NULL and is allowed everywhere; the weak ones may outlive the object. Each is there as
// mend_rc_local_... for the single-threaded kind. Arguments are evaluated once.
#ifndef __cplusplus

// volatile: so that the compiler warns where one is passed to what takes strong ones. Nothing is
// ever read through it.
#define MEND_WEAK(type) __typeof__(type *volatile(*)[])
#define MEND_WEAK_TO(object) __typeof__(__typeof__(&*(object)) volatile(*)[])
#define MEND_WEAK_TARGET(weak) __typeof__(&*(*(weak))[0])
#define MEND_RC_DESTRUCTOR(type, destructor) ((mend_rc_destructor)(void (*)(type *)){destructor})

#define mend_rc_make(type, destructor) \
  ((type *)mend_rc_new_as(_Alignof(type), sizeof(type), MEND_RC_DESTRUCTOR(type, destructor)))
#define mend_rc_local_make(type, destructor) \
  ((type *)mend_rc_local_new_as(_Alignof(type), sizeof(type), MEND_RC_DESTRUCTOR(type, destructor)))
#define mend_rc_retain(object) ((__typeof__(object))mend_rc_retain_inline(object))
#define mend_rc_local_retain(object) ((__typeof__(object))mend_rc_local_retain_inline(object))
#define mend_rc_weak(object) ((MEND_WEAK_TO(object))mend_rc_weak_untyped(object))
#define mend_rc_local_weak(object) ((MEND_WEAK_TO(object))mend_rc_local_weak_untyped(object))
#define mend_rc_upgrade(weak) ((MEND_WEAK_TARGET(weak))mend_rc_upgrade_untyped(weak))
#define mend_rc_local_upgrade(weak) ((MEND_WEAK_TARGET(weak))mend_rc_local_upgrade_untyped(weak))
#define mend_rc_weak_release(weak) ((void)sizeof((*(weak))[0]), mend_rc_weak_release_untyped(weak))
#define mend_rc_local_weak_release(weak) \
  ((void)sizeof((*(weak))[0]), mend_rc_local_weak_release_untyped(weak))

#else

template <typename T> struct mend_weak_to {
  void *object;
};
#define MEND_WEAK(type) mend_weak_to<type>
#define mend_rc_make(type, destructor) (mend_rc_make_object<type>(destructor))
#define mend_rc_local_make(type, destructor) (mend_rc_local_make_object<type>(destructor))

template <typename T> inline T *mend_rc_make_object(void (*destructor)(T *)) noexcept
{
  static_assert(__is_trivial(T), "mend_rc_make runs no constructor: the type must be trivial");
  return static_cast<T *>(
      mend_rc_new_as(alignof(T), sizeof(T), reinterpret_cast<mend_rc_destructor>(destructor)));
}
template <typename T> inline T *mend_rc_local_make_object(void (*destructor)(T *)) noexcept
{
  static_assert(__is_trivial(T), "mend_rc_local_make runs no constructor");
  return static_cast<T *>(mend_rc_local_new_as(alignof(T), sizeof(T),
                                               reinterpret_cast<mend_rc_destructor>(destructor)));
}
template <typename T> inline T *mend_rc_retain(T *object) noexcept
{
  return static_cast<T *>(mend_rc_retain_inline(object));
}
inline decltype(nullptr) mend_rc_retain(decltype(nullptr)) noexcept
{
  return nullptr;
}
template <typename T> inline T *mend_rc_local_retain(T *object) noexcept
{
  return static_cast<T *>(mend_rc_local_retain_inline(object));
}
inline decltype(nullptr) mend_rc_local_retain(decltype(nullptr)) noexcept
{
  return nullptr;
}
template <typename T> inline mend_weak_to<T> mend_rc_weak(T *object) noexcept
{
  return {mend_rc_weak_untyped(object)};
}
template <typename T> inline mend_weak_to<T> mend_rc_local_weak(T *object) noexcept
{
  return {mend_rc_local_weak_untyped(object)};
}
template <typename T> inline T *mend_rc_upgrade(mend_weak_to<T> weak) noexcept
{
  return static_cast<T *>(mend_rc_upgrade_untyped(weak.object));
}
template <typename T> inline T *mend_rc_local_upgrade(mend_weak_to<T> weak) noexcept
{
  return static_cast<T *>(mend_rc_local_upgrade_untyped(weak.object));
}
template <typename T> inline void mend_rc_weak_release(mend_weak_to<T> weak) noexcept
{
  mend_rc_weak_release_untyped(weak.object);
}
template <typename T> inline void mend_rc_local_weak_release(mend_weak_to<T> weak) noexcept
{
  mend_rc_local_weak_release_untyped(weak.object);
}
template <typename T> inline T mend_take(T *variable)
{
  T taken = *variable;
  *variable = T();
  return taken;
}

#endif
#endif
