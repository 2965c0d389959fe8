// SPDX-License-Identifier: MIT
//
// Reads the heap of a process or of a core file many times over, with the sources of the command,
// and prints what it has found: built with sanitizers it shows that nothing that a target may hold
// makes the command do what it must not.
//
// usage: reader ROUNDS PID|CORE [pages]      with `pages`: the last map, a line a page
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "command.h"
#include "remote_map.h"

void complain(const char *format, ...)
{
  va_list values;
  va_start(values, format);
  vfprintf(stderr, format, values);
  va_end(values);
  fputc('\n', stderr);
}

static bool adds_up(const struct remote_totals *totals)
{
  uint64_t sum = totals->live_bytes + totals->kept_bytes + totals->free_bytes +
                 totals->uncarved_bytes + totals->rest_bytes + totals->retained_bytes +
                 totals->unused_bytes;
  return sum == totals->committed_bytes;
}

// Pages lie one behind the other, and none says what cannot be.
static bool is_sound(const struct snapshot *snapshot)
{
  uint64_t end = 0;
  for (size_t i = 0; i < snapshot->page_count; i++) {
    const struct page *page = &snapshot->pages[i];
    if (page->start < end || page->bytes == 0 || page->start > UINT64_MAX - page->bytes)
      return false;
    if (page->used > page->carved || page->carved > page->capacity) return false;
    if (page->block_bytes != 0 && page->capacity > page->bytes / page->block_bytes) return false;
    end = page->start + page->bytes;
  }
  return true;
}

static void print_pages(const struct snapshot *snapshot)
{
  for (size_t i = 0; i < snapshot->page_count; i++) {
    const struct page *page = &snapshot->pages[i];
    printf("page 0x%" PRIx64 " %" PRIu64 " %s %" PRIu64 " %u %u %u %" PRIu64 " %s %s\n",
           page->start, page->bytes, page_kind_names[page->kind], page->block_bytes, page->capacity,
           page->carved, page->used, page->resident_bytes, page->owner,
           page->is_closed ? "closed" : "-");
  }
}

enum { ROUNDS_A_MAP = 20 };

// What all rounds came to.
struct sums {
  uint64_t retries;
  uint64_t torn;
  uint64_t wrong;  // rounds whose figures contradict each other
  uint64_t most_live;
  uint64_t least_live;
};

static bool read_once(struct remote *remote, struct sums *sums, bool draws, bool prints)
{
  struct snapshot snapshot = {0};
  bool is_read = draws ? remote_map(remote, &snapshot) : remote_measure(remote);
  uint64_t live = remote->totals.live_bytes + remote->totals.kept_bytes;
  sums->retries += remote->retry_count;
  sums->torn += remote->torn_count;
  if (live > sums->most_live) sums->most_live = live;
  if (live < sums->least_live) sums->least_live = live;
  if (is_read && !is_sound(&snapshot)) sums->wrong++;
  // Of a target that lies the lines need not add up, but they must not be beyond all bounds.
  if (is_read && remote->torn_count == 0 && !adds_up(&remote->totals)) sums->wrong++;
  if (is_read && prints) print_pages(&snapshot);
  snapshot_free(&snapshot);
  return is_read;
}

int main(int count, char **arguments)
{
  struct target target = {.memory = -1};
  struct remote remote = {0};
  struct sums sums = {.least_live = UINT64_MAX};
  if (count < 3) return 2;
  pid_t process = (pid_t)atol(arguments[2]);  // 0: a core file
  bool is_good = process != 0 ? target_open_process(&target, process)
                              : target_open_core(&target, arguments[2]);
  is_good = is_good && remote_require(&remote, &target);
  long rounds = atol(arguments[1]);
  for (long i = 0; i < rounds && is_good; i++) {
    is_good = read_once(&remote, &sums, i % ROUNDS_A_MAP == 0, count > 3 && i + 1 == rounds);
  }
  if (is_good) {
    printf("{\"retries\":%" PRIu64 ",\"torn\":%" PRIu64 ",\"wrong\":%" PRIu64
           ",\"least_live\":%" PRIu64 ",\"most_live\":%" PRIu64 "}\n",
           sums.retries, sums.torn, sums.wrong, sums.least_live, sums.most_live);
  }
  remote_close(&remote);
  target_close(&target);
  return is_good ? 0 : 1;
}
