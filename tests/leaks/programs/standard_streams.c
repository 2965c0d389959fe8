// clean
// SPDX-License-Identifier: MIT
//
// Their buffers, a locale, a time zone, a line of input: what the C library keeps for itself.
#include <locale.h>
#include <stdio.h>
#include <time.h>

#include "plant.h"

static void keep(void)
{
  time_t now = time(NULL);
  setlocale(LC_ALL, "C.UTF-8");
  setvbuf(stdout, NULL, _IOFBF, 0);
  fprintf(stdout, "%d\n", localtime(&now)->tm_year > 0);
}

int main(void)
{
  plant(keep);
  return 0;
}
