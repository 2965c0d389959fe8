// SPDX-License-Identifier: MIT
#define _GNU_SOURCE 1
#include "judge.h"

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "../support/respawn.h"

// A fault in a block with guards of its own is told with this, whatever the attack was.
#define MESSAGE_OF_FAULT "access to a guarded page"

static size_t way_count(const struct threat *threat)
{
  size_t count = 0;
  while (threat->ways[count] != NULL) count++;
  return count;
}

static size_t size_count(const struct threat *threat)
{
  size_t count = 0;
  while (threat->sizes != NULL && threat->sizes[count] != 0) count++;
  return count > 0 ? count : 1;
}

size_t case_count(void)
{
  size_t count = 0;
  for (size_t i = 0; i < attack_threat_count; i++) {
    count += way_count(&attack_threats[i]) * size_count(&attack_threats[i]);
  }
  return count;
}

struct attack case_at(size_t index)
{
  const struct threat *threat = attack_threats;
  size_t sizes;
  while (index >= way_count(threat) * (sizes = size_count(threat))) {
    index -= way_count(threat) * sizes;
    threat++;
  }
  size_t size = threat->sizes != NULL ? threat->sizes[index % sizes] : 0;
  return (struct attack){threat, (unsigned)(index / sizes), size};
}

void case_name(const struct attack *attack, char name[CASE_NAME_BYTES])
{
  const struct threat *threat = attack->threat;
  int length = snprintf(name, CASE_NAME_BYTES, "%s/%s", threat->name, threat->ways[attack->way]);
  if (attack->size > 0) {
    snprintf(name + length, CASE_NAME_BYTES - (size_t)length, "/%zu", attack->size);
  }
}

const char *judge_word(enum verdict verdict)
{
  static const char *const words[] = {"BROKEN", "WORKED",  "CRASHED",  "neutralised",
                                      "late",   "faulted", "detected", "cannot run"};
  return words[verdict];
}

enum verdict judge_least(const struct threat *threat, int level)
{
  switch (threat->least[level]) {
  case 'd':
    return VERDICT_DETECTED;
  case 'f':
    return VERDICT_FAULTED;
  case 'l':
    return VERDICT_LATE;
  case 'n':
    return VERDICT_NEUTRALISED;
  default:
    return VERDICT_CANNOT_RUN;
  }
}

// Whether the line is "mend: MESSAGE..." for one of the messages.
static bool tells_one_of(const char *line, const char *messages)
{
  static const char prefix[] = "mend: ";
  if (strncmp(line, prefix, sizeof prefix - 1) != 0) return false;
  line += sizeof prefix - 1;
  while (*messages != '\0') {
    size_t length = strcspn(messages, "|");
    if (strncmp(line, messages, length) == 0 && strncmp(line + length, ": 0x", 4) == 0) return true;
    messages += length + (messages[length] == '|');
  }
  return false;
}

static enum verdict of_abort(const struct attack *attack, enum step step, const char *line,
                             bool is_mend)
{
  bool is_fault = strncmp(line, "mend: " MESSAGE_OF_FAULT, 6 + strlen(MESSAGE_OF_FAULT)) == 0;
  if (step == STEP_SETUP || *line == '\0') return VERDICT_BROKEN;
  if (is_mend && step == STEP_ACCESS && is_fault) return VERDICT_DETECTED;
  if (is_mend && !tells_one_of(line, attack->threat->message)) return VERDICT_BROKEN;
  return step == STEP_AFTER ? VERDICT_LATE : VERDICT_DETECTED;
}

static enum verdict of_signal(const struct attack *attack, enum step step,
                              const struct outcome *outcome, bool is_mend)
{
  switch (outcome->signal_number) {
  case SIGABRT:
    return of_abort(attack, step, outcome->text, is_mend);
  case SIGSEGV:
  case SIGBUS:
    if (step == STEP_SETUP) return VERDICT_BROKEN;
    return step == STEP_ACCESS ? VERDICT_FAULTED : VERDICT_CRASHED;
  case SIGTRAP:  // other allocators end so, too
  case SIGILL:
    return is_mend ? VERDICT_BROKEN : VERDICT_DETECTED;
  default:
    return VERDICT_BROKEN;
  }
}

static enum verdict of_outcome(const struct attack *attack, enum step step,
                               const struct outcome *outcome, bool is_mend)
{
  if (outcome->signal_number != 0) return of_signal(attack, step, outcome, is_mend);
  switch (outcome->exit_code) {
  case EXIT_NEUTRALISED:
    return VERDICT_NEUTRALISED;
  case EXIT_WORKED:
    return VERDICT_WORKED;
  case TEST_CANNOT_RUN:
    return VERDICT_CANNOT_RUN;
  default:  // other allocators exit at what they find
    return !is_mend && step != STEP_SETUP ? VERDICT_DETECTED : VERDICT_BROKEN;
  }
}

// What the case wrote on stdout follows its messages on stderr.
static void join_outputs(void)
{
  CHECK(dup2(STDERR_FILENO, STDOUT_FILENO) == STDOUT_FILENO);
}

static void tell_why(struct judgement *judgement, const struct outcome *outcome)
{
  int length = (int)strcspn(outcome->text, "\n");
  if (length > 0) {
    snprintf(judgement->why, WHY_BYTES, "%.*s", length, outcome->text);
  } else {
    snprintf(judgement->why, WHY_BYTES, "exit code %d, signal %d", outcome->exit_code,
             outcome->signal_number);
  }
}

struct judgement judge_case(const struct attack *attack, int level, const char *preload)
{
  static struct outcome outcome;
  static int file = -1;
  static volatile char *step;
  char number[16], level_digit[2] = {(char)('0' + level), '\0'};
  char argument[CASE_NAME_BYTES + sizeof JUDGE_CASE_ARGUMENT] = JUDGE_CASE_ARGUMENT;
  struct judgement judgement;
  if (file < 0) {
    file = memfd_create("step", 0);
    CHECK(file >= 0 && ftruncate(file, 1) == 0);
    step = mmap(NULL, 1, PROT_READ | PROT_WRITE, MAP_SHARED, file, 0);
    CHECK(step != MAP_FAILED);
  }
  *step = STEP_SETUP;
  case_name(attack, argument + strlen(argument));
  snprintf(number, sizeof number, "%d", file);
  const char *environment[] = {"MEND_HARDEN",
                               level_digit,
                               JUDGE_STEP_VARIABLE,
                               number,
                               preload != NULL ? "LD_PRELOAD" : NULL,
                               preload,
                               NULL};
  respawn_run(&(struct respawn){argument, environment, join_outputs, NULL}, &outcome);
  judgement.verdict = of_outcome(attack, (enum step) * step, &outcome, preload == NULL);
  tell_why(&judgement, &outcome);
  return judgement;
}
