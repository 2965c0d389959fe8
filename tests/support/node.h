// SPDX-License-Identifier: MIT
//
// What the kernel says of memory and NUMA nodes, asked without the library: the policy of an
// address, from get_mempolicy and from /proc/self/numa_maps, and whether a node can be bound to.
#ifndef TESTS_NODE_H
#define TESTS_NODE_H

#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "support.h"

enum { NODE_MOST = 1024, NODE_POLICY_DEFAULT = 0, NODE_POLICY_BIND = 2, NODE_OF_ADDRESS = 2 };

#define NODE_WORD_BITS (sizeof(unsigned long) * CHAR_BIT)

// What the kernel says of binding fresh memory to a node: 0, or errno.
static inline int node_bind_error(int node)
{
  unsigned long mask[NODE_MOST / NODE_WORD_BITS] = {0};
  size_t page = (size_t)sysconf(_SC_PAGESIZE);
  if (node < 0 || node >= NODE_MOST) return EINVAL;
  mask[(size_t)node / NODE_WORD_BITS] = 1UL << (size_t)node % NODE_WORD_BITS;
  void *memory = mmap(NULL, page, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  CHECK(memory != MAP_FAILED);
  long result =
      syscall(SYS_mbind, memory, page, NODE_POLICY_BIND, mask, (unsigned long)NODE_MOST, 0);
  int error = result == 0 ? 0 : errno;
  CHECK(munmap(memory, page) == 0);
  return error;
}

// Whether the kernel tells of policies at all. An emulator may not.
static inline bool node_is_told(void)
{
  int mode;
  return syscall(SYS_get_mempolicy, &mode, NULL, 0UL, NULL, 0UL) == 0;
}

// The policy of an address, and the first word of its nodes.
static inline int node_policy(const void *address, unsigned long *nodes)
{
  unsigned long mask[NODE_MOST / NODE_WORD_BITS] = {0};
  int mode = -1;
  long result = syscall(SYS_get_mempolicy, &mode, mask, (unsigned long)NODE_MOST, address,
                        (unsigned long)NODE_OF_ADDRESS);
  CHECK(result == 0);
  *nodes = mask[0];
  return mode;
}

// Whether every os page of a stretch is bound to `node` (below 64) and to no other.
static inline bool node_binds(const void *start, size_t bytes, int node)
{
  const char *at = start;
  size_t page = (size_t)sysconf(_SC_PAGESIZE);
  for (size_t offset = 0; offset < bytes; offset += page) {
    unsigned long nodes;
    if (node_policy(at + offset, &nodes) != NODE_POLICY_BIND || nodes != 1UL << node) return false;
  }
  return true;
}

// Whether no os page of a stretch has a policy of its own.
static inline bool node_is_free(const void *start, size_t bytes)
{
  const char *at = start;
  size_t page = (size_t)sysconf(_SC_PAGESIZE);
  for (size_t offset = 0; offset < bytes; offset += page) {
    unsigned long nodes;
    if (node_policy(at + offset, &nodes) != NODE_POLICY_DEFAULT) return false;
  }
  return true;
}

// The second word of the line of /proc/self/numa_maps that an address belongs to ("bind:0"); "" if
// there is no such file. Static storage.
static inline const char *node_map_policy(const void *address)
{
  static char found[64];
  char line[8192];
  found[0] = '\0';
  FILE *file = fopen("/proc/self/numa_maps", "r");
  if (file == NULL) return found;
  while (fgets(line, sizeof line, file) != NULL) {
    unsigned long start;
    char policy[64];
    if (sscanf(line, "%lx %63s", &start, policy) != 2) continue;
    if (start > (uintptr_t)address) break;
    memcpy(found, policy, sizeof found);
  }
  fclose(file);
  return found;
}

#endif
