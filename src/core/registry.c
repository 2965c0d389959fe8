// SPDX-License-Identifier: MIT
#include "core/registry.h"

#include "base/options.h"
#include "core/chunk.h"
#include "core/large.h"
#include "core/metadata.h"
#include "core/policy.h"
#include "os/memory.h"
#include "os/sealed.h"
#include "os/system.h"

static struct {
  _Atomic(int) state;  // 0 not started, 1 being started, 2 started
  struct heap first_common;
  _Atomic(struct heap *) left_last;     // the heap that was last left to who comes next
  _Atomic(uint32_t) left_count;         // how many are left so
  _Atomic(struct heap *) looked_after;  // the last heap whose thread was asked for
  size_t process_id;                    // in which the numbers of threads are true
} registry;

INTERNAL struct registry_heaps registry_heaps;

static void thread_ends(void);
static void fork_child(void);

static void init_common_heap(struct heap *heap)
{
  registry_heaps.common = heap;
  heap_init(registry_heaps.common, OWNER_SHARED, &chunk_source);
  registry_heaps.common->self = heap;
  registry_heaps.common->keeps_unused = false;
}

// This may be long after the rest was sealed, if there was no memory before.
static bool init_sealed(void)
{
  if (!os_sealed_open()) return false;
  policy_init();
  bool is_done = chunk_init();
  os_sealed_close();
  return is_done;
}

static bool start(void)
{
  os_memory_init(options.os_page_size, options.reserve);
  if (TUNING_SCATTERS) os_range_scatter();
  os_gate_init();
  registry.process_id = os_process_id();
  if (!init_sealed()) return false;
  init_common_heap(&registry.first_common);
  heap_init(&heap_empty, OWNER_NOBODY, &chunk_source);
  // Without these hooks the heaps of ended threads are never inherited; they fail only for lack of
  // memory, and there is nobody to tell.
  (void)os_thread_on_exit(thread_ends);
  return true;
}

static bool has_started(void)
{
  return atomic_load_explicit(&registry.state, memory_order_acquire) == 2;
}

INTERNAL bool registry_init(void)
{
  int state = 0;
  if (atomic_compare_exchange_strong(&registry.state, &state, 1)) {
    state = start() ? 2 : 0;  // the next allocation tries again
    atomic_store(&registry.state, state);
    if (state == 2) (void)os_on_fork(NULL, NULL, fork_child);  // may allocate
  }
  while (state == 1) {
    os_sleep_ms(0);
    state = atomic_load(&registry.state);
  }
  return state == 2;
}

// ---------------------------------------------------------------------------------------------
// Heaps come and go; their structures stay.

// The heaps one after the other, the common heap first.
static struct heap *next_heap(struct heap *heap)
{
  if (heap == registry_heaps.common)
    return atomic_load_explicit(&registry_heaps.first, memory_order_acquire);
  return heap->next;
}

static bool try_reuse(struct heap *heap)
{
  uint32_t expected = 0;
  if (heap->is_given_up || atomic_load_explicit(&heap->is_taken, memory_order_relaxed) != 0 ||
      !atomic_compare_exchange_strong(&heap->is_taken, &expected, 1)) {
    return false;
  }
  atomic_fetch_sub_explicit(&registry.left_count, 1, memory_order_relaxed);
  return true;
}

// The one that was left last, or else any: there may be very many that are taken.
static struct heap *reuse_heap(void)
{
  struct heap *heap = atomic_load_explicit(&registry.left_last, memory_order_acquire);
  if (heap != NULL && try_reuse(heap)) return heap;
  if (atomic_load_explicit(&registry.left_count, memory_order_relaxed) == 0) return NULL;
  heap = atomic_load_explicit(&registry_heaps.first, memory_order_acquire);
  while (heap != NULL && !try_reuse(heap)) heap = heap->next;
  return heap;
}

static struct heap *make_heap(void)
{
  struct heap *heap = metadata_allocate(sizeof *heap);
  if (heap == NULL) return NULL;
  atomic_store_explicit(&heap->is_taken, 1, memory_order_relaxed);
  heap_init(heap, OWNER_NOBODY, &chunk_source);
  heap->self = heap;
  struct heap *first = atomic_load_explicit(&registry_heaps.first, memory_order_relaxed);
  do {
    heap->next = first;
    // release: pairs with the acquiring loads of `first`
  } while (!atomic_compare_exchange_weak_explicit(&registry_heaps.first, &first, heap,
                                                  memory_order_release, memory_order_relaxed));
  return heap;
}

static void leave_heap(struct heap *heap)
{
  // release: pairs with owner_may_pass, for a stranger who then enters without a barrier
  atomic_store_explicit(&heap->owner, OWNER_NOBODY, memory_order_release);
  atomic_fetch_add_explicit(&registry.left_count, 1, memory_order_relaxed);
  atomic_store_explicit(&heap->is_taken, 0, memory_order_release);
  atomic_store_explicit(&registry.left_last, heap, memory_order_release);
}

// Below a signal handler the common heap must not be waited for, if whoever is inside may be
// waiting for a lock of ours.
static bool is_stuck(void)
{
  return heap_is_barred(registry_heaps.common) || chunk_lock_is_mine() || metadata_lock_is_mine();
}

// Leaves a heap's pages to the common heap, and the heap to the next thread. Inside the heap. A
// signal handler that has interrupted its thread inside the common heap cannot: then the heap waits
// until it is found that its thread is gone.
static bool bequeath(struct heap *heap)
{
  heap_settle(heap);
  if (heap_is_barred(registry_heaps.common)) return false;
  heap_enter(registry_heaps.common);
  heap_give_pages(heap, registry_heaps.common);
  remote_read_inbox(registry_heaps.common);
  heap_leave(registry_heaps.common);
  return true;
}

// ---------------------------------------------------------------------------------------------
// Threads that ended unseen: they began to allocate in one of their last destructors, or the C
// library had no memory to note that their end is waited for. The kernel knows that they are gone.

static bool is_another_threads(const struct heap *heap)
{
  uintptr_t owner = heap_owner(heap);
  return owner != OWNER_NOBODY && owner != OWNER_SHARED && owner != os_thread_id();
}

// A heap may have come to another thread between two looks. Inside it is exact. A number that was
// given to a new thread of the process keeps the heap as it is.
static bool is_orphan(struct heap *heap)
{
  if (!is_another_threads(heap) || os_process_id() != registry.process_id) return false;
  uint32_t number = atomic_load_explicit(&heap->thread_number, memory_order_relaxed);
  return number != 0 && !os_thread_exists(number);
}

INTERNAL bool registry_inherit(struct heap *heap)
{
  if (!is_orphan(heap) || is_stuck() || heap_is_barred(heap) || !heap_try_enter(heap)) return false;
  bool is_inherited = is_orphan(heap) && bequeath(heap);
  // Inside: whoever comes next sees that it is done.
  if (is_inherited) atomic_store_explicit(&heap->owner, OWNER_NOBODY, memory_order_release);
  heap_leave(heap);
  if (is_inherited) leave_heap(heap);
  return is_inherited;
}

INTERNAL bool registry_inherit_next(void)
{
  struct heap *first = atomic_load_explicit(&registry_heaps.first, memory_order_acquire);
  struct heap *last = atomic_load_explicit(&registry.looked_after, memory_order_relaxed);
  if (last == NULL) last = first;
  if (last == NULL) return false;
  struct heap *heap = last;
  int left = TUNING_HEAPS_PER_LOOK;
  do {
    heap = heap->next != NULL ? heap->next : first;
  } while (heap != last && --left > 0 && !is_another_threads(heap));
  atomic_store_explicit(&registry.looked_after, heap, memory_order_relaxed);
  return registry_inherit(heap);
}

// ---------------------------------------------------------------------------------------------

// The calling thread's number; 0 where a process of its own uses our memory (vfork).
static uint32_t own_number(void)
{
  return os_process_id() == registry.process_id ? os_thread_number() : 0;
}

// Whether a heap has the calling thread's id only because a thread that ended unseen had it. The
// caller must not enter it as its owner: somebody may inherit it this very moment.
static bool is_namesakes(const struct heap *heap)
{
  return heap != heap_current && heap_owner(heap) == os_thread_id();
}

// Makes a namesake's heap the caller's, with what is in it. False if somebody inherits it.
static bool claim_namesakes(struct heap *heap)
{
  if (heap_is_barred(heap) || !heap_try_enter(heap)) return false;
  bool is_claimed = heap_owner(heap) == os_thread_id();
  if (is_claimed) {
    atomic_store_explicit(&heap->thread_number, own_number(), memory_order_relaxed);
  }
  os_gate_leave(&heap->gate);  // which was not entered as the owner
  return is_claimed;
}

static struct heap *find_namesakes(void)
{
  struct heap *heap = atomic_load_explicit(&registry_heaps.first, memory_order_acquire);
  while (heap != NULL && !(is_namesakes(heap) && claim_namesakes(heap))) heap = heap->next;
  return heap;
}

// A heap for a thread or a user, empty but for a namesake's.
static struct heap *take_heap(uintptr_t owner)
{
  struct heap *heap = owner != OWNER_SHARED ? find_namesakes() : NULL;
  if (heap == NULL) heap = reuse_heap();
  if (heap == NULL && registry_inherit_next()) heap = reuse_heap();
  if (heap == NULL) heap = make_heap();
  if (heap == NULL) return NULL;
  heap_enter(heap);
  remote_read_inbox(heap);  // sends late posts on to where their pages are now
  atomic_store_explicit(&heap->thread_number, own_number(), memory_order_relaxed);
  atomic_store_explicit(&heap->owner, owner, memory_order_relaxed);
  heap->adopts = owner != OWNER_SHARED;
  heap->is_direct = owner == OWNER_SHARED;
  atomic_store_explicit(&heap->wipes, false, memory_order_relaxed);
  heap_follow_sampling(heap);
  heap_leave(heap);
  return heap;
}

INTERNAL struct heap *registry_own(void)
{
  return heap_current == &heap_empty ? NULL : heap_current;
}

INTERNAL struct heap *registry_current(void)
{
  struct heap *heap = heap_current;
  if (LIKELY(heap != &heap_empty)) {
    if (LIKELY(!heap_is_barred(heap))) return heap;
  } else if (!registry_init()) {
    return NULL;
  } else if (!os_thread_notes.has_ended) {
    heap = take_heap(os_thread_id());
    if (heap != NULL) {
      heap_current = heap;
      os_thread_watch();  // may allocate: the heap is there by now
      return heap;
    }
  }
  return is_stuck() ? NULL : registry_heaps.common;
}

static void thread_ends(void)
{
  struct heap *heap = heap_current;
  if (heap == &heap_empty) return;
  heap_enter(heap);
  os_thread_notes.has_ended = true;
  heap_current = &heap_empty;
  bool is_empty = bequeath(heap);
  heap_leave(heap);
  if (is_empty) leave_heap(heap);
}

INTERNAL struct page *registry_adopt(struct heap *heap, unsigned size_class)
{
  struct heap *common = registry_heaps.common;
  bool has_mail = atomic_load_explicit(&common->inbox, memory_order_relaxed) != NULL;
  if ((!has_mail && !heap_may_have(common, size_class)) || heap_is_barred(common)) return NULL;
  heap_enter(common);
  struct page *page = heap_adopt_from(heap, common, size_class);
  heap_leave(common);
  return page;
}

INTERNAL struct heap *registry_create(void)
{
  return registry_init() ? take_heap(OWNER_SHARED) : NULL;
}

// Whether there is such a heap, with a thread or a user, or without. A structure of metadata that
// points at itself there is one, or a lane of objects: they are never given back.
static bool is_registered(const struct heap *heap)
{
  if (metadata_may_hold(heap, sizeof *heap)) return heap->self == heap;
  struct heap *at = atomic_load_explicit(&registry_heaps.first, memory_order_acquire);
  while (at != NULL && at != heap) at = at->next;
  return at != NULL;
}

INTERNAL bool registry_is_first_class(const struct heap *heap)
{
  return is_registered(heap) && heap_owner(heap) == OWNER_SHARED && !heap->has_objects &&
         !heap->has_samples;
}

INTERNAL void registry_set_wipe(struct heap *heap, bool wipes)
{
  atomic_store_explicit(&heap->wipes, wipes, memory_order_relaxed);
  struct heap *successor = atomic_load(&heap->successor);
  if (successor != NULL) registry_set_wipe(successor, wipes);
}

INTERNAL struct heap *registry_serving(struct heap *heap)
{
  if (LIKELY(!heap->is_given_up)) return heap;
  struct heap *successor = atomic_load(&heap->successor);
  if (successor != NULL) return registry_serving(successor);
  struct heap *created = registry_create();
  if (created != NULL) {
    bool wipes = atomic_load_explicit(&heap->wipes, memory_order_relaxed);
    atomic_store_explicit(&created->wipes, wipes, memory_order_relaxed);
  }
  if (created == NULL || atomic_compare_exchange_strong(&heap->successor, &successor, created)) {
    return created;
  }
  registry_destroy(created);
  return successor;
}

INTERNAL void registry_destroy(struct heap *heap)
{
  struct heap *successor = atomic_exchange(&heap->successor, NULL);
  if (successor != NULL) registry_destroy(successor);
  if (heap->is_given_up) {
    atomic_store_explicit(&heap->owner, OWNER_NOBODY, memory_order_release);  // for ever
    return;
  }
  if (heap_is_barred(heap)) return;
  heap_enter(heap);
  large_free_all(heap);
  heap_free_all(heap);
  heap_leave(heap);
  leave_heap(heap);
}

INTERNAL bool registry_may_enter(struct heap *heap)
{
  return !heap_is_barred(heap) && !is_namesakes(heap);
}

INTERNAL bool registry_enter(struct heap *heap)
{
  if (!registry_may_enter(heap)) return false;
  heap_enter(heap);
  return true;
}

INTERNAL struct heap *registry_next(struct heap *heap)
{
  if (heap != NULL) return next_heap(heap);
  return has_started() ? registry_heaps.common : NULL;
}

INTERNAL void registry_each(void (*function)(struct heap *heap, void *argument), void *argument)
{
  if (!has_started()) return;
  for (struct heap *heap = registry_heaps.common; heap != NULL; heap = next_heap(heap)) {
    if (!registry_enter(heap)) continue;
    function(heap, argument);
    heap_leave(heap);
  }
}

// ---------------------------------------------------------------------------------------------
// Fork. Nothing is locked around it: a thread that waited for such a lock could hold another that
// the C library needs in order to fork (its stream locks), and nobody would ever go on. So the
// child starts with whatever the other threads, which it does not have, were doing. A heap that one
// of them was inside of is given up: its blocks stay valid and can be freed, what is free in its
// pages is not used again in this process. Every other heap of theirs is inherited. The region and
// the metadata mend themselves in the same way if somebody held their lock. In place of a
// first-class heap that was given up another one serves.

// The heap's thread does not exist in this process: its pages are for whoever needs them.
// (Nobody has to be kept out: there is one thread.)
static void inherit(struct heap *heap)
{
  policy_inherit(heap);
  if (bequeath(heap)) leave_heap(heap);
}

// The counts of large blocks that a heap has made stay in the sum.
static void give_up(struct heap *heap)
{
  heap->is_given_up = true;
  atomic_fetch_add(&heap_empty.large_bytes, atomic_exchange(&heap->large_bytes, 0));
  atomic_fetch_add(&heap_empty.large_blocks, atomic_exchange(&heap->large_blocks, 0));
}

// If another thread was inside the common heap, another one takes its place.
static void renew_common_heap(void)
{
  if (!os_gate_is_strangers(&registry_heaps.common->gate)) return;
  give_up(registry_heaps.common);
  struct heap *heap = metadata_allocate(sizeof *heap);
  if (heap != NULL) init_common_heap(heap);
}

static void fork_child(void)
{
  os_sealed_after_fork();
  metadata_after_fork();
  chunk_after_fork();
  policy_after_fork(heap_current);
  renew_common_heap();
  registry.process_id = os_process_id();
  for (struct heap *heap = next_heap(registry_heaps.common); heap != NULL; heap = heap->next) {
    if (heap->is_given_up || (heap == heap_current && heap_is_barred(heap))) continue;
    if (os_gate_is_busy(&heap->gate)) {
      give_up(heap);
      if (heap == heap_current) heap_current = &heap_empty;
      continue;
    }
    os_gate_reset(&heap->gate);
    bool is_a_threads = heap_owner(heap) != OWNER_SHARED && heap_owner(heap) != OWNER_NOBODY;
    if (is_a_threads && heap != heap_current) inherit(heap);
  }
  if (heap_current != &heap_empty) {
    atomic_store_explicit(&heap_current->thread_number, own_number(), memory_order_relaxed);
  }
}
