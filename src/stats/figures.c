// SPDX-License-Identifier: MIT
#include "stats/figures.h"

#include <errno.h>

#include "handle/fragmentation.h"
#include "os/system.h"
#include "stats/resident.h"
#include "stats/stats.h"

#define OF(member) offsetof(struct stats_report, member)

INTERNAL const struct stats_figure stats_figure_table[STATS_FIGURES] = {
    {FIGURE_LINE, OF(resident.live_bytes), "live", "blocks that the program holds"},
    {FIGURE_LINE, OF(resident.rounding_bytes), "rounding", "of those, not asked for: if tracked"},
    {FIGURE_LINE, OF(resident.cached_bytes), "cached", "free blocks kept ready for threads"},
    {FIGURE_LINE, OF(resident.quarantine_bytes), "quarantine", "freed blocks kept from use"},
    {FIGURE_LINE, OF(resident.free_bytes), "free", "other free blocks in pages in use"},
    {FIGURE_LINE, OF(resident.uncarved_bytes), "uncarved", "ends of those pages, not used yet"},
    {FIGURE_LINE, OF(resident.rest_bytes), "rest", "behind the ends of large blocks"},
    {FIGURE_LINE, OF(resident.retained_bytes), "retained", "free pages kept for reuse"},
    {FIGURE_LINE, OF(resident.secret_bytes), "secrets", "blocks for secrets"},
    {FIGURE_LINE, OF(resident.handle_bytes), "handles", "tables of handles"},
    {FIGURE_LINE, OF(resident.tracking_bytes), "tracking", "what tracking knows of blocks"},
    {FIGURE_LINE, OF(resident.descriptor_bytes), "descriptors", "the table of pages"},
    {FIGURE_LINE, OF(resident.metadata_bytes), "metadata", "heaps, bitmaps, all other tables"},
    {FIGURE_BYTES, OF(resident.total_bytes), "resident", "the sum of these lines"},
    {FIGURE_BYTES, OF(resident.process_bytes), "process_resident", "of the whole process"},
    {FIGURE_BYTES, OF(resident.returned_bytes), "returned", "returned to the kernel, or not used"},
    {FIGURE_BYTES, OF(stats.committed_bytes), "committed", "addresses accessible for blocks"},
    {FIGURE_BYTES, OF(stats.large_bytes), "large", "of live blocks: those above 64 KiB"},
    {FIGURE_COUNT, OF(stats.large_count), "large_blocks", "how many of those there are"},
    {FIGURE_COUNT, OF(stats.page_count), "pages", "runs of equal blocks in use"},
    {FIGURE_COUNT, OF(stats.heap_count), "heaps", "of threads, and first-class ones"},
    {FIGURE_COUNT, OF(stats.mapping_count), "mappings", "caused beyond the first ones"},
    {FIGURE_COUNT, OF(objects.objects), "objects", "relocatable objects that are live"},
    {FIGURE_BYTES, OF(objects.object_bytes), "objects", "their sizes as asked for"},
    {FIGURE_BYTE_COUNTER, OF(stats.purged_bytes), "purged", "given to the kernel since the start"},
    {FIGURE_COUNTER, OF(stats.os_call_count), "os_calls", "system calls made for memory"},
    {FIGURE_COUNT, OF(resident.guessed), "residency_guessed", "1: the kernel did not tell of all"},
};

INTERNAL const char *stats_build(void)
{
#ifdef MEND_HARDENED
  return "hardened";
#else
  return "default";
#endif
}

INTERNAL bool stats_report_collect(struct stats_report *report)
{
  report->process = os_process_id();
  if (!resident_measure(&report->resident)) return false;
  report->stats = stats_collect(NULL);
  report->objects = fragmentation_of(NULL);
  return true;
}

static bool write_in(struct stream *stream, const struct stats_report *report,
                     enum mend_stats_format format)
{
  switch (format) {
  case MEND_STATS_TEXT:
    stats_write_text(stream, report);
    return true;
  case MEND_STATS_JSON:
    stats_write_json(stream, report);
    return true;
  case MEND_STATS_OPENMETRICS:
  case MEND_STATS_PROMETHEUS:
    stats_write_metrics(stream, report, format == MEND_STATS_OPENMETRICS);
    return true;
  case MEND_STATS_XML:
    stats_write_xml(stream, report);
    return true;
  }
  return false;
}

bool mend_stats_write(int descriptor, enum mend_stats_format format)
{
  int saved_errno = errno;
  struct stats_report report;
  struct stream stream;
  stream_begin(&stream, descriptor);
  if (!stats_report_collect(&report)) {
    stream.error = ENOMEM;
  } else if (!write_in(&stream, &report, format)) {
    stream.error = EINVAL;
  }
  bool is_written = stream_end(&stream);
  errno = is_written ? saved_errno : stream.error;
  return is_written;
}
