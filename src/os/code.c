// SPDX-License-Identifier: MIT
#include "os/code.h"

#include "os/maps.h"
#include "os/system.h"
#include "os/thread.h"

enum { RANGES_MOST = 1024, LOOKS_APART_MS = 50 };

struct code_range {
  _Atomic(uintptr_t) start;
  _Atomic(uintptr_t) end;
};

// Upwards, as the kernel lists them.
struct code_table {
  _Atomic(size_t) count;  // 0: nobody has told; above RANGES_MOST: there are too many
  struct code_range ranges[RANGES_MOST];
};

static struct {
  struct code_table tables[2];
  _Atomic(unsigned) current;  // which of them is looked at; the other is for the next look
  struct os_lock lock;        // who looks has it, and the rest
  _Atomic(bool) has_looked;
  _Atomic(uint32_t) looked_ms;
  struct os_maps_reader reader;
} executable;

static bool add_range(const struct os_map *map, void *argument)
{
  struct code_table *table = argument;
  if (!map->is_code) return true;
  size_t count = atomic_load_explicit(&table->count, memory_order_relaxed);
  if (count < RANGES_MOST) {
    atomic_store_explicit(&table->ranges[count].start, map->start, memory_order_relaxed);
    atomic_store_explicit(&table->ranges[count].end, map->end, memory_order_relaxed);
  }
  atomic_store_explicit(&table->count, count + 1, memory_order_relaxed);
  return count < RANGES_MOST;
}

static void look(void)
{
  uint32_t now_ms = os_clock_ms();
  uint32_t apart_ms = now_ms - atomic_load_explicit(&executable.looked_ms, memory_order_relaxed);
  if (atomic_load(&executable.has_looked) && apart_ms < LOOKS_APART_MS) return;
  if (!os_lock_try(&executable.lock)) return;
  unsigned next = 1 - atomic_load_explicit(&executable.current, memory_order_relaxed);
  atomic_store_explicit(&executable.tables[next].count, 0, memory_order_relaxed);
  bool is_told = os_maps_each(&executable.reader, add_range, &executable.tables[next]);
  atomic_store_explicit(&executable.looked_ms, now_ms, memory_order_relaxed);
  // release: who sees the table sees its ranges
  if (is_told) atomic_store_explicit(&executable.current, next, memory_order_release);
  atomic_store(&executable.has_looked, true);
  os_lock_release(&executable.lock);
}

static struct code_table *current_table(void)
{
  return &executable.tables[atomic_load_explicit(&executable.current, memory_order_acquire)];
}

static bool is_in_table(uintptr_t address)
{
  struct code_table *table = current_table();
  size_t low = 0, high = atomic_load_explicit(&table->count, memory_order_relaxed);
  if (high > RANGES_MOST) return true;
  while (low < high) {
    size_t middle = (low + high) / 2;
    const struct code_range *range = &table->ranges[middle];
    if (address > atomic_load_explicit(&range->end, memory_order_relaxed)) {
      low = middle + 1;
    } else if (address <= atomic_load_explicit(&range->start, memory_order_relaxed)) {
      high = middle;
    } else {
      return true;
    }
  }
  return false;
}

INTERNAL bool os_code_is_return_address(uintptr_t address)
{
  if (atomic_load(&executable.has_looked) && is_in_table(address)) return true;
  look();
  bool is_told = atomic_load_explicit(&current_table()->count, memory_order_relaxed) > 0;
  return !is_told || is_in_table(address);
}

INTERNAL void os_code_after_fork(void)
{
  (void)os_lock_take_from_strangers(&executable.lock);
}
