// SPDX-License-Identifier: MIT
//
// A report of a misuse shows memory, but never that of a block of mend_secure_alloc: not the key,
// not a neighbour's in the same os page, and not the canaries around them.
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "../support/respawn.h"
#include "../support/suite.h"
#include "mend/mend.h"
#include "mend/secure.h"

enum { SECRET = 0xA7, SIZE = 40 };

static void misuse(unsigned char *pointer)
{
  mend_free(opaque(pointer));
  CHECK(mend_realloc(opaque(pointer), 100) == NULL);
  CHECK(mend_malloc_usable_size(opaque(pointer)) == 0);
  mend_free_wiped(opaque(pointer));
}

static int run_misuses(unsigned flags)
{
  unsigned char *blocks[3];
  for (size_t i = 0; i < 3; i++) {
    blocks[i] = mend_secure_alloc(SIZE, flags | MEND_SECURE_MAY_SWAP);
    CHECK(blocks[i] != NULL);
    memset(opaque(blocks[i]), SECRET, SIZE);
  }
  static const ptrdiff_t places[] = {0, 1, 16, SIZE - 1, SIZE, 64, -1, -32, -64};
  for (size_t i = 0; i < sizeof places / sizeof places[0]; i++) misuse(blocks[1] + places[i]);
  mend_secure_free(blocks[1]);
  misuse(blocks[1]);
  return TEST_PASS;
}

int main(int argc, char **argv)
{
  static const char *const levels[] = {"0", "2", "4"};
  static const char *const arguments[] = {"alone", "shared"};
  static struct outcome outcome;
  if (argc > 1) return run_misuses(argv[1][0] == 's' ? MEND_SECURE_SHARE_PAGES : 0);
  for (size_t i = 0; i < 6; i++) {
    const char *const environment[] = {"MEND_HARDEN", levels[i / 2], "MEND_ON_MISUSE", "2", NULL};
    respawn_check(&(struct respawn){.argument = arguments[i % 2], .environment = environment},
                  &outcome);
    CHECK(outcome_count(&outcome, "mend: free of a secure block: 0x") > 0);
    CHECK(outcome_count(&outcome, "  called:") > 0);
    CHECK(outcome_count(&outcome, "memory around") == 0);
    CHECK(outcome_count(&outcome, " a7 a7") == 0);
  }
  return TEST_PASS;
}
