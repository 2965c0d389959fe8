// SPDX-License-Identifier: MIT
//
// usage: churn MEBIBYTES
//
// Holds at most so many MiB, of ever other sizes, in turn from two threads: a heap that doesn't
// reuse or return what is freed needs several times as much. Run by cgroup_limit.sh.
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static size_t most_bytes;

static void *fill_and_free(void *argument)
{
  size_t bytes = *(size_t *)argument;
  size_t count = most_bytes / bytes;
  unsigned char **blocks = malloc(count * sizeof *blocks);
  if (blocks == NULL) abort();
  for (size_t i = 0; i < count; i++) {
    blocks[i] = malloc(bytes);
    if (blocks[i] == NULL) abort();
    memset(blocks[i], 1, bytes);
  }
  for (size_t i = 0; i < count; i++) free(blocks[i]);
  free(blocks);
  return NULL;
}

int main(int argc, char **argv)
{
  if (argc != 2) return 2;
  most_bytes = strtoull(argv[1], NULL, 10) << 20;
  for (size_t bytes = 128; bytes < 4u << 20; bytes *= 3) {
    pthread_t thread;
    fill_and_free(&bytes);
    if (pthread_create(&thread, NULL, fill_and_free, &bytes) != 0) abort();
    if (pthread_join(thread, NULL) != 0) abort();
  }
  puts("done");
  return 0;
}
