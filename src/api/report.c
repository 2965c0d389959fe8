// SPDX-License-Identifier: MIT
//
// The C library's ways to ask about the heap: mallinfo, malloc_stats, malloc_info, mallopt.
#include <errno.h>

#include "base/size_class.h"
#include "mend/mend.h"
#include "stats/stats.h"

struct mend_mallinfo2 mend_mallinfo2(void)
{
  struct mend_stats stats = stats_collect(NULL);
  size_t small_bytes = stats.live_bytes - stats.large_bytes;
  size_t free_bytes = stats.free_bytes + stats.uncarved_bytes + stats.retained_bytes;
  return (struct mend_mallinfo2){
      .arena = small_bytes + free_bytes,
      .ordblks = stats.page_count,
      .hblks = stats.large_count,
      .hblkhd = stats.large_bytes,
      .uordblks = small_bytes,
      .fordblks = free_bytes,
      .keepcost = stats.retained_bytes,
  };
}

struct mend_mallinfo mend_mallinfo(void)
{
  struct mend_mallinfo2 info = mend_mallinfo2();
  return (struct mend_mallinfo){
      .arena = (int)info.arena,
      .ordblks = (int)info.ordblks,
      .hblks = (int)info.hblks,
      .hblkhd = (int)info.hblkhd,
      .uordblks = (int)info.uordblks,
      .fordblks = (int)info.fordblks,
      .keepcost = (int)info.keepcost,
  };
}

void mend_malloc_stats(void)
{
  stats_print();
}

static void print_class(FILE *stream, unsigned size_class, const struct stats_class *of_class)
{
  if (of_class->page_count == 0) return;
  fprintf(stream, "    <class size=\"%zu\" pages=\"%zu\" live=\"%zu\" free=\"%zu\"/>\n",
          size_class_bytes(size_class), of_class->page_count, of_class->live_count,
          of_class->free_count);
}

int mend_malloc_info(int flags, FILE *stream)
{
  if (flags != 0) return EINVAL;
  struct stats_class classes[SIZE_CLASS_COUNT];
  struct mend_stats stats = stats_collect(classes);
  fprintf(stream, "<malloc version=\"mend-1\">\n  <sizes>\n");
  for (unsigned i = 0; i < SIZE_CLASS_COUNT; i++) print_class(stream, i, &classes[i]);
  fprintf(stream, "  </sizes>\n");
  fprintf(stream, "  <total type=\"live\" size=\"%zu\"/>\n", stats.live_bytes);
  fprintf(stream, "  <total type=\"free\" size=\"%zu\"/>\n", stats.free_bytes);
  fprintf(stream, "  <total type=\"uncarved\" size=\"%zu\"/>\n", stats.uncarved_bytes);
  fprintf(stream, "  <total type=\"rest\" size=\"%zu\"/>\n", stats.rest_bytes);
  fprintf(stream, "  <total type=\"retained\" size=\"%zu\"/>\n", stats.retained_bytes);
  fprintf(stream, "  <total type=\"unused\" size=\"%zu\"/>\n", stats.unused_bytes);
  fprintf(stream, "  <total type=\"large\" count=\"%zu\" size=\"%zu\"/>\n", stats.large_count,
          stats.large_bytes);
  fprintf(stream, "  <system type=\"current\" size=\"%zu\"/>\n", stats.committed_bytes);
  fprintf(stream, "  <metadata size=\"%zu\"/>\n</malloc>\n", stats.metadata_bytes);
  return 0;
}

// The parameters of <malloc.h>: M_ARENA_MAX -8 up to M_TRIM_THRESHOLD -1, M_MXFAST 1 up to
// M_KEEP 4.
int mend_mallopt(int parameter, int value)
{
  (void)value;
  return parameter >= -8 && parameter <= 4 && parameter != 0 ? 1 : 0;
}
