// SPDX-License-Identifier: MIT
#include "os/code.h"

#include "base/bits.h"
#include "os/maps.h"
#include "os/system.h"
#include "os/thread.h"

// A look is followed by a pause, of a millisecond for so many mappings where there are many. Of
// each the kernel tells in about a microsecond: a sixtieth of the time goes into that at most.
enum { RANGES_MOST = 1024, LOOKS_APART_MS = 50, MAPPINGS_A_MS = 16, HURRIES_MOST = 16 };

#define HASH_FACTOR UINT64_C(0x9e3779b97f4a7c15)

struct code_range {
  _Atomic(uintptr_t) start;
  _Atomic(uintptr_t) end;
  _Atomic(uintptr_t) module;  // where the file that it is from begins; 0: not known
};

// Upwards, as the kernel lists them.
struct code_table {
  _Atomic(size_t) count;  // 0: nobody has told; above RANGES_MOST: there are too many
  uint64_t hash;          // of the ranges and their files
  struct code_range ranges[RANGES_MOST];
};

static struct {
  struct code_table tables[2];
  _Atomic(unsigned) current;  // which of them is looked at; the other is for the next look
  _Atomic(uint32_t) edition;  // how often it was another than the one before
  struct os_lock lock;        // who looks has it, and the rest
  _Atomic(bool) has_looked;
  _Atomic(uint32_t) looked_ms;
  _Atomic(uint32_t) pause_ms;  // until the next look
  _Atomic(uint32_t) hurried;   // looks that have not waited for it, less those that have
  uint32_t mapping_count;      // that it has told of this time
  uintptr_t file_start;        // the latest mapping of a file's first bytes
  uint64_t file_hash;          // and of which file
  struct os_maps_reader reader;
} executable;

static uint64_t hash_text(const char *text)
{
  uint64_t hash = 1;
  while (*text != '\0') hash = (hash ^ (unsigned char)*text++) * HASH_FACTOR;
  return hash;
}

// Where the file of a mapping begins, the mappings below having been seen.
static uintptr_t find_module(const struct os_map *map, uint64_t *hash)
{
  *hash = 0;
  if (map->path[0] == '\0') return 0;
  *hash = hash_text(map->file);
  if (map->offset == 0) {
    executable.file_start = map->start;
    executable.file_hash = *hash;
  }
  return executable.file_hash == *hash ? executable.file_start : 0;
}

static bool add_range(const struct os_map *map, void *argument)
{
  struct code_table *table = argument;
  uint64_t file_hash;
  uintptr_t module = find_module(map, &file_hash);
  executable.mapping_count++;
  if (!map->is_code) return true;
  size_t count = atomic_load_explicit(&table->count, memory_order_relaxed);
  if (count < RANGES_MOST) {
    struct code_range *range = &table->ranges[count];
    atomic_store_explicit(&range->start, map->start, memory_order_relaxed);
    atomic_store_explicit(&range->end, map->end, memory_order_relaxed);
    atomic_store_explicit(&range->module, module, memory_order_relaxed);
  }
  const uint64_t words[] = {map->start, map->end, module, file_hash};
  for (size_t i = 0; i < 4; i++) table->hash = (table->hash ^ words[i]) * HASH_FACTOR;
  atomic_store_explicit(&table->count, count + 1, memory_order_relaxed);
  return count < RANGES_MOST;
}

// With the lock.
static void read_mappings(void)
{
  unsigned current = atomic_load_explicit(&executable.current, memory_order_relaxed);
  struct code_table *next = &executable.tables[1 - current];
  atomic_store_explicit(&next->count, 0, memory_order_relaxed);
  next->hash = 0;
  executable.mapping_count = 0;
  executable.file_start = 0;
  executable.file_hash = 0;
  if (!os_maps_each(&executable.reader, add_range, next)) return;
  bool is_another = next->hash != executable.tables[current].hash;
  // release: who sees the table sees its ranges
  atomic_store_explicit(&executable.current, 1 - current, memory_order_release);
  // release: pairs with os_code_edition, after which the table is at least as new
  if (is_another) atomic_fetch_add_explicit(&executable.edition, 1, memory_order_release);
}

// Whether the kernel has been asked just now. Some times it is without a pause, for an address that
// is not known: a program that has loaded code is about to run it.
static bool look(bool is_urgent)
{
  uint32_t now_ms = os_clock_ms();
  uint32_t apart_ms = now_ms - atomic_load_explicit(&executable.looked_ms, memory_order_relaxed);
  uint32_t pause_ms = atomic_load_explicit(&executable.pause_ms, memory_order_relaxed);
  uint32_t hurried = atomic_load_explicit(&executable.hurried, memory_order_relaxed);
  bool has_waited = !atomic_load(&executable.has_looked) || apart_ms >= pause_ms;
  if (!has_waited && (!is_urgent || hurried >= HURRIES_MOST)) return false;
  if (!os_lock_try(&executable.lock)) return false;
  read_mappings();
  pause_ms = (uint32_t)bits_larger(executable.mapping_count / MAPPINGS_A_MS, LOOKS_APART_MS);
  hurried = has_waited ? hurried - (hurried > 0) : hurried + 1;
  atomic_store_explicit(&executable.hurried, hurried, memory_order_relaxed);
  atomic_store_explicit(&executable.pause_ms, pause_ms, memory_order_relaxed);
  atomic_store_explicit(&executable.looked_ms, now_ms, memory_order_relaxed);
  atomic_store(&executable.has_looked, true);
  os_lock_release(&executable.lock);
  return true;
}

static struct code_table *current_table(void)
{
  return &executable.tables[atomic_load_explicit(&executable.current, memory_order_acquire)];
}

// NULL if it is in none.
static const struct code_range *range_of(struct code_table *table, uintptr_t address)
{
  size_t count = atomic_load_explicit(&table->count, memory_order_relaxed);
  size_t low = 0, high = count < RANGES_MOST ? count : RANGES_MOST;
  while (low < high) {
    size_t middle = (low + high) / 2;
    const struct code_range *range = &table->ranges[middle];
    if (address > atomic_load_explicit(&range->end, memory_order_relaxed)) {
      low = middle + 1;
    } else if (address <= atomic_load_explicit(&range->start, memory_order_relaxed)) {
      high = middle;
    } else {
      return range;
    }
  }
  return NULL;
}

static bool is_in_table(uintptr_t address)
{
  struct code_table *table = current_table();
  if (atomic_load_explicit(&table->count, memory_order_relaxed) > RANGES_MOST) return true;
  return range_of(table, address) != NULL;
}

INTERNAL bool os_code_is_return_address(uintptr_t address)
{
  if (atomic_load(&executable.has_looked) && is_in_table(address)) return true;
  (void)look(true);
  bool is_told = atomic_load_explicit(&current_table()->count, memory_order_relaxed) > 0;
  return !is_told || is_in_table(address);
}

INTERNAL enum os_code_answer os_code_find(uintptr_t address, uintptr_t *module)
{
  bool is_new = look(false);
  struct code_table *table = current_table();
  const struct code_range *range = range_of(table, address);
  if (range == NULL && !is_new) {
    is_new = look(true);
    table = current_table();
    range = range_of(table, address);
  }
  *module = range != NULL ? atomic_load_explicit(&range->module, memory_order_relaxed) : 0;
  if (range != NULL) return OS_CODE_FOUND;
  size_t count = atomic_load_explicit(&table->count, memory_order_relaxed);
  return is_new || count == 0 || count > RANGES_MOST ? OS_CODE_NONE : OS_CODE_UNSURE;
}

INTERNAL uint32_t os_code_edition(void)
{
  return atomic_load_explicit(&executable.edition, memory_order_acquire);
}

INTERNAL void os_code_after_fork(void)
{
  (void)os_lock_take_from_strangers(&executable.lock);
}
