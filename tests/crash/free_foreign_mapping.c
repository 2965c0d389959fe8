// expect: abort "free of a pointer that mend did not allocate"
// SPDX-License-Identifier: MIT
#define _GNU_SOURCE 1
#include <stdlib.h>
#include <sys/mman.h>

#include "../support/support.h"

int main(void)
{
  char *mapped = mmap(NULL, MIB, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  CHECK(mapped != MAP_FAILED);
  free(opaque(mapped + 4096));
  return 0;
}
