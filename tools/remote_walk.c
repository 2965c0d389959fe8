// SPDX-License-Identifier: MIT
//
// The walk over the page table of another process.
#include <sched.h>
#include <stdlib.h>

#include "remote.h"
#include "remote_field.h"

enum {
  WINDOW_SLICES = 2048,     // descriptors that are read together
  AGAIN_SLICES = 64,        // the same where something is read again
  TRIES_MOST = 10,          // until a contradiction is counted
  PAGE_SLICES_MOST = 1024,  // of a page of small or medium blocks
  BLOCKS_MOST = 65536,      // in such a page
  RETRIES_MOST = 4096,      // of a walk: beyond these nothing is read again
  TORN_MOST = 65536,        // of a walk: beyond these it ends
  SLICES_MOST = 1 << 27,    // that are ever looked at: 8 TiB of heap
};

struct walk {
  struct remote *remote;
  uint64_t slices;     // that have descriptors
  uint64_t slice;      // where the walk stands
  uint64_t looked;     // at so many descriptors; a hole counts as a window
  bool has_refreshed;  // the mappings, since the walk began
  char *window;
  uint64_t first;    // slice of the window's first descriptor
  uint64_t count;    // how many it has
  unsigned tries;    // to read what contradicts itself now
  uint64_t retries;  // in all
  uint64_t torn;
};

// How a look at a slice ended.
enum look_result { LOOK_PAGE, LOOK_SKIP, LOOK_CONTRADICTS };

static void fill_window(struct walk *walk, uint64_t slice, uint64_t count)
{
  const struct remote *remote = walk->remote;
  uint64_t bytes = remote->root.descriptor_bytes;
  if (count > walk->slices - slice) count = walk->slices - slice;
  size_t read = target_read(remote->target, remote->counters.page_table + slice * bytes,
                            walk->window, (size_t)(count * bytes));
  walk->first = slice;
  walk->count = read / bytes;
}

// The copy of a descriptor; NULL if there is none, or it cannot be read.
static const char *descriptor(struct walk *walk, uint64_t slice)
{
  if (slice >= walk->slices) return NULL;
  if (slice < walk->first || slice - walk->first >= walk->count) {
    fill_window(walk, slice, WINDOW_SLICES);
  }
  if (walk->count == 0) return NULL;
  return walk->window + (slice - walk->first) * walk->remote->root.descriptor_bytes;
}

// Over what cannot be read, to the first slice whose descriptor may be there.
static uint64_t skip_hole(struct walk *walk)
{
  const struct remote *remote = walk->remote;
  uint64_t table = remote->counters.page_table;
  uint64_t bytes = remote->root.descriptor_bytes;
  uint64_t page_bytes = remote->target->page_bytes;
  if (!walk->has_refreshed) (void)target_refresh(remote->target);
  walk->has_refreshed = true;
  walk->looked += WINDOW_SLICES;
  uint64_t behind = ((table + walk->slice * bytes) / page_bytes + 1) * page_bytes;
  uint64_t next = target_next_mapped(remote->target, behind);
  return next == UINT64_MAX ? walk->slices : (next - table + bytes - 1) / bytes;
}

// ---------------------------------------------------------------------------------------------
// One descriptor.

static uint64_t live_blocks(const struct mend_root *root, const char *at,
                            const struct remote_page *page)
{
  uint64_t remote = field_read(at, root->remote);
  if (page->kind == KIND_LIST) return field_read(at, root->used) - (remote >> 48);
  uint64_t bits_most = root->version >= 2 ? root->bits_most : 64;
  if (page->capacity > bits_most) return remote & UINT32_MAX;
  return page->capacity - (uint64_t)__builtin_popcountll(field_read(at, root->bits));
}

static uint64_t held_bytes(const struct remote *remote, const struct remote_page *page,
                           uint64_t flags)
{
  uint64_t os_page = remote->target->page_bytes;
  bool is_rest_clean = (flags & (MEND_ROOT_PAGE_IS_CLEAN | MEND_ROOT_PAGE_IS_PURGED)) != 0;
  uint64_t touched = (page->carved * page->block_bytes + os_page - 1) / os_page * os_page;
  return is_rest_clean && touched < page->bytes ? touched : page->bytes;
}

// Fills what a page of equal blocks says. False if its figures contradict each other.
static bool read_blocks(const struct remote *remote, const char *at, struct remote_page *page)
{
  const struct mend_root *root = &remote->root;
  uint64_t flags = field_read(at, root->page_flags);
  page->size_class = (uint32_t)field_read(at, root->size_class);
  page->block_bytes = field_read(at, root->block_bytes);
  page->capacity = (uint32_t)field_read(at, root->capacity);
  page->carved = (uint32_t)field_read(at, root->carved);
  page->is_closed = (flags & MEND_ROOT_PAGE_IS_CLOSED) != 0;
  page->heap = field_read(at, root->heap);
  if (page->size_class >= REMOTE_CLASSES_MOST || page->block_bytes == 0 || page->capacity == 0 ||
      page->capacity > BLOCKS_MOST || page->carved > page->capacity ||
      page->block_bytes > page->bytes / page->capacity) {
    return false;
  }
  uint64_t class_bytes = remote->classes[page->size_class].block_bytes;
  if (class_bytes != 0 && class_bytes != page->block_bytes) return false;
  uint64_t used = live_blocks(root, at, page);
  page->used = used <= page->carved ? (uint32_t)used : page->carved;
  page->held_bytes = held_bytes(remote, page, flags);
  return used <= page->carved;
}

static bool read_large(const struct mend_root *root, const char *at, struct remote_page *page)
{
  page->block_bytes = field_read(at, root->block_bytes);
  page->held_bytes = page->block_bytes;
  page->heap = field_read(at, root->heap);
  page->object_bytes = page->heap != 0 ? field_read(at, root->object_bytes) : 0;
  page->capacity = page->carved = page->used = 1;
  return page->block_bytes > 0 && page->block_bytes <= page->bytes;
}

// Whether the run ends as one of its kind does.
static bool ends_well(struct walk *walk, uint64_t kind, uint64_t length)
{
  const struct mend_root *root = &walk->remote->root;
  if (length == 1 || kind == MEND_ROOT_PAGE_LARGE) return true;
  const char *last = descriptor(walk, walk->slice + length - 1);
  if (last == NULL) return false;
  if (kind == MEND_ROOT_PAGE_FREE) {
    return field_read(last, root->kind) == kind && field_read(last, root->slices) == length;
  }
  return field_read(last, root->kind) == MEND_ROOT_PAGE_INSIDE &&
         field_read(last, root->slices) == length - 1;
}

// Whether what lies behind begins there.
static bool has_good_neighbour(struct walk *walk, uint64_t length)
{
  const char *next = descriptor(walk, walk->slice + length);
  if (next == NULL) return true;
  return field_read(next, walk->remote->root.kind) != MEND_ROOT_PAGE_INSIDE;
}

static bool read_page_kind(uint64_t kind, struct remote_page *page)
{
  static const enum page_kind kinds[] = {[MEND_ROOT_PAGE_FREE] = KIND_FREE,
                                         [MEND_ROOT_PAGE_LIST] = KIND_LIST,
                                         [MEND_ROOT_PAGE_BITMAP] = KIND_BITMAP,
                                         [MEND_ROOT_PAGE_LARGE] = KIND_LARGE};
  if (kind >= sizeof kinds / sizeof kinds[0] || kind == MEND_ROOT_PAGE_NONE ||
      kind == MEND_ROOT_PAGE_INSIDE) {
    return false;
  }
  page->kind = kinds[kind];
  return true;
}

// Looks at the slice where the walk stands. *length: how far it goes.
static enum look_result look_at(struct walk *walk, const char *at, struct remote_page *page,
                                uint64_t *length)
{
  const struct remote *remote = walk->remote;
  const struct mend_root *root = &remote->root;
  uint64_t kind = field_read(at, root->kind);
  uint64_t left = walk->slices - walk->slice;
  *length = 1;
  uint64_t slices = field_read(at, root->slices);
  if (kind == MEND_ROOT_PAGE_NONE) {
    bool is_foreign = (field_read(at, root->page_flags) & MEND_ROOT_PAGE_IS_FOREIGN) != 0;
    if (is_foreign && slices > 0 && slices <= left) *length = slices;
    return LOOK_SKIP;
  }
  if (!read_page_kind(kind, page) || slices == 0 || slices > left) return LOOK_CONTRADICTS;
  page->start = remote->counters.region_start + walk->slice * root->slice_bytes;
  page->bytes = slices * root->slice_bytes;
  bool is_good;
  if (page->kind == KIND_LARGE) {
    is_good = read_large(root, at, page);
  } else if (page->kind == KIND_FREE) {
    page->held_bytes = field_read(at, root->block_bytes);
    is_good = page->held_bytes <= page->bytes;
  } else {
    is_good = slices <= PAGE_SLICES_MOST && read_blocks(remote, at, page);
  }
  // These may fill the window anew: nothing of `at` is read behind them.
  is_good = is_good && ends_well(walk, kind, slices) && has_good_neighbour(walk, slices);
  *length = slices;
  return is_good ? LOOK_PAGE : LOOK_CONTRADICTS;
}

// ---------------------------------------------------------------------------------------------

// Reads again what contradicts itself, after a while. False if that was done often enough: then the
// walk goes on behind the slice.
static bool look_again(struct walk *walk)
{
  walk->remote->retry_count++;
  if (walk->tries++ < TRIES_MOST && walk->retries++ < RETRIES_MOST &&
      walk->remote->target->is_live) {
    sched_yield();
    fill_window(walk, walk->slice, AGAIN_SLICES);
    return true;
  }
  walk->remote->torn_count++;
  walk->torn++;
  return false;
}

static bool walk_on(struct walk *walk, remote_visitor visitor, void *argument)
{
  struct remote_page page = {0};
  const char *at = descriptor(walk, walk->slice);
  uint64_t length = 1;
  if (at == NULL) {
    walk->slice = skip_hole(walk);
    return true;
  }
  enum look_result result = look_at(walk, at, &page, &length);
  if (result == LOOK_CONTRADICTS) {
    if (look_again(walk)) return true;
    length = 1;
  }
  walk->tries = 0;
  if (result == LOOK_PAGE && page.kind <= KIND_BITMAP) {
    walk->remote->classes[page.size_class].block_bytes = page.block_bytes;
  }
  walk->slice += length;
  return result != LOOK_PAGE || visitor(argument, &page);
}

void remote_walk(struct remote *remote, remote_visitor visitor, void *argument)
{
  struct walk walk = {.remote = remote};
  walk.slices = remote->counters.region_units / (remote->root.slice_bytes / 16);
  walk.window = malloc((size_t)WINDOW_SLICES * remote->root.descriptor_bytes);
  if (walk.window == NULL) return;
  while (walk.slice < walk.slices && walk.looked++ < SLICES_MOST && walk.torn < TORN_MOST) {
    if (!walk_on(&walk, visitor, argument)) break;
  }
  remote->is_cut_off = walk.looked > SLICES_MOST || walk.torn == TORN_MOST;
  free(walk.window);
}
