// leaks: direct 3 blocks 38 bytes
// SPDX-License-Identifier: MIT
//
// Blocks that the C library has allocated for the program.
// frames: elsewhere
#include <stdio.h>

#include "plant.h"

static void lose(void)
{
  char *text = NULL;
  plant_use(strdup("twelve bytes"));
  plant_use(strndup("fourteen and more", 14));
  text = realpath("/", NULL);
  free(text);
  if (asprintf(&text, "%s", "ten bytes") < 0) abort();
  text = realloc(text, 10);
}

int main(void)
{
  plant(lose);
  return 0;
}
