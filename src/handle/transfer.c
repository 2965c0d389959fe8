// SPDX-License-Identifier: MIT
#include "handle/transfer.h"

#include <string.h>

#include "os/system.h"
#include "os/thread.h"

#define WAIT_US 50

static _Atomic(uint32_t) transfers;  // by types with a `move`, going on
static _Atomic(uint32_t) forks;      // that wait, or are going on
static _Atomic(bool) is_barred;

INTERNAL void transfer_object(struct object_type type, void *to, void *from, size_t bytes)
{
  if (type.move != NULL) {
    type.move(to, from, bytes, type.argument);
    return;
  }
  memcpy(to, from, bytes);
  if (type.relocate != NULL) type.relocate(to, from, bytes, type.argument);
}

// Each side says what it is about to do before it looks at the other (Dekker): seq_cst, all of it.
INTERNAL void transfer_begin(void)
{
  struct os_thread_notes *mine = &os_thread_notes;
  mine->transfers++;
  for (;;) {
    atomic_fetch_add(&transfers, 1);
    if (LIKELY(atomic_load(&forks) == 0) || mine->is_forking || mine->transfers > 1) return;
    atomic_fetch_sub(&transfers, 1);
    while (atomic_load(&forks) > 0) os_sleep_us(WAIT_US);
  }
}

INTERNAL void transfer_end(void)
{
  atomic_fetch_sub(&transfers, 1);
  os_thread_notes.transfers--;
}

INTERNAL bool transfer_is_barred(void)
{
  return atomic_load_explicit(&is_barred, memory_order_relaxed);
}

INTERNAL void transfer_before_fork(void)
{
  os_thread_notes.is_forking = true;
  atomic_fetch_add(&forks, 1);
  while (atomic_load(&transfers) > os_thread_notes.transfers) os_sleep_us(WAIT_US);
}

INTERNAL void transfer_after_fork_in_parent(void)
{
  atomic_fetch_sub(&forks, 1);
  os_thread_notes.is_forking = false;
}

INTERNAL void transfer_after_fork(bool bars)
{
  uint32_t mine = os_thread_notes.transfers;
  if (atomic_load(&transfers) > mine) atomic_store(&transfers, mine);
  atomic_store(&forks, 0);
  os_thread_notes.is_forking = false;
  if (bars) atomic_store_explicit(&is_barred, true, memory_order_relaxed);
}
