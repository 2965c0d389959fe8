// SPDX-License-Identifier: MIT
//
// A user's program: takes blocks through both names and checks that malloc is mend's, or that
// it is not, as its argument (yes or no) says.
#include <mend/mend.h>
#include <mend/stats.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

int main(int argc, char **argv)
{
  char *block = malloc(100);
  char *other = mend_malloc(100);
  if (argc != 2 || block == NULL || other == NULL || mend_version() != MEND_VERSION) return 2;
  memset(block, 1, 100);
  memset(other, 2, 100);
  bool is_expected = strcmp(argv[1], "yes") == 0;
  bool is_mend = mend_owns(block);
  printf("malloc is mend's: %s\n", is_mend ? "yes" : "no");
  free(block);
  mend_free(other);
  return is_mend == is_expected && mend_is_redirected() == is_expected ? 0 : 1;
}
