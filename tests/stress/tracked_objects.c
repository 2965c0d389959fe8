// SPDX-License-Identifier: MIT
//
// Threads make, resize and free objects, their own and each other's, while one thread moves objects
// all the time and another writes profiles, with every allocation remembered. Whenever all is
// quiet, the profile has exactly the objects that there are, to the byte; in between the mode
// changes, and a sample is never left behind. MEND_TEST_SCALE makes it longer.
#define _GNU_SOURCE 1
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <sys/mman.h>
#include <unistd.h>

#include "../support/support.h"
#include "../support/track_text.h"
#include "mend/handle.h"
#include "mend/track.h"

enum { THREADS = 3, SLOTS = 3000, MAILBOXES = 200 };

static _Atomic(uint64_t) mailboxes[MAILBOXES];  // bits of handles
static atomic_bool is_over;
static atomic_size_t moved, vetoed;
static mend_handle_heap *own_heap;

struct worker {
  struct random random;
  mend_handle objects[SLOTS];
};

static size_t choose_size(struct random *random)
{
  size_t kind = random_below(random, 1000);
  return random_size(random, kind < 5 ? 200 * KIB : kind < 50 ? 10 * KIB : 300);
}

static void drop(struct random *random, mend_handle *place)
{
  if (mend_handle_is_null(*place)) return;
  bool is_deferred = random_below(random, 2) == 0;
  CHECK((is_deferred ? mend_handle_free_deferred : mend_handle_free)(*place) == MEND_OK);
  *place = MEND_HANDLE_NULL;
}

static void replace(struct random *random, mend_handle *place)
{
  drop(random, place);
  mend_handle_heap *heap = random_below(random, 4) == 0 ? own_heap : NULL;
  unsigned flags = random_below(random, 20) == 0 ? MEND_ALLOC_PINNED : MEND_ALLOC_ZEROED;
  *place = mend_handle_heap_alloc(heap, choose_size(random), flags, 0);
  CHECK(!mend_handle_is_null(*place));
}

// A reader, who calls a move off.
static void look_at(mend_handle object)
{
  if (mend_handle_is_null(object)) return;
  mend_scope_enter();
  CHECK(mend_resolve(object) != NULL);
  mend_scope_leave();
}

// Makes holes, which the mover closes.
static void thin_out(struct worker *worker)
{
  for (size_t i = 0; i < SLOTS; i++) {
    if (random_below(&worker->random, 3) != 0) drop(&worker->random, &worker->objects[i]);
  }
}

static void step(struct worker *worker)
{
  struct random *random = &worker->random;
  mend_handle *place = &worker->objects[random_below(random, SLOTS)];
  size_t action = random_below(random, 100);
  if (action < 60) {
    replace(random, place);
  } else if (action < 70 && !mend_handle_is_null(*place)) {
    CHECK(mend_handle_realloc(*place, choose_size(random)) == MEND_OK);
  } else if (action < 90) {
    look_at(*place);
  } else {
    place->bits = atomic_exchange(&mailboxes[random_below(random, MAILBOXES)], place->bits);
  }
}

static void *work(void *argument)
{
  struct worker *worker = argument;
  size_t steps = test_scaled(test_is_instrumented() ? 5000 : 40000);
  for (size_t i = 0; i < steps; i++) {
    if (i % 5000 == 4000) thin_out(worker);
    step(worker);
  }
  return NULL;
}

// ---------------------------------------------------------------------------------------------

static void *move_all_the_time(void *unused)
{
  while (!atomic_load(&is_over)) {
    struct mend_defrag_report report = {.bytes = sizeof report};
    enum mend_status status = mend_defragment(&report);
    CHECK(status == MEND_OK || status == MEND_BLOCKED);
    atomic_fetch_add(&moved, report.objects_moved);
    atomic_fetch_add(&vetoed, report.vetoed);
  }
  return unused;
}

static void *write_all_the_time(void *unused)
{
  int null = open("/dev/null", O_WRONLY);
  CHECK(null >= 0);
  while (!atomic_load(&is_over)) {
    CHECK(mend_profile_write(null));
    usleep(1000);
  }
  close(null);
  return unused;
}

static void run_round(struct worker *workers)
{
  pthread_t others[2];
  atomic_store(&is_over, false);
  CHECK(pthread_create(&others[0], NULL, move_all_the_time, NULL) == 0);
  CHECK(pthread_create(&others[1], NULL, write_all_the_time, NULL) == 0);
  threads_run(THREADS, work, workers, sizeof workers[0]);
  atomic_store(&is_over, true);
  for (size_t i = 0; i < 2; i++) CHECK(pthread_join(others[i], NULL) == 0);
  // One pass more does what was deferred.
  struct mend_defrag_report report = {.bytes = sizeof report};
  CHECK(mend_defragment(&report) == MEND_OK);
}

static void add_object(struct track_sums *truth, mend_handle object)
{
  if (mend_handle_is_null(object)) return;
  truth->live_count++;
  truth->live_bytes += mend_handle_size(object);
}

static struct track_sums truth_of(const struct worker *workers)
{
  struct track_sums truth = {0};
  for (size_t i = 0; i < THREADS; i++) {
    for (size_t j = 0; j < SLOTS; j++) add_object(&truth, workers[i].objects[j]);
  }
  for (size_t i = 0; i < MAILBOXES; i++) {
    add_object(&truth, (mend_handle){atomic_load(&mailboxes[i])});
  }
  mend_quiescent();
  return truth;
}

static struct track_sums read_sums(void)
{
  int file = memfd_create("profile", MFD_CLOEXEC);
  CHECK(file >= 0 && mend_profile_write(file));
  struct track_text track = track_read(file);
  CHECK(track_is_whole(&track));
  struct track_sums sums = track_sums_of(&track, NULL);
  track_free(&track);
  return sums;
}

static void check_exact(const struct worker *workers)
{
  struct track_sums truth = truth_of(workers);
  struct track_sums sums = read_sums();
  printf("%zu objects, %zu bytes\n", (size_t)truth.live_count, (size_t)truth.live_bytes);
  CHECK(sums.live_count == truth.live_count && sums.live_samples == truth.live_count);
  CHECK(sums.live_bytes == truth.live_bytes);
}

static void drop_all(struct worker *workers)
{
  struct random *random = &workers[0].random;
  for (size_t i = 0; i < THREADS; i++) {
    for (size_t j = 0; j < SLOTS; j++) drop(random, &workers[i].objects[j]);
  }
  for (size_t i = 0; i < MAILBOXES; i++) {
    mend_handle object = {atomic_exchange(&mailboxes[i], 0)};
    drop(random, &object);
  }
  CHECK(mend_defragment(NULL) == MEND_OK);
}

int main(void)
{
  static struct worker workers[THREADS];
  struct random seeds = {random_seed()};
  if (!mend_profile_start(MEND_PROFILE_EXACT)) {
    CHECK(errno == ENOTSUP);
    return test_cannot_run("this build does not track");
  }
  CHECK((own_heap = mend_handle_heap_create()) != NULL);
  for (size_t i = 0; i < THREADS; i++) workers[i].random.state = random_next(&seeds);
  for (size_t round = 0; round < 3; round++) {
    run_round(workers);
    check_exact(workers);
  }
  // Objects from before a mode are not known in it; samples outlast theirs.
  CHECK(mend_profile_start(1000));
  run_round(workers);
  CHECK(read_sums().live_samples > 0);
  mend_profile_stop();
  run_round(workers);
  drop_all(workers);
  CHECK(read_sums().live_samples == 0);
  CHECK(mend_profile_start(MEND_PROFILE_EXACT));
  run_round(workers);
  check_exact(workers);
  drop_all(workers);
  CHECK(read_sums().live_samples == 0);
  mend_handle_heap_destroy(own_heap);
  printf("%zu moves, %zu vetoes\n", atomic_load(&moved), atomic_load(&vetoed));
  if (!TEST_IS_ANNOTATED) CHECK(atomic_load(&moved) > 0);  // Valgrind runs one thread at a time
  return TEST_PASS;
}
