// SPDX-License-Identifier: MIT
#include "handle/pin_table.h"

#include "base/bits.h"
#include "core/metadata.h"
#include "handle/info.h"

#define PLACES_LEAST 16

static uint32_t home_of(const struct pin_table *table, uint32_t index)
{
  return (uint32_t)((index * UINT64_C(0x9E3779B97F4A7C15)) >> 32) & (table->places - 1);
}

static uint32_t after(const struct pin_table *table, uint32_t place)
{
  return (place + 1) & (table->places - 1);
}

// The place of the index, or the free one where it belongs. There is always a free one.
static struct pin *find_pin(const struct pin_table *table, uint32_t index)
{
  uint32_t place = home_of(table, index);
  while (table->pins[place].count != 0 && table->pins[place].index != index) {
    place = after(table, place);
  }
  return &table->pins[place];
}

static size_t table_bytes(const struct pin_table *table)
{
  return table->places * sizeof(struct pin);
}

// Makes room so that at most half of the places are used.
static bool make_room(struct pin_table *table)
{
  if (2 * (atomic_load_explicit(&table->used, memory_order_relaxed) + 1) <= table->places) {
    return true;
  }
  struct pin_table larger = {.places = (uint32_t)bits_larger(2 * table->places, PLACES_LEAST)};
  larger.pins = metadata_allocate(table_bytes(&larger));
  if (larger.pins == NULL) return false;
  for (uint32_t i = 0; i < table->places; i++) {
    if (table->pins[i].count != 0) *find_pin(&larger, table->pins[i].index) = table->pins[i];
  }
  if (table->pins != NULL) metadata_free(table->pins, table_bytes(table));
  table->pins = larger.pins;
  table->places = larger.places;
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
  uint32_t gap = (uint32_t)(pin - table->pins);
  for (uint32_t at = after(table, gap); table->pins[at].count != 0; at = after(table, at)) {
    uint32_t way = (at - home_of(table, table->pins[at].index)) & (table->places - 1);
    if (way < ((at - gap) & (table->places - 1))) continue;
    table->pins[gap] = table->pins[at];
    gap = at;
  }
  table->pins[gap].count = 0;
  add_used(table, (uint32_t)-1);
}

INTERNAL bool pin_hold(struct pin_table *table, uint32_t index, _Atomic(uint32_t) *info)
{
  STEP(STEP_PIN);
  os_lock_acquire(&table->lock);
  bool is_held = make_room(table);
  if (is_held) {
    struct pin *pin = find_pin(table, index);
    is_held = pin->count < UINT32_MAX;
    if (pin->count == 0) {
      STEP(STEP_INFO_STORE);
      // release: pairs with info_load of a mover
      atomic_fetch_or_explicit(info, INFO_PINNED, memory_order_release);
      pin->index = index;
      add_used(table, 1);
    }
    if (is_held) pin->count++;
  }
  os_lock_release(&table->lock);
  return is_held;
}

INTERNAL bool pin_release(struct pin_table *table, uint32_t index, _Atomic(uint32_t) *info)
{
  os_lock_acquire(&table->lock);
  struct pin *pin = table->places > 0 ? find_pin(table, index) : NULL;
  bool was_held = pin != NULL && pin->count > 0;
  if (was_held && pin->count == 1) {
    vacate(table, pin);
    STEP(STEP_INFO_STORE);
    // release: what was done to the object by its fixed address comes before it moves
    atomic_fetch_and_explicit(info, ~INFO_PINNED, memory_order_release);
  } else if (was_held) {
    pin->count--;
  }
  os_lock_release(&table->lock);
  return was_held;
}

INTERNAL void pin_forget(struct pin_table *table, uint32_t index)
{
  os_lock_acquire(&table->lock);
  struct pin *pin = table->places > 0 ? find_pin(table, index) : NULL;
  if (pin != NULL && pin->count > 0) vacate(table, pin);
  os_lock_release(&table->lock);
}

INTERNAL void pin_table_clear(struct pin_table *table)
{
  if (table->pins != NULL) metadata_free(table->pins, table_bytes(table));
  table->pins = NULL;
  table->places = 0;
  atomic_store_explicit(&table->used, 0, memory_order_relaxed);
}

// A thread that was in the middle of it is no more: what it did not finish counts as done or not.
INTERNAL void pin_table_after_fork(struct pin_table *table)
{
  (void)os_lock_take_from_strangers(&table->lock);
}
