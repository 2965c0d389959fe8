// SPDX-License-Identifier: MIT
#define _GNU_SOURCE 1
#include "judge.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "support.h"

struct mapping {
  uintptr_t start, end;
  size_t resident;
  bool is_heap;
};

static bool is_heap(const char *name)
{
  return *name == '\0' || strcmp(name, "[heap]") == 0 || strncmp(name, "[anon:", 6) == 0;
}

// Whether the line begins a mapping, which it then is.
static bool read_head(char *line, struct mapping *mapping)
{
  int name_at = 0;
  line[strcspn(line, "\n")] = '\0';
  if (sscanf(line, "%" SCNxPTR "-%" SCNxPTR " %*s %*s %*s %*s %n", &mapping->start, &mapping->end,
             &name_at) != 2 ||
      name_at == 0) {
    return false;
  }
  mapping->is_heap = is_heap(line + name_at);
  mapping->resident = 0;
  return true;
}

// Calls the function for each mapping of the heap.
static void each_mapping(pid_t process, void (*function)(const struct mapping *, void *),
                         void *argument)
{
  char path[64];
  char line[512];
  struct mapping mapping = {0};
  size_t kib;
  snprintf(path, sizeof path, "/proc/%ld/smaps", (long)process);
  FILE *file = fopen(path, "re");
  CHECK(file != NULL);
  while (fgets(line, sizeof line, file) != NULL) {
    if (sscanf(line, "Anonymous: %zu kB", &kib) == 1) {
      mapping.resident = kib * KIB;
      if (mapping.is_heap) function(&mapping, argument);
    } else if (strchr("0123456789abcdef", line[0]) != NULL) {
      CHECK(read_head(line, &mapping));
    }
  }
  fclose(file);
}

bool judge_is_possible(void)
{
  return !TEST_IS_WASTEFUL && !test_is_instrumented() && test_scaled(100) >= 100;
}

static void add_start(const struct mapping *mapping, void *argument)
{
  struct judge_start *start = argument;
  CHECK(start->count < JUDGE_MAPPINGS_MAX);
  start->starts[start->count++] = mapping->start;
}

struct judge_start judge_start(pid_t process)
{
  struct judge_start start = {0};
  each_mapping(process, add_start, &start);
  return start;
}

struct sum {
  const struct judge_start *start;
  uintptr_t low, high;
  struct judged judged;
};

static bool was_there(const struct judge_start *start, uintptr_t address)
{
  for (size_t i = 0; i < start->count; i++) {
    if (start->starts[i] == address) return true;
  }
  return false;
}

static void add_mapping(const struct mapping *mapping, void *argument)
{
  struct sum *sum = argument;
  if (mapping->end > sum->low && mapping->start < sum->high) {
    sum->judged.blocks += mapping->resident;
  } else if (was_there(sum->start, mapping->start)) {
    sum->judged.others += mapping->resident;
  } else {
    sum->judged.table += mapping->resident;
  }
}

struct judged judge_process(pid_t process, const struct judge_start *start, uintptr_t low,
                            uintptr_t high)
{
  struct sum sum = {start, low, high, {0}};
  each_mapping(process, add_mapping, &sum);
  return sum.judged;
}
