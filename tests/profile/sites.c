// SPDX-License-Identifier: MIT
//
// Writes a track file of itself: stacks that it has truly had, and figures that are made up, so
// that what tools make of them is known beforehand. The library has no part in it.
//
//   site                       live blocks, bytes    ever           sparse bytes
//   keep_table < main          60 of 1 MiB           60 of 1 MiB    0
//   cache_line < fill_cache    1000 of 1000 bytes    4000           3,000,000     (inlined)
//   scratch < work < main      none                  500 of 64 KiB  0
//   plugin_load (library)      10 of 5000            20             70,000
//   what is not known          7 of 10               7              0
#include <execinfo.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define APART __attribute__((noinline, noclone))
#define INSIDE inline __attribute__((always_inline))

extern void plugin_load(void (*take)(const char *figures), const char *figures);

static int next_stack = 1;
static double scale = 1;  // of all figures

// Figures are raw samples and their bytes, live and ever, then the estimates, then sparse bytes.
static APART void take(const char *figures)
{
  void *frames[64];
  int count = backtrace(frames, 64);
  printf("stack %d", next_stack);
  for (int i = 1; i < count; i++) printf(" %p", frames[i]);
  printf("\nsite %d", next_stack++);
  char *end;
  for (const char *at = figures; *at != '\0'; at = end) {
    printf(" %.0f", scale * strtod(at, &end));
    while (*end == ' ') end++;
  }
  puts("");
}

static APART void keep_table(void)
{
  take("60 62914560 60 62914560 60 62914560 60 62914560 0");
  __asm__ volatile("");
}

static INSIDE void cache_line(void)
{
  take("2 2000 8 8000 1000 1000000 4000 4000000 3000000");
}

static APART void fill_cache(void)
{
  cache_line();
  __asm__ volatile("");
}

static APART void scratch(void)
{
  take("0 0 60 3932160 0 0 500 32768000 0");
  __asm__ volatile("");
}

static APART void work(void)
{
  scratch();
  __asm__ volatile("");
}

static void write_mappings(void)
{
  FILE *maps = fopen("/proc/self/maps", "re");
  char line[4096];
  while (maps != NULL && fgets(line, sizeof line, maps) != NULL) {
    if (strchr(line, '/') != NULL) printf("map %s", line);
  }
  if (maps != NULL) fclose(maps);
}

int main(int count, char **arguments)
{
  char program[4096] = "";
  if (readlink("/proc/self/exe", program, sizeof program - 1) < 0) return 1;
  if (count > 1) scale = strtod(arguments[1], NULL);
  printf("mend-track 1\nkind profile\npid %d\nprogram %s\ncommand ./sites x\\040y\n"
         "time 4102444800.5\nuptime_ms 12500\nmode sampled\ninterval 524288\n",
         (int)getpid(), program);
  keep_table();
  fill_cache();
  work();
  plugin_load(take, "1 5000 2 10000 10 50000 20 100000 70000");
  puts("site 0 1 10 1 10 7 70 7 70 0");
  write_mappings();
  puts("later words that nobody knows\nend");
  return 0;
}
