// SPDX-License-Identifier: MIT
//
// Runs the code of the relocation protocol in every order that a few threads can have it run in.
//
// The library's STEPs (handle/step.h) are where one thread may stop and another go on. Only one
// runs at a time; a schedule is the list of who went on at each step. All schedules with at most
// PREEMPTIONS switches away from a thread that could have gone on are run, depth first, each from
// the start: the same choices lead to the same place again. (The method is CHESS's: Musuvathi and
// Qadeer, "Iterative context bounding", PLDI 2007.) A thread that waits for scopes to close goes on
// when another has made a step; who holds a lock is not stopped.
//
// Each scenario says what its threads do and what must be true in the end; what they may touch is
// checked where they touch it.
#include <pthread.h>
#include <semaphore.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/options.h"
#include "handle/fragmentation.h"
#include "handle/mover.h"
#include "handle/object.h"
#include "../support/support.h"

enum { AGENTS = 3, POINTS_MAX = 4000 };

#define GRACE_NS UINT64_C(10000000000)

static unsigned preemptions_allowed = 3;

// ---------------------------------------------------------------------------------------------
// The scheduler.

struct agent {
  void (*body)(void);  // NULL: has nothing to do in this scenario
  sem_t may_run;
  bool is_running;  // has begun and not ended
  bool is_waiting;  // for a step of somebody else
};

// A moment at which there was a choice.
struct point {
  unsigned char chosen;
  unsigned char untried;  // a bit an agent
};

static struct agent agents[AGENTS];
static sem_t schedule_is_over;
static struct point points[POINTS_MAX];
static unsigned point_count;      // known from the schedule before
static unsigned next_point;       // in this schedule
static unsigned preemptions;      // in this schedule
static unsigned long steps_made;  // in all
static unsigned long objects_moved;
static unsigned long moves_called_off;
static _Thread_local int self = -1;

static unsigned runnable(void)
{
  unsigned bits = 0;
  for (unsigned i = 0; i < AGENTS; i++) {
    if (agents[i].is_running) bits |= 1U << i;
  }
  return bits;
}

static unsigned waiting(void)
{
  unsigned bits = 0;
  for (unsigned i = 0; i < AGENTS; i++) {
    if (agents[i].is_waiting) bits |= 1U << i;
  }
  return bits;
}

static bool may_go_on(void)
{
  return self >= 0 && agents[self].is_running && !agents[self].is_waiting;
}

// Who may go on now. Agents that wait are let go on only if nobody else can.
static unsigned options_now(void)
{
  unsigned all = runnable();
  if (may_go_on() && preemptions >= preemptions_allowed) return 1U << self;
  unsigned ready = all & ~waiting();
  return ready != 0 ? ready : all;
}

// The first of the options to try: whoever is running, if that is one.
static unsigned first_of(unsigned may)
{
  if (self >= 0 && (may >> self & 1) != 0) return (unsigned)self;
  return (unsigned)__builtin_ctz(may);
}

static unsigned choose(void)
{
  unsigned may = options_now();
  if ((may & (may - 1)) == 0) return first_of(may);
  if (next_point == point_count) {
    CHECK(point_count < POINTS_MAX);
    unsigned first = first_of(may);
    points[point_count++] =
        (struct point){(unsigned char)first, (unsigned char)(may & ~(1U << first))};
  }
  unsigned chosen = points[next_point++].chosen;
  CHECK((may >> chosen & 1) != 0);  // else a schedule cannot be repeated
  if (may_go_on() && chosen != (unsigned)self) preemptions++;
  return chosen;
}

static void stop_waiting(void)
{
  for (int i = 0; i < AGENTS; i++) {
    if (i != self) agents[i].is_waiting = false;
  }
}

static bool holds_a_lock(void)
{
  struct handle_heap *heap = handle_heap_at(0);
  if (os_lock_is_mine(&heap->pins.lock) || os_lock_is_mine(&heap->deferred.lock)) return true;
  for (unsigned i = 0; i < HANDLE_ALL_LANES; i++) {
    struct lane *lane = atomic_load(&heap->lanes[i]);
    if (lane != NULL && os_lock_is_mine(&lane->blocks.gate.lock)) return true;
  }
  return false;
}

// Whether what comes after the step can let somebody else go on.
static bool is_change(enum step step)
{
  return step != STEP_ENTRY_LOAD && step != STEP_INFO_LOAD && step != STEP_GRACE_SCAN &&
         step != STEP_GRACE_WAIT && step != STEP_COPY_WAIT;
}

static void on_step(enum step step)
{
  if (self < 0 || holds_a_lock()) return;
  struct agent *agent = &agents[self];
  steps_made++;
  if (is_change(step)) stop_waiting();
  agent->is_waiting = step == STEP_GRACE_WAIT || step == STEP_COPY_WAIT;
  unsigned next = choose();
  if (next != (unsigned)self) {
    sem_post(&agents[next].may_run);
    sem_wait(&agent->may_run);
  }
  agent->is_waiting = false;
}

// A step of the scenario's own.
static void pause_here(void)
{
  on_step(STEP_COUNT);
}

static void *live(void *number)
{
  self = (int)(size_t)number;
  for (struct agent *agent = &agents[self];;) {
    sem_wait(&agent->may_run);
    if (agent->body == NULL) return NULL;
    agent->body();
    mend_quiescent();
    stop_waiting();
    agent->is_running = false;
    sem_post(runnable() == 0 ? &schedule_is_over : &agents[choose()].may_run);
  }
}

static void run_schedule(void)
{
  next_point = 0;
  preemptions = 0;
  sem_post(&agents[choose()].may_run);
  sem_wait(&schedule_is_over);
}

// Readies the next schedule: the same up to the last choice that has something untried. False if
// there is none.
static bool advance(void)
{
  for (; point_count > 0; point_count--) {
    struct point *last = &points[point_count - 1];
    if (last->untried == 0) continue;
    last->chosen = (unsigned char)__builtin_ctz(last->untried);
    last->untried &= (unsigned char)(last->untried - 1);
    return true;
  }
  return false;
}

// ---------------------------------------------------------------------------------------------
// What the scenarios are made of: an object of two words that are equal whenever nobody writes, and
// the number of writes.

struct pair {
  uint64_t first;
  uint64_t second;
};

static mend_handle object;
static _Atomic(uint64_t) writes;
static mend_type pair_type;

// A copy in two steps: so what the program writes can come between.
static void copy_slowly(void *to, const void *from, size_t size, void *unused)
{
  (void)size, (void)unused;
  const struct pair *old = from;
  struct pair *new = to;
  new->first = old->first;
  pause_here();
  new->second = old->second;
}

// The same of a type that moves its objects itself: what is left behind is of no use.
static void move_slowly(void *to, void *from, size_t size, void *unused)
{
  struct pair *old = from;
  copy_slowly(to, from, size, unused);
  pause_here();
  old->first = UINT64_MAX;
  old->second = 0;
}

static void *address_of(mend_handle handle)
{
  return entry_block(atomic_load(handle_entry(handle.bits)));
}

// Writes to the object by an address that must be its address all the while.
static void write_slowly(struct pair *pair)
{
  pair->first++;
  pause_here();
  CHECK(address_of(object) == (void *)pair);
  pair->second++;
  CHECK(pair->first == pair->second);
  atomic_fetch_add(&writes, 1);
}

static mend_handle make_pair(void)
{
  mend_handle handle =
      mend_handle_heap_alloc(NULL, sizeof(struct pair), MEND_ALLOC_ZEROED, pair_type);
  CHECK(!mend_handle_is_null(handle));
  return handle;
}

static void move_objects(void)
{
  struct mend_defrag_report report = {.bytes = sizeof report};
  struct handle_heap *heap = handle_heap_at(0);
  uint32_t index = handle_index(object.bits);
  if (!os_lock_try(&heap->mover_lock)) return;  // another one is at it
  if (mover_begin_anywhere(heap, &index, 1)) {
    while (mover_move(heap, SIZE_MAX, SIZE_MAX, GRACE_NS, &report) == MEND_PARTIAL) continue;
    mover_end(heap, &report);
  }
  objects_moved += report.objects_moved;
  moves_called_off += report.vetoed;
  os_lock_release(&heap->mover_lock);
}

static void write_in_scope(void)
{
  mend_scope_enter();
  write_slowly(mend_resolve(object));
  mend_scope_leave();
}

static void write_twice_in_scopes(void)
{
  write_in_scope();
  write_in_scope();
}

static void write_in_implicit_scopes(void)
{
  write_slowly(mend_resolve(object));
  mend_quiescent();
  write_slowly(mend_resolve(object));
}

static void write_pinned(void)
{
  struct pair *pair = mend_pin(object);
  CHECK(pair != NULL);
  write_slowly(pair);
  pause_here();
  write_slowly(pair);
  CHECK(mend_unpin(object) == MEND_OK);
}

static void check_pair(void)
{
  const struct pair *pair = mend_resolve(object);
  CHECK(pair != NULL && pair->first == pair->second && pair->first == atomic_load(&writes));
  CHECK(mend_handle_size(object) == sizeof *pair);
  CHECK(mend_handle_free(object) == MEND_OK);
}

// ---------------------------------------------------------------------------------------------
// Freeing.

static mend_handle successor;

// Frees the object and makes another, which may get its block, and its entry.
static void free_and_make(void)
{
  CHECK(mend_handle_free(object) == MEND_OK);
  CHECK(mend_resolve(object) == NULL);
  mend_quiescent();
  successor = make_pair();
  pause_here();
  struct pair *pair = mend_resolve(successor);
  CHECK(pair->first == 0 && pair->second == 0);
  pair->first = 7;
  pair->second = 7;
}

static void check_successor(void)
{
  CHECK(mend_handle_free(object) == MEND_STALE);
  const struct pair *pair = mend_resolve(successor);
  CHECK(pair != NULL && pair->first == 7 && pair->second == 7);
  CHECK(mend_handle_free(successor) == MEND_OK);
}

static _Atomic(int) frees;

static void free_once(void)
{
  if (mend_handle_free(object) == MEND_OK) atomic_fetch_add(&frees, 1);
}

static void check_freed_once(void)
{
  CHECK(atomic_exchange(&frees, 0) == 1);
}

static void free_deferred(void)
{
  CHECK(mend_handle_free_deferred(object) == MEND_OK);
  deferred_flush(handle_heap_at(0));
  pause_here();
  deferred_flush(handle_heap_at(0));
  successor = make_pair();
  struct pair *pair = mend_resolve(successor);
  pair->first = 7;
  pair->second = 7;
}

// Reads an object that may be on its way out.
static void read_in_scope(void)
{
  mend_scope_enter();
  const struct pair *pair = mend_resolve(object);
  if (pair != NULL) {
    CHECK(pair->first == 0);
    pause_here();
    CHECK(pair->second == 0);
  }
  mend_scope_leave();
}

static void check_deferred(void)
{
  CHECK(mend_resolve(object) == NULL);
  check_successor();
  deferred_flush(handle_heap_at(0));
  mend_quiescent();
  deferred_flush(handle_heap_at(0));
}

// ---------------------------------------------------------------------------------------------
// Resizing.

static void grow(void)
{
  CHECK(mend_handle_realloc(object, 200) == MEND_OK);
  pause_here();
  write_in_scope();
}

static void check_grown(void)
{
  const struct pair *pair = mend_resolve(object);
  CHECK(pair->first == 1 && pair->second == 1 && mend_handle_size(object) == 200);
  CHECK(mend_handle_free(object) == MEND_OK);
}

// ---------------------------------------------------------------------------------------------

static const struct scenario {
  const char *name;
  void (*bodies[AGENTS])(void);
  void (*check)(void);
} scenarios[] = {
    {"writer", {move_objects, write_twice_in_scopes}, check_pair},
    {"two_writers_in_turn", {move_objects, write_in_scope, move_objects}, check_pair},
    {"implicit_scopes", {move_objects, write_in_implicit_scopes}, check_pair},
    {"pinned", {move_objects, write_pinned}, check_pair},
    {"free_and_make", {move_objects, free_and_make}, check_successor},
    {"two_frees", {move_objects, free_once, free_once}, check_freed_once},
    {"deferred_free", {move_objects, free_deferred, read_in_scope}, check_deferred},
    {"resize", {move_objects, grow}, check_grown},
};

static unsigned long run_scenario(const struct scenario *scenario)
{
  unsigned long schedules = 0;
  point_count = 0;
  for (int i = 0; i < AGENTS; i++) agents[i].body = scenario->bodies[i];
  do {
    object = make_pair();
    atomic_store(&writes, 0);
    for (int i = 0; i < AGENTS; i++) agents[i].is_running = agents[i].body != NULL;
    run_schedule();
    scenario->check();
    mend_quiescent();
    CHECK(fragmentation_of(NULL).objects == 0);
    schedules++;
  } while (advance());
  return schedules;
}

static void run_all(const char *mode)
{
  for (size_t i = 0; i < sizeof scenarios / sizeof scenarios[0]; i++) {
    steps_made = objects_moved = moves_called_off = 0;
    unsigned long schedules = run_scenario(&scenarios[i]);
    printf("%s %s: %lu schedules, %lu steps, %lu objects moved, %lu moves called off\n", mode,
           scenarios[i].name, schedules, steps_made, objects_moved, moves_called_off);
    fflush(stdout);
    CHECK(schedules > 10 && objects_moved > 0);
  }
}

int main(int count, char **arguments)
{
  pthread_t threads[AGENTS];
  if (count > 1) preemptions_allowed = (unsigned)strtoul(arguments[1], NULL, 10);
  pair_type = mend_type_register(copy_slowly, NULL);
  mend_handle_free(make_pair());
  sem_init(&schedule_is_over, 0, 0);
  for (size_t i = 0; i < AGENTS; i++) {
    sem_init(&agents[i].may_run, 0, 0);
    CHECK(pthread_create(&threads[i], NULL, live, (void *)i) == 0);
  }
  step_hook = on_step;
  run_all("veto");
  options.handle_strict = true;
  run_all("strict");
  options.handle_strict = false;
  pair_type = mend_type_register_move(move_slowly, NULL);
  run_all("moved by type");
  for (int i = 0; i < AGENTS; i++) {
    agents[i].body = NULL;
    sem_post(&agents[i].may_run);
    pthread_join(threads[i], NULL);
  }
  return 0;
}
