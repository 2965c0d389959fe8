// SPDX-License-Identifier: MIT
//
// What one pass gives back, workload by workload (bench/fragmenting.h), in one suite that stands
// alone. A child runs the workload in a fresh heap of handles; the parent, which has no heap, reads
// what the child holds before the pass, after it, and after a second one. Wherever it runs, every
// object is whole, none has moved twice, and the plan said what the pass then did. The figures are
// judged in builds whose memory is the library's own: not in checkers, emulators or with tiny
// sizes.
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <signal.h>
#include <sys/wait.h>

#include "../bench/fragmenting.h"
#include "../bench/objects_handles.h"
#include "support/judge.h"

// Large enough that parts of pages, of which each size class has one, do not count: heaps of 384
// MiB before the deletion where many sizes are mixed, of 128 MiB where there is one or no bar
// applies; for turnovers and caches 32 MiB at any time.
enum { MIB_MIXED = 384, MIB_OTHERS = 128, MIB_UNJUDGED = 2 };

// Above this a heap is called fragmented; and what one pass may leave, at the three levels.
static const double fragmented = 0.80;
static const double most_heap = 0.10, most_external = 0.03, most_all_in = 0.12;
enum { HEAP_AVERAGE = 128, ALL_IN_AVERAGE = 1536 };

// Where one pass leaves more at the third level, and how much. A heap that has shrunk to a tenth
// keeps its handle table, where live entries are scattered (5 % here), and its page descriptors
// (2 %); after w8, whose small objects went before the large ones came, the table is 10 %.
static const struct {
  const char *name;
  double most_all_in;
} missed[] = {{"survival_1000_3000", 0.14}, {"w8", 0.17}};

// What the child tells at each of its stages.
enum stage { STAGE_START, STAGE_BEFORE, STAGE_AFTER, STAGE_AGAIN, STAGES };
struct told {
  size_t objects, requested, usable;
  uintptr_t low, high;
  struct mend_defrag_report plan;  // BEFORE
  struct passed passed;            // AFTER, AGAIN
  struct mend_fragmentation own;
};

struct pipes {
  int told[2], go_on[2];
};

// ---- the child ----

static void tell(const struct pipes *pipes, struct field *field, struct told told)
{
  char answer;
  const struct field_live live = field_check(field);
  told.own = (struct mend_fragmentation){.bytes = sizeof told.own};
  if (mend_fragmentation_get(NULL, &told.own) != MEND_OK) die("mend_fragmentation_get");
  told.objects = live.objects;
  told.usable = live.usable_bytes;
  told.requested = field->bytes;
  told.low = field->low;
  told.high = field->high;
  if (write(pipes->told[1], &told, sizeof told) != sizeof told) die("write");
  if (read(pipes->go_on[0], &answer, 1) != 1) die("the judge is gone");
}

// Signals that cmocka catches: what it would go on with in the child is the suite.
static const int faults[] = {SIGFPE, SIGILL, SIGSEGV, SIGBUS, SIGSYS};

static _Noreturn void child_run(const struct workload *workload, size_t mib,
                                const struct pipes *pipes)
{
  struct field field = {.store = &handles};
  struct told told = {0};
  for (size_t i = 0; i < sizeof faults / sizeof faults[0]; i++) signal(faults[i], SIG_DFL);
  mend_free(mend_malloc(64));
  tell(pipes, &field, told);
  field = workload_run(workload, &handles, mib);
  told.plan.bytes = sizeof told.plan;
  if (mend_defragment_plan(&told.plan) != MEND_OK) die("mend_defragment_plan");
  tell(pipes, &field, told);
  void **addresses = table_map(field.capacity * sizeof *addresses);
  for (enum stage stage = STAGE_AFTER; stage <= STAGE_AGAIN; stage++) {
    told.passed = pass_over(&field, addresses, false);
    tell(pipes, &field, told);
  }
  for (size_t i = 0; i < field.count; i++) {
    if (field.objects[i].name != 0) object_end(&field, i);
  }
  _exit(0);
}

// ---- the judge ----

struct seen {
  struct told told;
  struct judged judged;
  double external, heap, all_in;
};

static double waste(size_t live, size_t held)
{
  return live == 0 ? 0 : 1 - (double)live / (double)held;
}

static struct seen see(pid_t child, const struct pipes *pipes, struct judge_start *start)
{
  struct seen seen = {0};
  const bool is_first = start->count == 0;
  assert_int_equal(read(pipes->told[0], &seen.told, sizeof seen.told), sizeof seen.told);
  if (judge_is_possible()) {
    if (is_first) *start = judge_start(child);
    const uintptr_t low = seen.told.high == 0 ? 0 : seen.told.low;
    seen.judged = judge_process(child, start, low, seen.told.high);
  }
  const struct judged *judged = &seen.judged;
  seen.external = waste(seen.told.usable, judged->blocks);
  seen.heap = waste(seen.told.requested, judged->blocks + judged->others);
  seen.all_in = waste(seen.told.requested, judged->blocks + judged->others + judged->table);
  assert_int_equal(write(pipes->go_on[1], "g", 1), 1);
  return seen;
}

// Runs the workload in a child and sees all its stages.
static void stages_see(const struct workload *workload, size_t mib, struct seen *stages)
{
  struct pipes pipes;
  struct judge_start start = {0};
  int status = -1;
  assert_int_equal(pipe(pipes.told), 0);
  assert_int_equal(pipe(pipes.go_on), 0);
  const pid_t child = fork();
  assert_int_not_equal(child, -1);
  if (child == 0) {
    close(pipes.go_on[1]);  // so that the child ends when the judge does
    child_run(workload, mib, &pipes);
  }
  close(pipes.told[1]);
  close(pipes.go_on[0]);
  for (enum stage stage = STAGE_START; stage < STAGES; stage++)
    stages[stage] = see(child, &pipes, &start);
  assert_int_equal(waitpid(child, &status, 0), child);
  assert_int_equal(status, 0);
  close(pipes.told[0]);
  close(pipes.go_on[1]);
}

static void stages_print(const struct workload *workload, const struct seen *stages)
{
  const struct seen *before = &stages[STAGE_BEFORE], *after = &stages[STAGE_AFTER];
  const struct told *told = &after->told;
  printf("%s: %zu objects of %.1f MiB; external %.3f > %.3f, heap %.3f > %.3f, all-in %.3f > %.3f; "
         "resident / blocks %.4f; %zu moved (plan %zu, again %zu), %.1f ms\n",
         workload->name, told->objects, (double)told->requested / (1 << 20), before->external,
         after->external, before->heap, after->heap, before->all_in, after->all_in,
         told->usable == 0 ? 0 : (double)after->judged.blocks / (double)told->usable,
         told->passed.moved_objects, before->told.plan.objects_moved,
         stages[STAGE_AGAIN].told.passed.moved_objects, 1e3 * told->passed.seconds);
  fflush(stdout);
}

static bool is_near(double seen, double own)
{
  return seen - own < 0.01 && own - seen < 0.01;
}

static size_t distance(size_t a, size_t b)
{
  return a > b ? a - b : b - a;
}

// What holds in every build.
static void moves_judge(const struct workload *workload, const struct seen *stages)
{
  const struct told *before = &stages[STAGE_BEFORE].told, *after = &stages[STAGE_AFTER].told;
  const struct passed *passed = &after->passed, *again = &stages[STAGE_AGAIN].told.passed;
  assert_int_equal(passed->status, MEND_OK);
  assert_int_equal(again->status, MEND_OK);
  assert_int_equal(before->objects, after->objects);
  // An object that moves twice is counted twice, but is at one other address.
  assert_int_equal(passed->report.objects_moved, passed->moved_objects);
  assert_int_equal(passed->report.bytes_moved, passed->moved_bytes);
  assert_true(passed->moved_objects <= after->objects);
  assert_int_equal(after->own.cached_bytes, 0);
  if (workload->pins == PINS_AT_RANDOM) {
    assert_true(passed->report.pinned > 0);
    return;
  }
  assert_int_equal(passed->report.pinned, 0);
  assert_true(distance(before->plan.objects_moved, passed->moved_objects) <=
              passed->moved_objects / 50 + 64);
  assert_true(again->moved_objects <= after->objects / 50 + 64);
}

static double all_in_limit(const struct workload *workload)
{
  for (size_t i = 0; i < sizeof missed / sizeof missed[0]; i++) {
    if (strcmp(missed[i].name, workload->name) == 0) return missed[i].most_all_in;
  }
  return most_all_in;
}

// mend's own figures: of metadata it counts what live pages need, the judge also what others left.
static void own_judge(const struct seen *after)
{
  const struct mend_fragmentation *own = &after->told.own;
  assert_true(is_near(after->external, own->external));
  assert_true(own->heap < after->heap + 0.01 && own->all_in < after->all_in + 0.01);
  assert_true(after->heap < own->heap + 0.06 && after->all_in < own->all_in + 0.06);
}

static void levels_judge(const struct workload *workload, const struct seen *stages)
{
  const struct seen *before = &stages[STAGE_BEFORE], *after = &stages[STAGE_AFTER];
  const struct seen *again = &stages[STAGE_AGAIN];
  const struct told *told = &after->told;
  const size_t average = told->requested / told->objects;
  own_judge(after);
  // Nothing was left for a second pass to give back.
  assert_true(again->judged.blocks * 100 >= after->judged.blocks * 99);
  if (workload->pins == PINS_AT_RANDOM || workload->pins == PINS_THINNED) return;
  if (workload->kind == SURVIVAL && workload->first.high <= 512)
    assert_true(before->heap > fragmented);
  if (before->heap > fragmented && average >= HEAP_AVERAGE) assert_true(after->heap < most_heap);
  if (average >= ALL_IN_AVERAGE) assert_true(after->all_in < all_in_limit(workload));
  assert_true(after->external < most_external);
  if (workload->ratio_limit > 0) {
    const double ratio = (double)after->judged.blocks / (double)told->usable - 1;
    assert_true(ratio <= workload->ratio_limit);
  }
}

static void workload_judge(void **state)
{
  const struct workload *workload = *state;
  struct seen stages[STAGES];
  const bool is_judged = workload->pins == PINS_NONE || workload->pins == PINS_KEPT;
  const bool is_mixed = workload->kind == SURVIVAL && workload->first.low < workload->first.high;
  size_t mib = is_judged && is_mixed ? MIB_MIXED : MIB_OTHERS;
  if (!judge_is_possible()) mib = MIB_UNJUDGED;
  stages_see(workload, mib, stages);
  stages_print(workload, stages);
  moves_judge(workload, stages);
  if (judge_is_possible()) levels_judge(workload, stages);
}

// Those of the table that are not for the speed of a pass alone, which its last eight are.
enum { TESTS = WORKLOAD_COUNT - 8 };

int main(void)
{
  static struct CMUnitTest tests[TESTS];
  for (size_t i = 0; i < TESTS; i++) {
    tests[i].name = workloads[i].name;
    tests[i].test_func = workload_judge;
    tests[i].initial_state = (void *)(uintptr_t)&workloads[i];
  }
  return cmocka_run_group_tests(tests, NULL, NULL);
}
