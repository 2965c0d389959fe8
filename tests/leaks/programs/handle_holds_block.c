// clean
// SPDX-License-Identifier: MIT
//
// An object that is known by its handle alone holds a block.
// link: mend
// memcheck: not judged: it knows no handles
#include "mend/handle.h"
#include "plant.h"

static mend_handle kept;

static void keep(void)
{
  kept = mend_handle_zalloc(100);
  mend_scope_enter();
  *(void **)mend_resolve(kept) = malloc(30);
  mend_scope_leave();
}

int main(void)
{
  plant(keep);
  return 0;
}
