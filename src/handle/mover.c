// SPDX-License-Identifier: MIT
#include "handle/mover.h"

#include <string.h>

#include "base/annotate.h"
#include "base/options.h"
#include "core/metadata.h"
#include "handle/object.h"
#include "handle/info.h"
#include "os/system.h"
#include "track/tracker.h"

#define POISON 0xDB

static bool is_strict(void)
{
  return HAS_THREAD_SANITIZER || ANNOTATE_ACTIVE || options.handle_strict;
}

// ---------------------------------------------------------------------------------------------
// The pass.

static_assert(sizeof(struct mover) <= 128 << 10, "metadata comes in powers of two");

static struct mover *make_mover(void)
{
  struct mover *mover = metadata_allocate(sizeof *mover);
  if (mover == NULL) return NULL;
  evacuation_init(&mover->evacuation);
  return mover;
}

// The heap's mover, about to begin.
static struct mover *ready_mover(struct handle_heap *heap)
{
  if (heap->mover == NULL) heap->mover = make_mover();
  if (heap->mover == NULL) return NULL;
  evacuation_open_strays(heap);
  heap->mover->vetoed_count = 0;
  heap->mover->next_index = 0;
  heap->mover->end_index = atomic_load(&heap->table.space->count);
  return heap->mover;
}

INTERNAL bool mover_begin(struct handle_heap *heap, struct mend_defrag_report *report)
{
  if (heap->mover != NULL && heap->mover->round > 0) return true;
  struct mover *mover = ready_mover(heap);
  struct plan *plan = mover != NULL ? metadata_allocate(sizeof *plan) : NULL;
  if (plan == NULL) return false;
  mover->round = 1;
  deferred_flush(heap);
  plan_make(plan, heap);
  report->pages_examined += plan->pages;
  plan_close_pages(plan, heap, &mover->evacuation);
  metadata_free(plan, sizeof *plan);
  if (list_is_empty(&mover->evacuation.sources)) mover->end_index = 0;  // nothing to look for
  return true;
}

// Closes the page of an object that can move, if it is not closed already. Whether it is that page
// is looked at inside of the lane, where no page can be given back.
static void close_page_of(struct handle_heap *heap, struct mover *mover, uint32_t index)
{
  _Atomic(uint64_t) *entry = handle_table_entry(&heap->table, index);
  uint64_t value = entry_load(entry);
  if (entry_state(value) != ENTRY_LIVE) return;
  struct page *page = page_of_block(entry_block(value));
  if (entry_load(entry) != value) return;  // it may not have been a page any more
  struct heap *blocks = page_heap(page);
  for (uint32_t i = 0; i < HANDLE_LANES; i++) {
    struct lane *lane = atomic_load_explicit(&heap->lanes[i], memory_order_acquire);
    if (lane == NULL || &lane->blocks != blocks) continue;
    heap_enter(blocks);
    if (entry_load(entry) == value && page_heap(page) == blocks && page_kind(page) == PAGE_BITMAP &&
        (page->flags & PAGE_IS_CLOSED) == 0) {
      heap_close_page(blocks, page);
      evacuation_add(&mover->evacuation, page);
    }
    heap_leave(blocks);
  }
}

INTERNAL bool mover_begin_anywhere(struct handle_heap *heap, uint32_t *index, uint32_t count)
{
  if (heap->mover != NULL && heap->mover->round > 0) return false;
  struct mover *mover = ready_mover(heap);
  if (mover == NULL || mover->end_index == 0) return false;
  mover->round = MOVER_ROUNDS;
  if (*index >= mover->end_index) *index = 0;
  mover->next_index = *index;
  mover->end_index = (uint32_t)bits_smaller(mover->end_index, (size_t)*index + count);
  for (; *index < mover->end_index; (*index)++) close_page_of(heap, mover, *index);
  return true;
}

INTERNAL void mover_end(struct handle_heap *heap, struct mend_defrag_report *report)
{
  struct mover *mover = heap->mover;
  if (mover == NULL) return;
  evacuation_end(&mover->evacuation, report);
  mover->round = 0;
  if (mover->evacuation.quarantined > 0) return;
  heap->mover = NULL;
  metadata_free(mover, sizeof *mover);
}

INTERNAL void mover_destroy(struct handle_heap *heap)
{
  struct mend_defrag_report unused = {.bytes = sizeof unused};
  struct mover *mover = heap->mover;
  if (mover == NULL) return;
  evacuation_end(&mover->evacuation, &unused);
  evacuation_end_quarantine(&mover->evacuation);
  heap->mover = NULL;
  metadata_free(mover, sizeof *mover);
}

// ---------------------------------------------------------------------------------------------
// Gathering and announcing.

static void add_move(struct mover *mover, uint32_t index)
{
  mover->moves[mover->move_count] = (struct move){.index = index};
  mover->move_count++;
}

// Whether the entry seems to be that of an object in a source. (It is looked at again.)
static bool is_candidate(uint64_t value)
{
  if (entry_state(value) == ENTRY_FREE) return false;
  struct page *slice = page_of_units(page_units(entry_block(value)));
  return atomic_load_explicit(&slice->is_source, memory_order_relaxed);
}

// About how much the object of an entry holds.
static size_t gathered_bytes(struct handle_heap *heap, uint32_t index)
{
  uint32_t info = info_load(handle_table_info(&heap->table, index));
  return info_class(info) < SIZE_CLASS_COUNT ? size_class_bytes(info_class(info)) : 0;
}

// Gathers from the table.
static void scan(struct handle_heap *heap, struct mover *mover, size_t objects, size_t bytes)
{
  enum { AHEAD = 16 };
  size_t gathered = 0;
  uint32_t end = (uint32_t)bits_smaller(mover->end_index, (size_t)mover->next_index + MOVER_SCAN);
  for (; mover->next_index < end; mover->next_index++) {
    if (mover->move_count == objects || gathered >= bytes) return;
    _Atomic(uint64_t) *entry = handle_table_entry(&heap->table, mover->next_index);
    if (mover->next_index + AHEAD < end) {
      uint64_t later = atomic_load_explicit(entry + AHEAD, memory_order_relaxed);
      if (entry_state(later) != ENTRY_FREE) {
        __builtin_prefetch((void *)&page_of_units(page_units(entry_block(later)))->is_source);
      }
    }
    if (!is_candidate(atomic_load_explicit(entry, memory_order_relaxed))) continue;
    gathered += gathered_bytes(heap, mover->next_index);
    add_move(mover, mover->next_index);
  }
}

static void gather(struct handle_heap *heap, struct mover *mover, size_t objects, size_t bytes)
{
  objects = bits_smaller(objects, MOVER_BATCH);
  mover->move_count = 0;
  if (mover->next_index < mover->end_index) {
    scan(heap, mover, objects, bits_smaller(bytes, MOVER_BATCH_BYTES));
  } else {
    size_t gathered = 0;
    bytes = bits_smaller(bytes, MOVER_BATCH_BYTES);
    while (mover->move_count < objects && gathered < bytes && mover->retry_count > 0) {
      uint32_t index = mover->retries[--mover->retry_count];
      gathered += gathered_bytes(heap, index);
      add_move(mover, index);
    }
  }
}

// Where the object is. Certain from when it has been announced on: nothing closed is given back.
static struct page *source_of(const struct move *move)
{
  return page_of_block(move->from);
}

static void call_off(struct handle_heap *heap, const struct move *move)
{
  uint64_t announced = move->announced;
  (void)entry_exchange(handle_table_entry(&heap->table, move->index), &announced,
                       entry_with_state(announced, ENTRY_LIVE));
}

// Whether the page of an object that is MOVING is a source of this mover. (One that a fork has left
// behind may have marked pages of a lane that is given up: they stay closed for ever.)
static bool is_source(const struct move *move)
{
  struct page *page = source_of(move);
  return heap_page_has_objects(page) && is_candidate(move->announced) &&
         !page_heap(page)->is_given_up;
}

// Makes an entry MOVING if its object is in a source and not pinned. Once it is, the page is
// certain: nothing that is closed is given back.
static bool announce(struct handle_heap *heap, struct move *move, struct mend_defrag_report *report)
{
  _Atomic(uint64_t) *entry = handle_table_entry(&heap->table, move->index);
  uint64_t seen = entry_load(entry);
  if (entry_state(seen) == ENTRY_COPYING || !is_candidate(seen)) return false;
  if ((info_load(handle_table_info(&heap->table, move->index)) & INFO_PINNED) != 0) {
    report->pinned++;
    return false;
  }
  move->announced = entry_with_state(seen, ENTRY_MOVING);
  if (!entry_exchange(entry, &seen, move->announced)) return false;
  move->from = entry_block(move->announced);
  if (is_source(move)) return true;
  call_off(heap, move);
  return false;
}

// Announces all, and chains those that go on by class.
static void announce_all(struct handle_heap *heap, struct mover *mover,
                         struct mend_defrag_report *report)
{
  uint32_t count = 0;
  for (uint32_t i = 0; i < mover->move_count; i++) {
    if (announce(heap, &mover->moves[i], report)) mover->moves[count++] = mover->moves[i];
  }
  mover->move_count = count;
  memset(mover->first_of_class, 0, sizeof mover->first_of_class);
  for (uint32_t i = count; i-- > 0;) {
    uint32_t *first = &mover->first_of_class[source_of(&mover->moves[i])->size_class];
    mover->moves[i].next = *first;
    *first = i + 1;
  }
}

// ---------------------------------------------------------------------------------------------
// Targets.

// Takes up to `count` blocks of a class from the lane that the caller is inside of, which it
// leaves; says how many there were.
static uint32_t take_from_lane(struct lane *lane, uint32_t size_class, void **blocks,
                               uint32_t count)
{
  uint32_t taken = heap_take_many(&lane->blocks, size_class, blocks, count);
  lane_leave(lane);
  return taken;
}

// The same from whichever lane has free blocks, else from a new page.
static uint32_t take_targets(struct handle_heap *heap, uint32_t size_class, void **blocks,
                             uint32_t count)
{
  STEP(STEP_TAKE_TARGET);
  for (uint32_t i = 0; i < HANDLE_LANES; i++) {
    struct lane *lane = atomic_load_explicit(&heap->lanes[i], memory_order_acquire);
    if (lane == NULL || !heap_may_have(&lane->blocks, size_class)) continue;
    if (heap_try_enter(&lane->blocks)) return take_from_lane(lane, size_class, blocks, count);
  }
  struct lane *lane = lane_enter(heap, false);
  return lane != NULL ? take_from_lane(lane, size_class, blocks, count) : 0;
}

// ---------------------------------------------------------------------------------------------
// Copying and committing.

static struct object_type type_of(const struct move *move)
{
  return object_type_of(info_type(move->info));
}

static void copy(const struct move *move)
{
  struct page *page = source_of(move);
  size_t block_bytes = page->block_bytes;
  // While an object is being resized its info may be of another block: then the move fails.
  size_t bytes = bits_smaller(info_object_bytes(move->info, page), block_bytes);
  STEP(STEP_COPY);
  annotate_object_resize(move->to, block_bytes, bytes, block_bytes);
  transfer_object(type_of(move), move->to, move->from, bytes);
}

// Copies the object, unless it is pinned, or its move has been called off.
static void begin_move(struct handle_heap *heap, struct move *move,
                       struct mend_defrag_report *report)
{
  size_t block_bytes = source_of(move)->block_bytes;
  annotate_object_allocate(move->to, block_bytes, block_bytes, false);
  // An info changes after its entry only (info.h). So if the entry is as announced, the info is the
  // object's, and the type's function gets what it expects.
  move->info = info_load(handle_table_info(&heap->table, move->index));
  move->is_going = entry_load(handle_table_entry(&heap->table, move->index)) == move->announced;
  if (!move->is_going) return;
  bool has_mover = type_of(move).move != NULL;
  if ((move->info & INFO_PINNED) != 0 || (has_mover && transfer_is_barred())) {
    call_off(heap, move);
    report->pinned++;
    move->is_going = false;
    move->announced = 0;  // what becomes of the entry is nobody's veto
    return;
  }
  move->is_exclusive = is_strict() || has_mover;
  if (!move->is_exclusive) copy(move);
}

// Makes the entry point to the copy. False if the move has been called off.
static bool commit(_Atomic(uint64_t) *entry, const struct move *move)
{
  uint64_t announced = move->announced;
  uint64_t moved = entry_make(move->to, entry_generation(announced), ENTRY_LIVE);
  if (!move->is_exclusive) return entry_exchange(entry, &announced, moved);
  if (!entry_exchange(entry, &announced, entry_with_state(announced, ENTRY_COPYING))) return false;
  bool is_moved_by_type = type_of(move).move != NULL;
  if (is_moved_by_type) transfer_begin();
  copy(move);
  entry_publish(entry, moved);
  if (is_moved_by_type) transfer_end();
  return true;
}

// The same with what is known of the object. That is at both places until the exchange has decided,
// so that whoever frees the object finds it: a profile that is written meanwhile may count it twice
// (or not at all, as it looks at one page after the other).
static bool commit_known(_Atomic(uint64_t) *entry, const struct move *move)
{
  struct page *page = source_of(move);
  if (LIKELY(!page_is_tracked(page))) return commit(entry, move);
  struct page *to_page = page_of_block(move->to);
  tracker_copy(page, move->from, to_page, move->to);
  bool is_moved = commit(entry, move);
  if (is_moved) {
    tracker_withdraw(page, move->from);
  } else {
    tracker_withdraw(to_page, move->to);
  }
  return is_moved;
}

// The old block of an object that has moved.
static void leave_block(struct mover *mover, const struct move *move, size_t bytes)
{
  STEP(STEP_FREE_BLOCK);
  struct page *page = source_of(move);
  if (options.handle_poison) memset(move->from, POISON, bytes);
  annotate_object_free(move->from, page->block_bytes);
  if (page_bitmap_free(page, page_block_index(page, move->from)) != FREED_LAST_BLOCK) return;
  evacuation_note_emptied(&mover->evacuation, page);
}

// An object whose move was called off is tried again in the next round.
static void try_again(struct mover *mover, uint32_t index)
{
  if (mover->vetoed_count < MOVER_RETRIES) mover->vetoed[mover->vetoed_count++] = index;
}

static bool is_same_object(uint64_t entry, uint64_t announced)
{
  return entry_with_state(entry, ENTRY_MOVING) == announced && entry_state(entry) != ENTRY_FREE;
}

// The object is in its new block from now on, or that is given back.
static void end_move(struct handle_heap *heap, const struct move *move,
                     struct mend_defrag_report *report)
{
  _Atomic(uint64_t) *entry = handle_table_entry(&heap->table, move->index);
  if (move->is_going && commit_known(entry, move)) {
    size_t bytes = info_object_bytes(move->info, source_of(move));
    leave_block(heap->mover, move, bytes);
    report->objects_moved++;
    report->bytes_moved += bytes;
    return;
  }
  if (is_same_object(entry_load(entry), move->announced)) {
    report->vetoed++;
    try_again(heap->mover, move->index);
  }
  object_free_block(move->to);
}

// Up to MOVER_TARGETS moves of a class, after the grace period; *next (+ 1) is advanced. False if
// there is no memory to move to. A commit waits until all that was stored before it has reached the
// cache: so all are copied first.
static bool finish_some(struct handle_heap *heap, uint32_t size_class, uint32_t *next,
                        struct mend_defrag_report *report)
{
  void *targets[MOVER_TARGETS];
  struct move *moves = heap->mover->moves;
  uint32_t wanted = 0;
  for (uint32_t at = *next; at != 0 && wanted < MOVER_TARGETS; at = moves[at - 1].next) wanted++;
  uint32_t count = take_targets(heap, size_class, targets, wanted);
  uint32_t at = *next;
  for (uint32_t i = 0; i < count; i++) {
    moves[at - 1].to = targets[i];
    begin_move(heap, &moves[at - 1], report);
    at = moves[at - 1].next;
  }
  for (; *next != at; *next = moves[*next - 1].next) end_move(heap, &moves[*next - 1], report);
  return count > 0;
}

static bool finish_all(struct handle_heap *heap, struct mend_defrag_report *report)
{
  bool has_memory = true;
  for (uint32_t i = 0; i < SIZE_CLASS_COUNT; i++) {
    uint32_t next = heap->mover->first_of_class[i];
    while (next != 0 && has_memory) has_memory = finish_some(heap, i, &next, report);
    for (; next != 0; next = heap->mover->moves[next - 1].next) {
      call_off(heap, &heap->mover->moves[next - 1]);
    }
  }
  return has_memory;
}

// ---------------------------------------------------------------------------------------------
// A batch.

// Objects whose moves were called off are tried again, as often as that is worth it. False if there
// are none, or no more.
static bool start_round(struct mover *mover)
{
  if (mover->vetoed_count == 0 || mover->round >= MOVER_ROUNDS) return false;
  memcpy(mover->retries, mover->vetoed, mover->vetoed_count * sizeof mover->vetoed[0]);
  mover->retry_count = mover->vetoed_count;
  mover->vetoed_count = 0;
  mover->round++;
  return true;
}

// False if open scopes were in the way until the time was up.
static bool wait_for_scopes(uint64_t grace_ns, struct mend_defrag_report *report)
{
  uint64_t start = os_clock_ns();
  uint64_t epoch = scope_advance();
  bool is_past = scope_wait(epoch, os_deadline_ns(grace_ns));
  report->grace_ns += os_clock_ns() - start;
  if (!is_past) {
    report->blocker_count = scope_blockers(epoch, report->blockers, MEND_BLOCKERS_MAX);
  }
  return is_past;
}

static void call_all_off(struct handle_heap *heap)
{
  struct mover *mover = heap->mover;
  for (uint32_t i = 0; i < mover->move_count; i++) {
    call_off(heap, &mover->moves[i]);
    try_again(mover, mover->moves[i].index);
  }
}

INTERNAL enum mend_status mover_move(struct handle_heap *heap, size_t objects, size_t bytes,
                                     uint64_t grace_ns, struct mend_defrag_report *report)
{
  struct mover *mover = heap->mover;
  enum mend_status status = MEND_OK;
  gather(heap, mover, objects, bytes);
  announce_all(heap, mover, report);
  if (mover->move_count > 0) {
    if (!wait_for_scopes(grace_ns, report)) {
      call_all_off(heap);
      status = MEND_BLOCKED;
    } else if (!finish_all(heap, report)) {
      status = MEND_NO_MEMORY;
    }
  }
  mover->move_count = 0;
  evacuation_release_emptied(&mover->evacuation, report);
  if (status != MEND_OK) return status;
  bool is_round_over = mover->next_index >= mover->end_index && mover->retry_count == 0;
  return is_round_over && !start_round(mover) ? MEND_OK : MEND_PARTIAL;
}

// ---------------------------------------------------------------------------------------------

INTERNAL void mover_after_fork(struct handle_heap *heap)
{
  if (!os_lock_take_from_strangers(&heap->mover_lock)) return;
  handle_table_forget_sweep(&heap->table);
  if (heap->mover == NULL) return;
  for (uint32_t i = 0; i < heap->mover->move_count; i++) {
    const struct move *move = &heap->mover->moves[i];
    _Atomic(uint64_t) *entry = handle_table_entry(&heap->table, move->index);
    uint64_t seen = entry_load(entry);
    bool is_moving = entry_state(seen) == ENTRY_MOVING || entry_state(seen) == ENTRY_COPYING;
    if (is_moving) atomic_store(entry, entry_with_state(seen, ENTRY_LIVE));
  }
  // Its lists may be in the middle of a change. Blocks taken to move to, at most MOVER_TARGETS, are
  // lost; the pages that it had closed are opened by the next pass.
  heap->mover = NULL;
  heap->has_stray_pages = true;
}
