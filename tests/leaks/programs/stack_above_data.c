// clean
// SPDX-License-Identifier: MIT
//
// A mapping behind a guard: addresses in its lower half, a thread's stack in the upper one; the
// thread ends the program.
#include <pthread.h>
#include <sys/mman.h>

#include "plant.h"

enum { GUARD = 1 << 12, HALF = 1 << 20 };

static void *leave(void *argument)
{
  exit(argument != NULL);
}

int main(void)
{
  pthread_t thread;
  pthread_attr_t attributes;
  char *memory =
      mmap(NULL, GUARD + 2 * HALF, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  void **data = (void **)(memory + GUARD);
  if (memory == MAP_FAILED || mprotect(memory, GUARD, PROT_NONE) != 0) abort();
  for (size_t i = 0; i < 100; i++) data[i] = malloc(200);
  pthread_attr_init(&attributes);
  pthread_attr_setstack(&attributes, memory + GUARD + HALF, HALF);
  if (pthread_create(&thread, &attributes, leave, NULL) != 0) abort();
  pthread_join(thread, NULL);
  return 1;
}
