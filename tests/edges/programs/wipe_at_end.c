// SPDX-License-Identifier: MIT
//
// Functions that zero a buffer as their last act, to be compiled and looked at, not run: what the
// optimizer leaves of memset, of the wipe inside of mend (src/base/wipe.h, which the compiler is
// told to include), and of mend_wipe.

#include <string.h>

#include "mend/secure.h"

void use(unsigned char *key);
void end_by_memset(void);
void end_by_wipe(void);
void end_by_mend_wipe(void);

void end_by_memset(void)
{
  unsigned char key[32];
  use(key);
  memset(key, 0, sizeof key);
}

void end_by_wipe(void)
{
  unsigned char key[32];
  use(key);
  wipe_memory(key, sizeof key);
}

void end_by_mend_wipe(void)
{
  unsigned char key[32];
  use(key);
  mend_wipe(key, sizeof key);
}
