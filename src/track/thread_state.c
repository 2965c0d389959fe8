// SPDX-License-Identifier: MIT
#include "track/thread_state.h"

#include <errno.h>
#include <string.h>

#include "base/bits.h"
#include "os/code.h"
#include "track/tables.h"

enum { BATCH_SHIFT = 8, BATCH_THREADS = 1 << BATCH_SHIFT, BATCH_COUNT = 256 };

struct thread_name {
  _Atomic(uint32_t) kernel_number;  // 0: not yet filled in
  _Atomic(bool) has_ended;
  char name[OS_THREAD_NAME_BYTES];       // at first; terminated
  char last_name[OS_THREAD_NAME_BYTES];  // if it has ended
};

struct batch {
  struct thread_name threads[BATCH_THREADS];
};

INTERNAL _Atomic(struct thread_state *) thread_states[THREAD_STATES_MOST + 1];

static struct {
  _Atomic(uint32_t) places;              // up to which there are states, or will be
  _Atomic(void *) batches[BATCH_COUNT];  // of struct batch
  _Atomic(uint32_t) numbers;             // that were given
} threads;

// ---------------------------------------------------------------------------------------------
// Names.

static struct thread_name *name_of(uint32_t number)
{
  if (number == 0) return NULL;
  struct batch *batch =
      atomic_load_explicit(&threads.batches[(number - 1) >> BATCH_SHIFT], memory_order_acquire);
  return batch != NULL ? &batch->threads[(number - 1) % BATCH_THREADS] : NULL;
}

static uint32_t take_number(void)
{
  uint32_t before = atomic_load(&threads.numbers);
  do {
    if (before >= BATCH_COUNT * BATCH_THREADS) return 0;
    _Atomic(void *) *batch = &threads.batches[before >> BATCH_SHIFT];
    if (track_table_make(batch, sizeof(struct batch)) == NULL) return 0;
  } while (!atomic_compare_exchange_weak(&threads.numbers, &before, before + 1));
  return before + 1;
}

static void note_name(uint32_t number)
{
  struct thread_name *thread = name_of(number);
  if (thread == NULL) return;
  uint32_t kernel_number = os_thread_number();
  os_thread_name(kernel_number, thread->name);
  // release: who sees the number sees a name
  atomic_store_explicit(&thread->kernel_number, kernel_number, memory_order_release);
}

// The thread has ended, or is about to, and had this name.
static void note_end(struct thread_name *thread, const char *name)
{
  memcpy(thread->last_name, name, sizeof thread->last_name);
  // release: who sees it sees the name
  atomic_store_explicit(&thread->has_ended, true, memory_order_release);
}

INTERNAL uint32_t thread_state_kernel_number(uint32_t number)
{
  struct thread_name *thread = name_of(number);
  return thread != NULL ? atomic_load_explicit(&thread->kernel_number, memory_order_acquire) : 0;
}

INTERNAL void thread_state_each_thread(void (*visit)(uint32_t number, uint32_t kernel_number,
                                                     const char *name, void *argument),
                                       void *argument)
{
  uint32_t count = atomic_load(&threads.numbers);
  for (uint32_t number = 1; number <= count; number++) {
    uint32_t kernel_number = thread_state_kernel_number(number);
    if (kernel_number == 0) continue;
    struct thread_name *thread = name_of(number);
    char name[OS_THREAD_NAME_BYTES] = "";
    bool has_ended = atomic_load_explicit(&thread->has_ended, memory_order_acquire);
    if (!has_ended) os_thread_name(kernel_number, name);
    if (name[0] == '\0') memcpy(name, has_ended ? thread->last_name : thread->name, sizeof name);
    visit(number, kernel_number, name, argument);
  }
}

// ---------------------------------------------------------------------------------------------
// States.

// The state in a place from 1 on; NULL if there is none (yet).
static struct thread_state *state_at(uint32_t place)
{
  return atomic_load_explicit(&thread_states[place], memory_order_acquire);
}

static uint32_t places_end(void)
{
  return atomic_load(&threads.places) + 1;
}

static struct thread_state *take_unused(void)
{
  for (uint32_t place = 1; place < places_end(); place++) {
    struct thread_state *state = state_at(place);
    if (state == NULL || atomic_load(&state->is_taken)) continue;
    if (!atomic_exchange(&state->is_taken, 1U)) return state;
  }
  return NULL;
}

static uint16_t take_place(void)
{
  uint32_t before = atomic_load(&threads.places);
  do {
    if (before >= THREAD_STATES_MOST - 1) return PLACE_NONE;
  } while (!atomic_compare_exchange_weak(&threads.places, &before, before + 1));
  return (uint16_t)(before + 1);
}

static bool has_places(void)
{
  return places_end() < THREAD_STATES_MOST;
}

static struct thread_state *make_new(void)
{
  struct thread_state *state = has_places() ? track_table_allocate(sizeof *state) : NULL;
  if (state == NULL) return NULL;
  state->place = take_place();
  if (state->place == PLACE_NONE) return NULL;  // others were first: that is rare
  atomic_store(&state->is_taken, 1U);
  // release: pairs with state_at and thread_state_own
  atomic_store_explicit(&thread_states[state->place], state, memory_order_release);
  return state;
}

INTERNAL NOINLINE struct thread_state *thread_state_make(void)
{
  if (os_thread_notes.tracker == PLACE_ENDED) return NULL;
  int saved_errno = errno;
  os_thread_notes.tracker = PLACE_ENDED;  // for signal handlers meanwhile
  struct thread_state *state = take_unused();
  if (state == NULL) state = make_new();
  if (state != NULL) {
    state->bounds = (struct os_stack_bounds){0};
    state->is_inside = false;
    state->number = take_number();
    note_name(state->number);
    os_thread_watch();
  }
  if (state != NULL) {
    os_thread_notes.tracker = state->place;
  } else if (has_places()) {
    os_thread_notes.tracker = PLACE_NONE;  // there may be memory another time
  }
  errno = saved_errno;
  return state;
}

static void state_ends(void)
{
  struct thread_state *state = thread_state_own();
  os_thread_notes.tracker = PLACE_ENDED;
  if (state == NULL) return;
  struct thread_name *thread = name_of(state->number);
  if (thread != NULL) {
    char name[OS_THREAD_NAME_BYTES];
    os_thread_name(thread->kernel_number, name);
    note_end(thread, name);
  }
  atomic_store(&state->is_taken, 0U);
}

INTERNAL void thread_state_start(void)
{
  static bool is_started;
  if (is_started) return;
  is_started = true;
  (void)os_thread_on_exit(state_ends);  // without it states of ended threads are lost
}

// The other threads are no more; this one has another number.
INTERNAL void thread_state_after_fork(void)
{
  struct thread_state *own = thread_state_own();
  for (uint32_t place = 1; place < places_end(); place++) {
    struct thread_state *state = state_at(place);
    if (state == NULL) continue;
    if (state == own) {
      note_name(state->number);
    } else {
      struct thread_name *thread = name_of(state->number);
      if (thread != NULL && !thread->has_ended) note_end(thread, thread->name);
      if (state->is_inside) memset(state->walks, 0, sizeof state->walks);  // one may be half made
      atomic_store(&state->is_taken, 0U);
    }
  }
}

// ---------------------------------------------------------------------------------------------
// Walks.

static uint64_t count_of(uint64_t counted)
{
  return counted >> WALK_COUNT_SHIFT;
}

static uint64_t bytes_of(uint64_t counted)
{
  return counted & bits_low_mask(WALK_COUNT_SHIFT);
}

INTERNAL void thread_state_settle(struct thread_walk *walk)
{
  uint64_t counted = atomic_load_explicit(&walk->counted, memory_order_relaxed);
  if (counted == 0) return;
  site_add_exact(thread_walk_site(walk), count_of(counted), bytes_of(counted));
  atomic_store_explicit(&walk->counted, 0, memory_order_relaxed);
}

// Where code has neither rules nor frame pointers, what was taken for a frame may be data, and
// other data at each call: from the first address on that nothing can return to, the stack is not
// known. (That is found out once for each stack among the recent ones.)
INTERNAL uint32_t thread_state_site_of(const struct os_stack_trace *trace, bool *is_unsure)
{
  *is_unsure = false;
  if (trace->is_by_rules) return site_table_find(trace->addresses, trace->count);
  size_t credible = trace->count > 0;  // who has called the library
  enum os_code_answer answer = OS_CODE_FOUND;
  while (credible < trace->count && answer == OS_CODE_FOUND) {
    answer = os_code_ask(trace->addresses[credible]);
    if (answer == OS_CODE_FOUND) credible++;
  }
  *is_unsure = answer == OS_CODE_UNSURE;
  return site_table_find(trace->addresses, credible);
}

static uint32_t recent_site(struct thread_state *state, const struct os_stack_trace *trace,
                            bool *is_unsure)
{
  struct recent_stack *recent = &state->recent[trace->hash >> (64 - RECENT_SHIFT)];
  *is_unsure = false;
  if (recent->hash == trace->hash && recent->site != 0) return recent->site;
  uint32_t site = thread_state_site_of(trace, is_unsure);
  if (!*is_unsure) *recent = (struct recent_stack){trace->hash, site};
  return site;
}

// What may be known better the next time is not kept: neither the walk nor its hash.
INTERNAL void thread_state_find_site(struct thread_state *state, struct thread_walk *walk)
{
  bool is_unsure;
  uint32_t site = recent_site(state, &walk->trace, &is_unsure);
  thread_state_settle(walk);
  atomic_store_explicit(&walk->site, site, memory_order_relaxed);
  walk->hash = is_unsure || site == 0 ? 0 : walk->trace.hash;
  if (UNLIKELY(walk->hash == 0)) walk->trace.first = 0;
}

// The place of a set that comes after the last one.
static size_t next_of(const struct thread_walk *walks, const struct thread_walk *last)
{
  return last != NULL ? (size_t)(last - walks + 1) % WALKS_OF_SET : 0;
}

INTERNAL NOINLINE struct thread_walk *thread_state_walk(struct thread_state *state, uintptr_t frame,
                                                        bool is_free)
{
  size_t set = thread_state_set(frame);
  struct thread_walk *walks = state->walks[is_free][set];
  struct thread_walk **last = &state->last[is_free][set];
  struct thread_walk *walk = &walks[next_of(walks, *last)];
  for (size_t i = 0; i < WALKS_OF_SET; i++) {
    if (!thread_state_knows(state, &walks[i], frame)) continue;
    *last = &walks[i];
    return *last;
  }
  os_stack_walk(&state->bounds, &walk->trace, frame, is_free ? SITE_FREE_DEPTH : SITE_DEPTH);
  if (walk->hash != walk->trace.hash) thread_state_find_site(state, walk);
  *last = walk;
  return walk;
}

static void visit_set(struct thread_walk *walks,
                      void (*visit)(uint32_t site, uint64_t count, uint64_t bytes, void *argument),
                      void *argument)
{
  for (size_t i = 0; i < WALKS_OF_SET; i++) {
    uint32_t site = thread_walk_site(&walks[i]);
    uint64_t counted = atomic_load_explicit(&walks[i].counted, memory_order_relaxed);
    if (site != 0 && counted != 0) visit(site, count_of(counted), bytes_of(counted), argument);
  }
}

INTERNAL void thread_state_each_count(void (*visit)(uint32_t site, uint64_t count, uint64_t bytes,
                                                    void *argument),
                                      void *argument)
{
  for (uint32_t place = 1; place < places_end(); place++) {
    struct thread_state *state = state_at(place);
    for (size_t i = 0; state != NULL && i < WALK_SETS; i++) {
      visit_set(state->walks[false][i], visit, argument);
    }
  }
}
