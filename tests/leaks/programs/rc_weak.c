// clean
// SPDX-License-Identifier: MIT
//
// The same with a weak reference one way: all ends.
// link: mend
// memcheck: not judged: it knows no counted objects
#include "mend/smart.h"
#include "plant.h"

struct weak_node {
  struct weak_node *next;
  MEND_WEAK(struct weak_node) back;
};

static void end(struct weak_node *node)
{
  mend_rc_release(node->next);
  mend_rc_weak_release(node->back);
}

static void work(void)
{
  struct weak_node *left = mend_rc_make(struct weak_node, end);
  struct weak_node *right = mend_rc_make(struct weak_node, end);
  left->next = right;
  right->back = mend_rc_weak(left);
  mend_rc_release(left);
}

int main(void)
{
  plant(work);
  return 0;
}
