// SPDX-License-Identifier: MIT
//
// The names of the C library's copying functions, for libmend-secure.so alone. This is an object of
// its own beside that of all.c: the linker's --wrap leads mend's own copies, which also go to
// memory that is nobody's, past these names to __wrap_*, where nothing is checked. The archive does
// not have it: in a program's own file there is no second memcpy that a name could lead to.
//
// The C library's functions are found by dlsym, once, in a constructor that comes after the options
// have been read. memcpy leads to memmove.
#include <dlfcn.h>

#include "secure/bounds.h"

#define NAMED __attribute__((visibility("default")))
// Tests give them other names.
#ifndef BOUNDS_NAME
#define BOUNDS_NAME(name) name
#endif

#define COPY(result, name, parameters, arguments) \
  NAMED result BOUNDS_NAME(name) parameters \
  { \
    result(*own) parameters = atomic_load_explicit(&mend_bounds.calls.name, memory_order_relaxed); \
    return LIKELY(own != NULL) ? own arguments : mend_bounds_##name arguments; \
  }
#define FILL(name, parameters, arguments) \
  NAMED void BOUNDS_NAME(name) parameters \
  { \
    void(*own) parameters = atomic_load_explicit(&mend_bounds.calls.name, memory_order_relaxed); \
    LIKELY(own != NULL) ? own arguments : mend_bounds_##name arguments; \
  }
#include "secure/bounds.def"
#undef COPY
#undef FILL

// What the linker calls from all.c instead of the three names.
void *__wrap_memcpy(void *to, const void *from, size_t count);
void *__wrap_memmove(void *to, const void *from, size_t count);
void *__wrap_memset(void *to, int byte, size_t count);

void *__wrap_memcpy(void *to, const void *from, size_t count)
{
  return mend_bounds_move(to, from, count);
}

void *__wrap_memmove(void *to, const void *from, size_t count)
{
  return mend_bounds_move(to, from, count);
}

void *__wrap_memset(void *to, int byte, size_t count)
{
  return mend_bounds_fill(to, byte, count);
}

// The C library's function of that name; NULL if it has none.
static uintptr_t find(const char *name)
{
  return (uintptr_t)dlsym(RTLD_NEXT, name);
}

static void find_all(void)
{
#define COPY(result, name, parameters, arguments) \
  atomic_store_explicit(&mend_bounds.calls.name, (result(*) parameters)(find(#name)), \
                        memory_order_relaxed);
#define FILL(name, parameters, arguments) COPY(void, name, parameters, arguments)
#include "secure/bounds.def"
#undef COPY
#undef FILL
  atomic_store_explicit(&mend_bounds.calls.memcpy,
                        atomic_load_explicit(&mend_bounds.move, memory_order_relaxed),
                        memory_order_relaxed);
}

__attribute__((constructor(102))) static void start(void)
{
  bounds_move_function move = (bounds_move_function)find("memmove");
  bounds_fill_function fill = (bounds_fill_function)find("memset");
  atomic_store_explicit(&mend_bounds.move, move, memory_order_relaxed);
  atomic_store_explicit(&mend_bounds.fill, fill, memory_order_relaxed);
  if (mend_bounds_wanted())
    atomic_store_explicit(&mend_bounds.checks, true, memory_order_relaxed);
  else
    find_all();
  mend_bounds_seal();
}
