// SPDX-License-Identifier: MIT
//
// The objects that may move, of another process: what they hold, from the pages that they lie in
// and from the tables of handles, which also say which of them are pinned.
#ifndef TOOLS_REMOTE_OBJECTS_H
#define TOOLS_REMOTE_OBJECTS_H

#include "remote.h"
#include "residency.h"

// As in struct mend_fragmentation.
struct remote_objects {
  uint64_t count;
  uint64_t object_bytes;
  uint64_t block_bytes;
  uint64_t free_bytes;
  uint64_t rest_bytes;
  uint64_t resident_bytes;
  uint64_t metadata_bytes;
  uint64_t table_bytes;
};

// Adds a page, if it is one of objects. `heap` may be NULL.
void remote_objects_add(struct remote_objects *objects, const struct remote *remote,
                        const struct remote_heap *heap, const struct remote_page *page,
                        uint64_t resident_bytes);
// Adds what the tables say, and calls the function with the address of each pinned object.
void remote_objects_read(struct remote_objects *objects, const struct remote *remote,
                         struct residency *residency,
                         void (*pinned)(void *argument, uint64_t address), void *argument);

#endif
