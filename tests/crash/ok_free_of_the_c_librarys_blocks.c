// expect: success
// SPDX-License-Identifier: MIT
//
// What the C library allocated for the program comes from the same heap.
#define _GNU_SOURCE 1
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "../support/support.h"

int main(void)
{
  char *text = NULL;
  CHECK(asprintf(&text, "%d", 12345) == 5);
  free(text);
  text = strdup("text");
  CHECK(text != NULL);
  free(text);
  text = realpath("/", NULL);
  CHECK(text != NULL);
  free(text);
  size_t bytes = 0;
  text = NULL;
  FILE *file = fopen("/proc/self/status", "re");
  CHECK(file != NULL && getline(&text, &bytes, file) > 0);
  fclose(file);
  free(text);
  return 0;
}
