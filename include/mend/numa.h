// SPDX-License-Identifier: MIT
//
// Memory on a NUMA node: blocks whose memory comes from one node and no other, and the question
// which node an address lies on. Both by the kernel's own calls (mbind, move_pages); no library is
// needed, and the kernel alone knows which nodes there are and which ones the process may use.
//
// Every function may be called from any thread at any time; none is safe in a signal handler.
#ifndef MEND_NUMA_H
#define MEND_NUMA_H

#include "mend/mend.h"

#ifdef __cplusplus
extern "C" {
#endif

// A zeroed block of at least `size` bytes, aligned to the os page or more, all of whose memory
// comes from NUMA node `node`, or the block is not given at all. It is a block like any other: the
// caller owns it until it is freed by mend_free, from whichever thread; mend_realloc keeps it on
// its node, or fails with this function's errors and leaves it alone. Where the node has no memory
// left when the block is first written to, the kernel does what it does then: it ends a process.
//
// NULL and errno = EINVAL if there is no such node: offline, without memory, or not among those
// that the process's cpuset allows; ENOMEM for lack of memory, address space or kernel mappings
// (MEND_MAP_BUDGET: up to two a block); EPERM if the process may not bind memory (in a container
// without CAP_SYS_NICE, for example). On a kernel without NUMA, node 0 is all the memory there is.
//
// Each block takes address space in steps of 64 KiB, memory in os pages, and a few system calls: it
// is meant for large ones. Since 0.3.
MEND_EXPORT void *mend_numa_alloc_on_node(size_t size, int node) MEND_MALLOC MEND_SIZE(1)
    MEND_NOTHROW;

// The node on which the os page lies that holds `pointer`, which is never dereferenced: any address
// of the process may be asked, mend's or not. -1 and errno = ENOENT if there is no memory behind
// the address yet (nothing was written there, or it is swapped out), EFAULT if nothing is mapped
// there or it has only been read, EPERM if the process may not ask. 0 on a kernel without NUMA.
// Since 0.3.
MEND_EXPORT int mend_numa_node_of(const void *pointer) MEND_NOTHROW;

#ifdef __cplusplus
}
#endif
#endif
