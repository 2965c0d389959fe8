// SPDX-License-Identifier: MIT
//
// The pages that a pass evacuates, from the moment they are closed to allocation.
//
// A closed page is a *source* (page->is_source) until its last object is gone and the batch over,
// or the pass; then it is opened, and given back if it holds nothing. By option handle_poison an
// emptied page first stays inaccessible for a while, in quarantine, so that an address that was
// kept beyond its scope is caught when it is used. A source is in `sources` or in `emptied`, by
// `link`, and no page that is closed can be given back by anybody else.
#ifndef HANDLE_EVACUATION_H
#define HANDLE_EVACUATION_H

#include "handle/handle_heap.h"
#include "mend/handle.h"

enum { EVACUATION_QUARANTINE = 64 };  // emptied pages kept inaccessible by option, at most

struct evacuation {
  struct list sources;     // closed pages
  struct list emptied;     // of those, the ones that hold nothing since the last release
  struct list quarantine;  // emptied, and inaccessible
  uint32_t quarantined;
};

// All of these by who holds the heap's mover_lock.
INTERNAL void evacuation_init(struct evacuation *evacuation);
// A page that the caller has closed becomes a source.
INTERNAL void evacuation_add(struct evacuation *evacuation, struct page *page);
// The last object of a source is gone.
INTERNAL void evacuation_note_emptied(struct evacuation *evacuation, struct page *page);
// Opens what has been emptied. The report counts it.
INTERNAL void evacuation_release_emptied(struct evacuation *evacuation,
                                         struct mend_defrag_report *report);
// Opens all sources, whatever they hold.
INTERNAL void evacuation_end(struct evacuation *evacuation, struct mend_defrag_report *report);
// Opens what is in quarantine.
INTERNAL void evacuation_end_quarantine(struct evacuation *evacuation);
INTERNAL void evacuation_assert_valid(const struct evacuation *evacuation);
// Opens the pages that a mover had closed which a fork has left behind.
INTERNAL void evacuation_open_strays(struct handle_heap *heap);

#endif
