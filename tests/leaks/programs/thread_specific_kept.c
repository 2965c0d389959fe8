// clean
// SPDX-License-Identifier: MIT
//
// The first keys' values lie beside the thread's stack, those of later keys in blocks of the C
// library.
#include <pthread.h>

#include "plant.h"

static pthread_key_t keys[100];

static void keep(void)
{
  for (size_t i = 0; i < 100; i++) {
    if (pthread_key_create(&keys[i], NULL) != 0) abort();
    pthread_setspecific(keys[i], malloc(50 + i));
  }
}

int main(void)
{
  plant(keep);
  return 0;
}
