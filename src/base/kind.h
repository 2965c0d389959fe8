// SPDX-License-Identifier: MIT
//
// By what a block was made, and so by what it has to be freed.
#ifndef BASE_KIND_H
#define BASE_KIND_H

#include "base/internal.h"

enum block_kind {
  KIND_ANY,  // of a free: it is not known, or does not matter
  KIND_MALLOC,
  KIND_NEW,
  KIND_NEW_ARRAY,
};

// What a caller says of a block that it frees.
struct block_claim {
  enum block_kind kind;
  bool has_size;  // whether it says how much was asked for:
  size_t size;
  size_t alignment;  // 0: it does not say
};

// How people know it.
static inline const char *kind_name(unsigned kind)
{
  static const char *const names[] = {"any function", "malloc", "new", "new[]"};
  return names[kind <= KIND_NEW_ARRAY ? kind : KIND_ANY];
}

#endif
