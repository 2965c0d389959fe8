// SPDX-License-Identifier: MIT
//
// A program whose heap others read: threads that allocate and free blocks of all kinds, in their
// own heaps, in a first-class heap and as objects, without pause. What it is told by its standard
// input, a word a line:
//   pause    all threads give back what they hold ready and stand still; then a line of what
//            mend_stats_get says, and with a path behind it the heap map goes there
//   go       they go on
//   abort    ends it with a core file
//   quit     ends it
#include <fcntl.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <mend/handle.h>
#include <mend/mend.h>
#include <mend/stats.h>

enum { THREADS = 4, BLOCKS = 3000, OBJECTS = 400 };

static pthread_barrier_t stopped, released;
static atomic_bool pauses;
static mend_heap *shared_heap;

struct worker {
  unsigned random;
  void *blocks[BLOCKS];
  mend_handle objects[OBJECTS];
};

static unsigned next_random(struct worker *worker)
{
  worker->random = worker->random * 1664525 + 1013904223;
  return worker->random >> 8;
}

static size_t any_size(struct worker *worker)
{
  unsigned kind = next_random(worker) % 100;
  if (kind < 70) return next_random(worker) % 512;
  if (kind < 90) return next_random(worker) % 8192;
  if (kind < 98) return next_random(worker) % 65536;
  return next_random(worker) % 1000000;
}

static void work_once(struct worker *worker)
{
  void **block = &worker->blocks[next_random(worker) % BLOCKS];
  mend_free(*block);
  size_t size = any_size(worker);
  *block = next_random(worker) % 8 == 0 ? mend_heap_malloc(shared_heap, size) : mend_malloc(size);
  if (*block != NULL) memset(*block, 0x5a, size);
  mend_handle *object = &worker->objects[next_random(worker) % OBJECTS];
  if (object->bits != 0) mend_handle_free(*object);
  *object = mend_handle_alloc(1 + next_random(worker) % 3000);
}

static void *work(void *argument)
{
  struct worker *worker = argument;
  for (;;) {
    for (int i = 0; i < 100; i++) work_once(worker);
    if (!atomic_load(&pauses)) continue;
    mend_collect(false);
    pthread_barrier_wait(&stopped);
    pthread_barrier_wait(&released);
  }
  return NULL;
}

static void write_map(const char *path)
{
  int file = open(path, O_WRONLY | O_CREAT | O_TRUNC, 0600);
  if (file < 0 || !mend_heap_map_write(file, NULL)) perror(path);
  if (file >= 0) close(file);
}

static void print_stats(void)
{
  struct mend_stats stats = {.bytes = sizeof stats};
  mend_stats_get(&stats);
  printf("{\"live_bytes\":%zu,\"free_bytes\":%zu,\"retained_bytes\":%zu,\"uncarved_bytes\":%zu,"
         "\"committed_bytes\":%zu,\"metadata_bytes\":%zu,\"large_bytes\":%zu,\"large_count\":%zu,"
         "\"page_count\":%zu,\"heap_count\":%zu,\"purged_bytes\":%zu,\"os_call_count\":%zu,"
         "\"mapping_count\":%zu,\"rest_bytes\":%zu,\"unused_bytes\":%zu}\n",
         stats.live_bytes, stats.free_bytes, stats.retained_bytes, stats.uncarved_bytes,
         stats.committed_bytes, stats.metadata_bytes, stats.large_bytes, stats.large_count,
         stats.page_count, stats.heap_count, stats.purged_bytes, stats.os_call_count,
         stats.mapping_count, stats.rest_bytes, stats.unused_bytes);
  fflush(stdout);
}

static void pause_all(const char *path)
{
  atomic_store(&pauses, true);
  pthread_barrier_wait(&stopped);
  mend_collect(false);
  if (*path != '\0') write_map(path);
  mend_collect(false);
  print_stats();
}

static void go_on(void)
{
  atomic_store(&pauses, false);
  pthread_barrier_wait(&released);
}

int main(void)
{
  static char line[4096];
  static struct worker workers[THREADS];
  bool is_paused = false;
  pthread_barrier_init(&stopped, NULL, THREADS + 1);
  pthread_barrier_init(&released, NULL, THREADS + 1);
  shared_heap = mend_heap_create();
  mend_handle pinned = mend_handle_alloc(100);
  mend_pin(pinned);
  for (unsigned i = 0; i < THREADS; i++) {
    pthread_t thread;
    workers[i].random = i;
    if (pthread_create(&thread, NULL, work, &workers[i]) != 0) return 1;
  }
  puts("ready");
  fflush(stdout);
  while (fgets(line, sizeof line, stdin) != NULL) {
    line[strcspn(line, "\n")] = '\0';
    if (strncmp(line, "pause", 5) == 0 && !is_paused) pause_all(line[5] == ' ' ? line + 6 : "");
    if (strcmp(line, "go") == 0 && is_paused) go_on();
    is_paused = strncmp(line, "pause", 5) == 0;
    if (strcmp(line, "abort") == 0) abort();
    if (strcmp(line, "quit") == 0) break;
  }
  _exit(0);
}
