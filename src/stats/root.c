// SPDX-License-Identifier: MIT
#include "mend/root.h"

#include "core/metadata.h"
#include "core/page.h"

#define FIELD(member) \
  { \
    offsetof(struct page, member), sizeof(((struct page *)0)->member) \
  }

static_assert((int)MEND_ROOT_PAGE_FREE == PAGE_FREE && (int)MEND_ROOT_PAGE_INSIDE == PAGE_INSIDE &&
                  (int)MEND_ROOT_PAGE_LIST == PAGE_LIST &&
                  (int)MEND_ROOT_PAGE_BITMAP == PAGE_BITMAP &&
                  (int)MEND_ROOT_PAGE_LARGE == PAGE_LARGE,
              "the public numbers are the page kinds");

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
};
