// SPDX-License-Identifier: MIT
//
// Reads the heap's page table through mend_root, as a tool in another process would (with
// process_vm_readv, or from a core file), and counts the pages of each kind.
//
// Build: cc heap_map.c -o heap_map $(pkg-config --cflags --libs mend-core)
// Run:   ./heap_map
#include <mend/root.h>
#include <stdio.h>
#include <string.h>

static const char *const kind_names[] = {"never used", "free run",    "inside a page",
                                         "list page",  "bitmap page", "large block"};

enum { KIND_COUNT = sizeof kind_names / sizeof kind_names[0] };

// The value of a field of a descriptor, of 1, 2, 4 or 8 bytes.
static uint64_t field_of(const char *descriptor, struct mend_root_field field)
{
  uint64_t value = 0;
  memcpy(&value, descriptor + field.offset, field.bytes);  // little-endian, as all of mend is
  return value;
}

int main(void)
{
  void *blocks[] = {mend_malloc(100), mend_malloc(10000), mend_malloc(1000000)};
  const struct mend_root *root = &mend_root;
  if (memcmp(root->magic, "mendroot", 8) != 0 || root->version != MEND_ROOT_VERSION) return 1;

  const char *table = *(char *const *)root->page_table;
  size_t slices = *(const size_t *)root->region_units * 16 / root->slice_bytes;
  size_t counts[KIND_COUNT] = {0};
  for (size_t i = 0; i < slices; i++) {
    uint64_t kind = field_of(table + i * root->descriptor_bytes, root->kind);
    if (kind < KIND_COUNT) counts[kind]++;
  }
  for (size_t kind = MEND_ROOT_PAGE_LIST; kind < KIND_COUNT; kind++) {
    printf("%-12s %zu\n", kind_names[kind], counts[kind]);
  }
  for (size_t i = 0; i < 3; i++) mend_free(blocks[i]);
  return counts[MEND_ROOT_PAGE_LIST] && counts[MEND_ROOT_PAGE_BITMAP] &&
                 counts[MEND_ROOT_PAGE_LARGE]
             ? 0
             : 1;
}
