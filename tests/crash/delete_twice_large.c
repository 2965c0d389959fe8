// expect: abort "free of memory that is not in use"
// SPDX-License-Identifier: MIT
//
// The C++ operators under their own names.
#include <stddef.h>

#include "../support/support.h"

void *operator_new(size_t size) __asm__("_Znwm");
void operator_delete(void *block) __asm__("_ZdlPv");

int main(void)
{
  void *block = operator_new(300 * KIB);
  void *again = opaque(block);
  operator_delete(block);
  operator_delete(again);
  return 0;
}
