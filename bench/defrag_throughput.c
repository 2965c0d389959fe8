// SPDX-License-Identifier: MIT
//
// Question: how many objects do threads make and free in a second while a pass runs?
//
// Model: threads that replace random ones of 4096 objects of 16 to 512 bytes each, without a rest.
// Beside them another thread makes 300,000 objects of such sizes, frees 85 % of them at random, and
// then does one of three things, in turn, while it counts what the others get done: one pass
// ("mover"), memcpy for as long as the last pass took ("copying"), sleep for as long ("idle"). So
// the three see the same heap within a moment of each other. Arguments: the work scale, and how
// many threads work. Prints JSON lines, one for each round.
#include <stdatomic.h>

#include "mend/handle.h"

#include "threads.h"

enum { ROUNDS = 5, TURNS = 8, SLOTS = 4096, BALLAST = 300000, FREED_PERCENT = 85 };
enum { COPY_BYTES = 32 << 20, PART_BYTES = 256 << 10, COUNTED = 64 };

struct worker {
  _Alignas(CACHE_LINE) _Atomic(uint64_t) done;  // objects made and freed
  struct random random;
  mend_handle slots[SLOTS];
};

enum deed { IDLE, COPYING, MOVER, DEEDS };

struct figures {
  uint64_t done[DEEDS];
  double seconds[DEEDS];
  size_t objects_moved, bytes_moved;
};

static _Atomic(bool) is_over;
static struct worker *workers;
static size_t worker_count;
static mend_handle *ballast;
static unsigned char *copied;
static struct random chance;

static mend_handle make(struct random *random)
{
  mend_handle object = mend_handle_alloc(random_between(random, 16, 512));
  if (mend_handle_is_null(object)) die("no memory");
  return object;
}

static void end(mend_handle object)
{
  if (mend_handle_free(object) != MEND_OK) die("an object cannot be freed");
}

static void *work(void *argument)
{
  struct worker *worker = argument;
  for (size_t i = 0; i < SLOTS; i++) worker->slots[i] = make(&worker->random);
  while (!atomic_load_explicit(&is_over, memory_order_relaxed)) {
    for (size_t i = 0; i < COUNTED; i++) {
      mend_handle *slot = &worker->slots[random_below(&worker->random, SLOTS)];
      end(*slot);
      *slot = make(&worker->random);
    }
    atomic_fetch_add_explicit(&worker->done, COUNTED, memory_order_relaxed);
  }
  for (size_t i = 0; i < SLOTS; i++) end(worker->slots[i]);
  return NULL;
}

// ---- the other thread ----

static uint64_t count_done(void)
{
  uint64_t sum = 0;
  for (size_t i = 0; i < worker_count; i++) sum += atomic_load(&workers[i].done);
  return sum;
}

static void make_holes(void)
{
  for (size_t i = 0; i < BALLAST; i++) {
    if (mend_handle_is_null(ballast[i])) ballast[i] = make(&chance);
  }
  for (size_t i = 0; i < BALLAST; i++) {
    if (random_below(&chance, 100) >= FREED_PERCENT) continue;
    end(ballast[i]);
    ballast[i] = MEND_HANDLE_NULL;
  }
}

static void move(struct figures *figures)
{
  struct mend_defrag_report report = {.bytes = sizeof report};
  if (mend_defragment(&report) != MEND_OK) die("a pass failed");
  figures->objects_moved += report.objects_moved;
  figures->bytes_moved += report.bytes_moved;
}

static void spend(enum deed deed, double seconds)
{
  double until = clock_seconds(CLOCK_MONOTONIC) + seconds;
  if (deed == IDLE) usleep((useconds_t)(seconds * 1e6));
  for (size_t at = 0; clock_seconds(CLOCK_MONOTONIC) < until;) {
    memcpy(copied + COPY_BYTES + at, copied + at, PART_BYTES);
    at = (at + PART_BYTES) % COPY_BYTES;
  }
}

static void do_one(struct figures *figures, enum deed deed, double *pass_seconds)
{
  make_holes();
  uint64_t done = count_done();
  double start = clock_seconds(CLOCK_MONOTONIC);
  if (deed == MOVER) {
    move(figures);
  } else {
    spend(deed, *pass_seconds);
  }
  double seconds = clock_seconds(CLOCK_MONOTONIC) - start;
  figures->done[deed] += count_done() - done;
  figures->seconds[deed] += seconds;
  if (deed == MOVER) *pass_seconds = seconds;
}

static void *observe(void *scale)
{
  double pass_seconds;
  struct figures unused = {0};
  do_one(&unused, MOVER, &pass_seconds);  // a warm-up
  for (size_t round = 1; round <= ROUNDS; round++) {
    struct figures figures = {0};
    size_t turns = TURNS * *(size_t *)scale;
    for (size_t i = 0; i < turns * DEEDS; i++) {
      do_one(&figures, (enum deed)((MOVER + i) % DEEDS), &pass_seconds);
    }
    line_write("{\"round\":%zu,\"threads\":%zu,\"idle\":%.0f,\"copying\":%.0f,\"mover\":%.0f,"
               "\"passes\":%zu,\"pass_ms\":%.2f,\"objects_moved\":%zu,\"bytes_moved\":%zu}\n",
               round, worker_count, (double)figures.done[IDLE] / figures.seconds[IDLE],
               (double)figures.done[COPYING] / figures.seconds[COPYING],
               (double)figures.done[MOVER] / figures.seconds[MOVER], turns,
               1e3 * figures.seconds[MOVER] / (double)turns, figures.objects_moved,
               figures.bytes_moved);
  }
  atomic_store(&is_over, true);
  return NULL;
}

int main(int argc, char **argv)
{
  size_t scale = work_scale(argc, argv);
  worker_count = argc > 2 ? strtoul(argv[2], NULL, 10) : 1;
  if (worker_count < 1 || worker_count > 1024) die("the number of threads is from 1 to 1024");
  workers = table_map(worker_count * sizeof *workers);
  ballast = table_map(BALLAST * sizeof *ballast);
  copied = table_map(2 * COPY_BYTES);
  memset(copied, 1, 2 * COPY_BYTES);
  chance = random_seeded(0);
  for (size_t i = 0; i < worker_count; i++) workers[i].random = random_seeded(i + 1);
  void *stack = table_map(STACK_BYTES);
  pthread_t observer = thread_start(stack, observe, &scale);
  threads_run(worker_count, work, workers, sizeof *workers);
  pthread_join(observer, NULL);
  return 0;
}
