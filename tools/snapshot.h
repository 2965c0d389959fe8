// SPDX-License-Identifier: MIT
//
// A heap map (docs/heap-map.md) in memory. What snapshot_read accepts is sound: pages are ordered,
// do not overlap, and no figure of theirs contradicts another. Words are of letters, digits and a
// few signs, so they can be printed anywhere.
#ifndef TOOLS_SNAPSHOT_H
#define TOOLS_SNAPSHOT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum page_kind { KIND_LIST, KIND_BITMAP, KIND_LARGE, KIND_FREE };
extern const char *const page_kind_names[4];

struct page {
  uint64_t start;
  uint64_t bytes;
  uint64_t block_bytes;
  uint64_t resident_bytes;
  uint32_t capacity;
  uint32_t carved;
  uint32_t used;
  uint32_t pins;  // objects of its that are pinned
  enum page_kind kind;
  bool is_closed;
  char owner[32];  // "-", or a word, or a word, a colon and a number
};

struct figure {
  char name[64];
  char value[32];  // digits, perhaps with a point
};

struct blocker {
  uint64_t thread;
  uint64_t scope_age_ns;
  bool is_implicit;
};

enum { BLOCKERS_MOST = 8 };

struct snapshot {
  const char *path;
  struct page *pages;
  size_t page_count;
  struct figure *figures;
  size_t figure_count;
  struct blocker blockers[BLOCKERS_MOST];
  size_t blocker_count;
  size_t pin_count;
};

// Reads a file, or stdin for "-". False after a line on stderr. Either way snapshot_free. The path
// must last as long as the snapshot.
bool snapshot_read(struct snapshot *snapshot, const char *path);
void snapshot_free(struct snapshot *snapshot);
// Counts a pinned object, in its page too if there is one at that address.
void snapshot_add_pin(struct snapshot *snapshot, uint64_t address);

// The value of a figure as it stands in the file; NULL if it is not there. And as a number, 0 if it
// is not there.
const char *snapshot_text(const struct snapshot *snapshot, const char *name);
double snapshot_number(const struct snapshot *snapshot, const char *name);

// Whether the page is one of relocatable objects.
bool page_has_objects(const struct page *page);

#endif
