// SPDX-License-Identifier: MIT
//
// Blocks on a NUMA node.
#include "mend/numa.h"

#include "api/allocate.h"
#include "os/node.h"

void *mend_numa_alloc_on_node(size_t size, int node)
{
  // What stands for no node inside is one that does not exist.
  if (node < 0) return allocate_fail(EINVAL);
  return allocate_at((struct allocate_place){NULL, node, KIND_MALLOC}, size, NATURAL_ALIGNMENT,
                     true);
}

int mend_numa_node_of(const void *pointer)
{
  int saved_errno = errno;
  int node = os_node_of(pointer);
  if (node >= 0) errno = saved_errno;
  return node;
}
