// SPDX-License-Identifier: MIT
#include "remote_objects.h"

#include <stdlib.h>

#include "remote_field.h"

enum { ENTRIES_AT_ONCE = 1 << 16 };

static bool has_objects(const struct remote_heap *heap)
{
  return heap != NULL && (heap->owner == OWNED_OBJECTS || heap->owner == OWNED_STILL);
}

void remote_objects_add(struct remote_objects *objects, const struct remote *remote,
                        const struct remote_heap *heap, const struct remote_page *page,
                        uint64_t resident_bytes)
{
  if (!has_objects(heap) || page->kind == KIND_FREE) return;
  uint64_t block_bytes = page->used * page->block_bytes;
  uint64_t carved_bytes = page->carved * page->block_bytes;
  if (resident_bytes < block_bytes) resident_bytes = block_bytes;
  uint64_t free_bytes = carved_bytes - block_bytes;
  if (free_bytes > resident_bytes - block_bytes) free_bytes = resident_bytes - block_bytes;
  objects->count += page->used;
  objects->object_bytes += page->object_bytes;
  objects->block_bytes += block_bytes;
  objects->free_bytes += free_bytes;
  objects->rest_bytes += resident_bytes - block_bytes - free_bytes;
  objects->resident_bytes += resident_bytes;
  objects->metadata_bytes += page->bytes / remote->root.slice_bytes * remote->root.descriptor_bytes;
  if (page->capacity > 64) objects->metadata_bytes += page->capacity / 8;
}

// ---------------------------------------------------------------------------------------------
// Tables.

struct table {
  const struct remote *remote;
  uint64_t entries;  // address
  uint64_t infos;    // address
  uint64_t count;
  uint64_t budget;  // how many entries there may be in all: what lies in a region is bounded by it
  uint64_t *entry;  // copies
  uint32_t *info;
};

// Room for a part of a table; false if there is none.
static bool make_room(struct table *table)
{
  table->entry = malloc(ENTRIES_AT_ONCE * sizeof *table->entry);
  table->info = malloc(ENTRIES_AT_ONCE * sizeof *table->info);
  return table->entry != NULL && table->info != NULL;
}

static bool find_table(struct table *table, uint32_t slot)
{
  const struct mend_root *root = &table->remote->root;
  char row[256];
  uint64_t address = (uintptr_t)root->handle_tables + root->handle_rows.offset +
                     (uint64_t)slot * root->handle_rows.stride;
  if (root->handle_rows.stride > sizeof row) return false;
  if (target_read(table->remote->target, address, row, root->handle_rows.stride) !=
      root->handle_rows.stride) {
    return false;
  }
  table->entries = field_read(row, root->handle_entries);
  table->infos = field_read(row, root->handle_infos);
  table->count = field_read(row, root->handle_count);
  if (table->entries == 0 || table->infos == 0 || table->count > table->budget) return false;
  table->budget -= table->count;
  return true;
}

// What was asked for an object that is not large.
static uint64_t object_bytes(const struct remote *remote, uint32_t info)
{
  const struct mend_root *root = &remote->root;
  uint32_t size_class = info >> root->info_class_shift & root->info_class_mask;
  if (size_class >= root->class_count || size_class >= REMOTE_CLASSES_MOST) return 0;
  uint64_t block_bytes = remote->classes[size_class].block_bytes;
  uint64_t slack = info & root->info_slack_mask;
  return block_bytes > slack ? block_bytes - slack : 0;
}

// Reads a part of a table; says how many entries of it could be read.
static size_t read_part(struct table *table, uint64_t first)
{
  const struct target *target = table->remote->target;
  uint64_t left = table->count - first;
  size_t count = left < ENTRIES_AT_ONCE ? (size_t)left : ENTRIES_AT_ONCE;
  size_t entries = target_read(target, table->entries + first * 8, table->entry, count * 8) / 8;
  size_t infos = target_read(target, table->infos + first * 4, table->info, count * 4) / 4;
  return entries < infos ? entries : infos;
}

static void read_table(struct remote_objects *objects, struct table *table,
                       void (*pinned)(void *argument, uint64_t address), void *argument)
{
  const struct mend_root *root = &table->remote->root;
  size_t count;
  for (uint64_t first = 0; first < table->count; first += count) {
    count = read_part(table, first);
    if (count == 0) return;
    for (size_t i = 0; i < count; i++) {
      if ((table->entry[i] & root->entry_state_mask) == 0) continue;
      objects->object_bytes += object_bytes(table->remote, table->info[i]);
      if ((table->info[i] & root->info_pinned) == 0) continue;
      pinned(argument,
             table->remote->counters.region_start + (table->entry[i] >> root->entry_shift) * 16);
    }
  }
}

void remote_objects_read(struct remote_objects *objects, const struct remote *remote,
                         struct residency *residency,
                         void (*pinned)(void *argument, uint64_t address), void *argument)
{
  struct table table = {.remote = remote, .budget = remote->counters.region_units};
  if (make_room(&table)) {
    for (uint32_t slot = 0; slot < remote->root.handle_rows.count; slot++) {
      if (!find_table(&table, slot)) continue;
      objects->table_bytes +=
          residency_bytes(residency, table.entries, table.count * 8, table.count * 8);
      objects->table_bytes +=
          residency_bytes(residency, table.infos, table.count * 4, table.count * 4);
      read_table(objects, &table, pinned, argument);
    }
  }
  free(table.entry);
  free(table.info);
  for (size_t i = 0; i < remote->heap_count; i++) {
    if (has_objects(&remote->heaps[i])) objects->metadata_bytes += remote->root.heap_objects_bytes;
  }
}
