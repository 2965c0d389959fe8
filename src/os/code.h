// SPDX-License-Identifier: MIT
//
// What may be executed: whether a word can be the address that a call returns to, because it lies
// in such a mapping, or at the end of one; and where the file begins that is mapped there. The
// kernel is asked for the mappings once, and again when an address is in none that are known: code
// may have been loaded since. Such looks take a small share of the time at most; an address that is
// asked about between two of them, and not found, may yet be code: that answer is not to be kept.
//
// What the kernel tells in part is not believed: the last that it has told stays. Nothing here
// allocates; a lock is only tried; errno stays.
#ifndef OS_CODE_H
#define OS_CODE_H

#include "base/internal.h"

// OS_CODE_UNSURE: not there, as far as is known, but the kernel was not asked now.
enum os_code_answer { OS_CODE_NONE, OS_CODE_UNSURE, OS_CODE_FOUND };
// Whether a call may return to an address: to every one where the kernel does not tell, or there
// are too many mappings to keep.
INTERNAL enum os_code_answer os_code_ask(uintptr_t address);
// The mapping that a return address is in: where the file's first bytes are mapped; 0 if there is
// no file, or it is not known where. Asks the kernel again if that has not been done in a while,
// for files that are where others were: who asks keeps the answers of one edition.
INTERNAL enum os_code_answer os_code_find(uintptr_t address, uintptr_t *module);
// Another number when the kernel has told of other mappings than before.
INTERNAL uint32_t os_code_edition(void);
// In the child of a fork: another thread, which is not there, may have been asking the kernel.
INTERNAL void os_code_after_fork(void);

#endif
