// SPDX-License-Identifier: MIT
#include "handle/defrag.h"

#include "base/options.h"
#include "core/chunk.h"
#include "core/metadata.h"
#include "core/registry.h"
#include "core/upkeep.h"
#include "handle/fragmentation.h"
#include "handle/mover.h"
#include "handle/scope.h"
#include "os/memory.h"
#include "os/system.h"

#define PASS_GRACE_NS UINT64_C(100000000)
#define STEP_GRACE_NS UINT64_C(1000000)
#define SLOW_STEP_NS UINT64_C(500000)
#define BLOCKED_STEPS 10
#define STIRRED_OBJECTS 16

// ---------------------------------------------------------------------------------------------
// The return of what is free.

// Gives the parts of the handle table that name nothing back.
static size_t sweep_table(struct handle_heap *heap)
{
  struct lane *lane;
  handle_table_detach(&heap->table);
  for (uint32_t i = 0; i < HANDLE_ALL_LANES; i++) {
    uint32_t chains[2];
    if (!lane_enter_number(heap, i, &lane)) continue;
    index_pool_detach(&lane->indices, chains);
    lane_leave(lane);
    handle_table_sort(&heap->table, chains[0]);
    handle_table_sort(&heap->table, chains[1]);
  }
  return handle_table_sweep(&heap->table);
}

static void finish_pass(struct handle_heap *heap, struct mend_defrag_report *report)
{
  mover_end(heap, report);
  uint64_t start = os_clock_ns();
  report->bytes_freed += handle_heap_collect(heap, true);
  report->table_freed += sweep_table(heap);
  report->return_ns += os_clock_ns() - start;
}

// ---------------------------------------------------------------------------------------------
// Steps.

// What is left of a budget.
struct allowance {
  size_t objects;
  size_t bytes;
  uint64_t until_ns;
  uint64_t grace_ns;
};

static struct allowance allowance_of(const struct mend_defrag_budget *budget, uint64_t grace_ns)
{
  struct allowance all = {SIZE_MAX, SIZE_MAX, UINT64_MAX, grace_ns};
  if (budget == NULL) return all;
  if (budget->objects > 0) all.objects = budget->objects;
  if (budget->bytes > 0) all.bytes = budget->bytes;
  if (budget->nanoseconds > 0) all.until_ns = os_deadline_ns(budget->nanoseconds);
  if (budget->grace_ns > 0) all.grace_ns = budget->grace_ns;
  return all;
}

static size_t less(size_t all, size_t done)
{
  return all - bits_smaller(all, done);
}

static bool is_used_up(const struct allowance *allowance)
{
  return allowance->objects == 0 || allowance->bytes == 0 ||
         (allowance->until_ns != UINT64_MAX && os_clock_ns() >= allowance->until_ns);
}

static uint64_t grace_left(const struct allowance *allowance)
{
  if (allowance->until_ns == UINT64_MAX) return allowance->grace_ns;
  uint64_t now_ns = os_clock_ns();
  uint64_t left_ns = allowance->until_ns > now_ns ? allowance->until_ns - now_ns : 0;
  return left_ns < allowance->grace_ns ? left_ns : allowance->grace_ns;
}

// Goes on with the heap's pass until it is over or the allowance used up: by one batch at least.
// Holds mover_lock.
static enum mend_status advance(struct handle_heap *heap, struct allowance *allowance,
                                struct mend_defrag_report *report)
{
  enum mend_status status;
  if (!mover_begin(heap, report)) return MEND_NO_MEMORY;
  do {
    size_t objects = report->objects_moved;
    size_t bytes = report->bytes_moved;
    status = mover_move(heap, allowance->objects, allowance->bytes, grace_left(allowance), report);
    allowance->objects = less(allowance->objects, report->objects_moved - objects);
    allowance->bytes = less(allowance->bytes, report->bytes_moved - bytes);
  } while (status == MEND_PARTIAL && !is_used_up(allowance));
  if (status == MEND_OK) finish_pass(heap, report);
  return status;
}

static enum mend_status step(struct handle_heap *heap, struct allowance *allowance,
                             struct mend_defrag_report *report)
{
  if (!os_lock_try(&heap->mover_lock)) return MEND_BUSY;
  enum mend_status status = advance(heap, allowance, report);
  os_lock_release(&heap->mover_lock);
  return status;
}

// The same for all heaps from a slot on: the first that is not finished says why. Where the
// allowance was used up is the slot to go on from.
static enum mend_status step_all(uint32_t *slot, struct allowance *allowance,
                                 struct mend_defrag_report *report)
{
  enum mend_status status = MEND_OK;
  bool has_begun = false;
  for (; *slot < HANDLE_SLOTS; (*slot)++) {
    struct handle_heap *heap = handle_heap_at(*slot);
    if (heap == NULL) continue;
    if (has_begun && is_used_up(allowance)) return MEND_PARTIAL;
    has_begun = true;
    enum mend_status one = step(heap, allowance, report);
    if (one == MEND_PARTIAL) return MEND_PARTIAL;
    if (one == MEND_BLOCKED) allowance->grace_ns = 0;  // who is in the way here is so there, too
    if (status == MEND_OK) status = one;
  }
  *slot = 0;
  return status;
}

static enum mend_status step_on(struct allowance *allowance, struct mend_defrag_report *report)
{
  static _Atomic(uint32_t) next_slot;
  uint32_t slot = atomic_load(&next_slot);
  enum mend_status status = step_all(&slot, allowance, report);
  atomic_store(&next_slot, slot);
  return status;
}

INTERNAL enum mend_status defrag_step(struct handle_heap *heap,
                                      const struct mend_defrag_budget *budget,
                                      struct mend_defrag_report *report)
{
  if (!scope_end_implicit()) return MEND_BUSY;
  uint64_t start = os_clock_ns();
  struct allowance allowance = allowance_of(budget, STEP_GRACE_NS);
  enum mend_status status =
      heap != NULL ? step(heap, &allowance, report) : step_on(&allowance, report);
  report->nanoseconds = os_clock_ns() - start;
  return status;
}

// ---------------------------------------------------------------------------------------------
// A whole pass.

// Ends passes that are not over, so that nothing stays closed.
static void end_unfinished(struct mend_defrag_report *report)
{
  for (uint32_t slot = 0; slot < HANDLE_SLOTS; slot++) {
    struct handle_heap *heap = handle_heap_at(slot);
    if (heap == NULL || !os_lock_try(&heap->mover_lock)) continue;
    mover_end(heap, report);
    os_lock_release(&heap->mover_lock);
  }
}

INTERNAL enum mend_status defrag_pass(struct mend_defrag_report *report)
{
  if (!scope_end_implicit()) return MEND_BUSY;
  report->before = fragmentation_of(NULL);
  uint64_t start = os_clock_ns();
  end_unfinished(report);  // what steps have begun was planned for what there was then
  struct allowance allowance = allowance_of(NULL, PASS_GRACE_NS);
  uint32_t slot = 0;
  enum mend_status status = step_all(&slot, &allowance, report);
  if (status != MEND_OK) end_unfinished(report);
  uint64_t middle = os_clock_ns();
  (void)upkeep_collect(true);
  (void)chunk_purge(0);
  uint64_t end = os_clock_ns();
  report->return_ns += end - middle;
  report->nanoseconds = end - start;
  report->after = fragmentation_of(NULL);
  return status;
}

INTERNAL enum mend_status defrag_plan(struct mend_defrag_report *report)
{
  struct plan *plan = metadata_allocate(sizeof *plan);
  if (plan == NULL) return MEND_NO_MEMORY;
  report->before = fragmentation_of(NULL);
  report->after = report->before;
  for (uint32_t slot = 0; slot < HANDLE_SLOTS; slot++) {
    struct handle_heap *heap = handle_heap_at(slot);
    if (heap == NULL) continue;
    plan_make(plan, heap);
    report->pages_examined += plan->pages;
    for (unsigned i = 0; i < SIZE_CLASS_COUNT; i++) {
      const struct class_plan *class = &plan->classes[i];
      size_t page_held = bits_align_up(class->capacity * size_class_bytes(i), os_page_bytes());
      report->objects_moved += class->objects;
      report->bytes_moved += class->objects * size_class_bytes(i);
      report->pages_emptied += class->emptied;
      report->bytes_freed += class->emptied * page_held;
    }
  }
  metadata_free(plan, sizeof *plan);
  struct mend_fragmentation *after = &report->after;
  size_t freed = bits_smaller(report->bytes_freed, after->free_bytes + after->rest_bytes);
  after->resident_bytes -= freed;
  after->free_bytes -= bits_smaller(freed, after->free_bytes);
  fragmentation_finish(after);
  return MEND_OK;
}

INTERNAL void defrag_stir(void)
{
  struct mend_defrag_report report = {.bytes = sizeof report};
  for (uint32_t slot = 0; slot < HANDLE_SLOTS; slot++) {
    struct handle_heap *heap = handle_heap_at(slot);
    if (heap == NULL || !os_lock_try(&heap->mover_lock)) continue;
    if (mover_begin_anywhere(heap, &heap->stirred, STIRRED_OBJECTS)) {
      (void)mover_move(heap, STIRRED_OBJECTS, SIZE_MAX, 0, &report);
      mover_end(heap, &report);
    }
    os_lock_release(&heap->mover_lock);
  }
}

// ---------------------------------------------------------------------------------------------
// In the background.

enum background_state { NOT_RUNNING, RUNNING, TO_STOP };

static struct {
  struct os_lock lock;  // taken to start and stop
  struct mend_defrag_options options;
  _Atomic(uint32_t) state;  // enum background_state
} in_background;

static bool is_told_to_stop(void)
{
  return atomic_load(&in_background.state) != RUNNING;
}

static void rest(uint64_t nanoseconds)
{
  while (nanoseconds > 0 && !is_told_to_stop()) {
    uint64_t part = nanoseconds < 10000000 ? nanoseconds : 10000000;
    os_sleep_us((uint32_t)(part / 1000) + 1);
    nanoseconds -= part;
  }
}

// How long to rest after so much work, for the share of the processor to be as agreed.
static uint64_t rest_after(uint64_t work_ns)
{
  return work_ns * (100 - in_background.options.cpu_percent) / in_background.options.cpu_percent;
}

static bool is_worth_a_pass(void)
{
  struct mend_fragmentation now = fragmentation_of_blocks();
  size_t waste = now.resident_bytes - bits_smaller(now.resident_bytes, now.block_bytes);
  return now.external > in_background.options.start_external &&
         waste >= in_background.options.start_bytes;
}

// Steps of half a millisecond of work, each followed by so long a rest that the share of the
// processor is as agreed, until the pass is over or nothing can be done. While scopes are in the
// way they are waited for longer and longer.
static void pass_slowly(void)
{
  enum mend_status status = MEND_PARTIAL;
  struct mend_defrag_report report = {.bytes = sizeof report};
  for (unsigned blocked = 0; !is_told_to_stop() && blocked < BLOCKED_STEPS;) {
    uint64_t grace_ns = STEP_GRACE_NS << bits_smaller(blocked, 4);
    const struct mend_defrag_budget budget = {.nanoseconds = SLOW_STEP_NS + grace_ns,
                                              .grace_ns = grace_ns};
    report = (struct mend_defrag_report){.bytes = sizeof report};
    status = defrag_step(NULL, &budget, &report);
    if (status != MEND_PARTIAL && status != MEND_BLOCKED) break;
    blocked = status == MEND_BLOCKED ? blocked + 1 : 0;
    rest(rest_after(report.nanoseconds - bits_smaller(report.grace_ns, report.nanoseconds)));
  }
  if (status != MEND_OK) end_unfinished(&report);
  (void)chunk_purge(0);
}

static void *run_background(void *unused)
{
  (void)unused;
  while (!is_told_to_stop()) {
    uint64_t start = os_clock_ns();
    if (is_worth_a_pass()) pass_slowly();
    uint64_t look_ns = os_clock_ns() - start;
    rest((uint64_t)in_background.options.interval_ms * 1000000 + rest_after(look_ns));
  }
  atomic_store(&in_background.state, NOT_RUNNING);
  return NULL;
}

INTERNAL enum mend_status defrag_start(struct mend_defrag_options chosen)
{
  enum mend_status status = MEND_BUSY;
  os_lock_acquire(&in_background.lock);
  if (atomic_load(&in_background.state) == NOT_RUNNING) {
    in_background.options = chosen;
    atomic_store(&in_background.state, RUNNING);
    status = os_thread_start(run_background) ? MEND_OK : MEND_NO_MEMORY;
    if (status != MEND_OK) atomic_store(&in_background.state, NOT_RUNNING);
  }
  os_lock_release(&in_background.lock);
  return status;
}

INTERNAL void defrag_stop(void)
{
  os_lock_acquire(&in_background.lock);
  uint32_t running = RUNNING;
  (void)atomic_compare_exchange_strong(&in_background.state, &running, TO_STOP);
  while (atomic_load(&in_background.state) != NOT_RUNNING) os_sleep_ms(1);
  os_lock_release(&in_background.lock);
}

INTERNAL void defrag_after_fork(void)
{
  (void)os_lock_take_from_strangers(&in_background.lock);
  atomic_store(&in_background.state, NOT_RUNNING);
}
