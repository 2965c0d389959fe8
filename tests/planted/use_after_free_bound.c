// expect: asan "use-after-poison", msan "uninitialized-value", valgrind "Invalid read of size 1"
// SPDX-License-Identifier: MIT
//
// Reads a block on a NUMA node that has been freed: the kernel has mapped its memory anew since.
#include "../support/support.h"
#include "mend/mend.h"
#include "mend/numa.h"

int main(void)
{
  unsigned char *block = mend_numa_alloc_on_node(300000, 0);
  if (block == NULL) return test_cannot_run("memory cannot be bound to node 0 here");
  unsigned char *stale = opaque(block);
  mend_free(block);
  if (stale[150000] == 1) return 1;
  return 0;
}
