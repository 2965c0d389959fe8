// SPDX-License-Identifier: MIT
//
// A program whose memory is known: which function has allocated how much of it.
//
//   hold     40,000,000 bytes in blocks of 100,000, until the end
//   churn    200,000,000 bytes in blocks of 1000, freed at once
//   pepper   with "sparse": 400,000 blocks of 64 bytes, of which one in 16 is kept
//   grow     with "grow": 100,000 bytes every millisecond, until the program is killed
//
// usage: planted [exit STATUS | signal NUMBER | peak | sparse | grow]      peak: all is freed at
// last
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#define APART __attribute__((noinline, noclone))

enum { HELD = 400, PEPPERED = 400000 };

static char *held[HELD];
static char *peppered[PEPPERED];

static APART char *take(size_t size)
{
  char *block = malloc(size);
  if (block == NULL) abort();
  memset(block, 1, size);
  return block;
}

static APART void hold(void)
{
  for (int i = 0; i < HELD; i++) held[i] = take(100000);
}

static APART void churn(void)
{
  for (int i = 0; i < 200000; i++) free(take(1000));
}

static APART void pepper(void)
{
  for (int i = 0; i < PEPPERED; i++) peppered[i] = take(64);
  for (int i = 0; i < PEPPERED; i++) {
    if (i % 16 != 0) free(peppered[i]);
  }
}

static APART void grow(void)
{
  const struct timespec pause = {.tv_nsec = 1000000};
  for (int i = 0; i < 100000; i++) {
    (void)take(100000);
    nanosleep(&pause, NULL);
  }
}

int main(int count, char **arguments)
{
  const char *what = count > 1 ? arguments[1] : "";
  int number = count > 2 ? (int)strtol(arguments[2], NULL, 10) : 0;
  hold();
  churn();
  if (strcmp(what, "sparse") == 0) pepper();
  if (strcmp(what, "grow") == 0) grow();
  if (strcmp(what, "peak") == 0) {
    for (int i = 0; i < HELD; i++) free(held[i]);
  }
  if (strcmp(what, "signal") == 0) raise(number);
  return strcmp(what, "exit") == 0 ? number : 0;
}
