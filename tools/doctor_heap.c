// SPDX-License-Identifier: MIT
//
// The heap as a whole: whether it is used at all, free pages that are kept, limits of its own.
#include <inttypes.h>
#include <stdlib.h>

#include "doctor.h"
#include "figures.h"

#define MIB ((uint64_t)1 << 20)

// From where on something is worth a word.
#define FREE_LEAST (16 * MIB)
#define ELSEWHERE_LEAST (64 * MIB)

static void judge_use(struct doctor *doctor)
{
  const struct remote_totals *totals = &doctor->last.totals;
  if (totals->page_count + totals->large_count > 0 || totals->committed_bytes > 0) return;
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
// What is kept.

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
      doctor_seconds(doctor) * 1000 < (double)delay_ms * 1.5) {
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
  judge_retained(doctor);
  judge_limit(doctor);
  judge_mappings(doctor);
  judge_modes(doctor);
  judge_certainty(doctor);
}
