// SPDX-License-Identifier: MIT
//
// compiled with: MEND_HARDENED
#include "secure/nothing.h"

#include "base/options.h"
#include "core/registry.h"

INTERNAL struct heap *nothing_heap(void)
{
  static _Atomic(struct heap *) made;
  if (options.harden < 1) return NULL;
  // acquire: pairs with the exchange below
  struct heap *heap = atomic_load_explicit(&made, memory_order_acquire);
  if (heap != NULL) return registry_serving(heap);
  struct heap *created = registry_create();
  if (created == NULL) return NULL;
  created->request.flags = PAGE_REQUEST_VOID;
  if (atomic_compare_exchange_strong(&made, &heap, created)) return created;
  registry_destroy(created);
  return registry_serving(heap);
}
