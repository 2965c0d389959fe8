// leaks: handle 1 block 500 bytes
// SPDX-License-Identifier: MIT
//
// After a pass that moves objects: those that are kept are, the lost one is lost.
// link: mend
// memcheck: not judged: it knows no handles
#include "mend/handle.h"
#include "plant.h"

static mend_handle kept[1000];

static void lose(void)
{
  static mend_handle gone[1000];
  for (size_t i = 0; i < 1000; i++) {
    gone[i] = mend_handle_alloc(500);
    kept[i] = mend_handle_alloc(500);
  }
  plant_use((void *)mend_handle_alloc(500).bits);
  for (size_t i = 0; i < 1000; i++) mend_handle_free(gone[i]);
  memset(gone, 0, sizeof gone);
}

int main(void)
{
  plant(lose);
  mend_defragment(NULL);
  plant_wipe();
  return 0;
}
