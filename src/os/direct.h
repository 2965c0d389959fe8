// SPDX-License-Identifier: MIT
//
// System calls by their numbers, where the C library's function of that name is a cancellation
// point. malloc and free are none: a thread that somebody has asked to end (pthread_cancel) would
// end there in the middle of the library's work, with its locks. So the layer reads, writes and
// waits by these alone; only the library's own threads, which nobody can cancel, need not.
//
// Arguments, results and errno are those of the functions.
#ifndef OS_DIRECT_H
#define OS_DIRECT_H

#include <sys/types.h>

#include "base/internal.h"

struct pollfd;
struct timespec;

// `mode` counts where a file is made.
INTERNAL int os_direct_open(const char *path, int flags, unsigned mode);
INTERNAL ssize_t os_direct_read(int file, void *bytes, size_t count);
INTERNAL ssize_t os_direct_read_at(int file, void *bytes, size_t count, off_t at);
INTERNAL ssize_t os_direct_write(int file, const void *bytes, size_t count);
INTERNAL int os_direct_close(int file);
// nanosleep
INTERNAL int os_direct_sleep(const struct timespec *time, struct timespec *rest);
// poll of one file
INTERNAL int os_direct_poll(struct pollfd *file, int ms);
// waitid and waitpid
INTERNAL int os_direct_wait_id(pid_t child, void *info, int flags);
INTERNAL pid_t os_direct_wait(pid_t child, int flags);

#endif
