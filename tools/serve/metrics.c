// SPDX-License-Identifier: MIT
#include "serve/metrics.h"

#include <inttypes.h>

#include "mend/mend.h"

static void write_head(FILE *stream, const char *name, const char *unit, const char *meaning)
{
  fprintf(stream, "# HELP %s %s\n# TYPE %s gauge\n", name, meaning, name);
  if (unit != NULL) fprintf(stream, "# UNIT %s %s\n", name, unit);
}

static void write_parts(const struct remote_totals *totals, FILE *stream)
{
  static const char name[] = "mend_seen_committed_part_bytes";
  const struct {
    const char *part;
    uint64_t bytes;
  } rows[] = {
      {"live", totals->live_bytes},     {"cached", totals->kept_bytes},
      {"free", totals->free_bytes},     {"uncarved", totals->uncarved_bytes},
      {"rest", totals->rest_bytes},     {"retained", totals->retained_bytes},
      {"unused", totals->unused_bytes},
  };
  write_head(stream, name, "bytes", "What is accessible for blocks, by what it is");
  for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
    fprintf(stream, "%s{part=\"%s\"} %" PRIu64 "\n", name, rows[i].part, rows[i].bytes);
  }
}

static void write_figures(const struct picture *picture, FILE *stream)
{
  const struct remote_totals *totals = &picture->remote.totals;
  const struct picture_sample *now = picture_now(picture);
  const struct {
    const char *name;
    const char *unit;
    const char *meaning;
    uint64_t value;
  } rows[] = {
      {"mend_seen_process_resident_bytes", "bytes", "Of the whole process", now->resident_bytes},
      {"mend_seen_held_bytes", "bytes", "Resident in pages that have blocks", now->held_bytes},
      {"mend_seen_committed_bytes", "bytes", "Addresses accessible for blocks",
       totals->committed_bytes},
      {"mend_seen_metadata_bytes", "bytes", "Descriptors, heaps and tables",
       totals->metadata_bytes},
      {"mend_seen_large_bytes", "bytes", "Of live blocks: those above 64 KiB", totals->large_bytes},
      {"mend_seen_large_blocks", NULL, "How many of those there are", totals->large_count},
      {"mend_seen_pages", NULL, "Runs of equal blocks in use", totals->page_count},
      {"mend_seen_heaps", NULL, "Of threads, and first-class ones", totals->heap_count},
      {"mend_seen_mappings", NULL, "Caused beyond the first ones",
       picture->remote.counters.mapping_count},
      {"mend_seen_torn_pages", NULL, "Read while they changed, and put right or left out",
       picture->remote.torn_count},
  };
  for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
    write_head(stream, rows[i].name, rows[i].unit, rows[i].meaning);
    fprintf(stream, "%s %" PRIu64 "\n", rows[i].name, rows[i].value);
  }
  write_head(stream, "mend_seen_fragmentation_ratio", "ratio",
             "Of what pages with blocks hold, the share that no live block has");
  fprintf(stream, "mend_seen_fragmentation_ratio %.6f\n", now->fragmentation);
}

static void write_classes(const struct picture *picture, FILE *stream)
{
  static const char *const names[] = {"mend_seen_class_pages", "mend_seen_class_live_blocks",
                                      "mend_seen_class_free_blocks"};
  static const char *const meanings[] = {"Pages of a class", "Its live blocks", "Its free blocks"};
  for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
    write_head(stream, names[i], NULL, meanings[i]);
    for (size_t j = 0; j < REMOTE_CLASSES_MOST; j++) {
      const struct remote_class *row = &picture->remote.classes[j];
      const uint64_t values[] = {row->page_count, row->live_count,
                                 row->kept_count + row->free_count};
      if (row->block_bytes == 0) continue;
      fprintf(stream, "%s{size=\"%" PRIu64 "\"} %" PRIu64 "\n", names[i], row->block_bytes,
              values[i]);
    }
  }
}

void metrics_write(const struct picture *picture, FILE *stream)
{
  write_head(stream, "mend_seen_build_info", NULL, "The version of mend that has looked");
  fputs("mend_seen_build_info{version=\"" MEND_VERSION_STRING "\"} 1\n", stream);
  write_head(stream, "mend_seen_up", NULL, "1: the process is there");
  fprintf(stream, "mend_seen_up %d\n", picture->is_live);
  write_parts(&picture->remote.totals, stream);
  write_figures(picture, stream);
  write_classes(picture, stream);
  fputs("# EOF\n", stream);
}
