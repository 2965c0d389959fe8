// SPDX-License-Identifier: MIT
//
// A bounded queue between exactly one writer and one reader, for programs in which one thread
// frees what another allocated. Items are published in batches of RING_BATCH, as programs that
// pass messages do, so that the queue's own cache traffic does not drown the allocator's.
//
// It does not wait: both ends return false, and the caller decides what to do meanwhile.
#ifndef BENCH_RING_H
#define BENCH_RING_H

#include <stdatomic.h>
#include <stdbool.h>

#include "threads.h"

enum { RING_SLOTS = 4096, RING_BATCH = 64 };

struct ring {
  _Alignas(CACHE_LINE) atomic_size_t written;  // published by the writer; pairs with the reader
  _Alignas(CACHE_LINE) atomic_size_t read;     // published by the reader; pairs with the writer
  _Alignas(CACHE_LINE) size_t writing;         // the writer's own count, ahead of `written`
  size_t read_seen;                            // the writer's last look at `read`
  _Alignas(CACHE_LINE) size_t reading;         // the reader's own count, ahead of `read`
  size_t written_seen;                         // the reader's last look at `written`
  _Alignas(CACHE_LINE) void *slots[RING_SLOTS];
};

static inline void ring_publish(struct ring *ring)
{
  atomic_store_explicit(&ring->written, ring->writing, memory_order_release);
}

static inline bool ring_push(struct ring *ring, void *item)
{
  if (ring->writing - ring->read_seen == RING_SLOTS) {
    ring_publish(ring);
    ring->read_seen = atomic_load_explicit(&ring->read, memory_order_acquire);
    if (ring->writing - ring->read_seen == RING_SLOTS) return false;
  }
  ring->slots[ring->writing++ % RING_SLOTS] = item;
  if (ring->writing % RING_BATCH == 0) ring_publish(ring);
  return true;
}

static inline bool ring_pop(struct ring *ring, void **item)
{
  if (ring->reading == ring->written_seen) {
    atomic_store_explicit(&ring->read, ring->reading, memory_order_release);
    ring->written_seen = atomic_load_explicit(&ring->written, memory_order_acquire);
    if (ring->reading == ring->written_seen) return false;
  }
  *item = ring->slots[ring->reading++ % RING_SLOTS];
  if (ring->reading % RING_BATCH == 0)
    atomic_store_explicit(&ring->read, ring->reading, memory_order_release);
  return true;
}

#endif
