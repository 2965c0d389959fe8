// SPDX-License-Identifier: MIT
//
// The few attributes that every file uses, and how a name is shared between files.
//
// The library is built in two ways from the same sources: as one translation unit (all.c, the
// release build), where every shared name is static and nothing but mend_* leaves the object; and
// file by file (the unit tests), where shared names are hidden symbols.
#ifndef BASE_INTERNAL_H
#define BASE_INTERNAL_H

#include <assert.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

// Checkers that the library is compiled under: gcc and clang say it in different ways.
#if defined(__has_feature)
#define INTERNAL_HAS_FEATURE(name) __has_feature(name)
#else
#define INTERNAL_HAS_FEATURE(name) 0
#endif
#if defined(__SANITIZE_ADDRESS__) || INTERNAL_HAS_FEATURE(address_sanitizer)
#define HAS_ADDRESS_SANITIZER 1
#else
#define HAS_ADDRESS_SANITIZER 0
#endif
#if defined(__SANITIZE_THREAD__) || INTERNAL_HAS_FEATURE(thread_sanitizer)
#define HAS_THREAD_SANITIZER 1
#else
#define HAS_THREAD_SANITIZER 0
#endif
#define HAS_MEMORY_SANITIZER INTERNAL_HAS_FEATURE(memory_sanitizer)

#ifdef MEND_ONE_FILE
// A function or variable that other files use: its definition.
#define INTERNAL __attribute__((unused)) static
// The declaration of such a variable in a header.
#define INTERNAL_DATA __attribute__((unused)) static
#else
#define INTERNAL __attribute__((visibility("hidden")))
#define INTERNAL_DATA extern __attribute__((visibility("hidden")))
#endif

#define LIKELY(condition) __builtin_expect(!!(condition), 1)
#define UNLIKELY(condition) __builtin_expect(!!(condition), 0)
#define NOINLINE __attribute__((noinline))
// Where two functions are one path with other ends, and a call would cost either its registers.
#define INLINE_ALWAYS inline __attribute__((always_inline))

// The structure that holds `member` at `pointer`.
#define CONTAINER_OF(pointer, type, member) \
  ((type *)(void *)((char *)(pointer)-offsetof(type, member)))

#endif
