// SPDX-License-Identifier: MIT
#include "handle/pin_table.h"

#include "base/bits.h"
#include "base/fatal.h"
#include "core/metadata.h"
#include "handle/info.h"

#define PLACES_LEAST 16

static uint32_t home_of(const struct pin_array *array, uint32_t index)
{
  return (uint32_t)((index * UINT64_C(0x9E3779B97F4A7C15)) >> 32) & (array->places - 1);
}

static uint32_t after(const struct pin_array *array, uint32_t place)
{
  return (place + 1) & (array->places - 1);
}

// The place of the index, or the free one where it belongs. There is always a free one.
static struct pin *find_pin(const struct pin_array *array, uint32_t index)
{
  uint32_t place = home_of(array, index);
  while (array->pins[place].count != 0 && array->pins[place].index != index) {
    place = after(array, place);
  }
  return &array->pins[place];
}

// The pin of an index that has one, else NULL.
static struct pin *existing_pin(struct pin_table *table, uint32_t index)
{
  const struct pin_array *array = pin_table_array(table);
  struct pin *pin = array->places > 0 ? find_pin(array, index) : NULL;
  return pin != NULL && pin->count > 0 ? pin : NULL;
}

static void free_array(const struct pin_array *array)
{
  if (array->pins != NULL) metadata_free(array->pins, array->places * sizeof(struct pin));
}

// Makes room so that at most half of the places are used.
static bool make_room(struct pin_table *table)
{
  struct pin_array *array = pin_table_array(table);
  struct pin_array *larger = &table->arrays[1 - table->current];
  if (2 * (atomic_load_explicit(&table->used, memory_order_relaxed) + 1) <= array->places) {
    return true;
  }
  larger->places = (uint32_t)bits_larger(2 * array->places, PLACES_LEAST);
  larger->pins = metadata_allocate(larger->places * sizeof(struct pin));
  if (larger->pins == NULL) return false;
  for (uint32_t i = 0; i < array->places; i++) {
    if (array->pins[i].count != 0) *find_pin(larger, array->pins[i].index) = array->pins[i];
  }
  atomic_signal_fence(memory_order_seq_cst);
  table->current = 1 - table->current;
  atomic_signal_fence(memory_order_seq_cst);
  free_array(array);
  return true;
}

static void add_used(struct pin_table *table, uint32_t count)
{
  uint32_t used = atomic_load_explicit(&table->used, memory_order_relaxed);
  atomic_store_explicit(&table->used, used + count, memory_order_relaxed);
}

// Empties a place, and moves into it what has been pushed behind it.
static void vacate(struct pin_table *table, struct pin *pin)
{
  const struct pin_array *array = pin_table_array(table);
  uint32_t gap = (uint32_t)(pin - array->pins);
  for (uint32_t at = after(array, gap); array->pins[at].count != 0; at = after(array, at)) {
    uint32_t way = (at - home_of(array, array->pins[at].index)) & (array->places - 1);
    if (way < ((at - gap) & (array->places - 1))) continue;
    array->pins[gap] = array->pins[at];
    gap = at;
  }
  array->pins[gap].count = 0;
  add_used(table, (uint32_t)-1);
}

// One more, or one less. The lock is held.
static bool count_up(struct pin_table *table, uint32_t index)
{
  if (!make_room(table)) return false;
  struct pin *pin = find_pin(pin_table_array(table), index);
  if (pin->count == UINT32_MAX) return false;
  if (pin->count == 0) {
    pin->index = index;
    add_used(table, 1);
  }
  pin->count++;
  return true;
}

static bool count_down(struct pin_table *table, uint32_t index, _Atomic(uint32_t) *info)
{
  struct pin *pin = existing_pin(table, index);
  if (pin == NULL) return false;
  if (pin->count > 1) {
    pin->count--;
    return true;
  }
  vacate(table, pin);
  STEP(STEP_INFO_STORE);
  // release: what was done to the object by its fixed address comes before it moves
  atomic_fetch_and_explicit(info, ~INFO_PINNED, memory_order_release);
  return true;
}

INTERNAL enum pin_result pin_hold(struct pin_table *table, uint64_t handle,
                                  _Atomic(uint64_t) *entry, _Atomic(uint32_t) *info)
{
  enum pin_result result = PIN_HELD;
  STEP(STEP_PIN);
  os_lock_acquire(&table->lock);
  if (!count_up(table, handle_index(handle))) {
    result = PIN_NO_MEMORY;
  } else {
    STEP(STEP_INFO_STORE);
    // Set even if it is counted already: that may have been for the index's last object, by who is
    // about to find so. seq_cst, as the load is: pairs with object_free, which ends the entry and
    // then looks for the bit. The release in it pairs with info_load of a mover.
    atomic_fetch_or(info, INFO_PINNED);
    STEP(STEP_ENTRY_LOAD);
    if (!entry_is_named(atomic_load(entry), handle)) {
      (void)count_down(table, handle_index(handle), info);
      result = PIN_STALE;
    }
  }
  os_lock_release(&table->lock);
  return result;
}

INTERNAL bool pin_release(struct pin_table *table, uint32_t index, _Atomic(uint32_t) *info)
{
  os_lock_acquire(&table->lock);
  bool was_held = count_down(table, index, info);
  os_lock_release(&table->lock);
  return was_held;
}

INTERNAL void pin_forget(struct pin_table *table, uint32_t index)
{
  os_lock_acquire(&table->lock);
  struct pin *pin = existing_pin(table, index);
  if (pin != NULL) vacate(table, pin);
  os_lock_release(&table->lock);
}

INTERNAL void pin_table_clear(struct pin_table *table)
{
  free_array(pin_table_array(table));
  *pin_table_array(table) = (struct pin_array){NULL, 0};
  atomic_store_explicit(&table->used, 0, memory_order_relaxed);
}

// At most half of the places are used, and each pin is found where it is.
INTERNAL void pin_table_assert_valid(struct pin_table *table)
{
  os_lock_acquire(&table->lock);
  const struct pin_array *array = pin_table_array(table);
  uint32_t used = 0;
  for (uint32_t i = 0; i < array->places; i++) {
    if (array->pins[i].count == 0) continue;
    used++;
    ASSERT(find_pin(array, array->pins[i].index) == &array->pins[i]);
  }
  ASSERT(used == atomic_load_explicit(&table->used, memory_order_relaxed));
  ASSERT((array->places & (array->places - 1)) == 0 && 2 * used <= array->places);
  (void)used;
  os_lock_release(&table->lock);
}

// A thread that was in the middle of it is no more: what it did not finish counts as done or not.
INTERNAL void pin_table_after_fork(struct pin_table *table)
{
  (void)os_lock_take_from_strangers(&table->lock);
}
