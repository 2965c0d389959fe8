// SPDX-License-Identifier: MIT
//
// Two threads that replace blocks of a heap of so many MiB without pause. A line on the standard
// input asks how often they have done so.
//
// usage: watched MIB
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { THREADS = 2, BLOCK_MOST = 1000 };

struct worker {
  size_t count;
  void **blocks;
  _Atomic(size_t) done;
  char padding[64];
};

static void *work(void *argument)
{
  struct worker *worker = argument;
  unsigned long random = (unsigned long)(size_t)worker | 1;
  for (size_t done = 0;; done++) {
    random = random * 6364136223846793005 + 1442695040888963407;
    void **block = &worker->blocks[(random >> 33) % worker->count];
    free(*block);
    *block = malloc(16 + (random >> 20) % BLOCK_MOST);
    if (*block != NULL) memset(*block, 1, 16);
    atomic_store_explicit(&worker->done, done, memory_order_relaxed);
  }
  return NULL;
}

int main(int count, char **arguments)
{
  static struct worker workers[THREADS];
  char line[16];
  size_t blocks = (size_t)(count > 1 ? atol(arguments[1]) : 64) * 2048 / THREADS;
  for (int i = 0; i < THREADS; i++) {
    pthread_t thread;
    workers[i].count = blocks;
    workers[i].blocks = calloc(blocks, sizeof(void *));
    for (size_t j = 0; j < blocks; j++) {
      workers[i].blocks[j] = malloc(512);
      memset(workers[i].blocks[j], 1, 512);
    }
    if (pthread_create(&thread, NULL, work, &workers[i]) != 0) return 1;
  }
  while (fgets(line, sizeof line, stdin) != NULL) {
    size_t sum = 0;
    for (int i = 0; i < THREADS; i++) sum += atomic_load(&workers[i].done);
    printf("%zu\n", sum);
    fflush(stdout);
  }
  _Exit(0);
}
