// SPDX-License-Identifier: MIT
//
// A user's program: takes blocks through both names and checks that malloc is mend's, or that
// it is not, as its first argument (yes or no) says; and whether the library is the hardened one,
// which knows to the byte how much was asked for, as the second says (hardened or plain).
#include <mend/mend.h>
#include <mend/stats.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

int main(int argc, char **argv)
{
  char *block = malloc(100);
  char *other = mend_malloc(100);
  if (argc != 3 || block == NULL || other == NULL || mend_version() != MEND_VERSION) return 2;
  memset(block, 1, 100);
  memset(other, 2, 100);
  bool is_expected = strcmp(argv[1], "yes") == 0;
  bool is_mend = mend_owns(block);
  bool is_hardened = mend_malloc_usable_size(other) == 100;
  bool is_right_build = is_hardened == (strcmp(argv[2], "hardened") == 0);
  printf("malloc is mend's: %s; hardened: %s\n", is_mend ? "yes" : "no",
         is_hardened ? "yes" : "no");
  free(block);
  mend_free(other);
  bool is_redirected = mend_is_redirected();
  return is_mend == is_expected && is_redirected == is_expected && is_right_build ? 0 : 1;
}
