// clean
// SPDX-License-Identifier: MIT
//
// Memory between guards was a thread's stack; the thread has ended, and the program keeps addresses
// there. What the C library has left at the upper end still says that it is a stack.
#include <pthread.h>
#include <sys/mman.h>

#include "plant.h"

enum { GUARD = 1 << 12, BYTES = 1 << 20 };

static void *work(void *argument)
{
  return argument;
}

int main(void)
{
  pthread_t thread;
  pthread_attr_t attributes;
  char *memory = mmap(NULL, BYTES + 2 * GUARD, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  void **data = (void **)(memory + GUARD);
  if (memory == MAP_FAILED || mprotect(data, BYTES, PROT_READ | PROT_WRITE) != 0) abort();
  pthread_attr_init(&attributes);
  pthread_attr_setstack(&attributes, memory + GUARD, BYTES);
  if (pthread_create(&thread, &attributes, work, NULL) != 0) abort();
  pthread_join(thread, NULL);
  for (size_t i = 0; i < 100; i++) data[i] = malloc(200);
  return 0;
}
