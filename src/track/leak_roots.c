// SPDX-License-Identifier: MIT
#include "track/leak_roots.h"

#include <errno.h>
#include <string.h>

#include "core/metadata.h"
#include "os/thread.h"

enum { LEAK_ROOTS_LEAST = 16 };

struct leak_root {
  uintptr_t start;
  size_t bytes;
};

struct leak_root_table {
  size_t room;
  _Atomic(size_t) count;
  struct leak_root of[];
};

static struct {
  struct os_lock lock;  // protects the rest
  _Atomic(struct leak_root_table *) table;
} leak_roots;

static size_t leak_root_table_bytes(size_t room)
{
  return sizeof(struct leak_root_table) + room * sizeof(struct leak_root);
}

// Makes room for one more. What is there stays whole for who reads it meanwhile.
static struct leak_root_table *roomy_leak_roots(void)
{
  struct leak_root_table *table = atomic_load(&leak_roots.table);
  size_t count = table != NULL ? atomic_load(&table->count) : 0;
  if (table != NULL && count < table->room) return table;
  size_t room = bits_larger(2 * count, LEAK_ROOTS_LEAST);
  struct leak_root_table *larger = metadata_allocate(leak_root_table_bytes(room));
  if (larger == NULL) return NULL;
  larger->room = room;
  if (count > 0) memcpy(larger->of, table->of, count * sizeof table->of[0]);
  atomic_store(&larger->count, count);
  atomic_store(&leak_roots.table, larger);
  if (table != NULL) metadata_free(table, leak_root_table_bytes(table->room));
  return larger;
}

static bool lock_leak_roots(void)
{
  if (os_lock_is_mine(&leak_roots.lock)) {  // below a signal handler
    errno = EBUSY;
    return false;
  }
  os_lock_acquire(&leak_roots.lock);
  return true;
}

// Whether it was done; `error` says why not.
static bool unlock_leak_roots(bool is_done, int error)
{
  os_lock_release(&leak_roots.lock);
  if (!is_done) errno = error;
  return is_done;
}

INTERNAL bool leak_roots_add(const void *start, size_t bytes)
{
  if (!lock_leak_roots()) return false;
  struct leak_root_table *table = roomy_leak_roots();
  if (table != NULL) {
    size_t count = atomic_load(&table->count);
    table->of[count] = (struct leak_root){(uintptr_t)start, bytes};
    atomic_store(&table->count, count + 1);
  }
  return unlock_leak_roots(table != NULL, ENOMEM);
}

static bool remove_leak_root(struct leak_root_table *table, uintptr_t start, size_t bytes)
{
  size_t count = atomic_load(&table->count);
  for (size_t i = count; i > 0; i--) {
    struct leak_root *root = &table->of[i - 1];
    if (root->start != start || root->bytes != bytes) continue;
    *root = table->of[count - 1];
    atomic_store(&table->count, count - 1);
    return true;
  }
  return false;
}

INTERNAL bool leak_roots_remove(const void *start, size_t bytes)
{
  if (!lock_leak_roots()) return false;
  struct leak_root_table *table = atomic_load(&leak_roots.table);
  bool is_removed = table != NULL && remove_leak_root(table, (uintptr_t)start, bytes);
  return unlock_leak_roots(is_removed, ENOENT);
}

INTERNAL void leak_roots_reach(struct reach *reach)
{
  const struct leak_root_table *table = atomic_load(&leak_roots.table);
  size_t count = table != NULL ? bits_smaller(atomic_load(&table->count), table->room) : 0;
  for (size_t i = 0; i < count; i++) {
    const struct leak_root *root = &table->of[i];
    if (root->bytes == 0) {
      reach_add_word(reach, root->start);
    } else {
      reach_add_range(reach, root->start, root->start + root->bytes, REACH_BLOCK);
    }
  }
}

INTERNAL void leak_roots_after_fork(void)
{
  (void)os_lock_take_from_strangers(&leak_roots.lock);
}
