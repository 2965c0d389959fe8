// leaks: rc_cycle 2 blocks any bytes; indirect 1 block 40 bytes
// SPDX-License-Identifier: MIT
//
// link: mend
// memcheck: not judged: it knows no counted objects
#include "mend/smart.h"
#include "plant.h"

static void lose(void)
{
  struct node *left = mend_rc_make(struct node, NULL);
  struct node *right = mend_rc_make(struct node, NULL);
  left->next = mend_rc_retain(right);
  right->next = mend_rc_retain(left);
  right->other = malloc(40);
  mend_rc_release(left);
  mend_rc_release(right);
}

int main(void)
{
  plant(lose);
  return 0;
}
