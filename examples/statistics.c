// SPDX-License-Identifier: MIT
//
// What the heap holds, before and after a program has dropped most of its data, and after it has
// asked for the rest to go back to the kernel.
//
// Build: cc statistics.c -o statistics $(pkg-config --cflags --libs mend-core)
// Run:   ./statistics
#include <mend/stats.h>
#include <stdio.h>

enum { COUNT = 100000, BYTES = 100 };

static void *blocks[COUNT];

static struct mend_stats show(const char *moment)
{
  struct mend_stats stats = {.bytes = sizeof stats};
  if (!mend_stats_get(&stats)) return stats;
  printf("%-12s live %9zu  free %9zu  kept %9zu bytes\n", moment, stats.live_bytes,
         stats.free_bytes, stats.retained_bytes);
  return stats;
}

int main(void)
{
  for (int i = 0; i < COUNT; i++) blocks[i] = mend_malloc(BYTES);
  struct mend_stats full = show("allocated");
  for (int i = 0; i < COUNT; i++) mend_free(blocks[i]);
  show("freed");
  mend_malloc_trim(0);
  struct mend_stats trimmed = show("trimmed");
  return full.live_bytes >= (size_t)COUNT * BYTES && trimmed.retained_bytes == 0 ? 0 : 1;
}
