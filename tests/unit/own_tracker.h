// SPDX-License-Identifier: MIT
//
// A tracker of the test's own, in place of track/tracker.c: a table of live records, and the sums
// of what they stand for.
#ifndef UNIT_OWN_TRACKER_H
#define UNIT_OWN_TRACKER_H

#include <pthread.h>
#include <string.h>

#include "../support/suite.h"
#include "core/heap.h"
#include "os/stack.h"
#include "track/tracker.h"

enum { SLOTS = 1 << 21, CLASSES = 128 };

struct record {
  void *block;
  size_t size;
  void *twin;
  enum block_kind kind;
  bool is_live;
};

static struct {
  pthread_mutex_t lock;
  struct record slots[SLOTS];
  size_t live;     // records of blocks in use
  size_t added;    // so far
  size_t removed;  // so far
  double count;    // what the samples stand for
  double bytes;    // and in bytes that were asked for
  double interval;
  bool refuses;
} table = {.lock = PTHREAD_MUTEX_INITIALIZER};

INTERNAL _Atomic(uint32_t) tracker_mode_now;

// 1 - exp(-x)
static inline double chance_of(double x)
{
  if (x > 50) return 1;
  double y = x / 1024;
  double none = 1 - y * (1 - y / 2 * (1 - y / 3 * (1 - y / 4 * (1 - y / 5))));
  for (int i = 0; i < 10; i++) none *= none;
  return 1 - none;
}

static inline struct record *find(const void *block)
{
  size_t at = ((uintptr_t)block >> 4) * UINT64_C(0x9e3779b97f4a7c15) >> 43;
  while (table.slots[at].block != NULL && table.slots[at].block != block) at = (at + 1) % SLOTS;
  return &table.slots[at];
}

INTERNAL bool tracker_start(enum tracker_mode mode, size_t interval_bytes)
{
  (void)mode;
  table.interval = (double)interval_bytes;
  return true;
}

INTERNAL void tracker_stop(void)
{
}

INTERNAL void tracker_begin_complete(void)
{
}

INTERNAL bool tracker_is_complete(void)
{
  return false;
}

INTERNAL size_t tracker_interval_bytes(void)
{
  return (size_t)table.interval;
}

static inline void estimate(double block_bytes, double size)
{
  bool is_exact = sampling_mode() == SAMPLING_EXACT;
  double chance = is_exact ? 1 : chance_of(block_bytes / table.interval);
  table.count += 1 / chance;
  table.bytes += size / chance;
}

INTERNAL bool tracker_add(struct page *page, void *block, size_t size, void *twin,
                          enum block_kind kind)
{
  if (table.refuses) return false;
  pthread_mutex_lock(&table.lock);
  struct record *record = find(block);
  CHECK(!record->is_live);
  CHECK(page_is_tracked(page) && size <= page->block_bytes);
  CHECK(twin == NULL || page_around(twin)->size_class == page->size_class);
  *record = (struct record){block, size, twin, kind, true};
  table.live++;
  table.added++;
  estimate((double)page->block_bytes, (double)size);
  pthread_mutex_unlock(&table.lock);
  return true;
}

static inline struct tracker_block known_of(const struct record *record)
{
  return (struct tracker_block){.block = record->block,
                                .size = record->size,
                                .is_live = record->is_live,
                                .twin = record->twin,
                                .kind = record->kind};
}

INTERNAL bool tracker_remove(struct page *page, void *block, struct tracker_block *known)
{
  (void)page;
  pthread_mutex_lock(&table.lock);
  struct record *record = find(block);
  bool is_live = record->block == block && record->is_live;
  *known = known_of(record);
  record->is_live = false;
  if (is_live) table.live--;
  if (is_live) table.removed++;
  pthread_mutex_unlock(&table.lock);
  return is_live;
}

// No stack is ever known, so the short way of exact mode is not taken.
INTERNAL struct tracker_call tracker_enter_anew(uintptr_t frame, bool is_free)
{
  (void)is_free;
  CHECK(os_stack_return_address(frame) != 0 || OS_STACK_ALWAYS_PROBES);
  return (struct tracker_call){NULL, NULL};
}

INTERNAL void tracker_withdraw(struct page *page, void *block)
{
  struct tracker_block known;
  CHECK(tracker_remove(page, block, &known));
}

// No block of the malloc family moves.
INTERNAL void tracker_copy(struct page *page, void *block, struct page *to_page, void *to_block)
{
  (void)page, (void)block, (void)to_page, (void)to_block;
  CHECK(false);
}

INTERNAL void tracker_resize(struct page *page, void *block, size_t size)
{
  (void)page;
  pthread_mutex_lock(&table.lock);
  struct record *record = find(block);
  if (record->block == block && record->is_live) record->size = size;
  pthread_mutex_unlock(&table.lock);
}

INTERNAL bool tracker_look(struct page *page, const void *address, struct tracker_block *known)
{
  (void)page;
  pthread_mutex_lock(&table.lock);
  struct record *record = find(address);
  bool is_known = record->block == address;
  *known = known_of(record);
  pthread_mutex_unlock(&table.lock);
  return is_known;
}

INTERNAL bool tracker_find(const void *address, struct tracker_block *known)
{
  return tracker_look(page_of_blocks(address), address, known) && known->is_live;
}

INTERNAL bool tracker_look_past(const void *block, struct tracker_block *known)
{
  (void)block, (void)known;
  return false;
}

INTERNAL bool tracker_visit(struct page *page, tracker_visitor visitor, void *argument)
{
  for (size_t i = 0; i < SLOTS; i++) {
    struct record *record = &table.slots[i];
    if (!record->is_live || page_first(page_around(record->block)) != page) continue;
    struct tracker_block known = known_of(record);
    if (!visitor(&known, argument)) return false;
  }
  return true;
}

INTERNAL size_t tracker_interval_of(unsigned weight)
{
  (void)weight;
  return (size_t)table.interval;
}

INTERNAL uint64_t tracker_forgone(void)
{
  return 0;
}

INTERNAL void tracker_start_clock(void)
{
}

INTERNAL uint32_t tracker_clock_ms(void)
{
  return 0;
}

#endif
