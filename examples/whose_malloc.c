// SPDX-License-Identifier: MIT
//
// An ordinary program: its malloc and free are mend's because it is linked with libmend. It asks
// whether that worked, which is worth doing where the order of libraries is not in one's own hands.
//
// Build: cc whose_malloc.c -o whose_malloc $(pkg-config --cflags --libs mend)
// Run:   ./whose_malloc
#include <mend/mend.h>
#include <stdio.h>
#include <stdlib.h>

int main(void)
{
  void *block = calloc(1, 100);
  bool is_mends = mend_owns(block);
  printf("mend %s; malloc is mend's: %s; this block is: %s\n", mend_version_string(),
         mend_is_redirected() ? "yes" : "no", is_mends ? "yes" : "no");
  free(block);
  return is_mends ? 0 : 1;
}
