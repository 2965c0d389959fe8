// SPDX-License-Identifier: MIT
#include "api/init.h"

#include "base/options.h"
#include "base/output.h"
#include "core/chunk.h"
#include "core/registry.h"
#include "mend/mend.h"
#include "os/system.h"
#include "stats/stats.h"

// Keeps the memory of a process that is wholly idle moving back to the kernel.
static void *background(void *unused)
{
  (void)unused;
  for (;;) {
    os_sleep_ms((uint32_t)options.purge_delay + 1);
    registry_tick();
  }
  return NULL;
}

static void print_verbose(void)
{
  static const char banner[] = "mend: version " MEND_VERSION_STRING "\n";
  output_write(banner, sizeof banner - 1);
  options_print();
}

INTERNAL void init_once(void)
{
  static _Atomic(uint32_t) is_done;
  if (LIKELY(atomic_load_explicit(&is_done, memory_order_relaxed) != 0)) return;
  if (atomic_exchange(&is_done, 1) != 0) return;
  char *const *environment = os_environment();
  if (environment != NULL) options_read(environment);
  (void)registry_init();
}

// Before main, but perhaps long after the first allocation.
__attribute__((constructor)) static void init_at_start(void)
{
  init_once();
  if (options.stats || options.verbose) {
    // Programs close descriptor 2 before destructors run.
    // Where there is none now, whoever opens a file next may get that number: then say nothing.
    output_set_descriptor(os_duplicate_descriptor(2));
  }
  if (options.verbose) print_verbose();
  if (options.background) (void)os_thread_start(background);
}

__attribute__((destructor)) static void finish(void)
{
  if (options.stats) stats_print();
}

int mend_version(void)
{
  return MEND_VERSION;
}

const char *mend_version_string(void)
{
  return MEND_VERSION_STRING;
}

void mend_set_output(mend_output_function function, void *argument)
{
  output_set(function, argument);
}
