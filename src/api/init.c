// SPDX-License-Identifier: MIT
#include "api/init.h"

#include <stdlib.h>

#include "api/control.h"
#include "api/extent.h"
#include "api/leaks.h"
#include "api/profiling.h"
#include "api/tracking.h"
#include "base/format.h"
#include "base/options.h"
#include "base/output.h"
#include "core/registry.h"
#include "core/upkeep.h"
#include "handle/handle_heap.h"
#include "mend/mend.h"
#include "mend/track.h"
#include "os/memory.h"
#include "os/sealed.h"
#include "os/system.h"
#include "secure/vault.h"
#include "stats/exit_file.h"
#include "stats/stats.h"

// Keeps the memory of a process that is wholly idle moving back to the kernel.
static void *background(void *unused)
{
  (void)unused;
  for (;;) {
    os_sleep_ms((uint32_t)options.purge_delay + 1);
    upkeep_tick();
  }
  return NULL;
}

// Also in the child of every fork, which does not have its parent's.
static void start_background(void)
{
  (void)os_thread_start(background);
}

static void print_verbose(void)
{
  char line[80];
  struct format format = format_begin(line, sizeof line);
  format_text(&format, "mend: version " MEND_VERSION_STRING);
  extent_describe_build(&format);
  format_text(&format, "\n");
  output_write(line, (size_t)(format.at - line));
  options_print();
}

static void print_no_control(void)
{
  static const char line[] = "mend: no control socket: the name is taken, or sockets are refused\n";
  output_write(line, sizeof line - 1);
}

INTERNAL void init_once(void)
{
  static _Atomic(uint32_t) state;  // 0: not begun, 1: the options are being read, 2: they have been
  if (LIKELY(atomic_load_explicit(&state, memory_order_acquire) == 2)) return;
  uint32_t expected = 0;
  if (atomic_compare_exchange_strong(&state, &expected, 1)) {
    char *const *environment = os_environment();
    if (environment != NULL) options_read(environment, os_kernel_page_bytes());
    extent_choose_options();
    atomic_store(&state, 2);
    if (registry_init()) {
      extent_start();
      profiling_start_by_options();
    }
  }
  while (atomic_load(&state) != 2) os_sleep_ms(0);
  (void)registry_init();
}

// Before main, but perhaps long after the first allocation. As early as a program may ask, so that
// the fork handler is registered before those of others.
__attribute__((constructor(101))) static void init_at_start(void)
{
  init_once();
  handle_register_forks();
  extent_register_forks();
  vault_register_forks();
  leaks_register_forks();
  tracking_register_forks();
  profiling_register();
  if (options.stats || options.stats_file != 0 || options.verbose || options.profile ||
      options.leaks) {
    // Programs close descriptor 2 before destructors run.
    // Where there is none now, whoever opens a file next may get that number: then say nothing.
    output_set_descriptor(os_duplicate_descriptor(2));
  }
  if (options.verbose) print_verbose();
  os_seal();
  exit_file_start();
  control_register_forks();
  if (options.control && !mend_control_start()) print_no_control();
  if (!options.background) return;
  start_background();
  // ThreadSanitizer ends a child that starts a thread when its parent had several.
  if (!HAS_THREAD_SANITIZER) (void)os_on_fork(NULL, NULL, start_background);
}

__attribute__((destructor)) static void finish(void)
{
  if (options.stats) stats_print();
  if (options.stats_file != 0) exit_file_write();
}

int mend_version(void)
{
  return MEND_VERSION;
}

const char *mend_version_string(void)
{
  return MEND_VERSION_STRING;
}

bool mend_is_redirected(void)
{
  return (uintptr_t)&malloc == (uintptr_t)&mend_malloc;
}

void mend_set_output(mend_output_function function, void *argument)
{
  if (!os_sealed_open()) return;
  output_set(function, argument);
  os_sealed_close();
}
