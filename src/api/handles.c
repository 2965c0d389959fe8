// SPDX-License-Identifier: MIT
//
// Handles: the public face of the layer of that name.
#include "mend/handle.h"

#include <errno.h>

#include "api/allocate.h"
#include "api/init.h"
#include "api/tracking.h"
#include "base/options.h"
#include "core/registry.h"
#include "core/upkeep.h"
#include "handle/defrag.h"
#include "handle/fragmentation.h"
#include "handle/object.h"

static struct handle_heap *inside_of(mend_handle_heap *heap)
{
  return (struct handle_heap *)(void *)heap;
}

static bool start_handles(void)
{
  int saved_errno = errno;
  init_once();
  bool has_started = handle_start();
  errno = saved_errno;
  return has_started;
}

const char *mend_status_text(enum mend_status status)
{
  static const char *const texts[] = {
      [MEND_OK] = "no error",
      [MEND_STALE] = "the object has been freed",
      [MEND_FOREIGN] = "no handle of any heap",
      [MEND_BUSY] = "not now: within a scope, or a defragmenter is at work already",
      [MEND_BLOCKED] = "scopes of other threads are in the way",
      [MEND_PARTIAL] = "there is more to do",
      [MEND_PINNED] = "the object is pinned",
      [MEND_NO_MEMORY] = "out of memory",
      [MEND_INVALID] = "an argument is invalid",
  };
  bool is_known = (unsigned)status < sizeof texts / sizeof texts[0];
  return is_known ? texts[status] : "unknown status";
}

// ---------------------------------------------------------------------------------------------
// Heaps.

mend_handle_heap *mend_handle_heap_create(void)
{
  int saved_errno = errno;
  struct handle_heap *heap = start_handles() ? handle_heap_create() : NULL;
  if (heap == NULL) return allocate_fail(ENOMEM);
  errno = saved_errno;
  return (mend_handle_heap *)(void *)heap;
}

void mend_handle_heap_destroy(mend_handle_heap *heap)
{
  if (heap == NULL) return;
  int saved_errno = errno;
  handle_heap_destroy(inside_of(heap));
  errno = saved_errno;
}

// ---------------------------------------------------------------------------------------------
// Objects.

// Gives back whatever is not in use, for memory to be had again.
static void collect(void)
{
  handle_collect();
  (void)upkeep_collect(true);
}

static uint64_t try_allocate_object(struct handle_heap *heap, size_t alignment, size_t size,
                                    unsigned flags, mend_type type)
{
  if (heap == NULL) heap = handle_heap_default();
  return heap != NULL ? object_allocate(heap, alignment, size, flags, type) : 0;
}

static uint64_t allocate_or_collect(struct handle_heap *heap, size_t alignment, size_t size,
                                    unsigned flags, mend_type type)
{
  if (size > BITS_MAX_SIZE || !start_handles()) return 0;
  uint64_t bits = try_allocate_object(heap, alignment, size, flags, type);
  if (LIKELY(bits != 0)) return bits;
  collect();
  return try_allocate_object(heap, alignment, size, flags, type);
}

static bool is_alignment(size_t alignment)
{
  return bits_is_power_of_two(alignment) && alignment <= MEND_HANDLE_MAX_ALIGNMENT;
}

mend_handle mend_handle_heap_aligned_alloc(mend_handle_heap *heap, size_t alignment, size_t size,
                                           unsigned flags, mend_type type)
{
  if ((flags & ~(unsigned)(MEND_ALLOC_ZEROED | MEND_ALLOC_PINNED)) != 0 ||
      !object_type_exists(type) || !is_alignment(alignment)) {
    errno = EINVAL;
    return MEND_HANDLE_NULL;
  }
  int saved_errno = errno;
  uint64_t bits = allocate_or_collect(inside_of(heap), alignment, size, flags, type);
  if (UNLIKELY(tracking_is_on())) allocate_count_slow_call();
  errno = bits != 0 ? saved_errno : ENOMEM;
  return (mend_handle){bits};
}

mend_handle mend_handle_heap_alloc(mend_handle_heap *heap, size_t size, unsigned flags,
                                   mend_type type)
{
  return mend_handle_heap_aligned_alloc(heap, 16, size, flags, type);
}

mend_handle mend_handle_alloc(size_t size)
{
  return mend_handle_heap_alloc(NULL, size, 0, 0);
}

mend_handle mend_handle_zalloc(size_t size)
{
  return mend_handle_heap_alloc(NULL, size, MEND_ALLOC_ZEROED, 0);
}

mend_handle mend_handle_alloc_pinned(size_t size)
{
  return mend_handle_heap_alloc(NULL, size, MEND_ALLOC_PINNED, 0);
}

static enum mend_status resize_or_collect(mend_handle handle, size_t alignment, size_t size)
{
  if (!is_alignment(alignment)) return MEND_INVALID;
  if (size > BITS_MAX_SIZE) return MEND_NO_MEMORY;
  int saved_errno = errno;
  enum mend_status status = object_resize(handle.bits, alignment, size);
  if (UNLIKELY(status == MEND_NO_MEMORY)) {
    collect();
    status = object_resize(handle.bits, alignment, size);
  }
  errno = saved_errno;
  return status;
}

enum mend_status mend_handle_realloc(mend_handle handle, size_t size)
{
  SCOPE_NOTE_CALLER();
  return resize_or_collect(handle, 16, size);
}

enum mend_status mend_handle_aligned_realloc(mend_handle handle, size_t alignment, size_t size)
{
  SCOPE_NOTE_CALLER();
  return resize_or_collect(handle, alignment, size);
}

static enum mend_status free_object(mend_handle handle, bool is_deferred)
{
  if (mend_handle_is_null(handle)) return MEND_OK;
  int saved_errno = errno;
  enum mend_status status = object_free(handle.bits, is_deferred);
  errno = saved_errno;
  return status;
}

enum mend_status mend_handle_free(mend_handle handle)
{
  return free_object(handle, false);
}

enum mend_status mend_handle_free_deferred(mend_handle handle)
{
  return free_object(handle, true);
}

size_t mend_handle_size(mend_handle handle)
{
  SCOPE_NOTE_CALLER();
  return object_bytes(handle.bits);
}

mend_type mend_handle_type(mend_handle handle)
{
  SCOPE_NOTE_CALLER();
  return object_type(handle.bits);
}

enum mend_status mend_handle_status(mend_handle handle)
{
  return object_status(handle.bits);
}

// ---------------------------------------------------------------------------------------------
// From handle to address.

void *mend_resolve(mend_handle handle)
{
  SCOPE_NOTE_CALLER();
  return object_resolve(handle.bits);
}

void *mend_resolve_weak(mend_handle handle)
{
  SCOPE_NOTE_CALLER();
  return object_resolve_weak(handle.bits);
}

size_t mend_resolve_all(const mend_handle *handles, void **addresses, size_t count)
{
  SCOPE_NOTE_CALLER();
  enum { AHEAD = 8 };
  size_t found = 0;
  for (size_t i = 0; i < count; i++) {
    if (i + AHEAD < count) {
      _Atomic(uint64_t) *later = handle_entry(handles[i + AHEAD].bits);
      if (later != NULL) __builtin_prefetch((void *)later);
    }
    addresses[i] = object_resolve(handles[i].bits);
    if (addresses[i] != NULL) found++;
  }
  return found;
}

void *mend_pin(mend_handle handle)
{
  SCOPE_NOTE_CALLER();
  enum mend_status status;
  int saved_errno = errno;
  void *address = object_pin(handle.bits, &status);
  errno = status == MEND_NO_MEMORY ? ENOMEM : saved_errno;
  return address;
}

enum mend_status mend_unpin(mend_handle handle)
{
  SCOPE_NOTE_CALLER();
  return object_unpin(handle.bits);
}

void mend_scope_enter(void)
{
  SCOPE_NOTE_CALLER();
  scope_enter();
}

void mend_scope_leave(void)
{
  scope_leave();
  if (LIKELY(!options.handle_stir) || scope_depth() > 0) return;
  int saved_errno = errno;
  defrag_stir();
  errno = saved_errno;
}

void mend_quiescent(void)
{
  (void)scope_end_implicit();
}

mend_type mend_type_register(mend_relocate_function function, void *argument)
{
  return object_type_register((struct object_type){.relocate = function, .argument = argument});
}

mend_type mend_type_register_move(mend_move_function function, void *argument)
{
  return object_type_register((struct object_type){.move = function, .argument = argument});
}

// ---------------------------------------------------------------------------------------------
// Fragmentation and its cure.

enum mend_status mend_fragmentation_get(mend_handle_heap *heap,
                                        struct mend_fragmentation *fragmentation)
{
  if (fragmentation == NULL || fragmentation->bytes < sizeof *fragmentation) return MEND_INVALID;
  int saved_errno = errno;
  bool has_started = start_handles();
  size_t bytes = fragmentation->bytes;
  if (has_started) *fragmentation = fragmentation_of(inside_of(heap));
  fragmentation->bytes = bytes;
  errno = saved_errno;
  return has_started ? MEND_OK : MEND_NO_MEMORY;
}

// Readies the caller's report, or our own in its place; NULL if it is too small.
static struct mend_defrag_report *ready_report(struct mend_defrag_report *report,
                                               struct mend_defrag_report *own)
{
  if (report == NULL) report = own;
  size_t bytes = report == own ? sizeof *own : report->bytes;
  if (bytes < sizeof *report) return NULL;
  *report = (struct mend_defrag_report){.bytes = bytes};
  return report;
}

enum mend_status mend_defragment(struct mend_defrag_report *report)
{
  struct mend_defrag_report own;
  report = ready_report(report, &own);
  if (report == NULL) return MEND_INVALID;
  int saved_errno = errno;
  enum mend_status status = start_handles() ? defrag_pass(report) : MEND_NO_MEMORY;
  errno = saved_errno;
  return status;
}

enum mend_status mend_defragment_step(mend_handle_heap *heap,
                                      const struct mend_defrag_budget *budget,
                                      struct mend_defrag_report *report)
{
  struct mend_defrag_report own;
  report = ready_report(report, &own);
  if (report == NULL) return MEND_INVALID;
  int saved_errno = errno;
  enum mend_status status =
      start_handles() ? defrag_step(inside_of(heap), budget, report) : MEND_NO_MEMORY;
  errno = saved_errno;
  return status;
}

enum mend_status mend_defragment_plan(struct mend_defrag_report *report)
{
  struct mend_defrag_report own;
  report = ready_report(report, &own);
  if (report == NULL) return MEND_INVALID;
  int saved_errno = errno;
  enum mend_status status = start_handles() ? defrag_plan(report) : MEND_NO_MEMORY;
  errno = saved_errno;
  return status;
}

enum mend_status mend_defragment_start(const struct mend_defrag_options *chosen)
{
  struct mend_defrag_options all = {.bytes = sizeof all};
  if (chosen != NULL && chosen->bytes < sizeof all) return MEND_INVALID;
  if (chosen != NULL) all = *chosen;
  if (all.cpu_percent > 100 || all.start_external < 0 || all.start_external > 1) {
    return MEND_INVALID;
  }
  if (all.cpu_percent == 0) all.cpu_percent = 5;
  if (all.start_external <= 0) all.start_external = 0.25;
  if (all.start_bytes == 0) all.start_bytes = (size_t)1 << 20;
  if (all.interval_ms == 0) all.interval_ms = 100;
  int saved_errno = errno;
  enum mend_status status = start_handles() ? defrag_start(all) : MEND_NO_MEMORY;
  errno = saved_errno;
  return status;
}

void mend_defragment_stop(void)
{
  int saved_errno = errno;
  defrag_stop();
  errno = saved_errno;
}
