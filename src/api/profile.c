// SPDX-License-Identifier: MIT
//
// mend/track.h: profiles of the heap.
#include "api/tracking.h"
#include "base/output.h"
#include "mend/track.h"

bool mend_profile_start(size_t interval_bytes)
{
  return tracking_start(interval_bytes);
}

void mend_profile_stop(void)
{
  tracking_stop();
}

bool mend_profile_write(int descriptor)
{
  static const char text[] = "mend-track 1\nkind profile\nend\n";
  return output_write_to(descriptor, text, sizeof text - 1);
}
