// SPDX-License-Identifier: MIT
//
// What the kernel and its settings have to do with the heap: huge pages, mappings, limits, swap.
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "doctor.h"
#include "figures.h"
#include "kernel_file.h"

#define MIB ((uint64_t)1 << 20)

static bool read_own_entry(const struct doctor *doctor, const char *file, const char *word,
                           uint64_t *number)
{
  char path[64];
  snprintf(path, sizeof path, "/proc/%d/%s", (int)doctor->target->process, file);
  return kernel_file_entry(path, word, number);
}

// ---------------------------------------------------------------------------------------------

static void judge_huge_pages(struct doctor *doctor)
{
  uint64_t wanted = 0;
  enum huge_pages given;
  bool is_asked = remote_option(doctor->remote, "huge_pages", &wanted) && wanted != 0;
  if (!kernel_file_huge_pages(&given)) return;
  if (given == HUGE_PAGES_NEVER && is_asked && doctor->last.totals.large_bytes >= 64 * MIB) {
    doctor_find(doctor, SEVERITY_NOTE, "no-huge-pages",
                "echo madvise > /sys/kernel/mm/transparent_hugepage/enabled (as root).",
                "The system gives out no huge pages (transparent_hugepage is `never`), though "
                "there are large blocks that would be faster with them.");
  } else if (given == HUGE_PAGES_ALWAYS) {
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
  if (!target_refresh(doctor->target)) return;
  size_t count = doctor->target->mapping_count;
  if (!kernel_file_number("/proc/sys/vm/max_map_count", &most) || figure_percent(count, most) < 80)
    return;
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
  if (!kernel_file_number("/proc/sys/vm/overcommit_memory", &mode) || mode != 2) return;
  if (!kernel_file_entry("/proc/meminfo", "CommitLimit:", &limit) ||
      !kernel_file_entry("/proc/meminfo", "Committed_AS:", &committed)) {
    return;
  }
  bool is_near = figure_percent(committed, limit) >= 90;
  doctor_find(
      doctor, is_near ? SEVERITY_WARNING : SEVERITY_NOTE, "overcommit",
      is_near ? "Raise vm.overcommit_ratio, or set vm.overcommit_memory to 0." : "",
      "The kernel promises no more memory than it has (vm.overcommit_memory is 2): %s of %s "
      "are promised, so what is accessible counts, touched or not.",
      figure_bytes(texts[0], committed * 1024), figure_bytes(texts[1], limit * 1024));
}

static void judge_swap(struct doctor *doctor)
{
  uint64_t swapped = 0;
  char text[FIGURE_TEXT_MOST];
  if (!read_own_entry(doctor, "status", "VmSwap:", &swapped)) return;
  swapped *= 1024;
  if (swapped < 16 * MIB || figure_percent(swapped, doctor->last.resident_bytes + swapped) < 10)
    return;
  doctor_find(doctor, SEVERITY_WARNING, "swap",
              "It has too little memory: see what is live, and whether it is free memory that is "
              "held.",
              "%s of the process is swapped out.", figure_bytes(text, swapped));
}

// ---------------------------------------------------------------------------------------------
// Limits from outside.

static void judge_address_space(struct doctor *doctor)
{
  uint64_t limit, size;
  char texts[2][FIGURE_TEXT_MOST];
  if (!read_own_entry(doctor, "limits", "Max address space", &limit)) return;
  if (!read_own_entry(doctor, "status", "VmSize:", &size)) return;
  if (figure_percent(size * 1024, limit) < 90) return;
  doctor_find(doctor, SEVERITY_PROBLEM, "address-space", "Raise it (ulimit -v).",
              "The process uses %s of the %s of address space that it may have (RLIMIT_AS): "
              "allocations will fail.",
              figure_bytes(texts[0], size * 1024), figure_bytes(texts[1], limit));
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
      is_read = kernel_file_number(file, used);
      snprintf(file, sizeof file, "/sys/fs/cgroup%s/memory.max", line + 3);
    } else if (memory != NULL) {
      snprintf(file, sizeof file, "/sys/fs/cgroup/memory%s/memory.usage_in_bytes", memory + 8);
      is_read = kernel_file_number(file, used);
      snprintf(file, sizeof file, "/sys/fs/cgroup/memory%s/memory.limit_in_bytes", memory + 8);
    }
    is_read = is_read && kernel_file_number(file, limit);
  }
  fclose(groups);
  return is_read;
}

static void judge_group(struct doctor *doctor)
{
  uint64_t used, limit;
  char texts[2][FIGURE_TEXT_MOST];
  if (!read_group(doctor, &used, &limit) || figure_percent(used, limit) < 90) return;
  doctor_find(doctor, SEVERITY_WARNING, "cgroup",
              "Raise the group's limit; or set MEND_LIMIT below it, so that malloc returns NULL "
              "before the kernel ends the process.",
              "The control group of the process uses %s of the %s that it may have.",
              figure_bytes(texts[0], used), figure_bytes(texts[1], limit));
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
