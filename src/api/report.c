// SPDX-License-Identifier: MIT
//
// The C library's ways to ask about the heap: mallinfo, malloc_stats, malloc_info, mallopt.
#include <errno.h>

#include "mend/mend.h"
#include "stats/figures.h"
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

static bool take_xml(void *argument, const char *text, size_t bytes)
{
  return fwrite(text, 1, bytes, argument) == bytes;
}

int mend_malloc_info(int flags, FILE *stream)
{
  if (flags != 0) return EINVAL;
  struct stats_report report;
  struct stream text;
  stream_begin_function(&text, take_xml, stream);
  if (!stats_report_collect(&report)) return ENOMEM;
  stats_write_xml(&text, &report);
  // As in the C library, an error is the stream's.
  (void)stream_end(&text);
  return 0;
}

// The parameters of <malloc.h>: M_ARENA_MAX -8 up to M_TRIM_THRESHOLD -1, M_MXFAST 1 up to
// M_KEEP 4.
int mend_mallopt(int parameter, int value)
{
  (void)value;
  return parameter >= -8 && parameter <= 4 && parameter != 0 ? 1 : 0;
}
