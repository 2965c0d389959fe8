// SPDX-License-Identifier: MIT
//
// For programs whose heap a second process measures: they say what they hold, wait for a line on
// stdin, give free memory back, and wait again.
//
// The judge reads /proc/PID/smaps while the program waits. It counts as heap all anonymous resident
// memory of mappings without a file's name, so such a program keeps its own tables and its
// threads' stacks in shared mappings (common.h). Without a judge stdin is at its end and nothing
// waits.
//
// Giving back is each allocator's own call, found by name at run time: this is the only place
// where a benchmark program knows that allocators differ.
#ifndef BENCH_JUDGED_H
#define BENCH_JUDGED_H

#include <dlfcn.h>
#include <malloc.h>

#include "common.h"

struct live {
  size_t blocks;
  size_t requested;
  size_t usable;
  size_t threads;  // idle ones
};

static inline void live_add(struct live *live, void *block, size_t requested)
{
  if (block == NULL) return;
  live->blocks++;
  live->requested += requested;
  live->usable += malloc_usable_size(block);
}

// The same for a marked block.
static inline void live_add_block(struct live *live, void *block)
{
  if (block != NULL) live_add(live, block, block_size(block));
}

struct stopwatch {
  double wall;
  double cpu;
};

static inline struct stopwatch stopwatch_start(void)
{
  return (struct stopwatch){clock_seconds(CLOCK_MONOTONIC),
                            clock_seconds(CLOCK_PROCESS_CPUTIME_ID)};
}

static inline struct stopwatch stopwatch_stop(struct stopwatch start)
{
  const struct stopwatch now = stopwatch_start();
  return (struct stopwatch){now.wall - start.wall, now.cpu - start.cpu};
}

// Tells the judge which stage is reached and waits until it has looked. `more`: fields of the
// program's own, each with a comma before it.
static inline void judge_wait_with(const char *stage, size_t ops, struct stopwatch spent,
                                   struct live live, const char *more)
{
  char answer;
  line_write("{\"stage\":\"%s\",\"pid\":%ld,\"ops\":%zu,\"seconds\":%.6f,\"cpu\":%.6f,"
             "\"blocks\":%zu,\"requested\":%zu,\"usable\":%zu,\"threads\":%zu%s}\n",
             stage, (long)getpid(), ops, spent.wall, spent.cpu, live.blocks, live.requested,
             live.usable, live.threads, more);
  if (read(STDIN_FILENO, &answer, 1) < 0) die("read");
}

static inline void judge_wait(const char *stage, size_t ops, struct stopwatch spent,
                              struct live live)
{
  judge_wait_with(stage, ops, spent, live, "");
}

// jemalloc: the calling thread's cache, then all arenas (4096 is MALLCTL_ARENAS_ALL).
static inline bool purge_jemalloc(void)
{
  int (*control)(const char *, void *, size_t *, void *, size_t) = NULL;
  *(void **)&control = dlsym(RTLD_DEFAULT, "mallctl");
  if (control == NULL) return false;
  control("thread.tcache.flush", NULL, NULL, NULL, 0);
  if (control("arena.4096.purge", NULL, NULL, NULL, 0) != 0) die("mallctl");
  return true;
}

static inline bool purge_tcmalloc(void)
{
  void (*release)(void) = NULL;
  *(void **)&release = dlsym(RTLD_DEFAULT, "MallocExtension_ReleaseFreeMemory");
  if (release != NULL) release();
  return release != NULL;
}

static inline bool purge_mimalloc(void)
{
  void (*collect)(bool) = NULL;
  *(void **)&collect = dlsym(RTLD_DEFAULT, "mi_collect");
  if (collect != NULL) collect(true);
  return collect != NULL;
}

static inline void heap_purge(void)
{
  if (!purge_jemalloc() && !purge_tcmalloc() && !purge_mimalloc()) malloc_trim(0);
}

#endif
