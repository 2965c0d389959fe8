// SPDX-License-Identifier: MIT
//
// Copies that stay within a block. libmend-secure.so stands in for memcpy, strcpy and their kin
// (bounds.def, api/bounds_override.c). From level 3 on each call asks whether what it writes and
// what it reads lies within the live block that it begins in, and a call that would leave it is
// told before it has touched anything. Memory that is not mend's passes, and so do copies that the
// compiler has put in line or that the C library makes inside its own functions. Whether the two
// ranges overlap is not asked.
//
// Below level 3 a name leads to the C library's own function: one load, one branch and a jump.
// Before the library has started (in the resolver of another library's function, before our own
// relocations) neither is known: `calls` is still zero, which needs no relocation, and the
// functions here do the work without a check. They call nothing of the C library then, not even
// what the compiler would make of a loop.
//
// What the table holds is written once, at the start, and cannot be written after that.
#ifndef SECURE_BOUNDS_H
#define SECURE_BOUNDS_H

#include <string.h>
#include <wchar.h>

#include "base/internal.h"

#if !defined(__GLIBC__)
#define BOUNDS_HAS_STRLCPY
#elif __GLIBC_PREREQ(2, 38)
#define BOUNDS_HAS_STRLCPY
#endif

// Shared by two objects of one library, which not even all.c makes one.
#define BOUNDS_SHARED __attribute__((visibility("hidden")))

typedef void *(*bounds_move_function)(void *to, const void *from, size_t count);
typedef void *(*bounds_fill_function)(void *to, int byte, size_t count);

// No kernel has larger pages.
#define BOUNDS_TABLE_BYTES 65536

union bounds_table {
  struct {
    _Atomic(bool) checks;                // level 3 or more
    _Atomic(bounds_move_function) move;  // the C library's memmove; NULL before the start
    _Atomic(bounds_fill_function) fill;  // its memset
    struct {
#define COPY(result, name, parameters, arguments) result(*_Atomic name) parameters;
#define FILL(name, parameters, arguments) void(*_Atomic name) parameters;
#include "secure/bounds.def"
#undef COPY
#undef FILL
    } calls;  // the C library's own; NULL before the start, where it has none, and while checked
  };
  char bytes[BOUNDS_TABLE_BYTES];  // whole os pages, so that all of them can be sealed
};

extern BOUNDS_SHARED union bounds_table mend_bounds;

// Whether the level, which the options say, asks for checks.
BOUNDS_SHARED bool mend_bounds_wanted(void);
// Makes the table read-only. Where the kernel refuses, it stays writable.
BOUNDS_SHARED void mend_bounds_seal(void);

// memmove and memset for mend itself: never checked.
BOUNDS_SHARED void *mend_bounds_move(void *to, const void *from, size_t count);
BOUNDS_SHARED void *mend_bounds_fill(void *to, int byte, size_t count);

// What each name does where `calls` has nothing.
#define COPY(result, name, parameters, arguments) \
  BOUNDS_SHARED result mend_bounds_##name parameters;
#define FILL(name, parameters, arguments) BOUNDS_SHARED void mend_bounds_##name parameters;
#include "secure/bounds.def"
#undef COPY
#undef FILL

#endif
