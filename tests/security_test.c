// SPDX-License-Identifier: MIT
//
// The hardened build under attack, in one suite that stands alone: every case of tests/attack, each
// in a process of its own, at every level of MEND_HARDEN, or at the one that the environment names.
// A case fails if what becomes of it is less than the table demands; an attack that works always
// fails.
//
// usage: security_test                   all cases, as tests; those whose name holds $ATTACK_ONLY
//        security_test --table           what became of each case, as text
//        security_test --markdown        the table of threats, for docs/Security.md
//        security_test --count           how many cases there are
//        security_test case:NAME         one case, in this process
//
// Linked without mend (build/tests/attack/attack_others), it tries another allocator: --table
// LIBRARY, which is preloaded.
#include "support/suite.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "attack/judge.h"
#include "support/respawn.h"

enum { MOST_TESTS = 8192, COLUMN = 48 };

struct trial {
  size_t index;
  int level;
};

static struct trial trials[MOST_TESTS];
static struct CMUnitTest tests[MOST_TESTS];
static char names[MOST_TESTS][CASE_NAME_BYTES + 16];

static void levels_wanted(int *first, int *last)
{
  const char *level = getenv("MEND_HARDEN");
  bool is_one = level != NULL && level[0] >= '0' && level[0] < '0' + ATTACK_LEVELS;
  *first = is_one ? level[0] - '0' : 0;
  *last = is_one ? *first : ATTACK_LEVELS - 1;
}

static void attack_is_stopped(void **state)
{
  const struct trial *trial = *state;
  struct attack attack = case_at(trial->index);
  enum verdict least = judge_least(attack.threat, trial->level);
  struct judgement judgement = judge_case(&attack, trial->level, NULL);
  if (judgement.verdict == VERDICT_CANNOT_RUN) {
    print_message("%s\n", judgement.why);
    skip();
  }
  if (judgement.verdict < least) {
    print_message("%s, at least %s is demanded: %s\n", judge_word(judgement.verdict),
                  judge_word(least), judgement.why);
  }
  assert_true(judgement.verdict >= least);
}

// Whether the name is wanted: all are unless ATTACK_ONLY holds a part of it.
static bool is_wanted(const struct attack *attack)
{
  char name[CASE_NAME_BYTES];
  const char *part = getenv("ATTACK_ONLY");
  case_name(attack, name);
  return part == NULL || strstr(name, part) != NULL;
}

static size_t make_tests(void)
{
  int first, last;
  size_t count = 0;
  levels_wanted(&first, &last);
  for (size_t i = 0; i < case_count(); i++) {
    struct attack attack = case_at(i);
    for (int level = first; level <= last && is_wanted(&attack); level++) {
      if (judge_least(attack.threat, level) == VERDICT_CANNOT_RUN) continue;
      CHECK(count < MOST_TESTS);
      case_name(&attack, names[count]);
      size_t length = strlen(names[count]);
      snprintf(names[count] + length, sizeof names[count] - length, " level %d", level);
      trials[count] = (struct trial){i, level};
      tests[count] =
          (struct CMUnitTest){names[count], attack_is_stopped, NULL, NULL, &trials[count]};
      count++;
    }
  }
  return count;
}

static int run_all(void)
{
  size_t count = make_tests();
  struct CMUnitTest *wanted = calloc(count, sizeof *wanted);
  CHECK(wanted != NULL);
  memcpy(wanted, tests, count * sizeof *wanted);
#ifdef TESTS_STANDIN_CMOCKA_H
  int failed = standin_run_group(wanted, count, NULL, NULL);
#else
  int failed = _cmocka_run_group_tests("security", wanted, count, NULL, NULL);
#endif
  free(wanted);
  return failed == 0 ? TEST_PASS : TEST_FAIL;
}

static int print_table(const char *preload)
{
  size_t counts[VERDICT_CANNOT_RUN + 1] = {0};
  int first, last;
  levels_wanted(&first, &last);
  if (preload != NULL) first = last = 2;
  for (size_t i = 0; i < case_count(); i++) {
    struct attack attack = case_at(i);
    char name[CASE_NAME_BYTES];
    if (!is_wanted(&attack)) continue;
    case_name(&attack, name);
    for (int level = first; level <= last; level++) {
      if (preload == NULL && judge_least(attack.threat, level) == VERDICT_CANNOT_RUN) continue;
      struct judgement judgement = judge_case(&attack, level, preload);
      counts[judgement.verdict]++;
      printf("%-4s %-*s %d %-12s %s\n", attack.threat->primitive, COLUMN, name, level,
             judge_word(judgement.verdict), judgement.why);
      fflush(stdout);
    }
  }
  for (size_t i = 0; i <= VERDICT_CANNOT_RUN; i++) {
    printf("%s%s %zu", i == 0 ? "" : ", ", judge_word((enum verdict)i), counts[i]);
  }
  putchar('\n');
  return TEST_PASS;
}

// "`double free`, `free of ...`"
static void print_messages(const char *messages)
{
  while (*messages != '\0') {
    int length = (int)strcspn(messages, "|");
    printf("`%.*s`", length, messages);
    messages += length + (messages[length] == '|');
    if (*messages != '\0') printf(", ");
  }
}

static void print_levels(const struct threat *threat)
{
  static const char *const dash = "not claimed";
  for (int level = 0; level < ATTACK_LEVELS; level++) {
    enum verdict least = judge_least(threat, level);
    bool is_new = level == 0 || threat->least[level] != threat->least[level - 1];
    if (!is_new) continue;
    printf("%s%d: %s", level == 0 ? "" : ", ", level,
           least == VERDICT_CANNOT_RUN ? dash : judge_word(least));
  }
}

static int print_markdown(void)
{
  printf(
      "| | threat | defence | test | message | least, from level |\n|---|---|---|---|---|---|\n");
  for (size_t i = 0; i < attack_threat_count; i++) {
    const struct threat *threat = &attack_threats[i];
    printf("| %s | %s | %s | `%s` | ", threat->primitive, threat->description, threat->defence,
           threat->name);
    print_messages(threat->message);
    printf(" | ");
    print_levels(threat);
    printf(" |\n");
  }
  return TEST_PASS;
}

int main(int count, char **arguments)
{
  const char *what = count > 1 ? arguments[1] : "";
  if (strncmp(what, JUDGE_CASE_ARGUMENT, strlen(JUDGE_CASE_ARGUMENT)) == 0) {
    attack_run_case(what + strlen(JUDGE_CASE_ARGUMENT));
  }
  if (strcmp(what, "--table") == 0) return print_table(count > 2 ? arguments[2] : NULL);
  if (strcmp(what, "--markdown") == 0) return print_markdown();
  if (strcmp(what, "--count") == 0) return printf("%zu\n", case_count()) > 0 ? 0 : 1;
  return run_all();
}
