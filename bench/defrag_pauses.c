// SPDX-License-Identifier: MIT
//
// Question: how long does a single call take while objects are being moved, and how long without?
//
// Model: threads whose live objects (16 to 512 bytes) swell to 100,000 and shrink to an eighth at
// random, again and again, so that there are always holes; between two allocations or frees each
// opens a scope, resolves an object, writes to it, and now and then pins one. Every call is timed
// and every sample counts. Beside them one thread is, in turn, round by round:
//   idle        asleep
//   copying     busy with memcpy: what it costs to share the machine's cores and its memory
//   kernel      the same, and a membarrier and purged pages after each MiB: what the kernel costs
//   mover       in mend_defragment, without a rest
//   background  mend's own thread, allowed a whole processor
// "nothing" is two readings of the clock with nothing between: what the machine itself does to any
// call. Arguments: the work scale, and the number of timed threads (one a processor but the one of
// the thread beside them, if not given). Prints JSON lines; nanoseconds.
#include <stdatomic.h>
#include <sys/syscall.h>

#include "mend/handle.h"

#include "histogram.h"
#include "threads.h"
#include "ticks.h"

enum { ROUNDS = 5, ITERATIONS = 600000, LIVE_MOST = 100000, LIVE_LEAST = LIVE_MOST / 8 };
enum { COPY_BYTES = 32 << 20, PART_BYTES = 1 << 20, PURGED_BYTES = 64 << 10 };
enum { MEMBARRIER_PRIVATE_EXPEDITED = 1 << 3, MEMBARRIER_REGISTER = 1 << 4 };

enum operation { NOTHING, ENTER, RESOLVE, LEAVE, PIN, UNPIN, ALLOC, FREE, OPERATIONS };
static const char *const operation_names[] = {"nothing", "scope enter", "resolve", "scope leave",
                                              "pin",     "unpin",       "alloc",   "free"};

enum company { IDLE, COPYING, KERNEL, MOVER, BACKGROUND, COMPANIES };
static const char *const company_names[] = {"idle", "copying", "kernel", "mover", "background"};

struct worker {
  struct random random;
  size_t iterations;
  bool is_shrinking;
  size_t live_count;
  mend_handle live[LIVE_MOST];
  struct histogram histograms[OPERATIONS];  // of this round
};

static _Atomic(bool) is_over;
static struct {
  size_t passes, objects, bytes, vetoed, blocked;
} moved;  // by the mover, in this round

// ---- the timed threads ----

static void note(struct worker *worker, enum operation operation, uint64_t start)
{
  uint64_t end = ticks_now();
  histogram_add(&worker->histograms[operation], end - start);
}

static void use_one(struct worker *worker, mend_handle object)
{
  uint64_t start = ticks_now();
  mend_scope_enter();
  note(worker, ENTER, start);
  start = ticks_now();
  volatile unsigned char *bytes = mend_resolve(object);
  note(worker, RESOLVE, start);
  if (bytes == NULL) die("an object is gone");
  bytes[0]++;
  start = ticks_now();
  mend_scope_leave();
  note(worker, LEAVE, start);
}

static void pin_one(struct worker *worker, mend_handle object)
{
  uint64_t start = ticks_now();
  volatile unsigned char *bytes = mend_pin(object);
  note(worker, PIN, start);
  if (bytes == NULL) die("an object cannot be pinned");
  bytes[1]++;
  start = ticks_now();
  enum mend_status status = mend_unpin(object);
  note(worker, UNPIN, start);
  if (status != MEND_OK) die("an object cannot be unpinned");
}

static void make_one(struct worker *worker)
{
  size_t size = random_between(&worker->random, 16, 512);
  uint64_t start = ticks_now();
  mend_handle object = mend_handle_alloc(size);
  note(worker, ALLOC, start);
  if (mend_handle_is_null(object)) die("no memory");
  worker->live[worker->live_count++] = object;
}

static void end_one(struct worker *worker)
{
  mend_handle *place = &worker->live[random_below(&worker->random, (uint32_t)worker->live_count)];
  mend_handle object = *place;
  *place = worker->live[--worker->live_count];
  uint64_t start = ticks_now();
  enum mend_status status = mend_handle_free(object);
  note(worker, FREE, start);
  if (status != MEND_OK) die("an object cannot be freed");
}

static void *work(void *argument)
{
  struct worker *worker = argument;
  for (size_t i = 0; i < worker->iterations; i++) {
    note(worker, NOTHING, ticks_now());
    if (worker->live_count == LIVE_MOST) worker->is_shrinking = true;
    if (worker->live_count == LIVE_LEAST) worker->is_shrinking = false;
    if (worker->is_shrinking) {
      end_one(worker);
    } else {
      make_one(worker);
    }
    uint32_t any = random_below(&worker->random, (uint32_t)worker->live_count);
    use_one(worker, worker->live[any]);
    if (i % 4 == 0) pin_one(worker, worker->live[any]);
  }
  return NULL;
}

// ---- the thread beside them ----

static void be_busy(unsigned char *memory, bool calls_kernel)
{
  for (size_t at = 0; !atomic_load(&is_over); at = (at + PART_BYTES) % COPY_BYTES) {
    memcpy(memory + COPY_BYTES + at, memory + at, PART_BYTES);
    if (!calls_kernel) continue;
    syscall(SYS_membarrier, MEMBARRIER_PRIVATE_EXPEDITED, 0, 0);
    unsigned char *purged = memory + 2 * COPY_BYTES;
    for (size_t i = 0; i < PART_BYTES; i += PURGED_BYTES) {
      madvise(purged + i, PURGED_BYTES, MADV_DONTNEED);
      touch_pages(purged + i, 0, PURGED_BYTES);
    }
  }
}

static void move(void)
{
  while (!atomic_load(&is_over)) {
    struct mend_defrag_report report = {.bytes = sizeof report};
    enum mend_status status = mend_defragment(&report);
    if (status != MEND_OK && status != MEND_BLOCKED) die("a pass failed");
    moved.passes++;
    moved.objects += report.objects_moved;
    moved.bytes += report.bytes_moved;
    moved.vetoed += report.vetoed;
    moved.blocked += status == MEND_BLOCKED;
  }
}

static void *keep_company(void *argument)
{
  static unsigned char *memory;
  enum company company = *(enum company *)argument;
  if (memory == NULL) {
    memory = mmap(NULL, 3 * COPY_BYTES, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (memory == MAP_FAILED) die("mmap");
    syscall(SYS_membarrier, MEMBARRIER_REGISTER, 0, 0);
    memset(memory, 1, 3 * COPY_BYTES);
  }
  if (company == COPYING || company == KERNEL) be_busy(memory, company == KERNEL);
  if (company == MOVER) move();
  return NULL;
}

static void start_background(void)
{
  const struct mend_defrag_options options = {.bytes = sizeof options,
                                              .cpu_percent = 100,
                                              .start_external = 0.01,
                                              .start_bytes = 1,
                                              .interval_ms = 1};
  if (mend_defragment_start(&options) != MEND_OK) die("the background thread does not start");
}

// ---- rounds ----

static void run(struct worker *workers, size_t count, enum company company)
{
  void *stack = table_map(STACK_BYTES);
  atomic_store(&is_over, false);
  memset(&moved, 0, sizeof moved);
  for (size_t i = 0; i < count; i++) {
    memset(workers[i].histograms, 0, sizeof workers[i].histograms);
  }
  if (company == BACKGROUND) start_background();
  pthread_t thread = thread_start(stack, keep_company, &company);
  threads_run(count, work, workers, sizeof *workers);
  atomic_store(&is_over, true);
  pthread_join(thread, NULL);
  mend_defragment_stop();
  munmap(stack, STACK_BYTES);
}

static void tell(size_t round, enum company company, const struct histogram *histograms, double ns)
{
  for (size_t i = 0; i < OPERATIONS; i++) {
    const struct histogram *of = &histograms[i];
    line_write("{\"round\":%zu,\"beside\":\"%s\",\"operation\":\"%s\",\"count\":%zu,\"p50\":%.1f,"
               "\"p99\":%.1f,\"p99.99\":%.1f,\"max\":%.1f}\n",
               round, company_names[company], operation_names[i], (size_t)of->count,
               ns * (double)histogram_percentile(of, 0.5),
               ns * (double)histogram_percentile(of, 0.99),
               ns * (double)histogram_percentile(of, 0.9999), ns * (double)of->highest);
  }
  if (company != MOVER || round == 0) return;
  line_write("{\"round\":%zu,\"passes\":%zu,\"objects_moved\":%zu,\"bytes_moved\":%zu,"
             "\"vetoed\":%zu,\"blocked\":%zu}\n",
             round, moved.passes, moved.objects, moved.bytes, moved.vetoed, moved.blocked);
}

// The share of samples above each of some values: 8 points for each power of two.
static void tell_curve(enum company company, enum operation operation,
                       const struct histogram *histogram, double ns)
{
  uint64_t passed = 0;
  for (size_t i = 0; i < HISTOGRAM_BUCKETS && passed < histogram->count; i++) {
    passed += histogram->counts[i];
    if (i % (HISTOGRAM_STEPS / 8) != 0 || passed == 0) continue;
    line_write("{\"curve\":\"%s\",\"operation\":\"%s\",\"ns\":%.1f,\"above\":%.3g}\n",
               company_names[company], operation_names[operation], ns * (double)histogram_value(i),
               (double)(histogram->count - passed) / (double)histogram->count);
  }
}

int main(int argc, char **argv)
{
  struct ticks_origin origin = ticks_begin();
  size_t scale = work_scale(argc, argv);
  size_t processors = (size_t)sysconf(_SC_NPROCESSORS_ONLN);
  size_t count = argc > 2 ? strtoul(argv[2], NULL, 10) : processors > 1 ? processors - 1 : 1;
  if (count < 1 || count > 1024) die("the number of threads is from 1 to 1024");
  struct worker *workers = table_map(count * sizeof *workers);
  struct histogram(*all)[OPERATIONS] = table_map(COMPANIES * sizeof *all);
  for (size_t i = 0; i < count; i++) {
    workers[i].random = random_seeded(i);
    workers[i].iterations = scale * ITERATIONS;
  }
  run(workers, count, MOVER);  // a warm-up
  for (size_t round = 1; round <= ROUNDS; round++) {
    for (size_t turn = 0; turn < COMPANIES; turn++) {
      enum company company = (enum company)((round + turn) % COMPANIES);
      run(workers, count, company);
      struct histogram *sum = workers[0].histograms;
      for (size_t i = 0; i < count; i++) {
        for (size_t j = 0; j < OPERATIONS; j++) {
          if (i > 0) histogram_merge(&sum[j], &workers[i].histograms[j]);
        }
      }
      for (size_t j = 0; j < OPERATIONS; j++) histogram_merge(&all[company][j], &sum[j]);
      tell(round, company, sum, ticks_ns(origin));
    }
  }
  line_write("{\"threads\":%zu,\"processors\":%zu,\"tick_ns\":%.4f}\n", count, processors,
             ticks_ns(origin));
  for (size_t i = 0; i < COMPANIES; i++) {
    tell(0, (enum company)i, all[i], ticks_ns(origin));
    for (size_t j = 0; j < OPERATIONS; j++) {
      tell_curve((enum company)i, (enum operation)j, &all[i][j], ticks_ns(origin));
    }
  }
  return 0;
}
