// SPDX-License-Identifier: MIT
#include "track/leak.h"

#include <errno.h>
#include <string.h>

#include "base/output.h"
#include "os/snapshot.h"
#include "os/system.h"
#include "os/thread.h"
#include "track/leak_report.h"
#include "track/leak_roots.h"

enum {
  LEAK_PATIENCE_MS = 400,        // with threads that are to park
  LEAK_EXIT_PATIENCE_MS = 4000,  // the same at the exit, when nobody waits for them
  LEAK_GAP_MS = 20,              // between two copies, at least
  LEAK_PARCEL = 512,             // addresses that are sent
};

enum leak_turn { LEAK_FIRST, LEAK_SECOND, LEAK_ALONE };

static struct os_lock leak_lock;

// What a copy says.
struct leak_answer {
  struct leak_result result;
  int error;            // errno; 0: it has worked
  bool is_final;        // else the addresses of what may be lost follow
  uint64_t candidates;  // how many
};

struct leak_job {
  const struct leak_plan *plan;
  enum leak_turn turn;
  struct root_stack stack;  // the caller's
  int earlier;              // the first copy's answer; -1: there is none
  uint64_t candidates;      // that it has
};

// Of a copy.
struct leak_scan {
  const struct leak_job *job;
  int answer;
  struct os_scratch scratch;
  struct os_written written;
  struct heap_view view;
  struct roots roots;
  struct reach reach;
  struct lost lost;
};

// ---------------------------------------------------------------------------------------------
// In the frozen copy.

// Marks what is reached. False if there is no memory, or nobody says what is mapped.
static bool scan_all_memory(struct leak_scan *scan)
{
  const struct leak_knowledge *knows = scan->job->plan->knowledge;
  os_written_open(&scan->written);
  if (!os_scratch_begin(&scan->scratch) ||
      !heap_view_read(&scan->view, &scan->scratch, knows->count_lone()) ||
      !roots_begin(&scan->roots, &scan->scratch, knows->ours_count + 1)) {
    return false;
  }
  knows->add_blocks(&scan->view);
  knows->add_ours(&scan->roots);
  roots_add_ours(&scan->roots, scan->scratch.start, scan->scratch.bytes);
  roots_add_stack(&scan->roots, scan->job->stack);
  if (!reach_begin(&scan->reach, &scan->view, &scan->scratch, &scan->written, knows->handle)) {
    return false;
  }
  if (!roots_add_all(&scan->roots, &scan->reach)) return false;
  leak_roots_reach(&scan->reach);
  reach_follow(&scan->reach);
  return true;
}

static uint64_t count_lost(const struct leak_scan *scan)
{
  uint64_t count = 0;
  size_t words = ((size_t)heap_view_count(&scan->view) + 63) / 64;
  for (size_t i = 0; i < words; i++) {
    count += bits_count(scan->view.live[i] & ~scan->reach.marked[i]);
  }
  return count;
}

struct leak_parcel {
  const struct leak_scan *scan;
  size_t count;
  uintptr_t addresses[LEAK_PARCEL];
};

static void send_parcel(struct leak_parcel *parcel)
{
  (void)output_write_to(parcel->scan->answer, (const char *)parcel->addresses,
                        parcel->count * sizeof parcel->addresses[0]);
  parcel->count = 0;
}

static void send_lost(uint32_t number, const struct view_block *block, void *argument)
{
  struct leak_parcel *parcel = argument;
  if (reach_has(&parcel->scan->reach, number)) return;
  parcel->addresses[parcel->count++] = block->start;
  if (parcel->count == LEAK_PARCEL) send_parcel(parcel);
}

// Sets the bits of the blocks that the first copy found lost. False if it has ended before it has
// said all.
static bool receive_lost(const struct leak_scan *scan, uint64_t *were_lost)
{
  uintptr_t addresses[LEAK_PARCEL];
  for (uint64_t left = scan->job->candidates; left > 0;) {
    size_t count = bits_smaller(left, LEAK_PARCEL);
    if (!os_snapshot_read_from(scan->job->earlier, addresses, count * sizeof addresses[0])) {
      return false;
    }
    for (size_t i = 0; i < count; i++) {
      uint32_t number = heap_view_find(&scan->view, addresses[i]);
      if (number != VIEW_NONE) were_lost[number / 64] |= UINT64_C(1) << number % 64;
    }
    left -= count;
  }
  return true;
}

struct leak_comparison {
  struct leak_scan *scan;
  const uint64_t *were_lost;
};

static void reach_if_new(uint32_t number, const struct view_block *block, void *argument)
{
  struct leak_comparison *comparison = argument;
  bool was_lost = (comparison->were_lost[number / 64] >> number % 64 & 1) != 0;
  if (!was_lost && !reach_has(&comparison->scan->reach, number)) {
    reach_add_word(&comparison->scan->reach, block->start);
  }
}

// What was not lost at the first time counts as reached, with all that it leads to.
static bool compare_copies(struct leak_scan *scan)
{
  size_t words = (size_t)heap_view_count(&scan->view) / 64 + 1;
  uint64_t *were_lost = os_scratch_take_array(&scan->scratch, words, sizeof *were_lost);
  if (were_lost == NULL || !receive_lost(scan, were_lost)) return false;
  struct leak_comparison comparison = {scan, were_lost};
  heap_view_each(&scan->view, reach_if_new, &comparison);
  reach_follow(&scan->reach);
  return true;
}

// What is final is reported.
static bool conclude_scan(struct leak_scan *scan, struct leak_answer *answer)
{
  const struct leak_plan *plan = scan->job->plan;
  if (scan->job->turn == LEAK_SECOND && !compare_copies(scan)) return false;
  if (!lost_find(&scan->lost, &scan->reach, &scan->scratch, plan->knowledge->counted)) return false;
  answer->is_final = true;
  plan->knowledge->set_sizes(&scan->lost);
  struct leak_report report = {&scan->lost, &scan->reach, &scan->scratch, plan->descriptor};
  return leak_report_make(&report, &answer->result);
}

static void leak_work(void *argument, int answer_end)
{
  struct leak_scan scan = {.job = argument, .answer = answer_end};
  struct leak_answer answer = {.is_final = false};
  os_snapshot_catch_faults();
  errno = 0;
  bool is_done = scan_all_memory(&scan);
  if (is_done) {
    answer.candidates = count_lost(&scan);
    bool may_be_more = scan.job->turn == LEAK_FIRST && answer.candidates > 0;
    if (!may_be_more) is_done = conclude_scan(&scan, &answer);
  }
  if (!is_done) answer.error = errno != 0 ? errno : ENOMEM;
  bool is_heard = output_write_to(answer_end, (const char *)&answer, sizeof answer);
  if (!is_heard || answer.is_final || !is_done) return;
  struct leak_parcel parcel = {.scan = &scan};
  heap_view_each(&scan.view, send_lost, &parcel);
  send_parcel(&parcel);
}

// ---------------------------------------------------------------------------------------------
// In the process itself.

static bool take_copy(struct os_snapshot *snapshot, struct leak_job *job,
                      struct leak_result *result)
{
  bool parks = job->turn != LEAK_FIRST;
  uint64_t begin_ns = os_clock_ns();
  struct os_snapshot_plan plan = {
      .work = leak_work,
      .argument = job,
      .kept = {job->plan->descriptor, job->earlier},
      .is_in_no_hurry = !job->plan->is_exit,
  };
  uint32_t patience_ms = job->plan->is_exit ? LEAK_EXIT_PATIENCE_MS : LEAK_PATIENCE_MS;
  if (parks && !os_parking_begin(patience_ms, &result->unparked)) return false;
  bool is_taken = os_snapshot_take(snapshot, &plan);
  int error = errno;
  if (parks) os_parking_end();
  uint64_t pause_ns = parks ? os_clock_ns() - begin_ns : snapshot->pause_ns;
  if (pause_ns > result->pause_ns) result->pause_ns = pause_ns;
  errno = error;
  return is_taken;
}

static bool hear_copy(const struct os_snapshot *snapshot, struct leak_answer *answer)
{
  if (!os_snapshot_read(snapshot, answer, sizeof *answer)) {
    errno = ENOMEM;  // the kernel has ended it
    return false;
  }
  if (answer->error != 0) errno = answer->error;
  return answer->error == 0;
}

static void wait_for_gap(uint64_t begin)
{
  uint64_t passed_ms = (os_clock_ns() - begin) / 1000000;
  if (passed_ms < LEAK_GAP_MS) os_sleep_ms((uint32_t)(LEAK_GAP_MS - passed_ms));
}

// One copy and, if that is not the last word, another one.
static bool ask_copies(struct leak_job *job, struct leak_result *result, struct leak_answer *answer)
{
  struct os_snapshot first, second;
  uint64_t begin = os_clock_ns();
  if (!take_copy(&first, job, result)) return false;
  bool is_done = hear_copy(&first, answer);
  if (is_done && !answer->is_final) {
    job->turn = LEAK_SECOND;
    job->earlier = first.answer;
    job->candidates = answer->candidates;
    wait_for_gap(begin);
    is_done = take_copy(&second, job, result);
    if (is_done) {
      is_done = hear_copy(&second, answer);
      os_snapshot_end(&second);
    }
  }
  os_snapshot_end(&first);
  return is_done;
}

// A handler on a stack of its own has been called by somebody, whose stack is not known then.
static struct root_stack own_stack(const struct leak_plan *plan)
{
  return (struct root_stack){
      .pointer = os_threads_is_on_signal_stack() ? 0 : plan->stack,
      .thread = os_thread_id(),
      .is_first = os_thread_number() == os_process_id(),
  };
}

static bool check_leaks(const struct leak_plan *plan, struct leak_result *result)
{
  struct leak_answer answer;
  struct leak_job job = {
      .plan = plan,
      .turn = plan->is_exit ? LEAK_ALONE : LEAK_FIRST,
      .stack = own_stack(plan),
      .earlier = -1,
  };
  uint64_t begin = os_clock_ns();
  *result = (struct leak_result){.unparked = 0};
  if (!ask_copies(&job, result, &answer)) return false;
  memcpy(result->lost, answer.result.lost, sizeof result->lost);
  result->reached = answer.result.reached;
  result->total_ns = os_clock_ns() - begin;
  return true;
}

INTERNAL bool leak_check(const struct leak_plan *plan, struct leak_result *result)
{
  if (os_lock_is_mine(&leak_lock)) {
    errno = EBUSY;
    return false;
  }
  os_lock_acquire(&leak_lock);
  bool is_done = check_leaks(plan, result);
  int error = errno;
  os_lock_release(&leak_lock);
  errno = error;
  return is_done;
}

INTERNAL void leak_after_fork(void)
{
  (void)os_lock_take_from_strangers(&leak_lock);
  leak_roots_after_fork();
}
