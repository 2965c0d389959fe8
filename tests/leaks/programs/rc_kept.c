// clean
// SPDX-License-Identifier: MIT
//
// The only reference points into the block, behind the head.
// link: mend
// memcheck: not judged: it knows no counted objects
#include "mend/smart.h"
#include "plant.h"

static struct node *kept;

static void keep(void)
{
  kept = mend_rc_make(struct node, NULL);
  kept->next = mend_rc_make(struct node, NULL);
}

int main(void)
{
  plant(keep);
  return kept == NULL;
}
