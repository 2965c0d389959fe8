// SPDX-License-Identifier: MIT
//
// Lists the cases, starts each in a process of its own and tells what became of it.
#ifndef TESTS_ATTACK_JUDGE_H
#define TESTS_ATTACK_JUDGE_H

#include <stddef.h>

#include "attack.h"

enum { CASE_NAME_BYTES = 96, WHY_BYTES = 240 };
enum { EXIT_NEUTRALISED = 40, EXIT_WORKED = 41 };

#define JUDGE_STEP_VARIABLE "ATTACK_STEP"  // a descriptor's number
#define JUDGE_CASE_ARGUMENT "case:"        // and the case's name, in argv[1]

enum step { STEP_SETUP, STEP_ACCESS, STEP_MISUSE, STEP_AFTER };

struct judgement {
  enum verdict verdict;
  char why[WHY_BYTES];  // the first line that the case wrote, or how it ended
};

// The cases are those of all threats, way by way, size by size.
size_t case_count(void);
struct attack case_at(size_t index);
void case_name(const struct attack *attack, char name[CASE_NAME_BYTES]);

// The least verdict at a level; VERDICT_CANNOT_RUN where the case is not tried.
enum verdict judge_least(const struct threat *threat, int level);
// Runs a case at a level. `preload` is another allocator's library, of which any message counts;
// NULL: mend, and only the threat's messages count.
struct judgement judge_case(const struct attack *attack, int level, const char *preload);
const char *judge_word(enum verdict verdict);

#endif
