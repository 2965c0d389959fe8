// SPDX-License-Identifier: MIT
//
// mend/track.h: profiles of the heap.
#include "api/init.h"
#include "api/tracking.h"
#include "mend/track.h"
#include "track/profile.h"

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
  init_once();
  return profile_write(descriptor, true);
}
