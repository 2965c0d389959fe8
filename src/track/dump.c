// SPDX-License-Identifier: MIT
#include "track/dump.h"

#include <errno.h>
#include <string.h>

#include "base/format.h"
#include "base/options.h"
#include "base/output.h"
#include "core/chunk.h"
#include "core/metadata.h"
#include "core/registry.h"
#include "os/code.h"
#include "os/file.h"
#include "os/signal.h"
#include "os/system.h"
#include "track/profile.h"
#include "track/record.h"
#include "track/thread_state.h"
#include "track/track_file.h"

enum { NAME_MOST = OPTIONS_TEXT_BYTES + 64, SUFFIX_MOST = 24, GROWTH_PARTS = 16 };

INTERNAL _Atomic(bool) dump_is_asked_for;

static struct {
  struct os_lock name_lock;
  size_t first_process;           // in which the library was started
  _Atomic(uint32_t) count;        // of numbered files
  _Atomic(size_t) next_at_bytes;  // when the heap has grown enough
} dump;

// ---------------------------------------------------------------------------------------------
// Files.

INTERNAL int dump_create(const char *suffix)
{
  static char name[NAME_MOST];             // the lock's holder has it
  if (os_lock_is_mine(&dump.name_lock)) {  // below a signal handler
    output_complain("the track file cannot be made", EBUSY, NULL);
    return -1;
  }
  os_lock_acquire(&dump.name_lock);
  struct format format = format_begin(name, sizeof name - 1);
  size_t process = os_process_id();
  format_file_name(&format, options_text(options.track_file, "mend.%p"), suffix, process,
                   process == dump.first_process);
  *format.at = '\0';
  int descriptor = os_file_create(name);
  if (descriptor < 0) output_complain("the track file cannot be made", errno, name);
  os_lock_release(&dump.name_lock);
  return descriptor;
}

INTERNAL void dump_complain(void)
{
  output_complain("the track file could not be written whole", errno, NULL);
}

// ---------------------------------------------------------------------------------------------
// Profiles.

INTERNAL bool dump_can_wait(void)
{
  if (chunk_lock_is_mine() || metadata_lock_is_mine() || record_lock_is_mine()) return false;
  for (struct heap *heap = registry_next(NULL); heap != NULL; heap = registry_next(heap)) {
    if (os_gate_is_mine(&heap->gate, heap_owner(heap) == os_thread_id())) return false;
  }
  return true;
}

INTERNAL bool dump_acquire(bool waits)
{
  if (dump_can_wait()) return track_file_acquire(waits);
  errno = EBUSY;
  return false;
}

// By who has acquired the track file.
static void write_profile(const char *suffix)
{
  int descriptor = dump_create(suffix);
  if (descriptor < 0) {
    track_file_release();
    return;
  }
  if (!profile_write(descriptor)) dump_complain();
  os_file_close(descriptor);
}

INTERNAL void dump_profile(void)
{
  char suffix[SUFFIX_MOST];
  int saved_errno = errno;
  atomic_store(&dump_is_asked_for, false);
  if (dump_acquire(false)) {
    struct format format = format_begin(suffix, sizeof suffix - 1);
    format_text(&format, ".");
    format_number(&format, atomic_fetch_add(&dump.count, 1) + 1, 0);
    *format.at = '\0';
    write_profile(suffix);
  } else {
    atomic_store(&dump_is_asked_for, true);
  }
  errno = saved_errno;
}

INTERNAL void dump_look_at_growth(size_t used_bytes)
{
  size_t next = atomic_load_explicit(&dump.next_at_bytes, memory_order_relaxed);
  if (used_bytes < next) return;
  // Of a heap that has become large not too many: each takes a while.
  size_t growth = used_bytes / GROWTH_PARTS;
  if (growth < options.profile_growth) growth = options.profile_growth;
  size_t after;
  if (__builtin_add_overflow(used_bytes, growth, &after)) after = SIZE_MAX;
  if (atomic_compare_exchange_strong(&dump.next_at_bytes, &next, after)) dump_profile();
}

INTERNAL void dump_last_profile(const char *suffix)
{
  if (dump_acquire(true)) {
    write_profile(suffix);
  } else {
    dump_complain();
  }
}

// ---------------------------------------------------------------------------------------------

// In the child of a fork: other threads' states and locks are none of ours.
static void forget_others(void)
{
  os_code_after_fork();
  record_after_fork();
  thread_state_after_fork();
  track_file_after_fork();
  (void)os_lock_take_from_strangers(&dump.name_lock);
}

INTERNAL void dump_start(void)
{
  static const char line[] = "mend: MEND_PROFILE_SIGNAL: the signal cannot be had; ignored\n";
  dump.first_process = os_process_id();
  atomic_store(&dump.next_at_bytes, options.profile_growth);
  (void)os_on_fork(NULL, NULL, forget_others);
  if (options.profile_signal == 0) return;
  if (!os_signal_watch((int)options.profile_signal, dump_profile)) {
    output_write(line, sizeof line - 1);
  }
}
