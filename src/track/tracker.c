// SPDX-License-Identifier: MIT
#include "track/tracker.h"

INTERNAL _Atomic(uint32_t) tracker_mode_now;

INTERNAL bool tracker_start(enum tracker_mode mode, size_t interval_bytes)
{
  (void)interval_bytes;
  atomic_store_explicit(&tracker_mode_now, mode, memory_order_relaxed);
  return true;
}

INTERNAL void tracker_stop(void)
{
  atomic_store_explicit(&tracker_mode_now, TRACKER_OFF, memory_order_relaxed);
}

INTERNAL size_t tracker_interval_bytes(void)
{
  return 1;
}

INTERNAL bool tracker_add(struct page *page, void *block, size_t size, void *twin)
{
  (void)page, (void)block, (void)size, (void)twin;
  return false;
}

INTERNAL bool tracker_remove(struct page *page, void *block, void **twin)
{
  (void)page, (void)block;
  *twin = NULL;
  return false;
}

INTERNAL void tracker_resize(struct page *page, void *block, size_t size)
{
  (void)page, (void)block, (void)size;
}

INTERNAL bool tracker_look(struct page *page, const void *address, struct tracker_block *known)
{
  (void)page, (void)address, (void)known;
  return false;
}

INTERNAL bool tracker_visit(struct page *page, tracker_visitor visitor, void *argument)
{
  (void)page, (void)visitor, (void)argument;
  return true;
}

INTERNAL uint32_t tracker_clock_ms(void)
{
  return 0;
}
