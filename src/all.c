// SPDX-License-Identifier: MIT
//
// The whole library as one translation unit, lowest layer first. This is the release build and the
// reading order. Shared names are static here, so nothing but mend_* and, with MEND_OVERRIDE, the
// names of malloc and operator new leave the object.
#define MEND_ONE_FILE
#ifndef _GNU_SOURCE
#define _GNU_SOURCE
#endif

#include "base/output.c"
#include "base/format.c"
#include "base/stream.c"
#include "base/fatal.c"
#include "base/options.c"
#include "base/rng.c"

#include "os/placement.c"
#include "os/memory.c"
#include "os/thread.c"
#include "os/sealed.c"
#include "os/system.c"
#include "os/file.c"
#include "os/node.c"
#include "os/probe.c"
#include "os/stack.c"
#include "os/maps.c"
#include "os/residency.c"
#include "os/fault.c"
#include "os/socket.c"
#include "os/secret.c"
#include "os/scratch.c"
#include "os/snapshot.c"
#include "os/parking.c"
#include "os/written.c"

#include "core/metadata.c"
#include "core/page.c"
#include "core/page_list.c"
#include "core/page_bitmap.c"
#include "core/remote.c"
#include "core/bin.c"
#include "core/mapping.c"
#include "core/runs.c"
#include "core/frontier.c"
#include "core/chunk.c"
#include "core/sampling.c"
#include "core/heap_bins.c"
#include "core/heap.c"
#include "core/heap_valid.c"
#include "core/large.c"
#include "core/registry.c"
#ifdef MEND_HARDENED
#include "core/policy_seal.c"
#include "core/policy_hardened.c"
#endif

#include "numa/bound.c"

#ifdef MEND_HARDENED
#include "secure/misuse.c"
#include "secure/slot.c"
#include "secure/nothing.c"
#include "secure/guarded_slots.c"
#include "secure/guarded_pages.c"
#include "secure/guarded.c"
#include "secure/guarded_fault.c"
#include "secure/extent.c"
#include "secure/bounds.c"
#include "secure/bounds_text.c"
#endif
#include "secure/vault.c"

#include "handle/handle_table.c"
#include "handle/scope.c"
#include "handle/transfer.c"
#include "handle/pin_table.c"
#include "handle/object.c"
#include "handle/deferred.c"
#include "handle/handle_heap.c"
#include "handle/evacuation.c"
#include "handle/planner.c"
#include "handle/mover.c"
#include "handle/fragmentation.c"
#include "handle/defrag.c"

#include "track/site_table.c"
#include "track/record.c"
#include "track/thread_state.c"
#include "track/tracker.c"
#include "track/track_file.c"
#include "track/profile.c"
#include "track/heap_view.c"
#include "track/reach.c"
#include "track/lost.c"
#include "track/roots.c"
#include "track/leak_roots.c"
#include "track/leak_report.c"
#include "track/leak.c"

#include "stats/stats.c"
#include "stats/root.c"
#include "stats/places.c"
#include "stats/heap_map.c"
#include "stats/resident.c"
#include "stats/rows.c"
#include "stats/figures.c"
#include "stats/write_text.c"
#include "stats/write_json.c"
#include "stats/write_metrics.c"
#include "stats/write_xml.c"

#include "api/init.c"
#include "api/control.c"
#include "api/tracking.c"
#include "api/allocate.c"
#include "api/malloc.c"
#include "api/heaps.c"
#include "api/numa.c"
#include "api/secure.c"
#include "api/handles.c"
#include "api/smart.c"
#include "api/report.c"
#include "api/profile.c"
#include "api/leaks.c"
#ifdef MEND_OVERRIDE
#include "api/override.c"
#include "api/operator_new.c"
#ifdef MEND_HARDENED
#include "api/operator_delete_hardened.c"
#else
#include "api/operator_delete.c"
#endif
#endif
