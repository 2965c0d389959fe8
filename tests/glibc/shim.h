// SPDX-License-Identifier: MIT
//
// What glibc's malloc tests expect from glibc's own test support, written anew so that they build
// outside its tree. `run` gives this one file under every name the tests include (support/check.h,
// support/xthread.h, libc-diag.h, ...). It holds only what the tests in run's list call.
//
// A failed check is counted; shim_main.c turns the count into the exit status.
#ifndef MEND_GLIBC_SHIM_H
#define MEND_GLIBC_SHIM_H

#include <errno.h>
#include <fcntl.h>
#include <malloc.h>
#include <paths.h>
#include <pthread.h>
#include <signal.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/param.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

// The ABI's alignment, which malloc keeps also for blocks smaller than it.
#define MALLOC_ALIGNMENT _Alignof(max_align_t)
#define MALLOC_ALIGN_MASK (MALLOC_ALIGNMENT - 1)

// Seconds; the tests with their own length compare it with this. `run` enforces the real limit.
#define DEFAULT_TIMEOUT 20

#define DIAG_PUSH_NEEDS_COMMENT
#define DIAG_POP_NEEDS_COMMENT
#define DIAG_IGNORE_NEEDS_COMMENT(version, option)

#define array_length(array) (sizeof(array) / sizeof((array)[0]))

// Counts a failed check, also one made in a child, and prints the first few of them.
void shim_fail(const char *file, int line, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

#define FAIL(...) shim_fail(__FILE__, __LINE__, __VA_ARGS__)
#define FAIL_EXIT1(...) (FAIL(__VA_ARGS__), exit(1))
#define TEST_VERIFY(condition) ((condition) ? (void)0 : FAIL("not true: %s", #condition))
#define TEST_VERIFY_EXIT(condition) ((condition) ? (void)0 : FAIL_EXIT1("not true: %s", #condition))
#define TEST_COMPARE(left, right) TEST_VERIFY((left) == (right))

// Each is the function without the x (write_message: write to stdout), and exits if that fails.
void write_message(const char *text);
void *xmalloc(size_t size);
void *xcalloc(size_t count, size_t size);
pid_t xfork(void);
int xopen(const char *path, int flags, mode_t mode);
void *xmmap(void *address, size_t size, int protection, int flags, int fd);
void xsignal(int signal_number, sighandler_t handler);
pthread_t xpthread_create(pthread_attr_t *attributes, void *(*function)(void *), void *closure);
void *xpthread_join(pthread_t thread);
void xpthread_kill(pthread_t thread, int signal_number);
void xpthread_barrier_init(pthread_barrier_t *barrier, const pthread_barrierattr_t *attributes,
                           unsigned count);
void xpthread_barrier_destroy(pthread_barrier_t *barrier);
void xpthread_barrier_wait(pthread_barrier_t *barrier);
void xpthread_barrierattr_init(pthread_barrierattr_t *attributes);
void xpthread_barrierattr_setpshared(pthread_barrierattr_t *attributes, int shared);
void xpthread_barrierattr_destroy(pthread_barrierattr_t *attributes);

// Memory that parent and children share. Its size is kept in front of it, for the release.
void *support_shared_allocate(size_t size);
void support_shared_free(void *memory);

// An open file in $TMPDIR, and its malloc'ed name in *path unless path is NULL. `run` deletes it.
int create_temp_file(const char *base, char **path);

#endif
