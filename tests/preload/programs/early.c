// SPDX-License-Identifier: MIT
//
// A library that allocates in a constructor of the earliest kind, which runs before that of a
// preloaded library.
#include <stdlib.h>
#include <string.h>

static char *kept[6];

__attribute__((constructor(101))) static void allocate_early(void)
{
  free(malloc(24));
  kept[0] = malloc(24);
  kept[1] = calloc(3, 8);
  kept[2] = realloc(malloc(40), 4000);
  kept[3] = malloc(100000);
  kept[4] = aligned_alloc(64, 128);
  kept[5] = malloc(0);
}

int early_works(void)
{
  memset(kept[0], 1, 24);
  memset(kept[2], 2, 4000);
  memset(kept[3], 3, 100000);
  int works = kept[1][23] == 0 && kept[4] != NULL;
  for (int i = 0; i < 6; i++) free(kept[i]);
  return works;
}
