// clean
// SPDX-License-Identifier: MIT
//
// link: mend
// memcheck: not judged: it knows no handles
#include "mend/handle.h"
#include "plant.h"

static void work(void)
{
  for (size_t i = 0; i < 1000; i++) mend_handle_free(mend_handle_alloc(i));
  mend_handle_free_deferred(mend_handle_alloc(10));
}

int main(void)
{
  plant(work);
  return 0;
}
