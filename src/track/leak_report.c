// SPDX-License-Identifier: MIT
#include "track/leak_report.h"

#include "track/track_file.h"
#include "track/tracker.h"

enum {
  LEAK_GROUPS_MOST = 1 << 17,
  REPORT_BLOCKS_MOST = 1000,  // single blocks
  LOST_REACHED = LOST_KINDS,  // a group's kind, too
};

static const char *const lost_words[] = {"direct", "indirect", "cycle", "handle", "rc_cycle"};

// Blocks of a kind that were allocated by the same stack.
struct leak_group {
  bool is_used;
  uint8_t kind;
  uint32_t stack;
  uint32_t thread;  // that allocated the first
  uint32_t first_ms;
  uint32_t last_ms;
  size_t count;
  size_t bytes;
};

struct leak_grouping {
  const struct leak_report *report;
  struct leak_result *result;
  struct leak_group *groups;  // by hash
  size_t room;                // a power of two
  size_t count;
};

// ---------------------------------------------------------------------------------------------
// Grouping.

// The group of these, or one where there was no room for it: that of no known stack.
static struct leak_group *find_leak_group(struct leak_grouping *grouping, uint8_t kind,
                                          uint32_t stack)
{
  bool is_full = grouping->count >= grouping->room / 4 * 3;
  uint64_t hash = ((uint64_t)stack * 8 + kind) * UINT64_C(0x9e3779b97f4a7c15);
  for (size_t at = hash >> 32;; at++) {
    struct leak_group *group = &grouping->groups[at & (grouping->room - 1)];
    if (group->is_used && group->kind == kind && group->stack == stack) return group;
    if (group->is_used) continue;
    if (is_full && stack != 0) return find_leak_group(grouping, kind, 0);
    *group = (struct leak_group){.is_used = true, .kind = kind, .stack = stack};
    grouping->count++;
    return group;
  }
}

// What is known of a block; without a record, its place and all that it holds.
static struct tracker_block look_at_found(uintptr_t start, size_t bytes)
{
  struct tracker_block known;
  if (tracker_find((const void *)start, &known)) return known;
  return (struct tracker_block){.block = (void *)start, .size = bytes};
}

static size_t add_to_leak_group(struct leak_grouping *grouping, uint8_t kind, uintptr_t start,
                                size_t bytes)
{
  struct tracker_block known = look_at_found(start, bytes);
  struct leak_group *group = find_leak_group(grouping, kind, known.stack);
  if (group->count == 0 || known.ms < group->first_ms) {
    group->first_ms = known.ms;
    group->thread = known.thread;
  }
  if (known.ms > group->last_ms) group->last_ms = known.ms;
  group->count++;
  group->bytes += known.size;
  return known.size;
}

static void add_reached_block(uint32_t number, const struct view_block *block, void *argument)
{
  struct leak_grouping *grouping = argument;
  if (!reach_has(grouping->report->reach, number)) return;
  grouping->result->reached.count++;
  grouping->result->reached.bytes +=
      add_to_leak_group(grouping, LOST_REACHED, block->start, block->bytes);
}

static bool make_leak_groups(struct leak_grouping *grouping)
{
  const struct leak_report *report = grouping->report;
  size_t blocks = heap_view_count(report->reach->view);
  grouping->room = bits_smaller(bits_next_power_of_two(2 * blocks + 16), LEAK_GROUPS_MOST);
  grouping->groups =
      os_scratch_take_array(report->scratch, grouping->room, sizeof *grouping->groups);
  if (grouping->groups == NULL) return false;
  for (uint32_t i = 0; i < report->lost->count; i++) {
    const struct lost_block *block = &report->lost->blocks[i];
    struct leak_sum *sum = &grouping->result->lost[block->kind];
    sum->count++;
    sum->bytes += add_to_leak_group(grouping, block->kind, block->start, block->bytes);
  }
  heap_view_each(report->reach->view, add_reached_block, grouping);
  return true;
}

// ---------------------------------------------------------------------------------------------
// The file.

static void write_leak_group(const struct leak_group *group)
{
  track_file_stack(group->stack);
  if (group->kind == LOST_REACHED) {
    track_file_line("reached");
    track_file_number(group->stack);
  } else {
    track_file_line("leak ");
    track_file_line(lost_words[group->kind]);
    track_file_number(group->stack);
    track_file_number(group->thread);
  }
  track_file_number(group->count);
  track_file_number(group->bytes);
  if (group->kind != LOST_REACHED) {
    track_file_number(group->first_ms);
    track_file_number(group->last_ms);
  }
  track_file_end_line();
}

static void write_lost_block(const struct lost_block *block)
{
  struct tracker_block known = look_at_found(block->start, block->bytes);
  track_file_stack(known.stack);
  track_file_line("block ");
  track_file_line(lost_words[block->kind]);
  track_file_number(known.stack);
  track_file_hex(block->start);
  track_file_number(known.size);
  track_file_end_line();
}

// Those that began a leak before those that hang on them.
static void write_lost_blocks(const struct lost *lost)
{
  unsigned shown = 0;
  for (int is_indirect = 0; is_indirect < 2; is_indirect++) {
    for (uint32_t i = 0; i < lost->count && shown < REPORT_BLOCKS_MOST; i++) {
      if ((lost->blocks[i].kind == LOST_INDIRECT) != is_indirect) continue;
      write_lost_block(&lost->blocks[i]);
      shown++;
    }
  }
}

// Another thread may have been writing a file when the copy was made: that is none of ours.
static bool write_leak_report(const struct leak_grouping *grouping)
{
  track_file_after_fork();
  if (!track_file_begin(grouping->report->descriptor, "leaks")) return false;
  for (size_t i = 0; i < grouping->room; i++) {
    if (grouping->groups[i].is_used) write_leak_group(&grouping->groups[i]);
  }
  write_lost_blocks(grouping->report->lost);
  size_t strays = grouping->report->reach->view->strays;
  if (strays > 0) {
    track_file_line("strays");
    track_file_number(strays);
    track_file_end_line();
  }
  return track_file_end();
}

INTERNAL bool leak_report_make(const struct leak_report *report, struct leak_result *result)
{
  struct leak_grouping grouping = {.report = report, .result = result};
  if (!make_leak_groups(&grouping)) return false;
  return report->descriptor < 0 || write_leak_report(&grouping);
}
