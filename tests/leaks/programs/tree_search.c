// leaks: direct 1 block 56 bytes
// SPDX-License-Identifier: MIT
//
// A binary tree of the C library, its nodes freed, one key not.
#include <search.h>

#include "plant.h"

static int order(const void *left, const void *right)
{
  return strcmp(left, right);
}

static void lose(void)
{
  void *root = NULL;
  char *key = malloc(56);
  strcpy(key, "key");
  tsearch(key, &root, order);
  tsearch("other", &root, order);
  tdelete("key", &root, order);
  tdelete("other", &root, order);
}

int main(void)
{
  plant(lose);
  return 0;
}
