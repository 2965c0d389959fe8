// SPDX-License-Identifier: MIT
#include "mend/root.h"

#include "base/options.h"
#include "core/frontier.h"
#include "core/mapping.h"
#include "core/metadata.h"
#include "core/registry.h"
#include "core/sampling.h"
#include "handle/handle_heap.h"
#include "handle/info.h"
#include "os/memory.h"
#ifdef MEND_HARDENED
#include "secure/guarded.h"
#define LONE_BYTES &guarded_live_total
#define IS_HARDENED MEND_ROOT_IS_HARDENED
#else
#define LONE_BYTES NULL
#define IS_HARDENED 0
#endif
#ifdef MEND_OVERRIDE
#define IS_OVERRIDING MEND_ROOT_IS_OVERRIDING
#else
#define IS_OVERRIDING 0
#endif

#define MEMBER(type, member) \
  { \
    offsetof(struct type, member), sizeof(((struct type *)0)->member) \
  }
#define FIELD(member) MEMBER(page, member)
#define HEAP(member) MEMBER(heap, member)
// Of the structure that a heap of objects begins.
#define LANE(member) MEMBER(lane, member)
#define ROW(type, member, first, entries) \
  { \
    offsetof(struct type, member) + (first) * sizeof(((struct type *)0)->member[0]), \
        sizeof(((struct type *)0)->member[0]), (entries) \
  }

static_assert((int)MEND_ROOT_PAGE_FREE == PAGE_FREE && (int)MEND_ROOT_PAGE_INSIDE == PAGE_INSIDE &&
                  (int)MEND_ROOT_PAGE_LIST == PAGE_LIST &&
                  (int)MEND_ROOT_PAGE_BITMAP == PAGE_BITMAP &&
                  (int)MEND_ROOT_PAGE_LARGE == PAGE_LARGE,
              "the public numbers are the page kinds");
static_assert((int)MEND_ROOT_PAGE_IS_CLEAN == PAGE_IS_ZERO &&
                  (int)MEND_ROOT_PAGE_IS_CLOSED == PAGE_IS_CLOSED &&
                  (int)MEND_ROOT_PAGE_IS_PURGED == PAGE_REST_PURGED &&
                  (int)MEND_ROOT_PAGE_IS_FOREIGN == PAGE_IS_FOREIGN,
              "and the flags of pages");
static_assert((int)MEND_ROOT_TRACKS_SAMPLES == SAMPLING_SAMPLED &&
                  (int)MEND_ROOT_TRACKS_ALL == SAMPLING_EXACT && SAMPLING_MODE_MASK == 3,
              "and the modes of tracking");
static_assert(OWNER_NOBODY == 0 && OWNER_SHARED == 2, "and the owners that are no thread");
static_assert(offsetof(struct lane, blocks) == 0, "a heap of objects begins its lane");
static_assert(sizeof(struct lane) <= UINT16_MAX, "an offset has 16 bits");

static const struct mend_root_option root_options[] = {
#define OPTION(name, kind, initial, minimum, maximum, meaning) \
  {#name, #kind, offsetof(struct options, name), sizeof(((struct options *)0)->name)},
#include "base/options.def"
#undef OPTION
};

const struct mend_root mend_root = {
    .magic = {'m', 'e', 'n', 'd', 'r', 'o', 'o', 't'},
    .version = MEND_ROOT_VERSION,
    .bytes = sizeof(struct mend_root),
    .region_start = &region.start,
    .region_units = &region_units,
    .page_table = &region.pages,
    .metadata_start = &metadata_extent.start,
    .metadata_bytes = &metadata_extent.bytes,
    .slice_bytes = SLICE_BYTES,
    .descriptor_bytes = sizeof(struct page),
    .kind = FIELD(kind),
    .size_class = FIELD(size_class),
    .slices = FIELD(slices),
    .block_bytes = FIELD(block_bytes),
    .carved = FIELD(carved),
    .capacity = FIELD(capacity),
    .used = FIELD(used),
    .remote = FIELD(remote),
    .bits = FIELD(bits),

    .flags = IS_HARDENED | IS_OVERRIDING,
    .bits_most = TUNING_HAS_LISTS ? 64 : 0,
    .library = MEND_VERSION_STRING,
    .options = &options,
    .option_rows = root_options,
    .option_count = sizeof root_options / sizeof root_options[0],

    .region_end = &frontier_extent.end_bytes,
    .region_skipped_bytes = &frontier_extent.skipped_bytes,
    .metadata_skipped_bytes = &metadata_extent.skipped_bytes,
    .mapping_count = &mapping_total,
    .purged_bytes = &os_memory_counts.purged_bytes,
    .os_call_count = &os_memory_counts.calls,
    .lone_bytes = LONE_BYTES,
    .tracking_mode = &sampling.state,
    .tracking_interval = &sampling.interval,
    .twin_counts = sampling.twins,
    .twin_classes = SIZE_CLASS_SMALL_COUNT,

    .heap = FIELD(heap),
    .page_flags = FIELD(flags),
    .object_bytes = FIELD(object_bytes),

    .first_heap = &registry_heaps.first,
    .common_heap = &registry_heaps.common,
    .no_heap = &heap_empty,
    .heap_bytes = sizeof(struct heap),
    .heap_next = HEAP(next),
    .heap_owner = HEAP(owner),
    .heap_thread = HEAP(thread_number),
    .heap_is_taken = HEAP(is_taken),
    .heap_is_first_class = HEAP(is_direct),
    .heap_has_objects = HEAP(has_objects),
    .heap_is_given_up = HEAP(is_given_up),
    .heap_tidied_ms = HEAP(tidied_ms),
    .heap_large_bytes = HEAP(large_bytes),
    .heap_large_count = HEAP(large_blocks),
    .bins = ROW(heap, bins, 1, BIN_COUNT - 1),
    .bin_classes = SIZE_CLASS_SMALL_COUNT,
    .bin_first = MEMBER(bin, first),
    .shelves = ROW(heap, shelves, 0, SIZE_CLASS_MEDIUM_COUNT),
    .shelf_count = MEMBER(shelf, count),
    .heap_handles = LANE(heap),
    .heap_is_still = LANE(is_still),
    .heap_objects_bytes = sizeof(struct lane),
    .handles_slot = MEMBER(handle_heap, slot),

    .handle_tables = handle_spaces,
    .handle_rows = {0, sizeof(struct handle_space), HANDLE_SLOTS},
    .handle_entries = MEMBER(handle_space, entries),
    .handle_infos = MEMBER(handle_space, infos),
    .handle_count = MEMBER(handle_space, count),
    .entry_state_mask = ENTRY_STATE_MASK,
    .entry_shift = ENTRY_ADDRESS_SHIFT,
    .info_pinned = INFO_PINNED,
    .info_class_shift = INFO_CLASS_SHIFT,
    .info_class_mask = INFO_CLASS_MASK,
    .info_slack_mask = INFO_SLACK_MASK,
    .class_count = SIZE_CLASS_COUNT,
};
