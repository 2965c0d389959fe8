// SPDX-License-Identifier: MIT
//
// Free blocks that heaps hold ready. Small ones are chained through themselves: all chains of all
// heaps are followed side by side, a batch of links at a time. In a process that runs a chain may
// lead into blocks that were handed out meanwhile; so it is followed only as long as it stays in
// the region, and no further than a chain can be.
#include <stdlib.h>

#include "remote_field.h"
#include "remote_heaps.h"

enum { CHAINS_MOST = 1 << 14, CHAIN_MOST = 4352, LINKS_MOST = 1 << 19 };

struct chain {
  uint64_t block;  // to be looked at next
  uint32_t heap;   // index
  uint32_t size_class;
};

struct chains {
  struct remote *remote;
  struct chain *chains;
  size_t count;
  uint64_t *addresses;
  uint64_t *words;
  bool *is_read;
};

static bool may_be_block(const struct remote *remote, uint64_t address)
{
  const struct remote_counters *counters = &remote->counters;
  return address % 16 == 0 && address >= counters->region_start &&
         (address - counters->region_start) / 16 < counters->region_units;
}

static void add_kept(struct remote *remote, uint32_t heap_index, uint32_t size_class,
                     uint64_t count)
{
  struct remote_class *of_class = &remote->classes[size_class];
  struct remote_heap *heap = &remote->heaps[heap_index];
  of_class->kept_count += count;
  heap->kept_count += count;
  heap->kept_bytes += count * of_class->block_bytes;
}

// Notes the first blocks of a heap's bins, and counts what is on its shelves.
static void look_into(struct chains *all, uint32_t index)
{
  struct remote *remote = all->remote;
  const struct mend_root *root = &remote->root;
  char *copy = remote_heap_copy(remote, remote->heaps[index].address);
  if (copy == NULL) return;
  for (uint32_t i = 0; i < root->bins.count && all->count < CHAINS_MOST; i++) {
    const char *bin = copy + root->bins.offset + (size_t)i * root->bins.stride;
    uint64_t first = field_read(bin, root->bin_first);
    if (!may_be_block(remote, first)) continue;
    all->chains[all->count++] = (struct chain){first, index, i % root->bin_classes};
  }
  for (uint32_t i = 0; i < root->shelves.count; i++) {
    const char *shelf = copy + root->shelves.offset + (size_t)i * root->shelves.stride;
    uint64_t count = field_read(shelf, root->shelf_count);
    if (count <= root->shelves.stride / 8) add_kept(remote, index, root->bin_classes + i, count);
  }
  free(copy);
}

// Takes each chain one block further, and drops those that end.
static void follow(struct chains *all)
{
  for (size_t i = 0; i < all->count; i++) all->addresses[i] = all->chains[i].block;
  target_read_words(all->remote->target, all->addresses, all->words, all->is_read, all->count);
  size_t kept = 0;
  for (size_t i = 0; i < all->count; i++) {
    struct chain chain = all->chains[i];
    if (!all->is_read[i]) continue;
    add_kept(all->remote, chain.heap, chain.size_class, 1);
    chain.block = all->words[i];
    if (may_be_block(all->remote, chain.block)) all->chains[kept++] = chain;
  }
  all->count = kept;
}

void remote_heaps_count_kept(struct remote *remote)
{
  struct chains all = {.remote = remote};
  all.chains = malloc(CHAINS_MOST * sizeof *all.chains);
  all.addresses = malloc(CHAINS_MOST * sizeof *all.addresses);
  all.words = malloc(CHAINS_MOST * sizeof *all.words);
  all.is_read = malloc(CHAINS_MOST * sizeof *all.is_read);
  if (all.chains != NULL && all.addresses != NULL && all.words != NULL && all.is_read != NULL) {
    for (uint32_t i = 0; i < remote->heap_count; i++) look_into(&all, i);
    size_t links = 0;
    for (int round = 0; all.count > 0 && round < CHAIN_MOST && links < LINKS_MOST; round++) {
      links += all.count;
      follow(&all);
    }
  }
  free(all.chains);
  free(all.addresses);
  free(all.words);
  free(all.is_read);
}
