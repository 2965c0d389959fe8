// SPDX-License-Identifier: MIT
//
// Telling AddressSanitizer, MemorySanitizer and Valgrind which memory is live, since they cannot
// know it of an allocator that is not theirs. In other builds all of this is nothing; nor does the
// hardened build tell them, which itself looks at what is around blocks, and freed.
//
// Between allocations all of a page is forbidden: annotate_allocate opens exactly the bytes that
// were asked for, annotate_free closes the whole block before it enters any bin or page. The links
// of free blocks live in closed memory. A function that touches such is ANNOTATE_MAY_TOUCH_FREED,
// for the sanitizers, and does so between annotate_touch_begin and _end, for Valgrind:
// block_link.h, api/extent_exact.h, and os/memory.c where the kernel does not take memory back.
#ifndef BASE_ANNOTATE_H
#define BASE_ANNOTATE_H

#include "base/internal.h"

#if !defined(MEND_HARDENED)
#if HAS_ADDRESS_SANITIZER
#define ANNOTATE_ADDRESS
#endif
#if HAS_MEMORY_SANITIZER
#define ANNOTATE_MEMORY
#endif
#if defined(MEND_ANNOTATE_VALGRIND)
#define ANNOTATE_VALGRIND
#endif
#endif

#if defined(ANNOTATE_ADDRESS)
#include <sanitizer/asan_interface.h>
#endif
#if defined(ANNOTATE_MEMORY)
#include <sanitizer/msan_interface.h>
#endif
#if HAS_ADDRESS_SANITIZER
// gcc would move the load out of a clone of such a function, into a caller that is checked.
#if defined(__clang__)
#define ANNOTATE_MAY_TOUCH_FREED __attribute__((no_sanitize("address")))
#else
#define ANNOTATE_MAY_TOUCH_FREED __attribute__((no_sanitize("address"), noclone))
#endif
#elif HAS_MEMORY_SANITIZER
#define ANNOTATE_MAY_TOUCH_FREED __attribute__((no_sanitize("memory")))
#else
#define ANNOTATE_MAY_TOUCH_FREED
#endif
// A guess: who reads may see what is just being written, and says what it does about that.
#if HAS_THREAD_SANITIZER
#define ANNOTATE_MAY_RACE __attribute__((no_sanitize("thread")))
#else
#define ANNOTATE_MAY_RACE
#endif
#if defined(ANNOTATE_VALGRIND)
#include <valgrind/memcheck.h>
#endif

// Whether a checker is told anything: then each block remembers the size that was asked for.
#if defined(ANNOTATE_ADDRESS) || defined(ANNOTATE_MEMORY) || defined(ANNOTATE_VALGRIND)
#define ANNOTATE_ACTIVE 1
#else
#define ANNOTATE_ACTIVE 0
#endif

// A block has been given to the user, who asked for `size` of its `usable` bytes.
static inline void annotate_allocate(void *block, size_t size, size_t usable, bool is_zero)
{
#if defined(ANNOTATE_ADDRESS)
  (void)is_zero;
  __asan_poison_memory_region(block, usable);
  __asan_unpoison_memory_region(block, size);
#elif defined(ANNOTATE_MEMORY)
  (void)usable;
  if (is_zero)
    __msan_unpoison(block, size);
  else
    __msan_allocated_memory(block, size);
#elif defined(ANNOTATE_VALGRIND)
  (void)usable;
  VALGRIND_MALLOCLIKE_BLOCK(block, size, 0, is_zero);
#else
  (void)block, (void)size, (void)usable, (void)is_zero;
#endif
}

// The user has given it back.
static inline void annotate_free(void *block, size_t usable)
{
#if defined(ANNOTATE_ADDRESS)
  __asan_poison_memory_region(block, usable);
#elif defined(ANNOTATE_MEMORY)
  __msan_poison(block, usable);
#elif defined(ANNOTATE_VALGRIND)
  (void)usable;
  VALGRIND_FREELIKE_BLOCK(block, 0);
#else
  (void)block, (void)usable;
#endif
}

// It is resized where it is: has grown, or is about to be cut.
static inline void annotate_resize(void *block, size_t old_size, size_t size, size_t usable)
{
#if defined(ANNOTATE_VALGRIND)
  (void)usable;
  VALGRIND_RESIZEINPLACE_BLOCK(block, old_size, size, 0);
#elif defined(ANNOTATE_MEMORY)
  (void)usable;
  if (size > old_size)
    __msan_allocated_memory((char *)block + old_size, size - old_size);
  else
    __msan_poison((char *)block + size, old_size - size);
#else
  (void)old_size;
  annotate_allocate(block, size, usable, true);
#endif
}

// The same three for what only a handle leads to. Valgrind, which looks for addresses, would take
// such blocks for lost: it is told what may be touched, and not that they are blocks.
static inline void annotate_object_allocate(void *block, size_t size, size_t usable, bool is_zero)
{
#if defined(ANNOTATE_VALGRIND)
  VALGRIND_MAKE_MEM_NOACCESS(block, usable);
  if (is_zero)
    VALGRIND_MAKE_MEM_DEFINED(block, size);
  else
    VALGRIND_MAKE_MEM_UNDEFINED(block, size);
#else
  annotate_allocate(block, size, usable, is_zero);
#endif
}

static inline void annotate_object_free(void *block, size_t usable)
{
#if defined(ANNOTATE_VALGRIND)
  VALGRIND_MAKE_MEM_NOACCESS(block, usable);
#else
  annotate_free(block, usable);
#endif
}

static inline void annotate_object_resize(void *block, size_t old_size, size_t size, size_t usable)
{
#if defined(ANNOTATE_VALGRIND)
  if (size > old_size) VALGRIND_MAKE_MEM_UNDEFINED((char *)block + old_size, size - old_size);
  VALGRIND_MAKE_MEM_NOACCESS((char *)block + size, usable - size);
#else
  annotate_resize(block, old_size, size, usable);
#endif
}

// Fresh memory for pages: nobody's until annotate_allocate.
static inline void annotate_forbid(void *start, size_t bytes)
{
#if defined(ANNOTATE_ADDRESS)
  __asan_poison_memory_region(start, bytes);
#elif defined(ANNOTATE_MEMORY)
  __msan_poison(start, bytes);
#elif defined(ANNOTATE_VALGRIND)
  VALGRIND_MAKE_MEM_NOACCESS(start, bytes);
#else
  (void)start, (void)bytes;
#endif
}

// Whether memcheck would complain of a system call that is to look whether a word can be read.
static inline bool annotate_is_unaddressable(const void *word)
{
#if defined(ANNOTATE_VALGRIND)
  uint64_t bits;
  return VALGRIND_GET_VBITS(word, &bits, sizeof bits) == 3;
#else
  (void)word;
  return false;
#endif
}

static inline void annotate_touch_begin(void *memory, size_t bytes)
{
#if defined(ANNOTATE_VALGRIND)
  VALGRIND_MAKE_MEM_DEFINED(memory, bytes);
#else
  (void)memory, (void)bytes;
#endif
}

static inline void annotate_touch_end(void *memory, size_t bytes)
{
#if defined(ANNOTATE_VALGRIND)
  VALGRIND_MAKE_MEM_NOACCESS(memory, bytes);
#else
  (void)memory, (void)bytes;
#endif
}

// Between these, memory is read that others may be writing, and what is seen is made do with: for
// ThreadSanitizer, which then looks at no read of this thread.
#if HAS_THREAD_SANITIZER
extern void AnnotateIgnoreReadsBegin(const char *file, int line);
extern void AnnotateIgnoreReadsEnd(const char *file, int line);
static inline void annotate_race_begin(void)
{
  AnnotateIgnoreReadsBegin(__FILE__, __LINE__);
}
static inline void annotate_race_end(void)
{
  AnnotateIgnoreReadsEnd(__FILE__, __LINE__);
}
#else
static inline void annotate_race_begin(void)
{
}
static inline void annotate_race_end(void)
{
}
#endif

// This process is a frozen copy of another, and looks at all that is in it: none of the checkers
// has anything to say of that. (The sanitizers that know of freed memory are told function by
// function.)
static inline void annotate_frozen(void)
{
  annotate_race_begin();
#if defined(ANNOTATE_VALGRIND)
  VALGRIND_DISABLE_ERROR_REPORTING;
#endif
}

#endif
