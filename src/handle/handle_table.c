// SPDX-License-Identifier: MIT
#include "handle/handle_table.h"

#include "base/fatal.h"
#include "base/options.h"

#define ENTRIES_MOST ((UINT64_C(1) << 31) - 1)  // deferred.c: a link has 31 bits
#define ENTRIES_LEAST (UINT64_C(1) << 20)
#define FIRST_FLOOR 0x6b37
#define COMMIT_LEAST ((size_t)64 << 10)
#define COMMIT_MOST ((size_t)32 << 20)

INTERNAL struct handle_space handle_spaces[HANDLE_SLOTS];

static uint32_t leaf_entries(void)
{
  return (uint32_t)(os_page_bytes() / sizeof(uint32_t));
}

static struct leaf *leaf_at(const struct handle_table *table, uint32_t number)
{
  return (struct leaf *)(void *)table->leaf_range.start + number;
}

// ---------------------------------------------------------------------------------------------
// Growing.

static bool commit_part(struct os_range *range, size_t *committed, size_t wanted)
{
  if (wanted <= *committed) return true;
  size_t least = bits_larger(COMMIT_LEAST, os_page_bytes());
  size_t step = bits_larger(wanted - *committed, bits_smaller(*committed / 4, COMMIT_MOST));
  step = bits_align_up(step, least);
  if (*committed + step > range->bytes) return false;
  if (!os_range_commit(range, range->start + *committed, step)) return false;
  *committed += step;
  return true;
}

static bool find_part(struct os_range *range, uint64_t entries, size_t bytes_each)
{
  size_t least = bits_larger(COMMIT_LEAST, os_page_bytes());
  size_t bytes = bits_align_up(entries * bytes_each, least);
  if (range->start != NULL) return true;
  if (!os_range_find(range, bytes, bytes, least)) return false;
  range->is_undumped = !options.dump_metadata;
  return true;
}

INTERNAL bool handle_table_open(struct handle_table *table, uint32_t slot)
{
  if (table->space == NULL) table->space = &handle_spaces[slot];  // others may be reading it later
  // Half as many until there is room: in a small address space there will be fewer objects, too.
  for (uint64_t entries = ENTRIES_MOST; table->space->entries == NULL; entries /= 2) {
    if (entries < ENTRIES_LEAST) return false;
    if (!find_part(&table->entry_range, entries, sizeof(uint64_t))) continue;
    size_t count = table->entry_range.bytes / sizeof(uint64_t);
    if (!find_part(&table->info_range, count, sizeof(uint32_t)) ||
        !find_part(&table->leaf_range, count / leaf_entries() + 1, sizeof(struct leaf))) {
      return false;
    }
    table->space->infos = (_Atomic(uint32_t) *)(void *)table->info_range.start;
    table->space->entries = (_Atomic(uint64_t) *)(void *)table->entry_range.start;
  }
  // The first handles of all would be numbers as small as many others: who looks for what is still
  // named somewhere would take these for handles.
  if (table->floor == 0) table->floor = slot == 0 ? FIRST_FLOOR : 1;
  atomic_store(&table->top_generation, table->floor);
  return true;
}

INTERNAL bool handle_table_close(struct handle_table *table)
{
  atomic_store(&table->space->count, 0);
  if (table->entry_bytes > 0) os_memory_purge(table->entry_range.start, table->entry_bytes);
  if (table->info_bytes > 0) os_memory_purge(table->info_range.start, table->info_bytes);
  if (table->leaf_bytes > 0) os_memory_purge(table->leaf_range.start, table->leaf_bytes);
  table->next_leaf = 0;
  table->sparse = 0;
  table->spare = 0;
  atomic_store(&table->returned, 0);
  atomic_store(&table->returned_count, 0);
  table->floor = atomic_load(&table->top_generation) + 1;
  return table->floor < ENTRY_GENERATION_MAX;
}

// Leaves that were given back are handed out before fresh ones.
static uint32_t take_spare(struct handle_table *table)
{
  // acquire: pairs with return_leaf
  if (table->spare == 0) {
    table->spare = atomic_exchange_explicit(&table->returned, 0, memory_order_acquire);
  }
  if (table->spare == 0) return 0;
  uint32_t number = table->spare;
  table->spare = leaf_at(table, number - 1)->next;
  atomic_fetch_sub_explicit(&table->returned_count, 1, memory_order_relaxed);
  return number;
}

static uint32_t take_fresh(struct handle_table *table)
{
  uint64_t end = (uint64_t)(table->next_leaf + 1) * leaf_entries();
  if (end > ENTRIES_MOST) return 0;
  if (!commit_part(&table->leaf_range, &table->leaf_bytes,
                   (table->next_leaf + 1) * sizeof(struct leaf)) ||
      !commit_part(&table->info_range, &table->info_bytes, end * sizeof(uint32_t)) ||
      !commit_part(&table->entry_range, &table->entry_bytes, end * sizeof(uint64_t))) {
    return 0;
  }
  leaf_at(table, table->next_leaf)->floor = table->floor;
  table->next_leaf++;
  // release: pairs with handle_entry, so that who sees the count sees the mapping and the array
  atomic_store_explicit(&table->space->count, (uint32_t)end, memory_order_release);
  return table->next_leaf;
}

// A leaf whose entries all read as zero, + 1; 0 if there is no memory.
static uint32_t take_leaf(struct handle_table *table)
{
  os_lock_acquire(&table->lock);
  uint32_t number = take_spare(table);
  if (number == 0) number = take_fresh(table);
  os_lock_release(&table->lock);
  return number;
}

// ---------------------------------------------------------------------------------------------
// Pools.

INTERNAL void index_pool_init(struct index_pool *pool, struct handle_table *table)
{
  *pool = (struct index_pool){.table = table};
}

// The free entries of a leaf that has such, chained, + 1; 0 if there is none.
static uint32_t take_sparse(struct handle_table *table)
{
  uint32_t first = 0;
  os_lock_acquire(&table->lock);
  if (table->sparse != 0) {
    struct leaf *leaf = leaf_at(table, table->sparse - 1);
    first = leaf->first;
    table->sparse = leaf->next;
    leaf->first = 0;
    leaf->free_count = 0;
  }
  os_lock_release(&table->lock);
  return first;
}

static bool refill_pool(struct index_pool *pool)
{
  // acquire: pairs with push, so that the links are seen
  pool->first = atomic_exchange_explicit(&pool->freed, 0, memory_order_acquire);
  if (pool->first == 0) pool->first = take_sparse(pool->table);
  if (pool->first != 0) return true;
  uint32_t number = take_leaf(pool->table);
  if (number == 0) return false;
  pool->fresh = (number - 1) * leaf_entries();
  pool->fresh_end = pool->fresh + leaf_entries();
  pool->fresh_generation = leaf_at(pool->table, number - 1)->floor;
  return true;
}

INTERNAL bool index_pool_take(struct index_pool *pool, uint32_t *index, uint32_t *generation)
{
  if (pool->first == 0 && pool->fresh == pool->fresh_end && !refill_pool(pool)) return false;
  if (pool->first == 0) {
    *index = pool->fresh++;
    *generation = pool->fresh_generation;
    return true;
  }
  *index = pool->first - 1;
  uint64_t entry =
      atomic_load_explicit(handle_table_entry(pool->table, *index), memory_order_relaxed);
  *generation = entry_generation(entry);
  pool->first = entry_next(entry);
  return true;
}

// Puts a free entry in front of what has been given back.
static void push(struct index_pool *pool, uint32_t index, uint32_t generation)
{
  _Atomic(uint64_t) *entry = handle_table_entry(pool->table, index);
  uint32_t head = atomic_load_explicit(&pool->freed, memory_order_relaxed);
  do {
    atomic_store_explicit(entry, entry_make_free(head, generation), memory_order_relaxed);
    // release: pairs with refill_pool
  } while (!atomic_compare_exchange_weak_explicit(&pool->freed, &head, index + 1,
                                                  memory_order_release, memory_order_relaxed));
}

INTERNAL void index_pool_give(struct index_pool *pool, uint32_t index, uint32_t generation)
{
  _Atomic(uint32_t) *top = &pool->table->top_generation;
  uint32_t seen = atomic_load_explicit(top, memory_order_relaxed);
  while (generation > seen && !atomic_compare_exchange_weak(top, &seen, generation)) continue;
  if (generation < ENTRY_GENERATION_MAX) push(pool, index, generation);
}

// ---------------------------------------------------------------------------------------------
// The sweep.

INTERNAL void handle_table_detach(struct handle_table *table)
{
  os_lock_acquire(&table->lock);
  table->sparse = 0;  // its leaves know what they have
  os_lock_release(&table->lock);
}

INTERNAL void index_pool_detach(struct index_pool *pool, uint32_t chains[2])
{
  chains[0] = pool->first;
  chains[1] = atomic_exchange_explicit(&pool->freed, 0, memory_order_acquire);  // as in refill_pool
  pool->first = 0;
}

INTERNAL void handle_table_sort(struct handle_table *table, uint32_t chain)
{
  while (chain != 0) {
    uint32_t index = chain - 1;
    _Atomic(uint64_t) *entry = handle_table_entry(table, index);
    uint64_t value = atomic_load_explicit(entry, memory_order_relaxed);
    uint32_t generation = entry_generation(value);
    struct leaf *leaf = leaf_at(table, index / leaf_entries());
    if (leaf->free_count == 0 || generation > leaf->floor) leaf->floor = generation;
    atomic_store_explicit(entry, entry_make_free(leaf->first, generation), memory_order_relaxed);
    leaf->first = index + 1;
    leaf->free_count++;
    chain = entry_next(value);
  }
}

// Lets a leaf, whose memory has gone, be handed out again.
static void return_leaf(struct handle_table *table, uint32_t number)
{
  uint32_t head = atomic_load_explicit(&table->returned, memory_order_relaxed);
  do {
    leaf_at(table, number)->next = head;
    // release: pairs with take_spare
  } while (!atomic_compare_exchange_weak_explicit(&table->returned, &head, number + 1,
                                                  memory_order_release, memory_order_relaxed));
}

// Gives `count` leaves from a number on back to the kernel.
static size_t purge_leaves(struct handle_table *table, uint32_t number, uint32_t count)
{
  if (count == 0) return 0;
  size_t info_bytes = count * os_page_bytes();
  os_memory_purge(table->info_range.start + number * os_page_bytes(), info_bytes);
  os_memory_purge(table->entry_range.start + 2 * number * os_page_bytes(), 2 * info_bytes);
  atomic_fetch_add_explicit(&table->returned_count, count, memory_order_relaxed);
  for (uint32_t i = 0; i < count; i++) return_leaf(table, number + i);
  return 3 * info_bytes;
}

INTERNAL size_t handle_table_sweep(struct handle_table *table)
{
  size_t bytes = 0;
  uint32_t count = atomic_load(&table->space->count) / leaf_entries();
  uint32_t empty = 0;   // leaves without a live entry right above
  uint32_t sparse = 0;  // chain of those with free ones besides
  // From the top downwards, so that the lowest entries are used next.
  for (uint32_t number = count; number-- > 0;) {
    struct leaf *leaf = leaf_at(table, number);
    if (leaf->free_count == leaf_entries()) {
      empty++;
      leaf->first = 0;
      leaf->free_count = 0;
      continue;
    }
    bytes += purge_leaves(table, number + 1, empty);
    empty = 0;
    if (leaf->free_count == 0) continue;
    leaf->next = sparse;
    sparse = number + 1;
  }
  os_lock_acquire(&table->lock);
  table->sparse = sparse;
  os_lock_release(&table->lock);
  return bytes + purge_leaves(table, 0, empty);
}

INTERNAL size_t handle_table_resident_entries(struct handle_table *table)
{
  size_t entries = atomic_load(&table->space->count);
  size_t returned = atomic_load_explicit(&table->returned_count, memory_order_relaxed);
  return entries - bits_smaller(entries, returned * leaf_entries());
}

INTERNAL size_t handle_table_resident_bytes(struct handle_table *table)
{
  return handle_table_resident_entries(table) * (sizeof(uint64_t) + sizeof(uint32_t));
}

INTERNAL size_t handle_table_measured(struct handle_table *table, handle_table_measure measure,
                                      void *argument)
{
  os_lock_acquire(&table->lock);
  const struct os_range *ranges[] = {&table->entry_range, &table->info_range, &table->leaf_range};
  size_t ends[] = {table->entry_bytes, table->info_bytes, table->leaf_bytes};
  os_lock_release(&table->lock);
  size_t bytes = 0;
  for (unsigned i = 0; i < 3; i++) {
    uintptr_t start = (uintptr_t)ranges[i]->start;
    if (ends[i] > 0) bytes += measure(argument, start, start + ends[i]);
  }
  return bytes;
}

// Each sparse leaf has as many free entries as it says, all its own and free, of generations up to
// its floor.
INTERNAL void handle_table_assert_valid(struct handle_table *table)
{
  for (uint32_t number = table->sparse; number != 0;) {
    const struct leaf *leaf = leaf_at(table, number - 1);
    uint32_t count = 0;
    for (uint32_t at = leaf->first; at != 0; count++) {
      uint64_t entry = entry_load(handle_table_entry(table, at - 1));
      ASSERT((at - 1) / leaf_entries() == number - 1 && entry_state(entry) == ENTRY_FREE);
      ASSERT(entry_generation(entry) <= leaf->floor && count < leaf->free_count);
      at = entry_next(entry);
    }
    ASSERT(count == leaf->free_count && count > 0 && count < leaf_entries());
    (void)count;
    number = leaf->next;
  }
  ASSERT(atomic_load(&table->space->count) == (uint64_t)table->next_leaf * leaf_entries());
}

INTERNAL void handle_table_forget_sweep(struct handle_table *table)
{
  uint32_t count = atomic_load(&table->space->count) / leaf_entries();
  table->sparse = 0;
  for (uint32_t number = 0; number < count; number++) {
    leaf_at(table, number)->first = 0;
    leaf_at(table, number)->free_count = 0;
  }
}

INTERNAL void handle_table_after_fork(struct handle_table *table)
{
  if (!os_lock_take_from_strangers(&table->lock)) return;
  os_range_settle(&table->entry_range, table->entry_bytes);
  os_range_settle(&table->info_range, table->info_bytes);
  os_range_settle(&table->leaf_range, table->leaf_bytes);
}
