// leaks: handle 1 block 100 bytes; indirect 1 block 30 bytes
// SPDX-License-Identifier: MIT
//
// link: mend
// memcheck: not judged: it knows no handles
#include "mend/handle.h"
#include "plant.h"

static void lose(void)
{
  mend_handle lost = mend_handle_zalloc(100);
  mend_scope_enter();
  *(void **)mend_resolve(lost) = malloc(30);
  mend_scope_leave();
}

int main(void)
{
  plant(lose);
  return 0;
}
