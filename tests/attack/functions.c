// SPDX-License-Identifier: MIT
#include "functions.h"

#include "attack.h"

const char *const source_names[] = {
    "malloc",      "calloc",       "realloc", "realloc_grown", "realloc_shrunk",
    "aligned_64",  "aligned_4096", "new",     "new_array",     "new_aligned",
    "mend_malloc", "heap",         NULL};
const char *const use_names[] = {"free",         "realloc",    "reallocarray", "realloc_zero",
                                 "usable_size",  "free_sized", "delete",       "delete_array",
                                 "delete_sized", "mend_free",  "mend_expand",  NULL};

enum { NEW_ALIGNMENT = 64 };

static void need(const void *function)
{
  if (function == NULL) attack_cannot("the allocator lacks the function");
}

// Where an allocator has the one, it has all.
static void need_operators(void)
{
  need((const void *)(uintptr_t)cxx_new);
  need((const void *)(uintptr_t)cxx_delete_sized);
}

static void need_mend(void)
{
  need((const void *)(uintptr_t)mend_heap_malloc);
}

static void *from_heap(size_t size)
{
  static mend_heap *heap;
  need_mend();
  if (heap == NULL) heap = mend_heap_create();
  CHECK(heap != NULL);
  return mend_heap_malloc(heap, size);
}

static void *from_operator(enum source source, size_t size)
{
  need_operators();
  if (source == BY_NEW) return cxx_new(size);
  return source == BY_NEW_ARRAY ? cxx_new_array(size) : cxx_new_aligned(size, NEW_ALIGNMENT);
}

static void *allocate(enum source source, size_t size)
{
  switch (source) {
  case BY_CALLOC:
    return calloc(1, size);
  case BY_REALLOC:
    return realloc(NULL, size);
  case BY_REALLOC_GROWN:
    return realloc(opaque(malloc(size / 2 + 1)), size);
  case BY_REALLOC_SHRUNK:
    return realloc(opaque(malloc(size + size / 8 + 1)), size);
  case BY_ALIGNED_64:
    return aligned_alloc(64, size);
  case BY_ALIGNED_4096:
    return memalign(4096, size);
  case BY_NEW:
  case BY_NEW_ARRAY:
  case BY_NEW_ALIGNED:
    return from_operator(source, size);
  case BY_MEND:
    need_mend();
    return mend_malloc(size);
  case BY_HEAP:
    return from_heap(size);
  default:
    return malloc(size);
  }
}

void *source_allocate(enum source source, size_t size)
{
  void *block = opaque(allocate(source, size));
  CHECK(block != NULL);
  return block;
}

void source_release(enum source source, void *block)
{
  if (source == BY_NEW) {
    cxx_delete(block);
  } else if (source == BY_NEW_ARRAY) {
    cxx_delete_array(block);
  } else if (source == BY_NEW_ALIGNED) {
    cxx_delete_aligned(block, NEW_ALIGNMENT);
  } else if (source == BY_MEND || source == BY_HEAP) {
    mend_free(block);
  } else {
    free(block);
  }
}

static void use_by_operator(enum use use, void *pointer, size_t size)
{
  need_operators();
  attack_misuse();
  if (use == USE_DELETE) cxx_delete(pointer);
  if (use == USE_DELETE_ARRAY) cxx_delete_array(pointer);
  if (use == USE_DELETE_SIZED) cxx_delete_sized(pointer, size);
}

static void use_by_family(enum use use, void *pointer, size_t size)
{
  if (use == USE_FREE_SIZED) need((const void *)(uintptr_t)free_sized);
  attack_misuse();
  if (use == USE_FREE) free(pointer);
  if (use == USE_REALLOC) (void)!opaque(realloc(pointer, size + 100));
  if (use == USE_REALLOCARRAY) (void)!opaque(reallocarray(pointer, 2, size));
  if (use == USE_REALLOC_ZERO) (void)!opaque(realloc(pointer, 0));
  if (use == USE_FREE_SIZED) free_sized(pointer, size);
  if (use == USE_USABLE_SIZE && malloc_usable_size(pointer) != 0) {
    attack_worked("a size was told for what is no block");
  }
}

void use_pointer(enum use use, void *pointer, size_t size)
{
  pointer = opaque(pointer);
  if (use == USE_MEND_FREE || use == USE_MEND_EXPAND) {
    need_mend();
    attack_misuse();
    if (use == USE_MEND_FREE) mend_free(pointer);
    if (use == USE_MEND_EXPAND) (void)!opaque(mend_expand(pointer, size + 1));
  } else if (use == USE_DELETE || use == USE_DELETE_ARRAY || use == USE_DELETE_SIZED) {
    use_by_operator(use, pointer, size);
  } else {
    use_by_family(use, pointer, size);
  }
  attack_after();
}
