// leaks: rc_cycle 1 block any bytes
// SPDX-License-Identifier: MIT
//
// link: mend
// memcheck: not judged: it knows no counted objects
#include "mend/smart.h"
#include "plant.h"

static void lose(void)
{
  struct node *node = mend_rc_make(struct node, NULL);
  node->next = mend_rc_retain(node);
  mend_rc_release(node);
}

int main(void)
{
  plant(lose);
  return 0;
}
