// SPDX-License-Identifier: MIT
//
// mend: a general-purpose memory allocator for Linux. This header is the C surface of the core:
// the malloc family under its own names, first-class heaps, a block visitor and the hooks.
//
// Every function may be called from any thread at any time, unless its comment says otherwise.
// No function here is safe in a signal handler: a handler should not allocate. (mend notices one
// that has interrupted its own thread inside mend, and falls back or returns NULL with ENOMEM;
// docs/API.md says where even that does not hold.)
//
// Words: a *block* is what an allocation returns. Its *usable size* is what it can hold, at least
// what was asked for. All sizes are in bytes. Every block is aligned to 16 bytes or more.
#ifndef MEND_MEND_H
#define MEND_MEND_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#define MEND_VERSION_MAJOR 0
#define MEND_VERSION_MINOR 5
#define MEND_VERSION_PATCH 0
#define MEND_VERSION_STRING "0.5.0"
// One number that grows with each release: 10000 * major + 100 * minor + patch.
#define MEND_VERSION (10000 * MEND_VERSION_MAJOR + 100 * MEND_VERSION_MINOR + MEND_VERSION_PATCH)

#if defined(__GNUC__)
#define MEND_EXPORT __attribute__((visibility("default")))
#define MEND_MALLOC __attribute__((malloc, warn_unused_result))
#define MEND_SIZE(...) __attribute__((alloc_size(__VA_ARGS__)))
#define MEND_ALIGN(index) __attribute__((alloc_align(index)))
#define MEND_MUST_USE __attribute__((warn_unused_result))
#define MEND_NOTHROW __attribute__((nothrow))
#else
#define MEND_EXPORT
#define MEND_MALLOC
#define MEND_SIZE(...)
#define MEND_ALIGN(index)
#define MEND_MUST_USE
#define MEND_NOTHROW
#endif

// Functions that these headers define themselves are begun with the one, and have the other behind
// their parameters. In C++ the templates of custom_alloc/ call them, so that each must be the same
// function wherever it is compiled.
#ifdef __cplusplus
#define MEND_INLINE inline
#define MEND_NOEXCEPT noexcept
#else
#define MEND_INLINE static inline
#define MEND_NOEXCEPT
#endif

#ifdef __cplusplus
extern "C" {
#endif

// ---------------------------------------------------------------------------------------------
// Version. Since 0.1.

// The version of the library that is running, as MEND_VERSION is of this header.
MEND_EXPORT int mend_version(void) MEND_NOTHROW;
// The same as text, "0.5.0". Static storage: never free it.
MEND_EXPORT const char *mend_version_string(void) MEND_NOTHROW;
// Whether the process's `malloc` is mend's: false where only the prefixed names are linked, or
// another malloc was found first.
MEND_EXPORT bool mend_is_redirected(void) MEND_NOTHROW;

// ---------------------------------------------------------------------------------------------
// The malloc family. Each does what the C library's function of the same name does, as the C
// standard says; unlike glibc before 2.38, mend_aligned_alloc refuses an alignment that is no power
// of two. On failure NULL and errno = ENOMEM (EINVAL for a bad alignment); sizes whose product or
// rounding overflows are such failures; the caller owns the block until it frees it with mend_free
// (or any name of free that mend serves), from whichever thread. Since 0.1.

// A block of at least `size` bytes, contents undefined. size 0 gives a unique block of its own.
MEND_EXPORT void *mend_malloc(size_t size) MEND_MALLOC MEND_SIZE(1) MEND_NOTHROW;
// A zeroed block for `count` elements of `size` bytes.
MEND_EXPORT void *mend_calloc(size_t count, size_t size) MEND_MALLOC MEND_SIZE(1, 2) MEND_NOTHROW;
// A zeroed block of `size` bytes.
MEND_EXPORT void *mend_zalloc(size_t size) MEND_MALLOC MEND_SIZE(1) MEND_NOTHROW;
// Resizes `block` to `size` bytes, in place where possible. On success the old pointer is invalid
// unless it is the one returned; on failure, which no smaller size meets, the old block is
// untouched. A NULL block makes it mend_malloc; size 0 with a block frees the block and returns
// NULL, as the C library does.
MEND_EXPORT void *mend_realloc(void *block, size_t size) MEND_MUST_USE MEND_SIZE(2) MEND_NOTHROW;
// mend_realloc for `count` elements of `size` bytes, with overflow checked.
MEND_EXPORT void *mend_reallocarray(void *block, size_t count, size_t size)
    MEND_MUST_USE MEND_SIZE(2, 3) MEND_NOTHROW;
// Gives the block back. NULL is allowed. errno is preserved. A pointer that is not a live block is
// a bug: what the library then tells and what it does not is listed in docs/Security.md.
MEND_EXPORT void mend_free(void *block) MEND_NOTHROW;
// C23: as mend_free, where the caller knows the size (and alignment) it asked for. Both are only
// hints: a wrong one is not detected by the default build.
MEND_EXPORT void mend_free_sized(void *block, size_t size) MEND_NOTHROW;
MEND_EXPORT void mend_free_aligned_sized(void *block, size_t alignment, size_t size) MEND_NOTHROW;
// The old name of free.
MEND_EXPORT void mend_cfree(void *block) MEND_NOTHROW;

// A block aligned to `alignment`, any power of two up to the size of the address range, also
// beyond 2 MiB. mend_aligned_alloc refuses an alignment that is no power of two with EINVAL;
// mend_memalign rounds it up to one, as the C library does.
MEND_EXPORT void *mend_aligned_alloc(size_t alignment, size_t size) MEND_MALLOC MEND_ALIGN(1)
    MEND_SIZE(2) MEND_NOTHROW;
MEND_EXPORT void *mend_memalign(size_t alignment, size_t size) MEND_MALLOC MEND_SIZE(2)
    MEND_NOTHROW;
// Returns 0, EINVAL (alignment no power-of-two multiple of sizeof(void *)) or ENOMEM; stores the
// block in *block only on success. errno is left alone but for ENOMEM, which it then is as well.
MEND_EXPORT int mend_posix_memalign(void **block, size_t alignment, size_t size) MEND_NOTHROW;
// Aligned to the os page; mend_pvalloc also rounds the size up to whole os pages, at least one.
MEND_EXPORT void *mend_valloc(size_t size) MEND_MALLOC MEND_SIZE(1) MEND_NOTHROW;
MEND_EXPORT void *mend_pvalloc(size_t size) MEND_MALLOC MEND_NOTHROW;

// How many bytes the block can hold; 0 for NULL. All of them may be used.
MEND_EXPORT size_t mend_malloc_usable_size(const void *block) MEND_NOTHROW;

// ---------------------------------------------------------------------------------------------
// What the standard family lacks. Since 0.1.

// As mend_malloc, but 0 bytes give NULL (without touching errno).
MEND_EXPORT void *mend_allocate(size_t size) MEND_MALLOC MEND_SIZE(1) MEND_NOTHROW;
// As mend_malloc; on success stores the block's usable size in *got (which may be NULL).
MEND_EXPORT void *mend_malloc_at_least(size_t size, size_t *got) MEND_MALLOC MEND_SIZE(1)
    MEND_NOTHROW;
// The usable size that a mend_malloc(size) would have: the next size that wastes nothing.
// Returns `size` itself where no such block can exist.
MEND_EXPORT size_t mend_good_size(size_t size) MEND_NOTHROW;
// Makes the block hold `size` bytes without moving it: returns `block`, or NULL (errno untouched)
// if that cannot be done in place, with the block unchanged. Never shrinks. NULL gives NULL.
MEND_EXPORT void *mend_expand(void *block, size_t size) MEND_NOTHROW;
// Whether `pointer` lies inside a page or large block that mend has handed out from. True says
// nothing about the block being live. Any address may be asked; it is never dereferenced. In a
// block above 64 KiB, or free memory, it looks at one descriptor for each 64 KiB before `pointer`:
// time linear in the size / 64 KiB.
MEND_EXPORT bool mend_owns(const void *pointer) MEND_NOTHROW;
// Gives back what the calling thread keeps ready, takes back what other threads gave back of its
// heap's blocks, and gives free pages back; with `force`, every heap's wholly free pages, and the
// whole os pages inside free blocks of 4 to 64 KiB, are returned to the kernel at once (docs/API.md
// says what that cannot reach).
MEND_EXPORT void mend_collect(bool force) MEND_NOTHROW;

// ---------------------------------------------------------------------------------------------
// The C library's ways to ask and to steer. Since 0.1.

// As mend_collect(true), keeping up to `pad` bytes for reuse. Returns 1 if memory went back to the
// kernel, else 0.
MEND_EXPORT int mend_malloc_trim(size_t pad) MEND_NOTHROW;
// Always 1 for the parameters that <malloc.h> names (accepted, without effect), else 0.
MEND_EXPORT int mend_mallopt(int parameter, int value) MEND_NOTHROW;
// A table of the heap on stderr (or through mend_set_output's function).
MEND_EXPORT void mend_malloc_stats(void) MEND_NOTHROW;
// The same as XML, <malloc version="mend-1">. Returns 0, or EINVAL if flags is not 0.
MEND_EXPORT int mend_malloc_info(int flags, FILE *stream) MEND_NOTHROW;

// As <malloc.h>'s struct mallinfo2, field for field; mend_mallinfo returns the same with ints,
// which wrap past 2 GiB. Blocks of up to 64 KiB and what is kept for them are the arena: uordblks
// bytes are live, fordblks free, both together arena; larger ones, and those aligned to more, are
// hblks blocks of hblkhd bytes. ordblks counts pages, keepcost the bytes of free pages that
// mend_malloc_trim can return.
struct mend_mallinfo2 {
  size_t arena, ordblks, smblks, hblks, hblkhd, usmblks, fsmblks, uordblks, fordblks, keepcost;
};
struct mend_mallinfo {
  int arena, ordblks, smblks, hblks, hblkhd, usmblks, fsmblks, uordblks, fordblks, keepcost;
};
// Each a struct and a function of one name, as in <malloc.h>: g++ -Wshadow would warn of it.
#if defined(__cplusplus) && defined(__GNUC__)
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wshadow"
#endif
MEND_EXPORT struct mend_mallinfo2 mend_mallinfo2(void) MEND_NOTHROW;
MEND_EXPORT struct mend_mallinfo mend_mallinfo(void) MEND_NOTHROW;
#if defined(__cplusplus) && defined(__GNUC__)
#pragma GCC diagnostic pop
#endif

// ---------------------------------------------------------------------------------------------
// First-class heaps: blocks that live together and can all be freed at once. Any thread may use
// any heap; a heap is guarded by a lock of its own, so threads that allocate a lot are better off
// with mend_malloc. Its blocks are freed by mend_free, resized by mend_realloc (the block stays in
// its heap), and are answered for by every function above. NULL stands for the memory that
// mend_malloc uses. Since 0.1.

typedef struct mend_heap mend_heap;

// A new, empty heap, or NULL with ENOMEM. The caller owns it and ends it with mend_heap_destroy.
MEND_EXPORT mend_heap *mend_heap_create(void) MEND_MUST_USE MEND_NOTHROW;
// Frees every block of the heap and the heap itself. No thread may be using either. NULL does
// nothing; a heap that does not exist ends the process.
MEND_EXPORT void mend_heap_destroy(mend_heap *heap) MEND_NOTHROW;
// As the functions without `heap_`, from this heap.
MEND_EXPORT void *mend_heap_malloc(mend_heap *heap, size_t size) MEND_MALLOC MEND_SIZE(2)
    MEND_NOTHROW;
MEND_EXPORT void *mend_heap_zalloc(mend_heap *heap, size_t size) MEND_MALLOC MEND_SIZE(2)
    MEND_NOTHROW;
MEND_EXPORT void *mend_heap_calloc(mend_heap *heap, size_t count, size_t size)
    MEND_MALLOC MEND_SIZE(2, 3) MEND_NOTHROW;
MEND_EXPORT void *mend_heap_aligned_alloc(mend_heap *heap, size_t alignment, size_t size)
    MEND_MALLOC MEND_ALIGN(2) MEND_SIZE(3) MEND_NOTHROW;
// Resizes; a NULL block is allocated from `heap`. A block of another heap stays in that heap.
MEND_EXPORT void *mend_heap_realloc(mend_heap *heap, void *block, size_t size)
    MEND_MUST_USE MEND_SIZE(3) MEND_NOTHROW;
// Whether `pointer` lies in a page or large block of this heap; false for a NULL heap. Takes as
// long as mend_owns.
MEND_EXPORT bool mend_heap_owns(const mend_heap *heap, const void *pointer) MEND_NOTHROW;
// Gives the heap's wholly free pages back to the memory that all heaps take theirs from; that keeps
// them or returns them to the kernel as it does all free pages. NULL: mend_collect(false).
MEND_EXPORT void mend_heap_collect(mend_heap *heap) MEND_NOTHROW;

// Called for each live block with its usable size. Return false to stop. It runs under the heap's
// lock: it may read the block, but must not call back into mend.
typedef bool (*mend_visit_function)(void *block, size_t usable_size, void *argument);
// Visits every live block of `heap`; NULL stands for the calling thread's own blocks of up to
// 64 KiB, in the hardened build without those of no bytes and those that are guarded one by one. A
// block that another thread is freeing at this moment, or has freed and keeps ready for
// itself, may or may not be seen. Returns false if the function stopped the visit.
MEND_EXPORT bool mend_heap_visit(mend_heap *heap, mend_visit_function function, void *argument)
    MEND_NOTHROW;

// ---------------------------------------------------------------------------------------------
// Hooks. Set them before threads are started. NULL restores the default. A hook may run in several
// threads at once, and must return: nothing may be thrown out of it, nor longjmp'ed. Since 0.1.

// Where the library's text goes (statistics, the line before an abort); default stderr. One call is
// one line, with its newline, but for a report of the hardened build: that is one call of several
// lines. `text` is not terminated. The function must not allocate. Warnings about options are
// written when these are read, before main, and thus always go to stderr.
typedef void (*mend_output_function)(const char *text, size_t bytes, void *argument);
MEND_EXPORT void mend_set_output(mend_output_function function, void *argument) MEND_NOTHROW;
// Called, with no lock held, when an allocation of `size` bytes is about to fail. Return true after
// freeing something: the allocation is tried again. It may allocate, but is not called again within
// its own call: what fails there returns NULL.
typedef bool (*mend_out_of_memory_function)(size_t size, void *argument);
MEND_EXPORT void mend_set_out_of_memory(mend_out_of_memory_function function, void *argument)
    MEND_NOTHROW;

#ifdef __cplusplus
}
#endif
#endif
