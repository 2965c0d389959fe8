// SPDX-License-Identifier: MIT
//
// Attacks on an allocator, and what must become of them. A threat is a row of the table in table.c:
// a function that carries it out, the ways and the sizes it is tried in, and the least verdict at
// each level of the ladder. A way of a threat in a size is a case, named THREAT/WAY/SIZE. Each case
// runs in a process of its own, which this program starts from itself.
//
// A case knows no layout: it does what the program's bug would do, and where nothing stops it, it
// asks whether the attacker has gained something (oracle.c): two live blocks that overlap, a block
// where no block may be, contents that the program did not write. So the same cases judge other
// allocators, too; only the messages are mend's.
#ifndef TESTS_ATTACK_H
#define TESTS_ATTACK_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "../support/support.h"
#include "functions.h"

enum { ATTACK_LEVELS = 5 };

// From worst to best.
enum verdict {
  VERDICT_BROKEN,       // ended before the attack had begun, or as no case ends
  VERDICT_WORKED,       // the attacker gained something
  VERDICT_CRASHED,      // a fault elsewhere than at the attacker's access: the allocator was misled
  VERDICT_NEUTRALISED,  // it ran on, and the attacker gained nothing
  VERDICT_LATE,         // our message, at a later call
  VERDICT_FAULTED,      // SIGSEGV or SIGBUS at the attacker's access
  VERDICT_DETECTED,     // our message, at the faulty call
  VERDICT_CANNOT_RUN,   // not here; the case says why
};

struct attack {
  const struct threat *threat;
  unsigned way;  // index into the threat's ways
  size_t size;   // of the block; 0 where the threat has no sizes
};

struct threat {
  const char *name;
  const char *primitive;    // P1 to P7, "-" for what is none of them
  const char *description;  // what the attacker does
  const char *defence;
  const char *message;  // what may be told, separated by '|'; "" where there is only a fault
  // The least verdict at levels 0 to 4: d detected, f faulted, l late, n neutralised, - not tried,
  // since nothing is claimed there.
  const char *least;
  void (*run)(const struct attack *attack);
  const char *const *ways;  // NULL-terminated
  const size_t *sizes;      // 0-terminated; NULL: none
};

extern const struct threat attack_threats[];
extern const size_t attack_threat_count;

// The case's steps, which the judge sees: an access that may fault comes next, the call that must
// tell, and what comes behind that. Before the first of them nothing may happen.
void attack_access(void);
void attack_misuse(void);
void attack_after(void);

// Ends the case: it could not be tried for this reason.
_Noreturn void attack_cannot(const char *reason);
// Ends the case: the attacker gained that.
_Noreturn void attack_worked(const char *gain);
// Ends the case: nothing was gained.
_Noreturn void attack_neutralised(void);
bool attack_way_is(const struct attack *attack, const char *way);
// The level that the process runs at.
int attack_level(void);

// Runs `body` in another thread, to its end.
void attack_in_thread(void (*body)(void *), void *argument);
// The rest of the case in a forked child: the parent ends as the child does.
void attack_continue_in_fork(void);

// Runs the named case in this process.
_Noreturn void attack_run_case(const char *name);

#endif
