// SPDX-License-Identifier: MIT
//
// compiled with: MEND_HARDENED
#include "secure/extent.h"

#include "secure/guarded.h"
#include "secure/misuse.h"
#include "secure/slot.h"

INTERNAL size_t secure_bytes_from(const void *pointer)
{
  if (guarded_owns(pointer)) return guarded_bytes_from(pointer);
  struct page *page;
  const char *block = slot_block_around(pointer, &page);
  if (block == NULL) return SIZE_MAX;
  if (!slot_is_live(page, block)) return 0;
  size_t size = slot_size(page, block);
  size_t offset = (size_t)((const char *)pointer - block);
  return offset < size ? size - offset : 0;
}

INTERNAL bool secure_is_freed(const void *pointer)
{
  struct guarded_slot slot;
  if (guarded_owns(pointer)) {
    return guarded_find_nearest((uintptr_t)pointer, &slot) && slot.state != GUARDED_LIVE;
  }
  struct page *page;
  const char *block = slot_block_around(pointer, &page);
  return block != NULL && !slot_is_live(page, block);
}

INTERNAL NOINLINE void secure_misuse(const char *message, const void *pointer)
{
  struct guarded_slot slot;
  if (!guarded_owns(pointer) || !guarded_find_nearest((uintptr_t)pointer, &slot)) {
    slot_misuse(message, pointer);
    return;
  }
  struct misuse misuse = guarded_describe(message, pointer, &slot);
  report_misuse(&misuse);
}
