// SPDX-License-Identifier: MIT
//
// The functions that attacks go through: the malloc family, the operators of C++ by the names that
// the linker knows them under (so that no C++ compiler is needed), and what mend adds. Those that
// not every allocator has are weak: a case that needs one says so where it is missing.
#ifndef TESTS_ATTACK_FUNCTIONS_H
#define TESTS_ATTACK_FUNCTIONS_H

#include <malloc.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdlib.h>

#include "mend/mend.h"
#include "mend/root.h"

#define WEAK_FUNCTION __attribute__((weak))

int malloc_trim(size_t pad);  // which not every C library declares

void free_sized(void *block, size_t size) WEAK_FUNCTION;
void free_aligned_sized(void *block, size_t alignment, size_t size) WEAK_FUNCTION;

void *cxx_new(size_t size) __asm__("_Znwm") WEAK_FUNCTION;
void *cxx_new_array(size_t size) __asm__("_Znam") WEAK_FUNCTION;
void *cxx_new_aligned(size_t size, size_t alignment) __asm__("_ZnwmSt11align_val_t") WEAK_FUNCTION;
void cxx_delete(void *block) __asm__("_ZdlPv") WEAK_FUNCTION;
void cxx_delete_array(void *block) __asm__("_ZdaPv") WEAK_FUNCTION;
void cxx_delete_sized(void *block, size_t size) __asm__("_ZdlPvm") WEAK_FUNCTION;
void cxx_delete_array_sized(void *block, size_t size) __asm__("_ZdaPvm") WEAK_FUNCTION;
void cxx_delete_aligned(void *block,
                        size_t alignment) __asm__("_ZdlPvSt11align_val_t") WEAK_FUNCTION;
void cxx_delete_sized_aligned(void *block, size_t size,
                              size_t alignment) __asm__("_ZdlPvmSt11align_val_t") WEAK_FUNCTION;

extern __typeof__(mend_owns) mend_owns WEAK_FUNCTION;
extern __typeof__(mend_expand) mend_expand WEAK_FUNCTION;
extern __typeof__(mend_free) mend_free WEAK_FUNCTION;
extern __typeof__(mend_malloc) mend_malloc WEAK_FUNCTION;
extern __typeof__(mend_heap_create) mend_heap_create WEAK_FUNCTION;
extern __typeof__(mend_heap_malloc) mend_heap_malloc WEAK_FUNCTION;
extern __typeof__(mend_root) mend_root WEAK_FUNCTION;

// How a block is made. A block is given back by the function that belongs to it.
enum source {
  BY_MALLOC,
  BY_CALLOC,
  BY_REALLOC,         // of NULL
  BY_REALLOC_GROWN,   // of a smaller block
  BY_REALLOC_SHRUNK,  // of a larger one
  BY_ALIGNED_64,
  BY_ALIGNED_4096,
  BY_NEW,
  BY_NEW_ARRAY,
  BY_NEW_ALIGNED,  // to 64
  BY_MEND,         // mend_malloc, mend_free
  BY_HEAP,         // mend_heap_malloc, of a heap of its own
  SOURCE_COUNT
};

extern const char *const source_names[];  // NULL-terminated

// A block from that source; ends the case if the allocator lacks the function.
void *source_allocate(enum source source, size_t size);
void source_release(enum source source, void *block);

// What may be done with a pointer to a block, or to what is none.
enum use {
  USE_FREE,
  USE_REALLOC,
  USE_REALLOCARRAY,
  USE_REALLOC_ZERO,  // to 0 bytes
  USE_USABLE_SIZE,
  USE_FREE_SIZED,
  USE_DELETE,
  USE_DELETE_ARRAY,
  USE_DELETE_SIZED,
  USE_MEND_FREE,
  USE_MEND_EXPAND,
  USE_COUNT
};

extern const char *const use_names[];  // NULL-terminated

// `size` is that of the block, for the functions that are told.
void use_pointer(enum use use, void *pointer, size_t size);

#endif
