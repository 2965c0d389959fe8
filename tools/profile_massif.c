// SPDX-License-Identifier: MIT
//
// A profile as one detailed snapshot of massif: a tree whose root is all memory and whose leaves
// are outermost callers. Children are ordered by size; those below a hundredth of all are one line,
// as massif has it.
#include "plain.h"
#include "profile_formats.h"

#include <inttypes.h>
#include <stdlib.h>

#include "command.h"

enum { DEPTH_MOST = 100, THRESHOLD_PARTS = 100 };

struct entry {
  int64_t bytes;
  struct profile_frame *frames;  // innermost first
  size_t count;
};

// Entries side by side that have the same function at some depth.
struct group {
  size_t first, count;
  int64_t bytes;
};

struct massif {
  struct entry *entries;
  size_t entry_count;
  int64_t bytes;
  FILE *stream;
};

static int compare_entries(const void *first, const void *second)
{
  const struct entry *one = first;
  const struct entry *two = second;
  size_t common = one->count < two->count ? one->count : two->count;
  for (size_t i = 0; i < common; i++) {
    int order = profile_compare_frames(&one->frames[i], &two->frames[i]);
    if (order != 0) return order;
  }
  return (one->count > two->count) - (one->count < two->count);
}

static int compare_groups(const void *first, const void *second)
{
  const struct group *one = first;
  const struct group *two = second;
  if (one->bytes != two->bytes) return one->bytes < two->bytes ? 1 : -1;
  return (one->first > two->first) - (one->first < two->first);
}

static bool is_same_at(const struct entry *one, const struct entry *other, size_t depth)
{
  return profile_compare_frames(&one->frames[depth], &other->frames[depth]) == 0;
}

// The groups of a parent's entries, the largest first, to be freed; entries that end here are in
// none.
static struct group *make_groups(const struct massif *massif, const struct group *parent,
                                 size_t depth, size_t *count)
{
  struct group *groups = malloc((parent->count + 1) * sizeof *groups);
  *count = 0;
  if (groups == NULL) return NULL;
  for (size_t i = parent->first; i < parent->first + parent->count; i++) {
    const struct entry *entry = &massif->entries[i];
    if (entry->count <= depth) continue;
    struct group *last = *count > 0 ? &groups[*count - 1] : NULL;
    if (last == NULL || !is_same_at(&massif->entries[last->first], entry, depth)) {
      last = &groups[(*count)++];
      *last = (struct group){.first = i};
    }
    last->count++;
    last->bytes = profile_add(last->bytes, entry->bytes);
  }
  qsort(groups, *count, sizeof *groups, compare_groups);
  return groups;
}

// What is not known of is a child of the root.
static int64_t unknown_bytes(const struct massif *massif, size_t depth)
{
  // Entries without a function are the first.
  bool is_unknown = depth == 0 && massif->entry_count > 0 && massif->entries[0].count == 0;
  return is_unknown ? massif->entries[0].bytes : 0;
}

static void write_heading(const struct massif *massif, const struct group *group, size_t depth,
                          size_t children)
{
  fprintf(massif->stream, "%*sn%zu: %" PRId64 " ", (int)depth, "", children, group->bytes);
  if (depth == 0) {
    fputs("(heap allocation functions) malloc/new/new[], --alloc-fns, etc.\n", massif->stream);
    return;
  }
  const struct profile_frame *frame = &massif->entries[group->first].frames[depth - 1];
  char text[SYMBOL_TEXT_MOST];
  symbols_describe(text, frame->symbol, frame->index);
  fprintf(massif->stream, "0x%" PRIX64 ": %s\n", frame->symbol->address, text);
}

// A group and all below it.
static bool write_group(const struct massif *massif, const struct group *group, size_t depth)
{
  size_t count = 0, large = 0;
  struct group *groups = make_groups(massif, group, depth, &count);
  if (groups == NULL) return false;
  if (depth >= DEPTH_MOST) count = 0;
  while (large < count && groups[large].bytes >= massif->bytes / THRESHOLD_PARTS) large++;
  int64_t small_bytes = 0;
  for (size_t i = large; i < count; i++) small_bytes = profile_add(small_bytes, groups[i].bytes);
  int64_t unknown = unknown_bytes(massif, depth);
  write_heading(massif, group, depth, large + (large < count) + (unknown > 0));
  bool is_good = true;
  for (size_t i = 0; i < large && is_good; i++) {
    is_good = write_group(massif, &groups[i], depth + 1);
  }
  if (unknown > 0) fprintf(massif->stream, " n0: %" PRId64 " " PROFILE_UNKNOWN "\n", unknown);
  if (large < count) {
    fprintf(massif->stream,
            "%*sn0: %" PRId64 " in %zu place%s, below massif's threshold (1.00%%)\n",
            (int)depth + 1, "", small_bytes, count - large, count - large == 1 ? "" : "s");
  }
  free(groups);
  return is_good;
}

static void write_snapshot(FILE *stream, int number, uint64_t time, int64_t bytes, const char *tree)
{
  fprintf(stream,
          "#-----------\nsnapshot=%d\n#-----------\ntime=%" PRIu64 "\nmem_heap_B=%" PRId64
          "\nmem_heap_extra_B=0\nmem_stacks_B=0\nheap_tree=%s\n",
          number, time, bytes, tree);
}

static bool write_all(struct massif *massif, const struct profile *profile)
{
  enum profile_value value = profile_bytes_value(profile->by);
  for (size_t i = 0; i < profile->row_count; i++) {
    if (profile->rows[i].values[value] <= 0) continue;
    struct entry *entry = &massif->entries[massif->entry_count];
    *entry = (struct entry){.bytes = profile->rows[i].values[value]};
    entry->frames = profile_frames(&profile->rows[i], &entry->count);
    if (entry->frames == NULL) return false;
    massif->entry_count++;
    massif->bytes = profile_add(massif->bytes, entry->bytes);
  }
  qsort(massif->entries, massif->entry_count, sizeof *massif->entries, compare_entries);
  fputs("desc: mend profile\ncmd:", massif->stream);
  for (size_t i = 0; i < profile->file->argument_count; i++) {
    fputc(' ', massif->stream);
    plain_write(massif->stream, profile->file->arguments[i]);
  }
  fputs("\ntime_unit: ms\n", massif->stream);
  write_snapshot(massif->stream, 0, 0, 0, "empty");
  write_snapshot(massif->stream, 1, profile->file->uptime_ms, massif->bytes, "peak");
  const struct group all = {.count = massif->entry_count, .bytes = massif->bytes};
  return write_group(massif, &all, 0);
}

bool profile_write_massif(const struct profile *profile, FILE *stream)
{
  struct massif massif = {.stream = stream};
  massif.entries = calloc(profile->row_count + 1, sizeof *massif.entries);
  bool is_good = massif.entries != NULL && write_all(&massif, profile);
  for (size_t i = 0; i < massif.entry_count; i++) free(massif.entries[i].frames);
  free(massif.entries);
  if (!is_good) complain("out of memory for the tree");
  return is_good;
}
