// expect: abort "destroy of a heap that does not exist"
// SPDX-License-Identifier: MIT
//
// In the child of a fork, of a heap that another thread of the parent was inside of.
#define _GNU_SOURCE 1
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stddef.h>
#include <sys/wait.h>
#include <unistd.h>

#include "mend/mend.h"

static atomic_bool is_inside, may_leave;

static bool stay_inside(void *block, size_t usable_size, void *argument)
{
  (void)block, (void)usable_size, (void)argument;
  atomic_store(&is_inside, true);
  while (!atomic_load(&may_leave)) usleep(100);
  return false;
}

static void *visit(void *heap)
{
  (void)mend_heap_visit(heap, stay_inside, NULL);
  return NULL;
}

int main(void)
{
  mend_heap *heap = mend_heap_create();
  pthread_t thread;
  if (mend_heap_malloc(heap, 100) == NULL) return 1;
  if (pthread_create(&thread, NULL, visit, heap) != 0) return 1;
  while (!atomic_load(&is_inside)) usleep(100);
  pid_t child = fork();
  if (child == 0) {
    mend_heap_destroy(heap);
    mend_heap_destroy(heap);
    return 0;
  }
  int status = 0;
  if (waitpid(child, &status, 0) != child || !WIFSIGNALED(status)) return 0;
  (void)raise(WTERMSIG(status));  // ends as the child has
  return 0;
}
