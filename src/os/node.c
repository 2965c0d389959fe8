// SPDX-License-Identifier: MIT
#include "os/node.h"

#include <errno.h>
#include <limits.h>
#include <stdint.h>
#include <sys/syscall.h>
#include <unistd.h>

// The kernel's interface (linux/mempolicy.h, which a C library need not bring).
enum {
  POLICY_DEFAULT = 0,
  POLICY_BIND = 2,
  BIND_STRICT = 1,
  BIND_MOVE = 2,
};

#define MOST_NODES 1024  // that any kernel is built for
#define WORD_BITS (sizeof(unsigned long) * CHAR_BIT)

INTERNAL enum os_bound os_node_bind(void *start, size_t bytes, int node)
{
  unsigned long mask[MOST_NODES / WORD_BITS] = {0};
  if (node < 0 || node >= MOST_NODES) return OS_BIND_NO_NODE;
  mask[(size_t)node / WORD_BITS] = 1UL << (size_t)node % WORD_BITS;
  // The kernel reads one bit less than it is told of.
  unsigned long bits = (unsigned long)node + 2;
  long flags = BIND_MOVE | BIND_STRICT;
  if (syscall(SYS_mbind, start, bytes, (long)POLICY_BIND, mask, bits, flags) == 0) return OS_BOUND;
  switch (errno) {
  case ENOSYS:
    return node == 0 ? OS_BOUND : OS_BIND_NO_NODE;
  case EINVAL:
    return OS_BIND_NO_NODE;
  case EPERM:
  case EACCES:
    return OS_BIND_REFUSED;
  default:
    return OS_BIND_NO_MEMORY;
  }
}

INTERNAL bool os_node_unbind(void *start, size_t bytes)
{
  long result = syscall(SYS_mbind, start, bytes, (long)POLICY_DEFAULT, NULL, 0UL, 0L);
  return result == 0 || errno == ENOSYS;
}

INTERNAL int os_node_of(const void *address)
{
  void *pages[] = {(void *)(uintptr_t)address};
  int node = -1;
  if (syscall(SYS_move_pages, 0L, 1UL, pages, NULL, &node, 0L) != 0) {
    return errno == ENOSYS ? 0 : -1;
  }
  if (node >= 0) return node;
  errno = -node;
  return -1;
}

INTERNAL void os_nodes_of(const void *const *addresses, int *nodes, size_t count)
{
  int saved_errno = errno;
  for (size_t i = 0; i < count; i++) nodes[i] = -1;
  long result = syscall(SYS_move_pages, 0L, count, addresses, NULL, nodes, 0L);
  bool is_single = result != 0 && errno == ENOSYS;
  for (size_t i = 0; i < count; i++) {
    if (is_single) nodes[i] = 0;
    if (nodes[i] < 0) nodes[i] = -1;
  }
  errno = saved_errno;
}
