// SPDX-License-Identifier: MIT
//
// Holds a secret of 3000 bytes in memory of its own kind, says so, and waits for the end of input:
// keep_secret malloc|secure|shared. The secret's pattern is made here and nowhere written down.
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "mend/secure.h"

int main(int argc, char **argv)
{
  const char *kind = argc > 1 ? argv[1] : "";
  unsigned flags = MEND_SECURE_MAY_SWAP | MEND_SECURE_SHARE_PAGES;
  size_t size = strcmp(kind, "shared") == 0 ? 400 : 3000;
  char *block = strcmp(kind, "malloc") == 0 ? mend_malloc(size) : mend_secure_alloc(size, flags);
  if (block == NULL) return 1;
  for (size_t i = 0; i < size; i++) block[i] = "key:"[i % 4];
  puts("ready");
  fflush(stdout);
  (void)getchar();
  return block[0] != 'k';
}
