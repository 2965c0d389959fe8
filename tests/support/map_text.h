// SPDX-License-Identifier: MIT
//
// The text that mend_heap_map_write writes, taken apart. It is taken as strictly as the format
// allows: a line out of place ends the test.
#ifndef TESTS_SUPPORT_MAP_TEXT_H
#define TESTS_SUPPORT_MAP_TEXT_H

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "mend/handle.h"
#include "mend/stats.h"
#include "support.h"

enum { MAP_TEXT_MOST = 1 << 23, MAP_PAGES_MOST = 1 << 16, MAP_PINS_MOST = 1 << 14 };

struct map_line {
  uintptr_t start;
  size_t bytes;
  char kind[8];
  size_t block_bytes;
  size_t capacity;
  size_t carved;
  size_t used;
  size_t resident_bytes;
  char owner[32];
  char state[16];
};

static struct {
  char text[MAP_TEXT_MOST];
  struct map_line pages[MAP_PAGES_MOST];
  size_t page_count;
  uintptr_t pins[MAP_PINS_MOST];
  size_t pin_count;
} map;

// The text of a figure's line behind its name; NULL if there is no such line.
static inline const char *map_find(const char *name)
{
  size_t length = strlen(name);
  const char *at = map.text;
  while ((at = strstr(at, name)) != NULL && (at[-1] != '\n' || at[length] != ' ')) at += length;
  return at != NULL ? at + length + 1 : NULL;
}

static inline size_t map_figure(const char *name)
{
  const char *text = map_find(name);
  CHECK(text != NULL);
  return strtoull(text, NULL, 10);
}

static inline double map_share(const char *name)
{
  const char *text = map_find(name);
  CHECK(text != NULL);
  return strtod(text, NULL);
}

static inline void map_read_page(const char *line)
{
  int length = 0;
  CHECK(map.page_count < MAP_PAGES_MOST);
  struct map_line *page = &map.pages[map.page_count];
  CHECK(sscanf(line, "page %" SCNxPTR " %zu %7s %zu %zu %zu %zu %zu %31s %15s%n", &page->start,
               &page->bytes, page->kind, &page->block_bytes, &page->capacity, &page->carved,
               &page->used, &page->resident_bytes, page->owner, page->state, &length) == 10);
  CHECK(line[length] == '\n');
  CHECK(page->bytes > 0 && page->resident_bytes <= page->bytes);
  CHECK(page->used <= page->carved && page->carved <= page->capacity);
  CHECK(page->capacity * page->block_bytes <= page->bytes);
  if (map.page_count > 0) CHECK(page->start >= page[-1].start + page[-1].bytes);
  map.page_count++;
}

static inline void map_read_pin(const char *line)
{
  CHECK(map.pin_count < MAP_PINS_MOST);
  CHECK(sscanf(line, "pin %" SCNxPTR "\n", &map.pins[map.pin_count]) == 1);
  map.pin_count++;
}

// Takes map.text apart, which must be whole.
static inline void map_parse(void)
{
  static const char first[] = "mend heap map 1\n";
  size_t pages = 0, pins = 0;
  map.page_count = map.pin_count = 0;
  CHECK(strncmp(map.text, first, sizeof first - 1) == 0);
  const char *line = map.text;
  while (*line != '\0') {
    CHECK(pages + pins == 0);  // nothing follows the end
    if (strncmp(line, "page ", 5) == 0) map_read_page(line);
    if (strncmp(line, "pin ", 4) == 0) map_read_pin(line);
    if (strncmp(line, "end ", 4) == 0) CHECK(sscanf(line, "end %zu %zu\n", &pages, &pins) == 2);
    line = strchr(line, '\n');
    CHECK(line != NULL);
    line++;
  }
  CHECK(map_find("end") != NULL);
  CHECK(pages == map.page_count && pins == map.pin_count);
}

// A file without a name.
static inline int map_open(void)
{
  int file = (int)syscall(SYS_memfd_create, "map", 0U);
  CHECK(file >= 0);
  return file;
}

// Takes a snapshot of this process and reads it.
static inline void map_take(const struct mend_defrag_report *report)
{
  int file = map_open();
  CHECK(mend_heap_map_write(file, report));
  off_t bytes = lseek(file, 0, SEEK_END);
  CHECK(bytes > 0 && bytes < MAP_TEXT_MOST && pread(file, map.text, (size_t)bytes, 0) == bytes);
  map.text[bytes] = '\0';
  CHECK(close(file) == 0);
  map_parse();
}

// Sums over the pages of a kind ("": list and bitmap pages) whose owner begins with this word.
struct map_sum {
  size_t pages;
  size_t bytes;
  size_t used;
  size_t block_bytes;  // of those used
  size_t resident_bytes;
  size_t closed;
};

static inline struct map_sum map_sum(const char *kind, const char *owner)
{
  struct map_sum sum = {0};
  for (size_t i = 0; i < map.page_count; i++) {
    const struct map_line *page = &map.pages[i];
    bool is_page = strcmp(page->kind, "list") == 0 || strcmp(page->kind, "bitmap") == 0;
    bool is_of_kind = *kind == '\0' ? is_page : strcmp(page->kind, kind) == 0;
    if (!is_of_kind || strncmp(page->owner, owner, strlen(owner)) != 0) continue;
    sum.pages++;
    sum.bytes += page->bytes;
    sum.used += page->used;
    sum.block_bytes += page->used * page->block_bytes;
    sum.resident_bytes += page->resident_bytes;
    sum.closed += strcmp(page->state, "closed") == 0;
  }
  return sum;
}

// The page that holds an address; NULL if there is none.
static inline const struct map_line *map_page_of(const void *address)
{
  for (size_t i = 0; i < map.page_count; i++) {
    if ((uintptr_t)address - map.pages[i].start < map.pages[i].bytes) return &map.pages[i];
  }
  return NULL;
}

#endif
