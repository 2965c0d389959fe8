// leaks: rc_cycle 2 blocks any bytes
// SPDX-License-Identifier: MIT
//
// Counted objects that keep each other.
// link: mend
// memcheck: not judged: it knows no counted objects
#include "mend/smart.h"
#include "plant.h"

static void end(struct node *node)
{
  mend_rc_release(node->next);
}

static void lose(void)
{
  struct node *left = mend_rc_make(struct node, end);
  struct node *right = mend_rc_make(struct node, end);
  left->next = mend_rc_retain(right);
  right->next = mend_rc_retain(left);
  mend_rc_release(left);
  mend_rc_release(right);
}

int main(void)
{
  plant(lose);
  return 0;
}
