// SPDX-License-Identifier: MIT
//
// Has the attacker gained something? Asked by allocating, filling and freeing blocks until the
// allocator has had every opportunity to hand out what it must not.
#ifndef TESTS_ATTACK_ORACLE_H
#define TESTS_ATTACK_ORACLE_H

#include "attack.h"

// Memory where no block may ever be: the attacker's own.
void oracle_forbid(const void *start, size_t bytes);
// A live block: filled now, it must hold that until the end.
void oracle_watch(void *block, size_t size);
// The watched blocks hold what they did, or the attack has worked.
void oracle_check_watched(void);
// Allocates many blocks of `size` in two rounds and ends the case, one way or the other.
_Noreturn void oracle_judge(size_t size);

// Copies memory that may be inaccessible; false if it is. No fault.
bool oracle_read(const void *from, void *to, size_t bytes);

#endif
