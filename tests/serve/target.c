// SPDX-License-Identifier: MIT
//
// A process whose heap does what it is told: it reads words from its standard input and answers
// each with a line. While it waits for the next, its heap stands still.
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "mend/handle.h"
#include "mend/mend.h"
#include "mend/stats.h"

enum { OBJECTS = 100000, BLOCKS = 20000, HUGE = 131072, HUGE_BYTES = 65536, LARGE_BYTES = 3 << 20 };

static mend_handle objects[OBJECTS];
static void *blocks[BLOCKS];

// In a function of its own, so that profiles have its name.
__attribute__((noinline)) static void fill_blocks(void)
{
  for (size_t i = 0; i < BLOCKS; i++) {
    blocks[i] = malloc(100 + i % 3000);
    memset(blocks[i], 1, 100);
  }
}

static void fill(void)
{
  static void *volatile large;
  for (size_t i = 0; i < OBJECTS; i++) {
    objects[i] = mend_handle_alloc(64 + i % 400);
    memset(mend_resolve(objects[i]), 1, 64 + i % 400);
  }
  for (size_t i = 0; i < OBJECTS; i += 1000) (void)mend_pin(objects[i]);
  mend_quiescent();
  fill_blocks();
  large = malloc(LARGE_BYTES);
  memset(large, 1, LARGE_BYTES);
}

static void thin(void)
{
  for (size_t i = 0; i < OBJECTS; i++) {
    if (i % 10 != 0) (void)mend_handle_free(objects[i]);
  }
}

static void pack(void)
{
  mend_quiescent();
  (void)mend_defragment(NULL);
}

// 8 GiB of blocks, of which one in eight is touched.
static void fill_huge(void)
{
  for (size_t i = 0; i < HUGE; i++) {
    volatile char *block = malloc(HUGE_BYTES);
    if (block != NULL && i % 8 == 0) *block = 1;
  }
}

static void print_stats(void)
{
  struct mend_stats stats = {.bytes = sizeof stats};
  (void)mend_stats_get(&stats);
  printf("{\"live_bytes\":%zu,\"free_bytes\":%zu,\"uncarved_bytes\":%zu,\"rest_bytes\":%zu,"
         "\"retained_bytes\":%zu,\"unused_bytes\":%zu,\"committed_bytes\":%zu,"
         "\"large_bytes\":%zu,\"large_count\":%zu,\"page_count\":%zu,\"heap_count\":%zu}\n",
         stats.live_bytes, stats.free_bytes, stats.uncarved_bytes, stats.rest_bytes,
         stats.retained_bytes, stats.unused_bytes, stats.committed_bytes, stats.large_bytes,
         stats.large_count, stats.page_count, stats.heap_count);
}

int main(void)
{
  static const struct {
    const char *word;
    void (*run)(void);
  } words[] = {{"fill", fill}, {"thin", thin}, {"pack", pack}, {"huge", fill_huge}};
  char line[32];
  puts("ready");
  fflush(stdout);
  while (fgets(line, sizeof line, stdin) != NULL) {
    line[strcspn(line, "\n")] = '\0';
    for (size_t i = 0; i < sizeof words / sizeof words[0]; i++) {
      if (strcmp(words[i].word, line) != 0) continue;
      words[i].run();
      puts("done");
    }
    if (strcmp(line, "stats") == 0) print_stats();
    fflush(stdout);
  }
  return 0;
}
