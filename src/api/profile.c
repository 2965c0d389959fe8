// SPDX-License-Identifier: MIT
//
// mend/track.h: profiles of the heap.
#include <errno.h>

#include "base/output.h"
#include "mend/track.h"
#include "track/tracker.h"

bool mend_profile_start(size_t interval_bytes)
{
  bool is_exact = interval_bytes == MEND_PROFILE_EXACT;
  if (tracker_start(is_exact ? TRACKER_EXACT : TRACKER_SAMPLED, interval_bytes)) return true;
  errno = ENOMEM;
  return false;
}

void mend_profile_stop(void)
{
  tracker_stop();
}

bool mend_profile_write(int descriptor)
{
  static const char text[] = "mend-track 1\nkind profile\nend\n";
  return output_write_to(descriptor, text, sizeof text - 1);
}
