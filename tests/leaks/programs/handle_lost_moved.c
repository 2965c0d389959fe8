// leaks: handle 100 blocks 50000 bytes
// SPDX-License-Identifier: MIT
//
// Objects are lost, and moved after that: a pass empties nearly all of their pages. The report
// still says who made them and how large they are.
// link: mend
// memcheck: not judged: it knows no handles
#include "mend/handle.h"
#include "plant.h"

static mend_handle others[2000];

static void lose(void)
{
  for (size_t i = 0; i < 2000; i++) {
    others[i] = mend_handle_alloc(500);
    if (i % 20 == 0) plant_use((void *)mend_handle_alloc(500).bits);
  }
  for (size_t i = 0; i < 2000; i++) mend_handle_free(others[i]);
  memset(others, 0, sizeof others);
}

int main(void)
{
  struct mend_defrag_report report = {.bytes = sizeof report};
  plant(lose);
  mend_defragment(&report);
  plant_wipe();
  return report.objects_moved == 0;
}
