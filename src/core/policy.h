// SPDX-License-Identifier: MIT
//
// How a free block of a list page is linked. The one place that links them, so that another
// policy can encode the link, and so that checkers (annotate.h) can be told.
#ifndef CORE_POLICY_H
#define CORE_POLICY_H

#include "core/policy_plain.h"

#endif
