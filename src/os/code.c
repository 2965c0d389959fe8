// SPDX-License-Identifier: MIT
#include "os/code.h"

#include "base/bits.h"
#include "os/maps.h"
#include "os/system.h"
#include "os/thread.h"

// What looks may take: a sixtieth of the time where nothing asks for them, and a twentieth where an
// address is not known. The first ones are free. (One that was held up counts for no more than most
// would take.)
enum { RANGES_MOST = 1024, LOOKS_APART_NS = 50000000, LOOK_MOST_NS = 50000000, HURRIES_MOST = 16 };
enum { IDLE_SHARE = 60, URGENT_SHARE = 20 };

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
  _Atomic(uint64_t) looked_ns;  // when the last look was over
  _Atomic(uint64_t) look_ns;    // what it took
  _Atomic(uint32_t) hurried;    // looks that came sooner, less those that could have
  uintptr_t file_start;         // the latest mapping of a file's first bytes
  uint64_t file_hash;           // and of which file
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
  executable.file_start = 0;
  executable.file_hash = 0;
  if (!os_maps_each(&executable.reader, add_range, next)) return;
  bool is_another = next->hash != executable.tables[current].hash;
  // release: who sees the table sees its ranges
  atomic_store_explicit(&executable.current, 1 - current, memory_order_release);
  // release: pairs with os_code_edition, after which the table is at least as new
  if (is_another) atomic_fetch_add_explicit(&executable.edition, 1, memory_order_release);
}

// Whether it is time to look, and how many looks have then come sooner than is their share.
static bool is_time(uint64_t now_ns, bool is_urgent, uint32_t *hurried)
{
  uint64_t apart_ns = now_ns - atomic_load_explicit(&executable.looked_ns, memory_order_relaxed);
  uint64_t look_ns = atomic_load_explicit(&executable.look_ns, memory_order_relaxed);
  *hurried = atomic_load_explicit(&executable.hurried, memory_order_relaxed);
  if (!atomic_load(&executable.has_looked)) return true;
  if (!is_urgent) return apart_ns >= bits_larger(look_ns * IDLE_SHARE, LOOKS_APART_NS);
  if (*hurried > 0 && apart_ns / 2 >= look_ns * URGENT_SHARE) (*hurried)--;
  if (apart_ns >= look_ns * URGENT_SHARE) return true;
  return (*hurried)++ < HURRIES_MOST;
}

// Whether the kernel has been asked just now. It is soon, for an address that is not known: a
// program that has loaded code is about to run it.
static bool look(bool is_urgent)
{
  uint32_t hurried;
  uint64_t now_ns = os_clock_ns();
  if (!is_time(now_ns, is_urgent, &hurried) || !os_lock_try(&executable.lock)) return false;
  read_mappings();
  uint64_t end_ns = os_clock_ns();
  uint64_t look_ns = bits_smaller(end_ns - now_ns, LOOK_MOST_NS);
  atomic_store_explicit(&executable.hurried, hurried, memory_order_relaxed);
  atomic_store_explicit(&executable.look_ns, look_ns, memory_order_relaxed);
  atomic_store_explicit(&executable.looked_ns, end_ns, memory_order_relaxed);
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

// True of everything if there are too many mappings to keep.
static bool is_in_table(uintptr_t address)
{
  struct code_table *table = current_table();
  if (atomic_load_explicit(&table->count, memory_order_relaxed) > RANGES_MOST) return true;
  return range_of(table, address) != NULL;
}

INTERNAL enum os_code_answer os_code_ask(uintptr_t address)
{
  if (is_in_table(address)) return OS_CODE_FOUND;
  bool is_new = look(true);
  bool is_told = atomic_load_explicit(&current_table()->count, memory_order_relaxed) > 0;
  if (!is_told || is_in_table(address)) return OS_CODE_FOUND;
  return is_new ? OS_CODE_NONE : OS_CODE_UNSURE;
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
