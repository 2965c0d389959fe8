// SPDX-License-Identifier: MIT
//
// Transfers: how an object comes to another block, as its type has it, and how that gets on with
// forks.
//
// An object whose type moves it itself is at neither place until its entry points to the new one:
// the child of a fork would find it gone. So such transfers are counted; a fork waits until there
// are none, and none begins before it is over. They do not wait for each other, nor does a fork for
// one of its own thread, as from a signal handler: the child goes on with that itself.
//
// An object that is being made, changed or ended is protected by its thread's scope, which the
// child does not have any more. If there was such a scope in another thread, the child moves no
// object of such a type: it might not be whole.
#ifndef HANDLE_TRANSFER_H
#define HANDLE_TRANSFER_H

#include "handle/step.h"
#include "mend/handle.h"

// At most one of the two functions: `relocate` corrects a copy, `move` is what makes it.
struct object_type {
  mend_relocate_function relocate;
  void *argument;
  mend_move_function move;
};

// Makes at `to` what is at `from`, an object of `bytes` bytes.
INTERNAL void transfer_object(struct object_type type, void *to, void *from, size_t bytes);
// Around that, until the entry points to the new place, if the type has a `move`.
INTERNAL void transfer_begin(void);
INTERNAL void transfer_end(void);

// Whether objects of types with a `move` stay where they are.
INTERNAL bool transfer_is_barred(void);

// In a process that forks, and in the child, of which `bars` tells whether another thread may have
// had an object half made.
INTERNAL void transfer_before_fork(void);
INTERNAL void transfer_after_fork_in_parent(void);
INTERNAL void transfer_after_fork(bool bars);

#endif
