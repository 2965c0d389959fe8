// SPDX-License-Identifier: MIT
//
// Threads whose stacks are not heap memory: each runs on a shared mapping (table_map), so that the
// anonymous memory of a program is its allocator's alone.
#ifndef BENCH_THREADS_H
#define BENCH_THREADS_H

#include <pthread.h>
#include <sched.h>

#include "common.h"

enum { STACK_BYTES = 1024 * 1024 };  // ThreadSanitizer takes most of it for itself

// Starts a thread on a stack of its own in `stack` (STACK_BYTES, from table_map).
static inline pthread_t thread_start(void *stack, void *(*function)(void *), void *argument)
{
  pthread_attr_t attributes;
  pthread_t thread;
  pthread_attr_init(&attributes);
  if (pthread_attr_setstack(&attributes, stack, STACK_BYTES) != 0) die("pthread_attr_setstack");
  if (pthread_create(&thread, &attributes, function, argument) != 0) die("pthread_create");
  pthread_attr_destroy(&attributes);
  return thread;
}

// Runs `function` on `count` threads at once, each with its element of `arguments`, and joins them.
static inline void threads_run(size_t count, void *(*function)(void *), void *arguments,
                               size_t argument_bytes)
{
  pthread_t *threads = table_map(count * sizeof *threads);
  unsigned char *stacks = table_map(count * STACK_BYTES);
  for (size_t i = 0; i < count; i++) {
    void *argument = (unsigned char *)arguments + i * argument_bytes;
    threads[i] = thread_start(stacks + i * STACK_BYTES, function, argument);
  }
  for (size_t i = 0; i < count; i++) pthread_join(threads[i], NULL);
  munmap(stacks, count * STACK_BYTES);
  munmap(threads, count * sizeof *threads);
}

#endif
