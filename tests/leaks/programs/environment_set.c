// clean
// SPDX-License-Identifier: MIT
//
// The environment holds what is put into it.
// memcheck: direct 1 block 12 bytes: it has the C library give back the environment first
#include "plant.h"

static void keep(void)
{
  char name[64];
  setenv("PLANTED", "some value", 1);
  for (int i = 0; i < 50; i++) {
    name[0] = 'A' + (char)(i % 26);
    name[1] = 'a' + (char)(i / 26);
    name[2] = '\0';
    setenv(name, "value", 1);
  }
  putenv(strdup("OTHER=value"));
}

int main(void)
{
  plant(keep);
  return 0;
}
