// SPDX-License-Identifier: MIT
//
// Objects (objects.h) that are handles, and one pass over them: how long the call takes, and what
// moves, by the objects' addresses rather than by what mend reports.
#ifndef BENCH_OBJECTS_HANDLES_H
#define BENCH_OBJECTS_HANDLES_H

#include "objects.h"
#include "mend/handle.h"

static uint64_t handle_make(size_t size, bool is_still)
{
  return (is_still ? mend_handle_alloc_pinned(size) : mend_handle_alloc(size)).bits;
}

static void *handle_open(uint64_t name)
{
  return mend_resolve((mend_handle){name});
}

static void handle_pin(uint64_t name)
{
  if (mend_pin((mend_handle){name}) == NULL) die("mend_pin");
}

static void handle_end(uint64_t name)
{
  if (mend_handle_free((mend_handle){name}) != MEND_OK) die("mend_handle_free");
}

static size_t handle_usable(uint64_t name, size_t size)
{
  if (mend_handle_size((mend_handle){name}) != size) die("mend_handle_size");
  return mend_good_size(size);
}

static const struct store handles = {handle_make, handle_open, handle_pin, handle_end,
                                     handle_usable};

struct passed {
  struct mend_defrag_report report;
  enum mend_status status;
  double seconds;         // of all of it
  double moving_seconds;  // of the step before it, where there is one
  size_t moved_objects;
  size_t moved_bytes;
};

// One whole pass. The addresses before it are noted in `addresses`, one for each place. `apart`: a
// step without a budget moves what there is to move, so that the call after it has only to give
// memory back.
static struct passed pass_over(const struct field *field, void **addresses, bool apart)
{
  struct passed passed = {.report = {.bytes = sizeof passed.report}};
  for (size_t i = 0; i < field->count; i++)
    addresses[i] = mend_resolve((mend_handle){field->objects[i].name});
  const double start = clock_seconds(CLOCK_MONOTONIC);
  if (apart && mend_defragment_step(NULL, NULL, NULL) != MEND_OK) die("mend_defragment_step");
  passed.moving_seconds = clock_seconds(CLOCK_MONOTONIC) - start;
  passed.status = mend_defragment(&passed.report);
  passed.seconds = clock_seconds(CLOCK_MONOTONIC) - start;
  for (size_t i = 0; i < field->count; i++) {
    if (mend_resolve((mend_handle){field->objects[i].name}) == addresses[i]) continue;
    if (field->objects[i].is_fixed) die("an object that must not move has moved");
    passed.moved_objects++;
    passed.moved_bytes += field->objects[i].size;
  }
  return passed;
}

#endif
