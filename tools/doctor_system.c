// SPDX-License-Identifier: MIT
//
// What the kernel and its settings have to do with the heap: huge pages, mappings, limits, swap.
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "doctor.h"
#include "figures.h"

#define MIB ((uint64_t)1 << 20)

// Reads the first line of a file; false if there is none.
static bool read_line(const char *path, char *line, int bytes)
{
  FILE *file = fopen(path, "re");
  if (file == NULL) return false;
  bool is_read = fgets(line, bytes, file) != NULL;
  fclose(file);
  return is_read;
}

static bool read_number(const char *path, uint64_t *number)
{
  char line[64];
  return read_line(path, line, sizeof line) && sscanf(line, "%" SCNu64, number) == 1;
}

// The number behind a word at the beginning of a line; false if there is none. (As in
// /proc/PID/status and /proc/meminfo.)
static bool read_entry(const char *path, const char *word, uint64_t *number)
{
  char line[256];
  bool is_found = false;
  FILE *file = fopen(path, "re");
  if (file == NULL) return false;
  while (!is_found && fgets(line, sizeof line, file) != NULL) {
    is_found = strncmp(line, word, strlen(word)) == 0 &&
               sscanf(line + strlen(word), " %" SCNu64, number) == 1;
  }
  fclose(file);
  return is_found;
}

static bool read_own_entry(const struct doctor *doctor, const char *file, const char *word,
                           uint64_t *number)
{
  char path[64];
  snprintf(path, sizeof path, "/proc/%d/%s", (int)doctor->target->process, file);
  return read_entry(path, word, number);
}

static uint64_t percent(uint64_t part, uint64_t whole)
{
  return whole == 0 ? 0 : (uint64_t)(100 * (double)part / (double)whole);
}

static const char *size_text(char text[static FIGURE_TEXT_MOST], uint64_t bytes)
{
  figure_write(text, UNIT_BYTES, (double)bytes);
  return text;
}

// ---------------------------------------------------------------------------------------------

static void judge_huge_pages(struct doctor *doctor)
{
  char line[128];
  uint64_t wanted = 0;
  bool is_asked = remote_option(doctor->remote, "huge_pages", &wanted) && wanted != 0;
  if (!read_line("/sys/kernel/mm/transparent_hugepage/enabled", line, sizeof line)) return;
  bool is_never = strstr(line, "[never]") != NULL;
  bool is_always = strstr(line, "[always]") != NULL;
  if (is_never && is_asked && doctor->last.totals.large_bytes >= 64 * MIB) {
    doctor_find(doctor, SEVERITY_NOTE, "no-huge-pages",
                "echo madvise > /sys/kernel/mm/transparent_hugepage/enabled (as root).",
                "The system gives out no huge pages (transparent_hugepage is `never`), though "
                "there are large blocks that would be faster with them.");
  } else if (is_always) {
    doctor_find(doctor, SEVERITY_NOTE, "huge-pages-always",
                "echo madvise > /sys/kernel/mm/transparent_hugepage/enabled (as root) if memory "
                "is short: mend asks where they help.",
                "The system gives out huge pages unasked (transparent_hugepage is `always`): the "
                "process may hold more memory than it touches.");
  }
}

static void judge_all_mappings(struct doctor *doctor)
{
  uint64_t most;
  size_t count = doctor->target->mapping_count;
  if (!target_refresh(doctor->target)) return;
  count = doctor->target->mapping_count;
  if (!read_number("/proc/sys/vm/max_map_count", &most) || percent(count, most) < 80) return;
  doctor_find(
      doctor, SEVERITY_PROBLEM, "max-map-count",
      "sysctl vm.max_map_count=1048576 (as root), or find out who maps so much: mend itself "
      "keeps within MEND_MAP_BUDGET.",
      "The process has %zu of the %" PRIu64 " mappings that the kernel allows; %" PRIu64
      " are mend's. Without more, mmap fails, and with it allocations.",
      count, most, doctor->last.counters.mapping_count);
}

static void judge_overcommit(struct doctor *doctor)
{
  uint64_t mode, limit, committed;
  char texts[2][FIGURE_TEXT_MOST];
  if (!read_number("/proc/sys/vm/overcommit_memory", &mode) || mode != 2) return;
  if (!read_entry("/proc/meminfo", "CommitLimit:", &limit) ||
      !read_entry("/proc/meminfo", "Committed_AS:", &committed)) {
    return;
  }
  bool is_near = percent(committed, limit) >= 90;
  doctor_find(
      doctor, is_near ? SEVERITY_WARNING : SEVERITY_NOTE, "overcommit",
      is_near ? "Raise vm.overcommit_ratio, or set vm.overcommit_memory to 0." : "",
      "The kernel promises no more memory than it has (vm.overcommit_memory is 2): %s of %s "
      "are promised, so what is accessible counts, touched or not.",
      size_text(texts[0], committed * 1024), size_text(texts[1], limit * 1024));
}

static void judge_swap(struct doctor *doctor)
{
  uint64_t swapped = 0;
  char text[FIGURE_TEXT_MOST];
  if (!read_own_entry(doctor, "status", "VmSwap:", &swapped)) return;
  swapped *= 1024;
  if (swapped < 16 * MIB || percent(swapped, doctor->last.resident_bytes + swapped) < 10) return;
  doctor_find(doctor, SEVERITY_WARNING, "swap",
              "It has too little memory: see what is live, and whether it is free memory that is "
              "held.",
              "%s of the process is swapped out.", size_text(text, swapped));
}

// ---------------------------------------------------------------------------------------------
// Limits from outside.

static void judge_address_space(struct doctor *doctor)
{
  uint64_t limit, size;
  char texts[2][FIGURE_TEXT_MOST];
  if (!read_own_entry(doctor, "limits", "Max address space", &limit)) return;
  if (!read_own_entry(doctor, "status", "VmSize:", &size)) return;
  if (percent(size * 1024, limit) < 90) return;
  doctor_find(doctor, SEVERITY_PROBLEM, "address-space", "Raise it (ulimit -v).",
              "The process uses %s of the %s of address space that it may have (RLIMIT_AS): "
              "allocations will fail.",
              size_text(texts[0], size * 1024), size_text(texts[1], limit));
}

// The files of the process's group, of either kind of groups.
static bool read_group(const struct doctor *doctor, uint64_t *used, uint64_t *limit)
{
  char path[64], line[1024], file[1200];
  bool is_read = false;
  snprintf(path, sizeof path, "/proc/%d/cgroup", (int)doctor->target->process);
  FILE *groups = fopen(path, "re");
  if (groups == NULL) return false;
  while (!is_read && fgets(line, sizeof line, groups) != NULL) {
    line[strcspn(line, "\n")] = '\0';
    const char *memory = strstr(line, ":memory:");
    if (strncmp(line, "0::", 3) == 0) {
      snprintf(file, sizeof file, "/sys/fs/cgroup%s/memory.current", line + 3);
      is_read = read_number(file, used);
      snprintf(file, sizeof file, "/sys/fs/cgroup%s/memory.max", line + 3);
    } else if (memory != NULL) {
      snprintf(file, sizeof file, "/sys/fs/cgroup/memory%s/memory.usage_in_bytes", memory + 8);
      is_read = read_number(file, used);
      snprintf(file, sizeof file, "/sys/fs/cgroup/memory%s/memory.limit_in_bytes", memory + 8);
    }
    is_read = is_read && read_number(file, limit);
  }
  fclose(groups);
  return is_read;
}

static void judge_group(struct doctor *doctor)
{
  uint64_t used, limit;
  char texts[2][FIGURE_TEXT_MOST];
  if (!read_group(doctor, &used, &limit) || percent(used, limit) < 90) return;
  doctor_find(doctor, SEVERITY_WARNING, "cgroup",
              "Raise the group's limit; or set MEND_LIMIT below it, so that malloc returns NULL "
              "before the kernel ends the process.",
              "The control group of the process uses %s of the %s that it may have.",
              size_text(texts[0], used), size_text(texts[1], limit));
}

void doctor_judge_system(struct doctor *doctor)
{
  if (!doctor->target->is_live) return;
  judge_huge_pages(doctor);
  judge_all_mappings(doctor);
  judge_overcommit(doctor);
  judge_swap(doctor);
  judge_address_space(doctor);
  judge_group(doctor);
}
