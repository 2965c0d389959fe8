// SPDX-License-Identifier: MIT
//
// Fragmentation: free blocks that hold memory, because they share pages with live ones. What of a
// page is resident, the kernel says: free blocks that were never written, or whose os pages have
// been returned, cost nothing. What helps depends on who keeps the pages: objects that may move,
// objects that are pinned, or blocks.
#include <inttypes.h>
#include <stdlib.h>

#include "doctor.h"
#include "figures.h"
#include "remote_heaps.h"
#include "remote_objects.h"
#include "residency.h"

#define MIB ((uint64_t)1 << 20)

// From where on it is worth a word, and when it is a problem.
#define IDLE_LEAST (16 * MIB)
#define IDLE_MUCH (128 * MIB)

enum { SHARE_LEAST = 30, SHARE_MUCH = 60 };

struct pins {
  uint64_t *addresses;  // by rising addresses, when all are there
  size_t count;
  size_t room;
};

struct fragments {
  struct remote *remote;
  struct residency residency;
  struct pins pins;
  size_t pin_at;           // the first that lies not before the page
  uint64_t live_bytes;     // or ready in heaps
  uint64_t idle_bytes;     // resident, and not in live blocks
  uint64_t movable_bytes;  // of these, in pages of objects that may move
  uint64_t pinned_bytes;   // of these, in pages of objects of which one is pinned
  uint64_t class_bytes[REMOTE_CLASSES_MOST];
};

static void add_pin(void *argument, uint64_t address)
{
  struct pins *pins = argument;
  if (pins->count == pins->room) {
    size_t room = pins->room == 0 ? 1024 : 2 * pins->room;
    uint64_t *larger = realloc(pins->addresses, room * sizeof *larger);
    if (larger == NULL) return;
    pins->addresses = larger;
    pins->room = room;
  }
  pins->addresses[pins->count++] = address;
}

static int compare_pins(const void *left, const void *right)
{
  uint64_t one = *(const uint64_t *)left;
  uint64_t other = *(const uint64_t *)right;
  return (one > other) - (one < other);
}

static bool has_pin(struct fragments *fragments, const struct remote_page *page)
{
  const struct pins *pins = &fragments->pins;
  size_t *at = &fragments->pin_at;
  while (*at < pins->count && pins->addresses[*at] < page->start) (*at)++;
  return *at < pins->count && pins->addresses[*at] - page->start < page->bytes;
}

static bool add_page(void *argument, const struct remote_page *page)
{
  struct fragments *fragments = argument;
  if (page->kind == KIND_FREE || page->kind == KIND_LARGE) return true;
  struct remote_heap *heap = remote_heap_at(fragments->remote, page->heap);
  uint64_t used = page->used * page->block_bytes;
  uint64_t carved = page->carved * page->block_bytes;
  uint64_t resident = residency_bytes(&fragments->residency, page->start, carved, carved);
  uint64_t idle = resident > used ? resident - used : 0;
  fragments->live_bytes += used;
  fragments->idle_bytes += idle;
  fragments->class_bytes[page->size_class] += idle;
  if (heap == NULL || heap->owner != OWNED_OBJECTS) return true;
  *(has_pin(fragments, page) ? &fragments->pinned_bytes : &fragments->movable_bytes) += idle;
  return true;
}

static void measure(struct fragments *fragments, struct remote *remote)
{
  struct remote_objects objects = {0};
  struct pins *pins = &fragments->pins;
  *fragments = (struct fragments){.remote = remote};
  residency_open(&fragments->residency, remote->target);
  remote_objects_read(&objects, remote, &fragments->residency, add_pin, pins);
  if (pins->count > 0) qsort(pins->addresses, pins->count, sizeof *pins->addresses, compare_pins);
  remote_walk(remote, add_page, fragments);
  residency_close(&fragments->residency);
  free(pins->addresses);
}

static const char *what_helps(const struct fragments *fragments)
{
  if (fragments->remote->totals.kept_bytes > fragments->live_bytes / 2) {
    return "Hardly anything in these pages is the program's: threads hold blocks of them ready. "
           "Let "
           "each call mend_collect(false) before it waits for long, or use fewer threads.";
  }
  if (fragments->movable_bytes >= fragments->idle_bytes / 2) {
    return "Most of it lies beside objects that may move: call mend_defragment(), or let "
           "mend_defragment_start() do it all the time.";
  }
  if (fragments->pinned_bytes >= fragments->idle_bytes / 2) {
    return "Most of it lies beside objects that are pinned, which stay where they are: mend_unpin "
           "those whose address nobody needs, then mend_defragment() moves them.";
  }
  if ((fragments->remote->root.flags & MEND_ROOT_IS_HARDENED) != 0) {
    return "The pages are held by blocks that live long beside others that did not. libmend-secure "
           "takes no profiles: run it with libmend.so, where `mend profile --fragmentation` names "
           "who allocates them. Or give what ends together a heap of its own (mend_heap_create).";
  }
  return "mend_collect(true) returns what os pages are wholly free. The rest is held by blocks "
         "that live long beside others that did not: `mend profile --fragmentation` names who "
         "allocates them. Give what ends together a heap of its own (mend_heap_create), or what "
         "lives long handles, which can be moved.";
}

void doctor_judge_pages(struct doctor *doctor)
{
  const struct remote_totals *totals = &doctor->last.totals;
  struct fragments fragments;
  char texts[2][FIGURE_TEXT_MOST];
  uint32_t worst = 0;
  if (totals->free_bytes + totals->kept_bytes < IDLE_LEAST) return;
  measure(&fragments, doctor->remote);
  uint64_t idle = fragments.idle_bytes;
  if (idle < IDLE_LEAST) return;
  uint64_t share = figure_percent(idle, idle + fragments.live_bytes);
  if (share < SHARE_LEAST) return;
  for (uint32_t i = 1; i < REMOTE_CLASSES_MOST; i++) {
    if (fragments.class_bytes[i] > fragments.class_bytes[worst]) worst = i;
  }
  doctor_find(doctor,
              share >= SHARE_MUCH && idle >= IDLE_MUCH ? SEVERITY_PROBLEM : SEVERITY_WARNING,
              "fragmented", what_helps(&fragments),
              "%" PRIu64 " %% of the memory in pages is free blocks, %s: fragmentation. Most of it "
              "is in blocks of %" PRIu64 " bytes, %s.",
              share, figure_bytes(texts[0], idle), doctor->remote->classes[worst].block_bytes,
              figure_bytes(texts[1], fragments.class_bytes[worst]));
}
