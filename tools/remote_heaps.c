// SPDX-License-Identifier: MIT
#include "remote_heaps.h"

#include <stdlib.h>
#include <string.h>

#include "remote_field.h"

enum { OWNER_NOBODY = 0, OWNER_SHARED = 2 };

// ---------------------------------------------------------------------------------------------
// The array, which is ordered by addresses.

// Where a heap of that address is, or would be.
static size_t find_place(const struct remote *remote, uint64_t address)
{
  size_t low = 0, high = remote->heap_count;
  while (low < high) {
    size_t middle = low + (high - low) / 2;
    if (remote->heaps[middle].address < address) {
      low = middle + 1;
    } else {
      high = middle;
    }
  }
  return low;
}

static bool is_known(const struct remote *remote, uint64_t address)
{
  size_t place = find_place(remote, address);
  return place < remote->heap_count && remote->heaps[place].address == address;
}

// Behind all others.
static bool append(struct remote *remote, const struct remote_heap *heap)
{
  if (remote->heap_count == REMOTE_HEAPS_MOST) return false;
  if (remote->heap_count == remote->heap_room) {
    size_t room = remote->heap_room == 0 ? 16 : remote->heap_room * 2;
    struct remote_heap *more = realloc(remote->heaps, room * sizeof *more);
    if (more == NULL) return false;
    remote->heaps = more;
    remote->heap_room = room;
  }
  remote->heaps[remote->heap_count++] = *heap;
  return true;
}

// Moves the last heap to its place among the others.
static void sort_last(struct remote *remote)
{
  struct remote_heap last = remote->heaps[--remote->heap_count];
  size_t place = find_place(remote, last.address);
  memmove(&remote->heaps[place + 1], &remote->heaps[place],
          (remote->heap_count - place) * sizeof last);
  remote->heaps[place] = last;
  remote->heap_count++;
}

static int compare_heaps(const void *left, const void *right)
{
  const struct remote_heap *one = left, *other = right;
  return one->address < other->address ? -1 : one->address > other->address;
}

// Orders all, and drops those that are there twice: says whether there are any.
static bool sort_all(struct remote *remote)
{
  size_t kept = 0;
  if (remote->heap_count == 0) return false;
  qsort(remote->heaps, remote->heap_count, sizeof *remote->heaps, compare_heaps);
  for (size_t i = 1; i < remote->heap_count; i++) {
    if (remote->heaps[i].address == remote->heaps[kept].address) continue;
    remote->heaps[++kept] = remote->heaps[i];
  }
  bool has_doubles = kept + 1 < remote->heap_count;
  remote->heap_count = kept + 1;
  return has_doubles;
}

// ---------------------------------------------------------------------------------------------
// One heap.

char *remote_heap_copy(const struct remote *remote, uint64_t address)
{
  size_t bytes = remote->root.heap_bytes;
  char *copy = address != 0 && bytes != 0 ? malloc(bytes) : NULL;
  if (copy == NULL || target_read(remote->target, address, copy, bytes) == bytes) return copy;
  free(copy);
  return NULL;
}

// The number behind a pointer in a heap of objects: that of its handle heap.
static uint64_t read_slot(const struct remote *remote, uint64_t heap)
{
  const struct mend_root *root = &remote->root;
  char number[8] = {0};
  uint64_t handles =
      number_read(remote->target, (const char *)(uintptr_t)heap + root->heap_handles.offset);
  struct mend_root_field slot = {0, root->handles_slot.bytes};
  if (handles == 0 || !field_is_sound(slot, sizeof number)) return 0;
  (void)target_read(remote->target, handles + root->handles_slot.offset, number, slot.bytes);
  return field_read(number, slot);
}

static bool is_still(const struct remote *remote, uint64_t heap)
{
  char value = 0;
  (void)target_read(remote->target, heap + remote->root.heap_is_still.offset, &value, 1);
  return value != 0;
}

static struct remote_heap describe(const struct remote *remote, uint64_t address, const char *copy)
{
  const struct mend_root *root = &remote->root;
  uint64_t owner = field_read(copy, root->heap_owner);
  struct remote_heap heap = {.address = address};
  heap.is_taken = field_read(copy, root->heap_is_taken) != 0;
  heap.tidied_ms = (uint32_t)field_read(copy, root->heap_tidied_ms);
  if (field_read(copy, root->heap_has_objects) != 0) {
    heap.owner = is_still(remote, address) ? OWNED_STILL : OWNED_OBJECTS;
    heap.number = read_slot(remote, address);
  } else if (owner != OWNER_SHARED) {
    heap.owner = OWNED_BY_THREAD;
    if (owner != OWNER_NOBODY) heap.number = field_read(copy, root->heap_thread);
  } else if (field_read(copy, root->heap_is_first_class) != 0) {
    heap.owner = OWNED_BY_USER;
    heap.number = address;
  } else {
    heap.owner = OWNED_BY_ALL;
  }
  return heap;
}

// Adds the heap at an address. *next (may be NULL): the next of its chain. False if it cannot be
// read, or there is no room.
static bool add_heap(struct remote *remote, uint64_t address, bool is_chained, uint64_t *next)
{
  char *copy = remote_heap_copy(remote, address);
  if (copy == NULL) return false;
  struct remote_heap heap = describe(remote, address, copy);
  heap.is_chained = is_chained;
  if (next != NULL) *next = field_read(copy, remote->root.heap_next);
  free(copy);
  return append(remote, &heap);
}

void remote_heaps_read(struct remote *remote)
{
  remote->heap_count = 0;
  if (remote->root.version < 2) return;
  uint64_t common = number_read(remote->target, remote->root.common_heap);
  if (common != 0) (void)add_heap(remote, common, false, NULL);
  uint64_t next = number_read(remote->target, remote->root.first_heap);
  while (next != 0 && add_heap(remote, next, true, &next)) continue;
  // A chain that leads back, or nowhere, is none.
  if (sort_all(remote) || next != 0) remote->torn_count++;
}

struct remote_heap *remote_heap_at(struct remote *remote, uint64_t address)
{
  if (address == 0 || remote->root.version < 2) return NULL;
  if (!is_known(remote, address)) {
    if (!add_heap(remote, address, false, NULL)) return NULL;
    sort_last(remote);
  }
  return &remote->heaps[find_place(remote, address)];
}
