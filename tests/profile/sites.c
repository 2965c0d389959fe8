// SPDX-License-Identifier: MIT
//
// Writes a track file of itself: stacks that it has truly had, and figures that are made up, so
// that what tools make of them is known beforehand. The library has no part in it.
//
//   site                            live blocks, bytes    ever           sparse bytes
//   keep_table < main               60 of 1 MiB           60             0
//   cache_line < fill_cache < main  1050 of 1000 bytes    4198           3,000,000  (inlined)
//   scratch < work < main           none                  500 of 64 KiB  0
//   a plugin's < main               105 of 5000           211            70,000     (no symbols)
//   what is not known               52,429 of 10          52,429         0
//
// usage: sites [SCALE [MODE]]     all figures times SCALE; MODE is sampled (default) or exact
#include <execinfo.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

// Samples and their bytes, live and ever; estimates of the same; sparse bytes.
#define KEPT "52 54525952 52 54525952 60 62914560 60 62914560 0"
#define CACHED "2 2000 8 8000 1050 1050000 4198 4198000 3000000"
#define SCRATCHED "0 0 59 3866624 0 0 500 32768000 0"
#define PLUGGED "1 5000 2 10000 105 525000 211 1055000 70000"
#define UNKNOWN "1 10 1 10 52429 524290 52429 524290 0"

#define APART __attribute__((noinline, noclone))
#define INSIDE inline __attribute__((always_inline))

extern void plugin_load(void (*take)(const char *figures), const char *figures);

static int next_stack = 1;
static double scale = 1;

// Figures are raw samples and their bytes, live and ever, then the estimates, then sparse bytes.
static void write_site(int stack, const char *figures)
{
  printf("site %d", stack);
  char *end;
  for (const char *at = figures; *at != '\0'; at = end) {
    printf(" %.0f", scale * strtod(at, &end));
    while (*end == ' ') end++;
  }
  puts("");
}

static APART void take(const char *figures)
{
  void *frames[64];
  int count = backtrace(frames, 64);
  printf("stack %d", next_stack);
  for (int i = 1; i < count; i++) printf(" %p", frames[i]);
  puts("");
  write_site(next_stack++, figures);
}

static APART void keep_table(void)
{
  take(KEPT);
  __asm__ volatile("");
}

static INSIDE void cache_line(void)
{
  take(CACHED);
}

static APART void fill_cache(void)
{
  cache_line();
  __asm__ volatile("");
}

static APART void scratch(void)
{
  take(SCRATCHED);
  __asm__ volatile("");
}

static APART void work(void)
{
  scratch();
  __asm__ volatile("");
}

// As the library writes paths: what is no plain character is \ooo.
static void write_text(const char *text)
{
  for (; *text != '\0'; text++) {
    bool is_plain = *text > ' ' && *text < 127 && *text != '\\';
    printf(is_plain ? "%c" : "\\%03o", (unsigned char)*text);
  }
}

static void write_mappings(void)
{
  FILE *maps = fopen("/proc/self/maps", "re");
  char line[4096];
  while (maps != NULL && fgets(line, sizeof line, maps) != NULL) {
    char *path = strchr(line, '/');
    if (path == NULL || strstr(line, "r-xp") == NULL) continue;
    line[strcspn(line, "\n")] = '\0';
    printf("map %.*s", (int)(path - line), line);
    write_text(path);
    puts("");
  }
  if (maps != NULL) fclose(maps);
}

int main(int count, char **arguments)
{
  char program[4096] = "";
  if (readlink("/proc/self/exe", program, sizeof program - 1) < 0) return 1;
  if (count > 1) scale = strtod(arguments[1], NULL);
  const char *mode = count > 2 ? arguments[2] : "sampled";
  bool is_exact = strcmp(mode, "exact") == 0;
  printf("mend-track 1\nkind profile\npid %d\nprogram ", (int)getpid());
  write_text(program);
  printf("\ncommand ./sites x\\040y\ntime 4102444800.5\nuptime_ms 12500\nmode %s\ninterval %d\n",
         mode, is_exact ? 0 : 524288);
  keep_table();
  fill_cache();
  work();
  plugin_load(take, PLUGGED);
  write_site(0, UNKNOWN);
  write_mappings();
  puts("later words that nobody knows\nend");
  return 0;
}
