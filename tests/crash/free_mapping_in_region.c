// expect: abort "free of memory that is not in use"
// SPDX-License-Identifier: MIT
//
// A mapping of the program's own that lies in mend's range of addresses, and that the heap has
// grown past.
#define _GNU_SOURCE 1
#include <stdlib.h>
#include <sys/mman.h>

#include "../support/support.h"

int main(void)
{
  enum { BLOCKS = 64 };
  char *block = malloc(MIB);
  char *hint = (char *)((uintptr_t)block & ~(uintptr_t)0xffff) + 40 * MIB;
  char *mapped = mmap(hint, MIB, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  CHECK(block != NULL && mapped != MAP_FAILED);
  if (mapped != hint) return test_cannot_run("the region is reserved here");
  for (size_t i = 0; i < BLOCKS; i++) CHECK(opaque(malloc(MIB)) != NULL);
  free(opaque(mapped + 4096));
  return 0;
}
