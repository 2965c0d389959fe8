// SPDX-License-Identifier: MIT
//
// Rules (unwind.h) from .eh_frame, which compilers write for x86-64: a table of functions in the
// order of their addresses, for each function a small program that says how its frame changes from
// instruction to instruction, and what functions have in common apart from that. The program is run
// up to the address in question.
//
// A module is read in memory, where it is mapped, and it may be anything: cut off, broken, made by
// an attacker, or on its way out. Each byte is read only if it lies within what the module says to
// be its memory and the kernel can read its page; and every step of a program consumes at least one
// byte, so there is an end. What is not understood is no rule. (Should another thread take a page
// away right after the kernel has read it, the read faults: os/probe.h. Code to which a call
// returns is not unloaded, so it takes a word on a stack that only looks like an address.)
#ifndef OS_EH_FRAME_H
#define OS_EH_FRAME_H

#include "os/unwind.h"

// The rule at an address of the code in a module, which begins (with its ELF header) at another.
INTERNAL struct os_unwind_rule os_eh_frame_rule(uintptr_t module, uintptr_t address);

#endif
