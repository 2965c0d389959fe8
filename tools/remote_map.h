// SPDX-License-Identifier: MIT
//
// The heap of another process as the snapshot that mend_heap_map_write would write.
#ifndef TOOLS_REMOTE_MAP_H
#define TOOLS_REMOTE_MAP_H

#include "remote.h"
#include "snapshot.h"

// Fills the snapshot. False after a complaint. Either way snapshot_free. What remote->target has
// must last as long.
bool remote_map(struct remote *remote, struct snapshot *snapshot);

#endif
