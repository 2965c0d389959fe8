// SPDX-License-Identifier: MIT
//
// The operators delete by their mangled names, as a C++ compiler calls them, as one kind of
// function: each is given a size and an alignment, and passes on what it takes of them.
#ifndef TESTS_UNIT_DELETERS_H
#define TESTS_UNIT_DELETERS_H

#include "api/operator_delete.c"

// How a block is made.
enum maker { BY_MALLOC, BY_MEMALIGN, BY_NEW, BY_NEW_ALIGNED, BY_ARRAY, BY_ARRAY_ALIGNED, MAKERS };

typedef void (*deleter)(void *block, size_t size, size_t alignment);

#define DELETER(name, ...) \
  static void call##name(void *block, size_t size, size_t alignment) \
  { \
    (void)size, (void)alignment; \
    name(__VA_ARGS__); \
  }
DELETER(_ZdlPv, block)
DELETER(_ZdaPv, block)
DELETER(_ZdlPvm, block, size)
DELETER(_ZdaPvm, block, size)
DELETER(_ZdlPvSt11align_val_t, block, alignment)
DELETER(_ZdaPvSt11align_val_t, block, alignment)
DELETER(_ZdlPvmSt11align_val_t, block, size, alignment)
DELETER(_ZdaPvmSt11align_val_t, block, size, alignment)
DELETER(_ZdlPvRKSt9nothrow_t, block, NULL)
DELETER(_ZdaPvRKSt9nothrow_t, block, NULL)
DELETER(_ZdlPvSt11align_val_tRKSt9nothrow_t, block, alignment, NULL)
DELETER(_ZdaPvSt11align_val_tRKSt9nothrow_t, block, alignment, NULL)

static const struct form {
  deleter call;
  enum maker takes;
  bool has_size;
} forms[] = {
    {call_ZdlPv, BY_NEW, false},
    {call_ZdaPv, BY_ARRAY, false},
    {call_ZdlPvm, BY_NEW, true},
    {call_ZdaPvm, BY_ARRAY, true},
    {call_ZdlPvSt11align_val_t, BY_NEW_ALIGNED, false},
    {call_ZdaPvSt11align_val_t, BY_ARRAY_ALIGNED, false},
    {call_ZdlPvmSt11align_val_t, BY_NEW_ALIGNED, true},
    {call_ZdaPvmSt11align_val_t, BY_ARRAY_ALIGNED, true},
    {call_ZdlPvRKSt9nothrow_t, BY_NEW, false},
    {call_ZdaPvRKSt9nothrow_t, BY_ARRAY, false},
    {call_ZdlPvSt11align_val_tRKSt9nothrow_t, BY_NEW_ALIGNED, false},
    {call_ZdaPvSt11align_val_tRKSt9nothrow_t, BY_ARRAY_ALIGNED, false},
};
enum { FORM_COUNT = sizeof forms / sizeof forms[0] };

#endif
