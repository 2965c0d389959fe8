// SPDX-License-Identifier: MIT
//
// What the hardened build says of itself at the start, when it is asked.
//
// linked with: mend_units_hardened
#define _GNU_SOURCE 1
#include "../support/suite.h"

#include <stdio.h>
#include <string.h>

#include "../support/respawn.h"
#include "api/init.h"
#include "mend/mend.h"

static void the_first_line_says_which_build_serves_and_its_level(void **state)
{
  (void)state;
  static const char *const levels[] = {"0", "2", "4"};
  for (size_t i = 0; i < sizeof levels / sizeof levels[0]; i++) {
    static struct outcome outcome;
    char expected[80];
    const char *environment[] = {"MEND_VERBOSE", "1", "MEND_HARDEN", levels[i], NULL};
    respawn_check(&(struct respawn){.argument = "start", .environment = environment}, &outcome);
    snprintf(expected, sizeof expected, "mend: version %s, hardened, level %s\n",
             MEND_VERSION_STRING, levels[i]);
    assert_int_equal(strncmp(outcome.text, expected, strlen(expected)), 0);
  }
}

int main(int argc, char **argv)
{
  static const struct CMUnitTest tests[] = {
      cmocka_unit_test(the_first_line_says_which_build_serves_and_its_level),
  };
  if (argc > 1 && strcmp(argv[1], "start") == 0) {
    init_once();
    return TEST_PASS;
  }
  return SUITE_RUN(tests);
}
