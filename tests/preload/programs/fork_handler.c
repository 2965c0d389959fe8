// SPDX-License-Identifier: MIT
//
// A library whose constructor, which comes before the program's and before those of what is
// preloaded, registers a handler for the child of a fork; and, with -DPROGRAM, the program: threads
// that allocate while it forks. The handler allocates: by then mend must have mended itself.
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

#ifdef PROGRAM

enum { THREADS = 3, FORKS = 100 };

extern int library_is_there;
static atomic_bool is_over;

static void *allocate(void *argument)
{
  while (!atomic_load(&is_over)) {
    void *volatile one = malloc(100000);
    void *volatile two = malloc(200000);
    free(one);
    free(two);
  }
  return argument;
}

int main(void)
{
  pthread_t threads[THREADS];
  int failures = !library_is_there;
  for (int i = 0; i < THREADS; i++) pthread_create(&threads[i], NULL, allocate, NULL);
  for (int i = 0; i < FORKS && failures == 0; i++) {
    pid_t child = fork();
    if (child == 0) _exit(0);
    int status = 1;
    failures += waitpid(child, &status, 0) != child || status != 0;
  }
  atomic_store(&is_over, 1);
  for (int i = 0; i < THREADS; i++) pthread_join(threads[i], NULL);
  puts(failures == 0 ? "every child came to its end" : "a child failed");
  return failures != 0;
}

#else

int library_is_there = 1;

static void allocate_in_child(void)
{
  alarm(60);  // the end of one that hangs
  for (size_t i = 0; i < 50; i++) {
    void *volatile block = malloc(i % 2 == 0 ? 70000 : i * 100);
    free(block);
  }
}

__attribute__((constructor)) static void be_early(void)
{
  (void)pthread_atfork(NULL, NULL, allocate_in_child);
}

#endif
