// SPDX-License-Identifier: MIT
//
// How hard it is to guess where the hardened build's blocks lie: over many starts of a small
// program, and within this process. The kernel's own randomisation is switched off for the starts,
// where that is allowed, so that what is seen is mend's.
//
// The figure is the min-entropy, -log2 of the share of the commonest value. Of N samples it is
// never more than log2 N ("cap"); the commonest of many values that are equally likely also comes
// more often than 1 in so many by chance, so that the figure is rather too low. Beside it, in
// brackets, is what it is at least at a confidence of 99 % (NIST SP 800-90B, 6.3.1). What is
// demanded, 8 bits at level 2 of the placement and the reuse of small blocks, has failed if the
// commonest value comes so often as it would by chance in fewer than 1 of 10^9 runs, if there were
// 8 bits.
//
// usage: entropy PROBE
#define _GNU_SOURCE 1
#include <inttypes.h>
#include <math.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/personality.h>
#include <sys/wait.h>
#include <unistd.h>

#include "sample.h"

enum {
  STARTS = 2000,
  STARTS_LONG = 10000,
  PAIRS = 20000,
  REUSES = 2000,
  FORK_BLOCKS = 16,
  FORK_ALIKE_MOST = 4
};
enum { DEMANDED_BITS = 8, REGION_BYTES = 1 << 20 };
#define CHANCE 1e-9

extern char **environ;

static struct sample samples[STARTS_LONG];
static uint64_t values[PAIRS];
static bool is_demanded;  // at level 2, and not with tiny pages
static bool has_failed;

struct estimate {
  size_t count;
  size_t distinct;
  size_t most;  // how often the commonest value came
};

static int compare(const void *a, const void *b)
{
  uint64_t left = *(const uint64_t *)a, right = *(const uint64_t *)b;
  return (left > right) - (left < right);
}

// Sorts the values.
static struct estimate estimate(size_t count)
{
  struct estimate result = {count, 0, 0};
  size_t run = 0;
  qsort(values, count, sizeof *values, compare);
  for (size_t i = 0; i < count; i++) {
    bool is_new = i == 0 || values[i] != values[i - 1];
    run = is_new ? 1 : run + 1;
    result.distinct += is_new;
    if (run > result.most) result.most = run;
  }
  return result;
}

static double bits(const struct estimate *estimate)
{
  return log2((double)estimate->count / (double)estimate->most);
}

static double bits_at_least(const struct estimate *estimate)
{
  double n = (double)estimate->count, share = (double)estimate->most / n;
  double bound = share + 2.576 * sqrt(share * (1 - share) / (n - 1));
  return bound >= 1 ? 0 : -log2(bound);
}

// The chance that of 2^DEMANDED_BITS equally likely values one comes `most` times or more, at most.
static double chance_of(const struct estimate *estimate)
{
  double cells = exp2(DEMANDED_BITS), n = (double)estimate->count, sum = 0;
  for (size_t k = estimate->most; k <= estimate->count && k < estimate->most + 1000; k++) {
    double at = (double)k;
    sum += exp(lgamma(n + 1) - lgamma(at + 1) - lgamma(n - at + 1) - at * log(cells) +
               (n - at) * log1p(-1 / cells));
  }
  return cells * sum;
}

// An address that has not come back counts as a value of its own: when it would, is not known, but
// that it takes longer than all that are known of.
static uint64_t apart_if_late(uint64_t value, size_t index)
{
  return value == REUSE_MOST ? REUSE_MOST + index : value;
}

static double report(const char *what, size_t size, size_t count, bool is_promised)
{
  struct estimate found = estimate(count);
  bool is_too_low = is_promised && is_demanded && chance_of(&found) < CHANCE;
  printf("%-34s %8zu %6.1f (%4.1f) cap %4.1f  %6zu distinct of %zu%s\n", what, size, bits(&found),
         bits_at_least(&found), log2((double)count), found.distinct, count,
         is_too_low ? "  TOO LOW" : "");
  has_failed |= is_too_low;
  return bits(&found);
}

static void start_probe(const char *program, struct sample *sample)
{
  int ends[2], status = 0;
  pid_t child;
  posix_spawn_file_actions_t actions;
  char *arguments[] = {(char *)(uintptr_t)program, NULL};
  CHECK(pipe(ends) == 0 && posix_spawn_file_actions_init(&actions) == 0);
  CHECK(posix_spawn_file_actions_adddup2(&actions, ends[1], STDOUT_FILENO) == 0);
  CHECK(posix_spawn_file_actions_addclose(&actions, ends[0]) == 0);
  CHECK(posix_spawn(&child, program, &actions, NULL, arguments, environ) == 0);
  posix_spawn_file_actions_destroy(&actions);
  close(ends[1]);
  CHECK(read(ends[0], sample, sizeof *sample) == (ssize_t)sizeof *sample);
  close(ends[0]);
  CHECK(waitpid(child, &status, 0) == child && status == 0);
}

// One member of all samples, class by class; the lowest figure at the end.
static void report_starts(const char *what, size_t count, size_t offset, size_t classes,
                          bool is_promised)
{
  double least = INFINITY;
  for (size_t i = 0; i < classes; i++) {
    for (size_t j = 0; j < count; j++) {
      const char *at = (const char *)&samples[j].classes[i] + offset;
      memcpy(&values[j], at, sizeof values[j]);
      values[j] = apart_if_late(values[j], j);
    }
    double found = report(what, class_sizes[i], count, is_promised && i < SMALL_CLASSES);
    if (found < least) least = found;
  }
  printf("%-34s %8s %6.1f\n", what, "least", least);
}

// Where regions lie, whatever the slots within them are.
static void report_regions(size_t count)
{
  for (size_t i = 0; i < count; i++) values[i] = samples[i].classes[0].first / REGION_BYTES;
  report("first address, in MiB", class_sizes[0], count, false);
  for (size_t i = 0; i < count; i++) values[i] = samples[i].metadata / REGION_BYTES;
  report("distance of metadata, in MiB", class_sizes[0], count, false);
}

static void measure_starts(const char *program)
{
  bool is_long = getenv("MEND_TEST_LONG") != NULL;
  size_t count = is_long ? STARTS_LONG : test_scaled(STARTS);
  int before = personality(0xffffffff);
  bool is_off = before >= 0 && personality((unsigned long)before | ADDR_NO_RANDOMIZE) >= 0;
  if (count > STARTS_LONG) count = STARTS_LONG;
  for (size_t i = 0; i < count; i++) start_probe(program, &samples[i]);
  if (is_off) personality((unsigned long)before);
  printf(
      "%zu starts, the kernel's randomisation %s: bits, (at least), of blocks of so many bytes\n",
      count, is_off ? "switched off" : "as it is");
  report_starts("first address", count, offsetof(struct class_sample, first), CLASSES, true);
  report_starts("distance of two", count, offsetof(struct class_sample, distance), CLASSES, true);
  report_starts("reuse distance", count, offsetof(struct class_sample, reuse), CLASSES - 2, true);
  report_regions(count);
}

static void measure_here(void)
{
  printf("within one process\n");
  for (size_t i = 0; i < SMALL_CLASSES; i++) {
    size_t size = class_sizes[i], pairs = test_scaled(PAIRS), reuses = test_scaled(REUSES);
    for (size_t j = 0; j < pairs; j++) {
      char *first = opaque(malloc(size)), *second = opaque(malloc(size));
      values[j] = (uintptr_t)second - (uintptr_t)first;
      free(first);
      free(second);
    }
    report("distance of two", size, pairs, true);
    for (size_t j = 0; j < reuses; j++) {
      values[j] = apart_if_late(sample_reuse(opaque(malloc(size)), size), j);
    }
    report("reuse distance", size, reuses, true);
  }
}

static void take_in_child(uintptr_t *blocks)
{
  int ends[2], status = 0;
  CHECK(pipe(ends) == 0);
  fflush(stdout);
  pid_t child = test_fork();
  if (child == 0) {
    for (size_t i = 0; i < FORK_BLOCKS; i++) blocks[i] = (uintptr_t)opaque(malloc(24));
    _exit(write(ends[1], blocks, FORK_BLOCKS * sizeof *blocks) > 0 ? 0 : 1);
  }
  CHECK(read(ends[0], blocks, FORK_BLOCKS * sizeof *blocks) ==
        (ssize_t)(FORK_BLOCKS * sizeof *blocks));
  CHECK(waitpid(child, &status, 0) == child && status == 0);
  close(ends[0]);
  close(ends[1]);
}

// How many blocks lie at the same places, one for one.
static size_t count_alike(const uintptr_t *left, const uintptr_t *right)
{
  size_t alike = 0;
  for (size_t i = 0; i < FORK_BLOCKS; i++) alike += left[i] == right[i];
  return alike;
}

// Two children of one process do not place their blocks alike, nor does one as the parent does,
// also where the parent has its blocks ready. (The first was chosen before the fork; another one
// may be alike by chance.)
static void compare_children(void)
{
  uintptr_t blocks[3][FORK_BLOCKS];
  for (size_t i = 0; i < FORK_BLOCKS; i++) opaque(malloc(24));
  take_in_child(blocks[0]);
  take_in_child(blocks[1]);
  for (size_t i = 0; i < FORK_BLOCKS; i++) blocks[2][i] = (uintptr_t)opaque(malloc(24));
  bool is_alike = count_alike(blocks[0], blocks[1]) > FORK_ALIKE_MOST ||
                  count_alike(blocks[0], blocks[2]) > FORK_ALIKE_MOST;
  printf("forked children: %s\n", is_alike ? "ALIKE" : "differ");
  has_failed |= is_alike && is_demanded;
}

int main(int count, char **arguments)
{
  const char *level = getenv("MEND_HARDEN");
  is_demanded = (level == NULL || level[0] >= '2') && !TEST_IS_WASTEFUL;
  if (count < 2) return test_cannot_run("usage: entropy PROBE");
  compare_children();
  measure_here();
  measure_starts(arguments[1]);
  return has_failed ? TEST_FAIL : TEST_PASS;
}
