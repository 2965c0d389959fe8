// clean
// SPDX-License-Identifier: MIT
//
// Handles in a variable, in a block, and in an object.
// link: mend
// memcheck: not judged: it knows no handles
#include "mend/handle.h"
#include "plant.h"

static mend_handle kept;
static mend_handle *in_block;

static void keep(void)
{
  kept = mend_handle_zalloc(100);
  in_block = malloc(10 * sizeof *in_block);
  for (int i = 0; i < 10; i++) in_block[i] = mend_handle_alloc(50);
  mend_scope_enter();
  *(mend_handle *)mend_resolve(kept) = mend_handle_alloc(70);
  mend_scope_leave();
}

int main(void)
{
  plant(keep);
  return in_block == NULL;
}
