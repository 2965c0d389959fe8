// SPDX-License-Identifier: MIT
#include "handle/object.h"

#include <string.h>

#include "base/annotate.h"
#include "base/fatal.h"
#include "base/options.h"
#include "base/sealed.h"
#include "core/large.h"
#include "os/sealed.h"
#include "os/system.h"
#include "track/remember.h"
#include "track/tracker.h"

// ---------------------------------------------------------------------------------------------
// Types. The count is raised when the type's row is there.

static struct {
  struct object_type of[INFO_TYPES];
} SEALED_PAGES types SEALED;
static _Atomic(uint32_t) type_count = 1;  // type 0 has no function
static struct os_lock types_lock;

INTERNAL mend_type object_type_register(struct object_type type)
{
  os_lock_acquire(&types_lock);
  uint32_t number = atomic_load_explicit(&type_count, memory_order_relaxed);
  bool can_add = number < INFO_TYPES && os_sealed_open();
  if (can_add) {
    types.of[number] = type;
    atomic_store_explicit(&type_count, number + 1, memory_order_release);  // object_type_exists
    os_sealed_close();
  }
  os_lock_release(&types_lock);
  return can_add ? (mend_type)number : 0;
}

INTERNAL bool object_type_exists(uint32_t type)
{
  return type < atomic_load_explicit(&type_count, memory_order_acquire);
}

INTERNAL struct object_type object_type_of(uint32_t type)
{
  return types.of[type];
}

INTERNAL void object_types_after_fork(void)
{
  (void)os_lock_take_from_strangers(&types_lock);
}

// ---------------------------------------------------------------------------------------------
// Blocks.

// A block for an object of `size` bytes, from a lane; NULL if there is no memory.
static void *take_large(struct lane *lane, size_t size, bool *is_zero)
{
  struct page *page = large_take(&lane->blocks, size, SLICE_BYTES, is_zero);
  if (page == NULL) return NULL;
  atomic_store_explicit(&page->object_bytes, size, memory_order_relaxed);
  lane = lane_enter(lane->heap, true);  // whichever nobody is inside of now
  large_attach(page, &lane->blocks);
  lane_leave(lane);
  return page_start(page);
}

static bool is_large(size_t padded)
{
  return padded > SIZE_CLASS_MAX_BYTES;
}

// The same from a lane that the caller is inside of and that is left by this. A large one has every
// alignment.
static void *take_block(struct lane *lane, size_t size, size_t padded, bool *is_zero)
{
  *is_zero = false;
  void *block =
      is_large(padded) ? NULL : heap_take_inside(&lane->blocks, size_class_of(padded), is_zero);
  lane_leave(lane);
  return is_large(padded) ? take_large(lane, size, is_zero) : block;
}

INTERNAL void object_free_block(void *block)
{
  STEP(STEP_FREE_BLOCK);
  struct page *page = page_of_block(block);
  if (UNLIKELY(page_is_tracked(page))) {
    struct tracker_block known;
    (void)tracker_remove(page, block, &known);
  }
  annotate_object_free(block, page->block_bytes);
  if (page->capacity == 1) {
    (void)large_free(page);
  } else {
    remote_free_bitmap(page, block, page_block_index(page, block));
  }
}

// The block of an object that was just made is the caller's. Inside no lane.
static void open_block(void *block, size_t size, bool is_zeroed, bool is_zero)
{
  annotate_object_allocate(block, size, page_of_block(block)->block_bytes, is_zeroed);
  if (is_zeroed && !is_zero) memset(block, 0, size);
  uint32_t state = sampling_state();
  if (LIKELY(sampling_mode_of(state) == SAMPLING_OFF)) return;
  remember_if_due(page_of_block(block), block, size, KIND_ANY, state);
}

// ---------------------------------------------------------------------------------------------
// Making.

INTERNAL uint64_t object_allocate(struct handle_heap *heap, size_t alignment, size_t size,
                                  unsigned flags, mend_type type)
{
  uint32_t index, generation;
  bool is_zero;
  size_t padded = size_class_padded(size, alignment);
  uint32_t still = (flags & MEND_ALLOC_PINNED) != 0 ? INFO_STILL : 0;
  struct lane *lane = lane_enter(heap, is_large(padded) || still != 0);
  if (lane == NULL) return 0;
  if (!index_pool_take(&lane->indices, &index, &generation)) {
    lane_leave(lane);
    return 0;
  }
  void *block = take_block(lane, size, padded, &is_zero);
  _Atomic(uint64_t) *entry = handle_table_entry(&heap->table, index);
  if (block == NULL) {
    entry_publish(entry, entry_make_free(0, generation));
    index_pool_give(&lane->indices, index, generation);
    return 0;
  }
  open_block(block, size, (flags & MEND_ALLOC_ZEROED) != 0, is_zero);
  uint32_t info = info_of_size(size, padded) | (uint32_t)type << INFO_TYPE_SHIFT | still;
  // release: pairs with info_load of a mover that has announced the entry's last object
  atomic_store_explicit(handle_table_info(&heap->table, index), info, memory_order_release);
  entry_publish(entry, entry_make(block, generation, ENTRY_LIVE));
  return handle_make(heap->slot, index, generation);
}

// ---------------------------------------------------------------------------------------------
// Finding.

// COPYING is for the time of one copy. A thread that may keep the mover from running (SCHED_FIFO)
// must sleep before long.
static void wait_for_copy(unsigned *waits)
{
  STEP(STEP_COPY_WAIT);
  if (++*waits <= 64) {
    os_thread_yield();
  } else {
    os_sleep_us(50);
  }
}

INTERNAL bool object_settle(_Atomic(uint64_t) *entry, uint64_t handle, uint64_t *value)
{
  unsigned waits = 0;
  uint64_t seen = entry_load(entry);
  for (;;) {
    if (!entry_is_named(seen, handle)) return false;
    switch (entry_state(seen)) {
    case ENTRY_LIVE:
      *value = seen;
      return true;
    case ENTRY_MOVING:
      // On success the loop's next round sees LIVE; else somebody else has settled it.
      *value = entry_with_state(seen, ENTRY_LIVE);
      if (entry_exchange(entry, &seen, *value)) return true;
      break;
    default:
      wait_for_copy(&waits);
      seen = entry_load(entry);
    }
  }
}

static enum mend_status status_of_missing(uint64_t handle)
{
  return !handle_is_made(handle) || handle_entry(handle) == NULL ? MEND_FOREIGN : MEND_STALE;
}

// What the functions say of a handle that names nothing.
static enum mend_status missing(uint64_t handle, const char *message)
{
  if (options.handle_check) fatal(message, (const void *)(uintptr_t)handle);
  return status_of_missing(handle);
}

INTERNAL void *object_resolve_weak(uint64_t handle)
{
  uint64_t value;
  scope_ensure();
  _Atomic(uint64_t) *entry = handle_entry(handle);
  return entry != NULL && object_settle(entry, handle, &value) ? entry_block(value) : NULL;
}

INTERNAL NOINLINE void *object_resolve_slow(uint64_t handle)
{
  void *address = object_resolve_weak(handle);
  if (address == NULL) (void)missing(handle, "resolve of a handle that names no object");
  return address;
}

INTERNAL enum mend_status object_status(uint64_t handle)
{
  _Atomic(uint64_t) *entry = handle_entry(handle);
  if (entry != NULL && entry_is_named(entry_load(entry), handle)) return MEND_OK;
  return status_of_missing(handle);
}

// An object that has been found, good for the scope.
struct found {
  _Atomic(uint64_t) *entry;
  uint64_t value;
  void *block;
  struct page *page;
  _Atomic(uint32_t) *info;
};

static bool find_object(uint64_t handle, struct found *found)
{
  found->entry = handle_entry(handle);
  if (found->entry == NULL || !object_settle(found->entry, handle, &found->value)) return false;
  found->block = entry_block(found->value);
  found->page = page_of_block(found->block);
  found->info = handle_info(handle);
  return true;
}

INTERNAL size_t object_bytes(uint64_t handle)
{
  struct found found;
  scope_enter();
  bool exists = find_object(handle, &found);
  size_t bytes = exists ? info_object_bytes(info_load(found.info), found.page) : 0;
  scope_leave();
  if (!exists) (void)missing(handle, "size of a handle that names no object");
  return bytes;
}

INTERNAL mend_type object_type(uint64_t handle)
{
  struct found found;
  scope_enter();
  bool exists = find_object(handle, &found);
  mend_type type = exists ? (mend_type)info_type(info_load(found.info)) : 0;
  scope_leave();
  if (!exists) (void)missing(handle, "type of a handle that names no object");
  return type;
}

// ---------------------------------------------------------------------------------------------
// Pins.

INTERNAL void *object_pin(uint64_t handle, enum mend_status *status)
{
  struct found found;
  enum pin_result result = PIN_STALE;
  scope_enter();
  if (find_object(handle, &found)) {
    result = pin_hold(&lane_of(found.page)->heap->pins, handle, found.entry, found.info);
  }
  scope_leave();
  *status = result == PIN_NO_MEMORY ? MEND_NO_MEMORY : MEND_OK;
  if (result == PIN_STALE) *status = missing(handle, "pin of a handle that names no object");
  return *status == MEND_OK ? found.block : NULL;
}

INTERNAL enum mend_status object_unpin(uint64_t handle)
{
  struct found found;
  enum mend_status status = MEND_OK;
  scope_enter();
  if (!find_object(handle, &found)) {
    status = missing(handle, "unpin of a handle that names no object");
  } else if (!pin_release(&lane_of(found.page)->heap->pins, handle_index(handle), found.info)) {
    status = MEND_INVALID;
  }
  scope_leave();
  return status;
}

// ---------------------------------------------------------------------------------------------
// Resizing.

static bool resize_object_in_place(struct found *found, size_t size, size_t padded)
{
  struct page *page = found->page;
  size_t held_bytes = page->block_bytes;
  size_t old_size = info_object_bytes(info_load(found->info), page);
  bool was_large = page->capacity == 1;
  if (was_large != is_large(padded)) return false;
  if (was_large) {
    // Closed while it is the object's: what is cut off may be another thread's at once.
    if (size < old_size) annotate_object_resize(found->block, old_size, size, page->block_bytes);
    if (!large_resize(page, size)) return false;
    atomic_store_explicit(&page->object_bytes, size, memory_order_relaxed);
  } else {
    if (size_class_of(padded) != page->size_class) return false;
    info_change(found->info, INFO_SIZE_MASK, info_of_size(size, padded));
  }
  annotate_object_resize(found->block, old_size, size, page->block_bytes);
  if (UNLIKELY(page_is_tracked(page) || sampling_mode() != SAMPLING_OFF)) {
    remember_resized(page, found->block, size, page->block_bytes != held_bytes);
  }
  return true;
}

// A block for the object's new size.
static void *take_new_block(struct found *found, size_t size, size_t padded)
{
  bool is_zero;
  bool is_still = (info_load(found->info) & INFO_STILL) != 0;
  struct lane *lane = lane_enter(lane_of(found->page)->heap, is_large(padded) || is_still);
  void *block = lane != NULL ? take_block(lane, size, padded, &is_zero) : NULL;
  if (block != NULL) open_block(block, size, false, false);
  return block;
}

// Makes the entry point to another block. False if the object has been freed meanwhile.
static bool redirect(struct found *found, uint64_t handle, void *block)
{
  uint64_t value = found->value;
  uint64_t moved = entry_make(block, entry_generation(value), ENTRY_LIVE);
  while (!entry_exchange(found->entry, &value, moved)) {
    // A mover has announced itself since, or somebody has freed the object.
    if (!object_settle(found->entry, handle, &value)) return false;
  }
  return true;
}

// Brings the object to the block. False if it has been freed meanwhile.
static bool bring_to(struct found *found, uint64_t handle, void *block, size_t size)
{
  uint32_t info = info_load(found->info);
  size_t bytes = bits_smaller(info_object_bytes(info, found->page), size);
  struct object_type type = object_type_of(info_type(info));
  if (type.move != NULL) transfer_begin();
  transfer_object(type, block, found->block, bytes);
  bool exists = redirect(found, handle, block);
  if (type.move != NULL) transfer_end();
  return exists;
}

static enum mend_status resize(uint64_t handle, size_t size, size_t padded)
{
  struct found found;
  if (!find_object(handle, &found)) {
    return missing(handle, "realloc of a handle that names no object");
  }
  if (resize_object_in_place(&found, size, padded)) return MEND_OK;
  if ((info_load(found.info) & INFO_PINNED) != 0) return MEND_PINNED;
  void *block = take_new_block(&found, size, padded);
  if (block == NULL) return MEND_NO_MEMORY;
  if (!bring_to(&found, handle, block, size)) {
    object_free_block(block);
    return MEND_STALE;
  }
  info_change(found.info, INFO_SIZE_MASK, info_of_size(size, padded));
  object_free_block(found.block);
  return MEND_OK;
}

INTERNAL enum mend_status object_resize(uint64_t handle, size_t alignment, size_t size)
{
  // Within a scope no mover that is not called off here copies the object.
  scope_enter();
  enum mend_status status = resize(handle, size, size_class_padded(size, alignment));
  scope_leave();
  return status;
}

// ---------------------------------------------------------------------------------------------
// Freeing.

// Makes the entry FREE with the next generation and the address it had, whatever a mover may be
// doing with it. False if the handle names nothing.
static bool end_entry(_Atomic(uint64_t) *entry, uint64_t handle, uint64_t *ended)
{
  unsigned waits = 0;
  uint64_t seen = entry_load(entry);
  for (;;) {
    if (!entry_is_named(seen, handle)) return false;
    if (entry_state(seen) == ENTRY_COPYING) {
      wait_for_copy(&waits);
      seen = entry_load(entry);
      continue;
    }
    *ended = entry_make(entry_block(seen), entry_generation(seen) + 1, ENTRY_FREE);
    if (entry_exchange(entry, &seen, *ended)) return true;
  }
}

INTERNAL void object_free_entry(uint32_t index, uint64_t entry)
{
  void *block = entry_block(entry);
  struct lane *lane = lane_of(page_of_block(block));
  object_free_block(block);
  index_pool_give(&lane->indices, index, entry_generation(entry));
}

INTERNAL enum mend_status object_free(uint64_t handle, bool is_deferred)
{
  uint64_t ended;
  _Atomic(uint64_t) *entry = handle_entry(handle);
  if (entry == NULL || !end_entry(entry, handle, &ended)) {
    return missing(handle, "free of a handle that names no object");
  }
  struct page *page = page_of_block(entry_block(ended));
  struct handle_heap *heap = lane_of(page)->heap;
  uint32_t index = handle_index(handle);
  // seq_cst, as the exchange that has ended the entry: pairs with pin_hold.
  if ((atomic_load(handle_info(handle)) & INFO_PINNED) != 0) pin_forget(&heap->pins, index);
  if (is_deferred) {
    deferred_add(heap, index, page->block_bytes);
  } else {
    object_free_entry(index, ended);
  }
  return MEND_OK;
}
