// SPDX-License-Identifier: MIT
//
// What the test programs share: a check that works in any thread, a scale for their length, random
// numbers from a printed seed, block contents that can be verified, and teams of threads. Nothing
// here calls mend or allocates, so every kind of test program may link it, those included that
// replace malloc.
#ifndef TESTS_SUPPORT_H
#define TESTS_SUPPORT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <sys/types.h>

enum { TEST_PASS = 0, TEST_FAIL = 1, TEST_CANNOT_RUN = 77 };

// Built with tiny pages and caches, so that slow paths always run: memory is wasted on purpose.
#ifdef MEND_STRESS
#define TEST_IS_WASTEFUL 1
#else
#define TEST_IS_WASTEFUL 0
#endif

// Built for a checker that is told of each block (ASan, MSan, Valgrind): a block's usable size is
// what was asked for, to the byte, while the library's figures count what it takes.
#if defined(__has_feature)
#if __has_feature(address_sanitizer) || __has_feature(memory_sanitizer)
#define TEST_IS_ANNOTATED 1
#endif
#endif
#if defined(__SANITIZE_ADDRESS__) || defined(MEND_ANNOTATE_VALGRIND)
#define TEST_IS_ANNOTATED 1
#endif
#ifndef TEST_IS_ANNOTATED
#define TEST_IS_ANNOTATED 0
#endif

// Linked with the hardened library (MEND_TEST_HARDENED), at the level in test_harden_level: all
// pages are bitmap pages, and large blocks are surrounded and neither grow nor shrink.
#ifndef TEST_IS_HARDENED
#define TEST_IS_HARDENED 0
#endif
static inline int test_harden_level(void)  // 0 to 4; -1: it is not linked with it
{
  const char *level = getenv("MEND_HARDEN");
  if (!TEST_IS_HARDENED) return -1;
  return level != NULL ? level[0] - '0' : 2;
}

// Where a block's usable size is what was asked for, while the library's figures count what it
// takes.
#define TEST_HAS_EXACT_SIZES (TEST_IS_ANNOTATED || TEST_IS_HARDENED)

// Built for Valgrind, which has few addresses to give, and ends where there is no memory.
#ifdef MEND_ANNOTATE_VALGRIND
#define TEST_IS_VALGRIND 1
#else
#define TEST_IS_VALGRIND 0
#endif

#define KIB ((size_t)1 << 10)
#define MIB ((size_t)1 << 20)
#define GIB ((size_t)1 << 30)

// Prints the condition with its place and aborts if it does not hold.
#define CHECK(condition) ((condition) ? (void)0 : test_fail(__FILE__, __LINE__, #condition))
_Noreturn void test_fail(const char *file, int line, const char *condition);

// fork, which must not fail. In the child Valgrind does not look for leaks: what the threads had
// that are not there belongs to nobody.
pid_t test_fork(void);

// Prints why this program cannot run here; to be returned from main.
int test_cannot_run(const char *reason);

// `count` times the environment's MEND_TEST_SCALE (a decimal fraction, default 1), at least 1.
size_t test_scaled(size_t count);

// Whether a tool (a sanitizer, Valgrind, an emulator) stands between the program and its memory, so
// that what is resident says nothing about the library. Not to be asked by programs that replace
// malloc: it opens a file.
bool test_is_instrumented(void);

// Whether that tool is Valgrind, which besides starts no set-user-id program and nothing without a
// stderr, and lets nobody lower the hard limit of descriptors.
bool test_is_in_valgrind(void);

// Whether the library reserves its region, as it does in builds for a checker, where the
// environment says so, and perhaps in an emulator: then the kernel lets nobody map anything inside.
// Not to be asked by programs that replace malloc, either.
bool test_region_is_reserved(void);

// The same value, but the compiler no longer knows where it came from: keeps it from warning of,
// or optimising away, what a test does on purpose.
static inline void *opaque(void *pointer)
{
  __asm__ volatile("" : "+r"(pointer) : : "memory");
  return pointer;
}
static inline size_t opaque_size(size_t size)
{
  __asm__ volatile("" : "+r"(size));
  return size;
}
static inline bool is_aligned(const void *pointer, size_t alignment)
{
  return ((uintptr_t)pointer & (alignment - 1)) == 0;
}

// Whether a figure of the library has grown by the usable sizes of some blocks.
static inline bool is_growth_by(size_t before, size_t after, size_t usable_bytes)
{
  size_t growth = after - before;
  return TEST_HAS_EXACT_SIZES ? growth >= usable_bytes : growth == usable_bytes;
}

// A small random generator (splitmix64). Each thread needs its own.
struct random {
  uint64_t state;
};
uint64_t random_next(struct random *random);
size_t random_below(struct random *random, size_t limit);
// Spread evenly over the powers of two in [1, limit], so that small sizes are the common ones.
size_t random_size(struct random *random, size_t limit);
// The environment's MEND_TEST_SEED, or a fresh one. It is printed: a failure can be repeated.
uint64_t random_seed(void);

// Fills a block with contents that depend on `seed`, and finds the first byte that has changed
// (`bytes` if none has).
void pattern_fill(void *block, size_t bytes, uint64_t seed);
size_t pattern_difference(const void *block, size_t bytes, uint64_t seed);
bool is_zero(const void *block, size_t bytes);

// Runs `body` in `count` threads at once, the i-th with arguments + i * stride, and joins them.
void threads_run(size_t count, void *(*body)(void *), void *arguments, size_t stride);

#endif
