// SPDX-License-Identifier: MIT
//
// mend/track.h: profiles of the heap.
#include "api/profiling.h"

#include "api/init.h"
#include "api/leaks.h"
#include "api/tracking.h"
#include "base/options.h"
#include "base/output.h"
#include "mend/track.h"
#include "os/exit.h"
#include "os/file.h"
#include "track/dump.h"
#include "track/profile.h"
#include "track/tracker.h"

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
  return dump_acquire(true) && profile_write(descriptor);
}

// ---------------------------------------------------------------------------------------------
// By options.

static void write_leaks(void)
{
  int descriptor = dump_create("");
  if (descriptor < 0) return;
  if (!leaks_check(NULL, descriptor, true)) dump_complain();
  os_file_close(descriptor);
}

// Where both are asked for, the leaks have the name.
static void write_at_exit(void)
{
  if (options.profile) dump_last_profile(options.leaks ? ".profile" : "");
  if (options.leaks) write_leaks();
}

INTERNAL void profiling_start_by_options(void)
{
  static const char line[] = "mend: MEND_PROFILE, MEND_LEAKS: this build remembers no stacks\n";
  tracker_start_clock();
  if (!options.profile && !options.leaks) return;
  if (tracking_start(options.leaks ? MEND_PROFILE_EXACT : options.profile_interval)) {
    if (options.leaks) tracker_begin_complete();
    return;
  }
  output_write(line, sizeof line - 1);
}

INTERNAL void profiling_register(void)
{
  dump_start();
  if (options.profile || options.leaks) os_at_exit(write_at_exit);
}
