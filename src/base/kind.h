// SPDX-License-Identifier: MIT
//
// By what a block was made, and so by what it has to be freed.
#ifndef BASE_KIND_H
#define BASE_KIND_H

#include "base/bits.h"
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
  bool wipes;        // whether it wants the block zeroed
};

#define KIND_NATURAL_ALIGNMENT ((size_t)16)  // which need not be asked for

// The one judge of a claim against what is known of the block, for blocks of all sorts: what is
// wrong, in the words of docs/Security.md, or NULL. free takes blocks of any alignment; what
// operators new have aligned is deleted by those that say so.
static inline const char *claim_refusal(const struct block_claim *claim, enum block_kind kind,
                                        size_t size, size_t alignment)
{
  bool may_be_silent = claim->kind == KIND_MALLOC || claim->kind == KIND_ANY;
  if (UNLIKELY(claim->kind != KIND_ANY && claim->kind != kind)) {
    return "free of a block of another kind";
  }
  if (UNLIKELY(claim->has_size && claim->size != size)) return "free with a wrong size";
  if (claim->alignment == 0 && may_be_silent) return NULL;
  bool is_alignment_true = bits_larger(claim->alignment, KIND_NATURAL_ALIGNMENT) ==
                           bits_larger(alignment, KIND_NATURAL_ALIGNMENT);
  return LIKELY(is_alignment_true) ? NULL : "free with a wrong alignment";
}

// The function that makes a claim, as people know it; NULL if that is not known.
static inline const char *claim_function(const struct block_claim *claim)
{
  static const char *const names[] = {NULL, "free", "delete", "delete[]"};
  if (claim->kind != KIND_MALLOC || !claim->has_size) return names[claim->kind];
  return claim->alignment == 0 ? "free_sized" : "free_aligned_sized";
}

// How people know it.
static inline const char *kind_name(unsigned kind)
{
  static const char *const names[] = {"any function", "malloc", "new", "new[]"};
  return names[kind <= KIND_NEW_ARRAY ? kind : KIND_ANY];
}

#endif
