// SPDX-License-Identifier: MIT
#include "residency.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

enum { WORDS_MOST = 1 << 16, READ_MOST = 1 << 27 };

// A page that is present, or swapped out.
#define PAGEMAP_HOLDS (UINT64_C(3) << 62)

void residency_open(struct residency *residency, const struct target *target)
{
  char path[64];
  *residency = (struct residency){.target = target, .file = -1};
  if (!target->is_live) return;
  snprintf(path, sizeof path, "/proc/%d/pagemap", (int)target->process);
  residency->words = malloc(WORDS_MOST * sizeof *residency->words);
  if (residency->words != NULL) residency->file = open(path, O_RDONLY | O_CLOEXEC);
}

void residency_close(struct residency *residency)
{
  if (residency->file >= 0) close(residency->file);
  free(residency->words);
}

static bool fill(struct residency *residency, uint64_t first)
{
  ssize_t read = pread(residency->file, residency->words, WORDS_MOST * sizeof *residency->words,
                       (off_t)(first * sizeof *residency->words));
  residency->read_count += WORDS_MOST;
  residency->first = first;
  residency->count = read > 0 ? (uint64_t)read / sizeof *residency->words : 0;
  return residency->count > 0;
}

uint64_t residency_bytes(struct residency *residency, uint64_t start, uint64_t bytes,
                         uint64_t otherwise)
{
  if (residency->file < 0 || residency->read_count + bytes / 4096 > READ_MOST) return otherwise;
  uint64_t page_bytes = residency->target->page_bytes;
  uint64_t sum = 0;
  for (uint64_t at = start; at - start < bytes;) {
    uint64_t page = at / page_bytes;
    uint64_t next = (page + 1) * page_bytes;
    if (page < residency->first || page - residency->first >= residency->count) {
      if (!fill(residency, page)) return otherwise;
    }
    uint64_t part = (next - start < bytes ? next : start + bytes) - at;
    if ((residency->words[page - residency->first] & PAGEMAP_HOLDS) != 0) sum += part;
    at = next;
  }
  return sum;
}
