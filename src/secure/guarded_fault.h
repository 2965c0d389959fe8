// SPDX-License-Identifier: MIT
//
// A fault at a guarded block: an access past one of its ends, or after its free. The report says
// whose block it was, and how far off; what follows is what would have followed without us.
#ifndef SECURE_GUARDED_FAULT_H
#define SECURE_GUARDED_FAULT_H

#include "os/fault.h"

// Watches faults from now on; once.
INTERNAL void guarded_fault_watch(void);
// Reports a fault if it is at a guarded block; says whether it is.
INTERNAL bool guarded_fault_report(const struct os_fault *fault);

#endif
