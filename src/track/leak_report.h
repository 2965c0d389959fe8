// SPDX-License-Identifier: MIT
//
// What a leak check has found, summed up, and written as a track file (docs/track-file.md): by kind
// and allocation stack, as far as the tracker knows that. In a frozen copy of the process.
#ifndef TRACK_LEAK_REPORT_H
#define TRACK_LEAK_REPORT_H

#include "track/leak.h"

struct leak_report {
  const struct lost *lost;
  const struct reach *reach;
  struct os_scratch *scratch;
  int descriptor;  // -1: nothing is written
};

// Sets the sums of the result. False if there is no memory, or it could not be written, with errno.
INTERNAL bool leak_report_make(const struct leak_report *report, struct leak_result *result);

#endif
