// SPDX-License-Identifier: MIT
//
// The steps of the relocation protocol: accesses to shared memory that it rests on name themselves
// just before they are made. (Those that nobody can see yet, such as the info of an object that is
// being made, do not.) In the library that is nothing; the unit tests, which are built with
// MEND_STEPS, stop, delay or reorder threads there.
#ifndef HANDLE_STEP_H
#define HANDLE_STEP_H

#include "base/internal.h"

enum step {
  STEP_ENTRY_LOAD,
  STEP_ENTRY_PUBLISH,
  STEP_ENTRY_EXCHANGE,
  STEP_INFO_LOAD,
  STEP_INFO_STORE,
  STEP_PIN,            // the pin of an object that has been found is about to be counted
  STEP_SCOPE_OPEN,     // the record is about to say that a scope is open
  STEP_SCOPE_OPENED,   // it has been said, perhaps to this processor only
  STEP_SCOPE_CLOSE,    // the record is about to say that it is closed
  STEP_GRACE_BARRIER,  // every thread is about to execute a barrier
  STEP_GRACE_EPOCH,    // the epoch is about to be advanced
  STEP_GRACE_SCAN,     // a record is about to be looked at
  STEP_GRACE_WAIT,     // a scope is open: about to wait
  STEP_COPY,           // the object is about to be copied
  STEP_COPY_WAIT,      // it is being copied, for which readers wait: about to
  STEP_FREE_BLOCK,     // a block is about to be given back
  STEP_TAKE_TARGET,    // blocks are about to be taken to move to
  STEP_INSIDE_LANE,    // the thread has gone into a certain lane
  STEP_CLOSE_PAGE,     // pages are about to be closed to allocation
  STEP_OPEN_PAGE,      // a page is about to be opened again
  STEP_COUNT,
};

#ifdef MEND_STEPS
extern void (*step_hook)(enum step step);
#define STEP(step) (step_hook != NULL ? step_hook(step) : (void)0)
#else
#define STEP(step) ((void)0)
#endif

#endif
