// SPDX-License-Identifier: MIT
#include "secure/guarded_pages.h"

#include <string.h>

#include "base/bits.h"
#include "core/chunk.h"
#include "os/guard.h"
#include "os/memory.h"

INTERNAL struct guarded_pages guarded_pages_of(const struct guarded_slot *slot)
{
  uintptr_t page = os_page_bytes();
  uintptr_t start = bits_align_down((uintptr_t)slot->block, page);
  uintptr_t end = bits_align_up((uintptr_t)slot->block + slot->size, page);
  if (slot->size == 0) return (struct guarded_pages){slot->block, slot->block};
  return (struct guarded_pages){(char *)start, (char *)end};
}

INTERNAL size_t guarded_pages_bytes(struct guarded_pages pages)
{
  return (size_t)(pages.end - pages.start);
}

INTERNAL bool guarded_pages_open(struct guarded_pages pages)
{
  size_t bytes = guarded_pages_bytes(pages);
  if (bytes == 0) return true;
  if (!chunk_claim_bytes(bytes)) return false;
  bool is_open = os_guard_remove(pages.start, bytes);
  if (!is_open) chunk_release_bytes(bytes);
  return is_open;
}

INTERNAL bool guarded_pages_close(struct guarded_pages pages)
{
  size_t bytes = guarded_pages_bytes(pages);
  if (bytes == 0) return true;
  bool is_closed = os_guard_install(pages.start, bytes);
  if (!is_closed) os_memory_purge(pages.start, bytes);
  chunk_release_bytes(bytes);
  return is_closed;
}

INTERNAL void guarded_pages_fill(const struct guarded_slot *slot, struct guarded_pages pages)
{
  char *end = slot->block + slot->size;
  if (pages.start < slot->block)
    memset(pages.start, slot->filling, (size_t)(slot->block - pages.start));
  if (end < pages.end) memset(end, slot->filling, (size_t)(pages.end - end));
}

static bool is_filled(const char *start, const char *end, uint8_t filling)
{
  if (start >= end) return true;
  return (uint8_t)*start == filling && memcmp(start, start + 1, (size_t)(end - start) - 1) == 0;
}

INTERNAL const char *guarded_pages_find_damage(const struct guarded_slot *slot,
                                               struct guarded_pages pages)
{
  const char *behind = slot->block + slot->size;
  const char *before = slot->block;
  if (slot->size == 0) return NULL;
  if (!is_filled(behind, pages.end, slot->filling)) {
    while ((uint8_t)*behind == slot->filling) behind++;
    return behind;
  }
  if (is_filled(pages.start, before, slot->filling)) return NULL;
  while ((uint8_t)before[-1] == slot->filling) before--;
  return before - 1;
}
