// SPDX-License-Identifier: MIT
//
// MEND_PROFILE_GROWTH in a program that allocates nothing but objects with handles, small ones or
// large ones: it writes profiles as its heap grows all the same.
#define _GNU_SOURCE 1
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "../support/folder.h"
#include "../support/respawn.h"
#include "../support/support.h"
#include "mend/handle.h"

#define GROWN_BYTES (8 * MIB)

static char folder[] = "/tmp/mend-growth-XXXXXX";

static int grow(size_t size)
{
  for (size_t bytes = 0; bytes < GROWN_BYTES; bytes += size) {
    CHECK(!mend_handle_is_null(mend_handle_alloc(size)));
  }
  return TEST_PASS;
}

// Says whether there was such a file.
static bool take(const char *suffix)
{
  char path[64];
  snprintf(path, sizeof path, "%s/growth%s", folder, suffix);
  return unlink(path) == 0;
}

static void check_growth(const char *size)
{
  static struct outcome outcome;
  char path[64], suffix[16];
  snprintf(path, sizeof path, "%s/growth", folder);
  const char *const environment[] = {"MEND_PROFILE",
                                     "1",
                                     "MEND_PROFILE_INTERVAL",
                                     "1k",
                                     "MEND_PROFILE_GROWTH",
                                     "2m",
                                     "MEND_TRACK_FILE",
                                     path,
                                     NULL};
  respawn_check(&(struct respawn){.argument = size, .environment = environment}, &outcome);
  int count = 0;
  for (int i = 1; i < 1000; i++) {  // where pages are tiny there are many
    snprintf(suffix, sizeof suffix, ".%d", i);
    if (take(suffix)) count++;
  }
  CHECK(take("") && count >= 3);
}

int main(int count, char **arguments)
{
  if (count > 1) return grow(strtoull(arguments[1], NULL, 10));
  if (TEST_IS_HARDENED) return test_cannot_run("the hardened build remembers no stacks");
  CHECK(folder_make(folder));
  check_growth("500");
  check_growth("300000");
  CHECK(folder_remove() == 0);
  return TEST_PASS;
}
