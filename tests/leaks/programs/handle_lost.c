// leaks: handle 2 blocks 300 bytes
// SPDX-License-Identifier: MIT
//
// An object whose handle is nowhere any more.
// link: mend
// memcheck: not judged: it knows no handles
#include "mend/handle.h"
#include "plant.h"

static mend_handle kept[100];

static void lose(void)
{
  for (int i = 0; i < 100; i++) kept[i] = mend_handle_alloc(100);
  plant_use((void *)mend_handle_alloc(100).bits);
  plant_use((void *)mend_handle_alloc(200).bits);
}

int main(void)
{
  plant(lose);
  return 0;
}
