// SPDX-License-Identifier: MIT
//
// The heap as a whole: free memory that is held, growth, limits of its own.
#include <inttypes.h>
#include <stdlib.h>

#include "control.h"
#include "doctor.h"
#include "figures.h"

#define MIB ((uint64_t)1 << 20)

// From where on something is worth a word.
#define FREE_LEAST (16 * MIB)
#define FREE_MUCH (128 * MIB)
#define GROWTH_LEAST (2 * MIB)
#define ELSEWHERE_LEAST (64 * MIB)

static double seconds_between(const struct doctor *doctor)
{
  return (double)(doctor->last.nanoseconds - doctor->first.nanoseconds) / 1e9;
}

static void judge_use(struct doctor *doctor)
{
  const struct remote_totals *totals = &doctor->last.totals;
  if (totals->page_count + totals->large_count > 0) return;
  doctor_find(doctor, SEVERITY_WARNING, "unused",
              "If the program has an allocator of its own, tell it to use malloc.",
              "mend has handed out nothing yet.");
}

// Memory of the process that is not the heap's.
static void judge_elsewhere(struct doctor *doctor)
{
  const struct remote_totals *totals = &doctor->last.totals;
  uint64_t resident = doctor->last.resident_bytes;
  uint64_t held = totals->committed_bytes - totals->unused_bytes + totals->metadata_bytes;
  char texts[2][FIGURE_TEXT_MOST];
  if (held >= resident || resident - held < ELSEWHERE_LEAST) return;
  if (figure_percent(resident - held, resident) < 50) return;
  doctor_find(doctor, SEVERITY_NOTE, "elsewhere",
              "If the program has an allocator of its own, it may have a way to use malloc: Python "
              "has PYTHONMALLOC=malloc.",
              "At least %s of the %s that are resident are not mend's: files, code, stacks, or "
              "memory that the program maps itself.",
              figure_bytes(texts[0], resident - held), figure_bytes(texts[1], resident));
}

// ---------------------------------------------------------------------------------------------
// Fragmentation.

static uint64_t free_of_class(const struct remote_class *of_class)
{
  return (of_class->free_count + of_class->kept_count) * of_class->block_bytes;
}

static const struct remote_class *find_worst(const struct remote *remote)
{
  const struct remote_class *worst = &remote->classes[0];
  for (size_t i = 1; i < REMOTE_CLASSES_MOST; i++) {
    if (free_of_class(&remote->classes[i]) > free_of_class(worst)) worst = &remote->classes[i];
  }
  return worst;
}

// How much of what is free lies in pages of objects that may move.
static uint64_t free_of_objects(const struct remote *remote)
{
  uint64_t bytes = 0;
  for (size_t i = 0; i < remote->heap_count; i++) {
    if (remote->heaps[i].owner == OWNED_OBJECTS) bytes += remote->heaps[i].free_bytes;
  }
  return bytes;
}

static void judge_fragmentation(struct doctor *doctor)
{
  const struct remote_totals *totals = &doctor->last.totals;
  uint64_t free_bytes = totals->free_bytes + totals->kept_bytes;
  uint64_t held = totals->live_bytes - totals->large_bytes + free_bytes;
  uint64_t share = figure_percent(free_bytes, held);
  char texts[3][FIGURE_TEXT_MOST];
  if (free_bytes < FREE_LEAST || share < 30) return;
  const struct remote_class *worst = find_worst(doctor->remote);
  uint64_t movable = free_of_objects(doctor->remote);
  bool can_move = movable >= free_bytes / 2;
  doctor_find(
      doctor, share >= 60 && free_bytes >= FREE_MUCH ? SEVERITY_PROBLEM : SEVERITY_WARNING,
      "fragmented",
      can_move ? "Most of it lies beside objects that may move: call mend_defragment(), or let "
                 "mend_defragment_start() do it all the time."
               : "mend_collect(true) returns what os pages are wholly free. The rest is held by "
                 "blocks that live long beside others that did not: `mend profile "
                 "--fragmentation` names who allocates them. Give what ends together a heap of "
                 "its own (mend_heap_create), or what lives long handles, which can be moved.",
      "%" PRIu64 " %% of the memory in pages is free blocks, %s: fragmentation. Most of it is in "
      "blocks of %" PRIu64 " bytes, %s.",
      share, figure_bytes(texts[0], free_bytes), worst->block_bytes,
      figure_bytes(texts[1], free_of_class(worst)));
}

// ---------------------------------------------------------------------------------------------
// Growth, and what is kept.

static void judge_growth(struct doctor *doctor)
{
  uint64_t before = doctor->first.totals.live_bytes;
  uint64_t now = doctor->last.totals.live_bytes;
  double seconds = seconds_between(doctor);
  char texts[2][FIGURE_TEXT_MOST];
  if (now <= before || seconds < 0.5) return;
  if (now - before < GROWTH_LEAST || figure_percent(now - before, now) < 2) return;
  doctor_find(doctor, SEVERITY_WARNING, "growing",
              control_answers(doctor->target->process)
                  ? "`mend profile --for 30 PID` names who allocates what grows, and `mend leaks "
                    "PID` whether it is lost."
                  : "If it goes on so, start it with MEND_PROFILE=1 MEND_CONTROL=1: then "
                    "`mend profile --for 30 PID` names who allocates what grows, and `mend "
                    "leaks PID` whether it is lost.",
              "What is live grew by %s within %.1f seconds, to %s.",
              figure_bytes(texts[0], now - before), seconds, figure_bytes(texts[1], now));
}

static void judge_retained(struct doctor *doctor)
{
  const struct remote_totals *before = &doctor->first.totals;
  const struct remote_totals *now = &doctor->last.totals;
  uint64_t delay_ms = 500;
  char text[FIGURE_TEXT_MOST];
  (void)remote_option(doctor->remote, "purge_delay", &delay_ms);
  if (now->retained_bytes < FREE_LEAST ||
      figure_percent(now->retained_bytes, now->committed_bytes) < 10) {
    return;
  }
  if (before->retained_bytes != now->retained_bytes ||
      doctor->first.counters.purged_bytes != doctor->last.counters.purged_bytes ||
      seconds_between(doctor) * 1000 < (double)delay_ms * 1.5) {
    return;
  }
  doctor_find(doctor, SEVERITY_WARNING, "idle",
              "MEND_BACKGROUND=1 starts a thread that returns free pages of an idle process; or "
              "call mend_collect(true), or malloc_trim(0), before it waits for long.",
              "%s of free pages wait to be returned to the kernel, and nobody does it: the process "
              "is idle, and what is due is done by allocations and frees.",
              figure_bytes(text, now->retained_bytes));
}

// ---------------------------------------------------------------------------------------------
// Options and their limits.

static void judge_limit(struct doctor *doctor)
{
  const struct remote_totals *totals = &doctor->last.totals;
  uint64_t limit = 0;
  uint64_t used = totals->committed_bytes - totals->unused_bytes;
  char texts[2][FIGURE_TEXT_MOST];
  if (!remote_option(doctor->remote, "limit", &limit) || limit == 0) return;
  if (figure_percent(used, limit) < 90) return;
  doctor_find(doctor, figure_percent(used, limit) >= 98 ? SEVERITY_PROBLEM : SEVERITY_WARNING,
              "limit", "Raise MEND_LIMIT, or let mend_set_out_of_memory give something up.",
              "The heap holds %s of the %s that the option `limit` allows: allocations will fail.",
              figure_bytes(texts[0], used), figure_bytes(texts[1], limit));
}

static void judge_mappings(struct doctor *doctor)
{
  uint64_t budget = 0;
  uint64_t count = doctor->last.counters.mapping_count;
  if (!remote_option(doctor->remote, "map_budget", &budget) || budget == 0) return;
  if (figure_percent(count, budget) < 80) return;
  doctor_find(doctor, SEVERITY_WARNING, "mappings",
              "Raise MEND_MAP_BUDGET, well below vm.max_map_count; or lower the number of large "
              "blocks that are resized or bound to NUMA nodes.",
              "%" PRIu64 " of the %" PRIu64 " kernel mappings of the option `map_budget` are used: "
              "beyond it large blocks are copied instead of moved, and get no huge pages.",
              count, budget);
}

static void judge_modes(struct doctor *doctor)
{
  uint64_t value;
  if (doctor->last.counters.tracking_mode == MEND_ROOT_TRACKS_ALL) {
    doctor_find(doctor, SEVERITY_NOTE, "exact",
                "Sampling (MEND_PROFILE=1) costs next to nothing, if that is enough.",
                "Every allocation is recorded (exact tracking): that slows the program, and takes "
                "up to 64 bytes a block.");
  }
  if (remote_option(doctor->remote, "handle_stir", &value) && value != 0) {
    doctor_find(doctor, SEVERITY_NOTE, "stir", "It is for tests.",
                "The option handle_stir is on: objects are moved without need.");
  }
}

static void judge_certainty(struct doctor *doctor)
{
  if (doctor->remote->torn_count == 0 && !doctor->remote->is_cut_off) return;
  doctor_find(doctor, SEVERITY_NOTE, "torn", "",
              "%" PRIu64 " pages changed while they were read, again and again: the figures are "
              "not quite certain.",
              doctor->remote->torn_count);
}

void doctor_judge_heap(struct doctor *doctor)
{
  if (doctor->is_redirected) {
    judge_use(doctor);
    judge_elsewhere(doctor);
  }
  judge_fragmentation(doctor);
  judge_growth(doctor);
  judge_retained(doctor);
  judge_limit(doctor);
  judge_mappings(doctor);
  judge_modes(doctor);
  judge_certainty(doctor);
}
