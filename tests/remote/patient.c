// SPDX-License-Identifier: MIT
//
// A process with one trouble, or none, for `mend doctor`. It says "ready" and waits for its end, or
// for so many seconds.
//
// usage: patient healthy|sparse|growing|idle|limit [SECONDS]
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#ifdef PATIENT_CORE
#include <mend/mend.h>
#define malloc mend_malloc
#define free mend_free
#endif

enum { COUNT = 400000, BYTES = 240, LARGE = 1 << 20 };

static char *blocks[COUNT];

static void fill(size_t bytes, int count)
{
  for (int i = 0; i < count; i++) {
    blocks[i] = malloc(bytes);
    if (blocks[i] != NULL) memset(blocks[i], 1, bytes);
  }
}

// Frees all but every `kept`th one.
static void thin(int count, int kept)
{
  for (int i = 0; i < count; i++) {
    if (kept == 0 || i % kept != 0) free(blocks[i]);
  }
}

static void grow(void)
{
  for (int i = 0; i < COUNT; i++) {
    blocks[i] = malloc(65000);
    if (blocks[i] != NULL) memset(blocks[i], 1, 65000);
    usleep(10000);
  }
}

int main(int count, char **arguments)
{
  const char *mode = count > 1 ? arguments[1] : "healthy";
  char line[16];
  if (strcmp(mode, "healthy") == 0) fill(100, 1000);
  if (strcmp(mode, "sparse") == 0) fill(BYTES, COUNT);
  if (strcmp(mode, "sparse") == 0) thin(COUNT, 10);
  if (strcmp(mode, "idle") == 0) fill(LARGE, 100);
  if (strcmp(mode, "idle") == 0) thin(100, 0);
  if (strcmp(mode, "limit") == 0) fill(LARGE, 62);
  puts("ready");
  fflush(stdout);
  if (strcmp(mode, "growing") == 0) grow();
  if (count > 2) {
    sleep((unsigned)atoi(arguments[2]));
  } else {
    (void)!fgets(line, sizeof line, stdin);
  }
  _exit(0);
}
