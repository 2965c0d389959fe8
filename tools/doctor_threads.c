// SPDX-License-Identifier: MIT
//
// Threads that hold free memory: ready in their heaps, or in pages that they keep.
#include <inttypes.h>
#include <time.h>

#include "clock.h"
#include "doctor.h"
#include "figures.h"
#include "process_name.h"

#define KEPT_LEAST ((uint64_t)2 << 20)
#define KEPT_TOGETHER ((uint64_t)16 << 20)

enum { IDLE_MS = 10000, HOLDERS_MOST = 5 };

// How long ago the thread last gave anything back; 0 if that is not known. The clock is the
// machine's, so it is the same here.
static uint32_t idle_ms(const struct doctor *doctor, const struct remote_heap *heap)
{
  if (!doctor->target->is_live || heap->tidied_ms == 0) return 0;
  uint32_t idle = (uint32_t)(clock_ns(CLOCK_MONOTONIC) / NS_A_MS) - heap->tidied_ms;
  return idle < UINT32_MAX / 2 ? idle : 0;
}

static void judge_holder(struct doctor *doctor, const struct remote_heap *heap)
{
  char name[PROCESS_NAME_MOST];
  char text[FIGURE_TEXT_MOST];
  uint32_t idle = idle_ms(doctor, heap);
  process_heap_name(name, doctor->target, heap);
  figure_write(text, UNIT_BYTES, (double)heap->kept_bytes);
  if (idle >= IDLE_MS) {
    doctor_find(doctor, SEVERITY_WARNING, "idle-thread",
                "Let it call mend_collect(false) before it waits for long: what a thread holds "
                "ready only it can give back.",
                "The heap of %s holds %s ready for its next allocations, and has not given "
                "anything back for %" PRIu32 " seconds.",
                name, text, idle / 1000);
  } else {
    doctor_find(doctor, SEVERITY_NOTE, "holding-thread", "",
                "The heap of %s holds %s ready for its next allocations.", name, text);
  }
}

// Those that hold little each, or are too many to be named.
static void judge_others(struct doctor *doctor, size_t count, uint64_t bytes, bool are_more)
{
  char text[FIGURE_TEXT_MOST];
  if (bytes < KEPT_TOGETHER) return;
  doctor_find(doctor, SEVERITY_NOTE, "holding-threads",
              "A thread that is about to wait for long may call mend_collect(false); fewer threads "
              "hold less.",
              "The heaps of %zu %sthreads hold %s together ready for their next allocations.",
              count, are_more ? "more " : "", figure_bytes(text, bytes));
}

void doctor_judge_threads(struct doctor *doctor)
{
  const struct remote *remote = doctor->remote;
  size_t named = 0, others = 0;
  uint64_t others_bytes = 0;
  for (size_t i = 0; i < remote->heap_count; i++) {
    const struct remote_heap *heap = &remote->heaps[i];
    if (heap->owner != OWNED_BY_THREAD || heap->kept_bytes == 0) continue;
    if (heap->kept_bytes >= KEPT_LEAST && named < HOLDERS_MOST) {
      judge_holder(doctor, heap);
      named++;
    } else {
      others_bytes += heap->kept_bytes;
      others++;
    }
  }
  judge_others(doctor, others, others_bytes, named > 0);
}
