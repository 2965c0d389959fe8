// SPDX-License-Identifier: MIT
//
// What there is to know of an object beside its address, in one word beside its entry:
//
//   | pinned: 1 | still: 1 | type: 10 | size class: 7 | slack: 13 |
//
// The slack is what the block holds beyond the size that was asked for. A large object has no size
// class; its size is in the descriptor of its page.
//
// It is written before the entry says LIVE, and changed by exchanges only while it does, since pins
// come from any thread. (Of an object that is freed later it is a link: deferred.h.) A mover reads
// it, but moving an object does not change it. While an entry is MOVING only the pin's bit changes:
// everything else changes after the entry has.
#ifndef HANDLE_INFO_H
#define HANDLE_INFO_H

#include "base/size_class.h"
#include "core/page.h"
#include "handle/step.h"

#define INFO_CLASS_SHIFT 13
#define INFO_TYPE_SHIFT 20
#define INFO_SLACK_MASK ((UINT32_C(1) << INFO_CLASS_SHIFT) - 1)
#define INFO_SIZE_MASK ((UINT32_C(1) << INFO_TYPE_SHIFT) - 1)
#define INFO_TYPES 1024
#define INFO_CLASS_MASK 127
#define INFO_LARGE_CLASS INFO_CLASS_MASK
#define INFO_STILL (UINT32_C(1) << 30)   // never moves: made with MEND_ALLOC_PINNED
#define INFO_PINNED (UINT32_C(1) << 31)  // does not move now: see pin_table.h

static_assert(SIZE_CLASS_COUNT <= INFO_LARGE_CLASS, "a class has 7 bits");
static_assert(SIZE_CLASS_MAX_BYTES / 8 <= INFO_SLACK_MASK + 1, "the slack has 13");

// The low bits: of an object of this size, whose block is for `padded` bytes.
static inline uint32_t info_of_size(size_t size, size_t padded)
{
  if (padded > SIZE_CLASS_MAX_BYTES) return (uint32_t)INFO_LARGE_CLASS << INFO_CLASS_SHIFT;
  unsigned size_class = size_class_of(padded);
  return size_class << INFO_CLASS_SHIFT | (uint32_t)(size_class_bytes(size_class) - size);
}

static inline uint32_t info_type(uint32_t info)
{
  return info >> INFO_TYPE_SHIFT & (INFO_TYPES - 1);
}

static inline unsigned info_class(uint32_t info)
{
  return info >> INFO_CLASS_SHIFT & INFO_CLASS_MASK;
}

// The size of the object, whose block is in this page.
static inline size_t info_object_bytes(uint32_t info, struct page *page)
{
  if (info_class(info) < SIZE_CLASS_COUNT) {
    return size_class_bytes(info_class(info)) - (info & INFO_SLACK_MASK);
  }
  return atomic_load_explicit(&page->object_bytes, memory_order_relaxed);
}

static inline uint32_t info_load(_Atomic(uint32_t) *info)
{
  STEP(STEP_INFO_LOAD);
  return atomic_load_explicit(
      info, memory_order_acquire);  // pairs with info_change, the pins and whoever stores
}

// Replaces the bits of the mask.
static inline void info_change(_Atomic(uint32_t) *info, uint32_t mask, uint32_t bits)
{
  STEP(STEP_INFO_STORE);
  uint32_t value = atomic_load_explicit(info, memory_order_relaxed);
  while (!atomic_compare_exchange_weak_explicit(info, &value, (value & ~mask) | bits,
                                                memory_order_acq_rel, memory_order_relaxed)) {
    continue;
  }
}

#endif
