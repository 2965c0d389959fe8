// leaks: handle 3 blocks 270700 bytes
// SPDX-License-Identifier: MIT
//
// Lost objects have the sizes that they were last given: in place, in another block, as large ones.
// link: mend
// memcheck: not judged: it knows no handles
#include "mend/handle.h"
#include "plant.h"

static mend_handle kept[100];

static void lose_one(size_t size, size_t later)
{
  mend_handle object = mend_handle_alloc(size);
  mend_handle_realloc(object, later);
  plant_use((void *)object.bits);
}

static void lose(void)
{
  for (int i = 0; i < 100; i++) kept[i] = mend_handle_alloc(100);
  lose_one(101, 100);
  lose_one(100, 600);
  lose_one(200, 270000);
}

int main(void)
{
  plant(lose);
  return 0;
}
