// SPDX-License-Identifier: MIT
//
// A process whose mend_root and tables are lies, made at random from a seed: descriptors of all
// kinds with any figures, chains of heaps that lead in circles, counts beyond all bounds, memory
// that is not there. A thread goes on changing them. Says "ready" and waits for its end.
//
// usage: hostile SEED MODE
//   table    a table of pages that is mostly sound, with random descriptors among the good ones
//   noise    everything that is pointed to is random bytes
//   root     the root itself has random fields, but for its beginning
//   old      the root is of version 1, and random behind its end
//   huge     a table that is said to go on for ever, over memory that is not there
#include <pthread.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include <mend/root.h>

enum { SLICES = 1 << 14, DESCRIPTOR = 128, HEAP = 8192, HEAPS = 64, TABLE = 1 << 16 };
enum { SECOND_PART = offsetof(struct mend_root, flags) };  // of the root: since version 2

static struct mend_root root __asm__("mend_root") __attribute__((used));

// What the root points to.
static struct {
  uint64_t region_start, region_units, page_table, metadata_start, metadata_bytes;
  uint64_t counters[16];
  uint64_t first_heap, common_heap;
  uint64_t options[8];
  struct mend_root_option rows[8];
  uint64_t twins[64];
  uint64_t spaces[512][3];
  char heaps[HEAPS][HEAP];
  uint64_t entries[TABLE];
  uint32_t infos[TABLE];
} lies;

static char *table;
static uint64_t state;

static uint64_t any(void)
{
  state ^= state << 13;
  state ^= state >> 7;
  state ^= state << 17;
  return state;
}

// A number that is more often near what matters than not.
static uint64_t tricky(void)
{
  static const uint64_t known[] = {
      0,    1,     2,     16,         63,        64,         65,
      4096, 65535, 65536, UINT32_MAX, INT64_MAX, UINT64_MAX, (uint64_t)1 << 47};
  switch (any() % 4) {
  case 0:
    return known[any() % (sizeof known / sizeof known[0])];
  case 1:
    return any() % 300;
  case 2:
    return (uint64_t)(uintptr_t)&lies + any() % sizeof lies;
  default:
    return any();
  }
}

static void fill(void *memory, size_t bytes)
{
  uint64_t *words = memory;
  for (size_t i = 0; i < bytes / 8; i++) words[i] = tricky();
}

#define FIELD(member, place, size) \
  root.member = (struct mend_root_field) \
  { \
    place, size \
  }

static void tell_layout(void)
{
  FIELD(kind, 120, 4), FIELD(size_class, 18, 1), FIELD(slices, 112, 4), FIELD(block_bytes, 24, 8);
  FIELD(carved, 12, 4), FIELD(capacity, 16, 2), FIELD(used, 8, 4), FIELD(remote, 64, 8);
  FIELD(bits, 96, 8), FIELD(heap, 56, 8), FIELD(page_flags, 19, 1), FIELD(object_bytes, 0, 8);
  FIELD(heap_next, 0, 8), FIELD(heap_owner, 8, 8), FIELD(heap_thread, 16, 4);
  FIELD(heap_is_taken, 20, 4), FIELD(heap_is_first_class, 24, 1), FIELD(heap_has_objects, 25, 1);
  FIELD(heap_is_given_up, 26, 1), FIELD(heap_tidied_ms, 28, 4), FIELD(heap_large_bytes, 32, 8);
  FIELD(heap_large_count, 40, 8), FIELD(bin_first, 0, 8), FIELD(shelf_count, 128, 4);
  FIELD(heap_handles, 48, 8), FIELD(heap_is_still, 27, 1), FIELD(handles_slot, 0, 4);
  FIELD(handle_entries, 0, 8), FIELD(handle_infos, 8, 8), FIELD(handle_count, 16, 4);
  root.bins = (struct mend_root_row){64, 16, 96};
  root.bin_classes = 48;
  root.shelves = (struct mend_root_row){2048, 136, 32};
  root.handle_rows = (struct mend_root_row){0, 24, 512};
}

static void tell_places(void)
{
  root.region_start = &lies.region_start;
  root.region_units = &lies.region_units;
  root.page_table = &lies.page_table;
  root.metadata_start = &lies.metadata_start;
  root.metadata_bytes = &lies.metadata_bytes;
  root.options = lies.options;
  root.option_rows = lies.rows;
  root.option_count = 8;
  root.region_end = &lies.counters[0];
  root.region_skipped_bytes = &lies.counters[1];
  root.metadata_skipped_bytes = &lies.counters[2];
  root.mapping_count = &lies.counters[3];
  root.purged_bytes = &lies.counters[4];
  root.os_call_count = &lies.counters[5];
  root.tracking_mode = &lies.counters[6];
  root.twin_counts = lies.twins;
  root.twin_classes = 48;
  root.first_heap = &lies.first_heap;
  root.common_heap = &lies.common_heap;
  root.handle_tables = lies.spaces;
}

static void tell_rest(void)
{
  memcpy(root.magic, "mendroot", 8);
  root.version = MEND_ROOT_VERSION;
  root.bytes = sizeof root;
  root.slice_bytes = 65536;
  root.descriptor_bytes = DESCRIPTOR;
  root.bits_most = 64;
  root.heap_bytes = HEAP;
  root.entry_state_mask = 3;
  root.entry_shift = 23;
  root.info_pinned = UINT32_C(1) << 31;
  root.info_class_shift = 13;
  root.info_class_mask = 127;
  root.info_slack_mask = 8191;
  root.class_count = 80;
  memcpy(root.library,
         "\033]0;\"\\\n\b\x9b"
         "7mxxxx",
         sizeof root.library);
}

static void lie_about_root(size_t from)
{
  fill((char *)&root + from, (sizeof root - from) / 8 * 8);
}

static void lie_about_heaps(void)
{
  fill(lies.heaps, sizeof lies.heaps);
  for (int i = 0; i < HEAPS; i++) {
    uint64_t next = (uint64_t)(uintptr_t)lies.heaps[any() % HEAPS];
    memcpy(lies.heaps[i], &next, 8);  // round and round
  }
  lies.first_heap = (uint64_t)(uintptr_t)lies.heaps[0];
  lies.common_heap = (uint64_t)(uintptr_t)lies.heaps[1];
  fill(lies.entries, sizeof lies.entries);
  fill(lies.infos, sizeof lies.infos);
  for (int i = 0; i < 512; i++) {
    lies.spaces[i][0] = (uint64_t)(uintptr_t)lies.entries;
    lies.spaces[i][1] = (uint64_t)(uintptr_t)lies.infos;
    lies.spaces[i][2] = i % 32 == 0 ? tricky() : 0;
  }
}

static void put(char *descriptor, size_t place, uint64_t value, size_t bytes)
{
  memcpy(descriptor + place, &value, bytes);
}

// A descriptor, right or wrong.
static void lie_about_slice(size_t i)
{
  char *descriptor = table + i * DESCRIPTOR;
  if (any() % 3 == 0) {
    fill(descriptor, DESCRIPTOR);
    put(descriptor, 120, any() % 7, 4);
    return;
  }
  uint64_t block_bytes = 16 << any() % 8;
  memset(descriptor, 0, DESCRIPTOR);
  put(descriptor, 120, MEND_ROOT_PAGE_LIST, 4);
  put(descriptor, 18, __builtin_ctzll(block_bytes), 1);
  put(descriptor, 112, 1, 4);
  put(descriptor, 24, block_bytes, 8);
  put(descriptor, 16, 4096 < 65536 / block_bytes ? 4096 : 65536 / block_bytes, 2);
  put(descriptor, 12, 10, 4);
  put(descriptor, 8, any() % 12, 4);
  put(descriptor, 56, (uint64_t)(uintptr_t)lies.heaps[any() % HEAPS], 8);
}

static void *go_on(void *unused)
{
  (void)unused;
  for (;;) {
    lie_about_slice(any() % SLICES);
    *(uint64_t *)(void *)&lies.heaps[any() % HEAPS][any() % (HEAP / 8) * 8] = tricky();
  }
  return NULL;
}

static void lie(const char *mode)
{
  for (size_t i = 0; i < SLICES; i++) lie_about_slice(i);
  lie_about_heaps();
  lies.region_start = (uint64_t)(uintptr_t)&lies;
  lies.region_units = (uint64_t)SLICES * 4096;
  lies.page_table = (uint64_t)(uintptr_t)table;
  fill(lies.counters, sizeof lies.counters);
  fill(lies.options, sizeof lies.options);
  fill(lies.rows, sizeof lies.rows);
  fill(lies.twins, sizeof lies.twins);
  if (strcmp(mode, "noise") == 0) fill(&lies, sizeof lies);
  if (strcmp(mode, "huge") == 0) lies.region_units = (UINT64_C(1) << 42) >> any() % 3;
  if (strcmp(mode, "root") == 0) lie_about_root(any() % 2 == 0 ? 16 : SECOND_PART);
  if (strcmp(mode, "old") == 0) {
    root.version = 1;
    lie_about_root(SECOND_PART);
    root.option_count = 1U << 31;
    FIELD(heap, UINT16_MAX, 8), FIELD(page_flags, UINT16_MAX, 1);
  }
}

int main(int count, char **arguments)
{
  pthread_t thread;
  char line[16];
  if (count != 3) return 2;
  state = strtoull(arguments[1], NULL, 10) * 2654435761 + 88172645463325252;
  table = mmap(NULL, (size_t)SLICES * DESCRIPTOR, PROT_READ | PROT_WRITE,
               MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  if (table == MAP_FAILED) return 1;
  tell_layout();
  tell_places();
  tell_rest();
  lie(arguments[2]);
  if (strcmp(arguments[2], "table") == 0) pthread_create(&thread, NULL, go_on, NULL);
  puts("ready");
  fflush(stdout);
  (void)!fgets(line, sizeof line, stdin);
  _exit(0);
}
