// SPDX-License-Identifier: MIT
//
// NUMA nodes, by the kernel's system calls alone: which node memory is to come from, and which it
// has come from. Whether there is a node, and the process may use it, only the kernel says, and
// only when it is asked to bind something: cpusets change while a program runs.
//
// A kernel without NUMA, or an emulator, lacks these calls (ENOSYS): then all memory is node 0.
#ifndef OS_NODE_H
#define OS_NODE_H

#include "base/internal.h"

enum os_bound {
  OS_BOUND,
  OS_BIND_NO_NODE,    // offline, without memory, or not of those that the process may use
  OS_BIND_NO_MEMORY,  // nor address space, nor mappings; or pages that cannot be moved there
  OS_BIND_REFUSED,    // the process may not bind memory at all, as under a container's seccomp
};

// What is touched from now on in this committed range comes from the node, and what is there
// already moves to it. If that does not work the range may be bound all the same.
INTERNAL enum os_bound os_node_bind(void *start, size_t bytes, int node);
// Memory of this range may come from anywhere again.
INTERNAL bool os_node_unbind(void *start, size_t bytes);
// The node that the os page around an address lies on; -1, with errno set, if it holds no memory
// (ENOENT, EFAULT) or the kernel does not tell.
INTERNAL int os_node_of(const void *address);
// The same of many, in one call; -1 where there is none, or the kernel does not tell.
INTERNAL void os_nodes_of(const void *const *addresses, int *nodes, size_t count);

#endif
