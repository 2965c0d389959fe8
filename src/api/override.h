// SPDX-License-Identifier: MIT
//
// A second name, outside mend's own, for a function of this library.
#ifndef API_OVERRIDE_H
#define API_OVERRIDE_H

#include "mend/mend.h"

#if defined(__has_attribute)
#if __has_attribute(copy)
#define OVERRIDE_COPY(of) , copy(of)
#endif
#endif
#ifndef OVERRIDE_COPY
#define OVERRIDE_COPY(of)
#endif

#define OVERRIDE(name, of) \
  extern __typeof__(of) name __attribute__((alias(#of), visibility("default") OVERRIDE_COPY(of)))

#endif
