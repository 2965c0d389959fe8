// SPDX-License-Identifier: MIT
//
// Question: how much memory does the same workload hold in blocks of malloc, and how much of it
// does the allocator's own call give back?
//
//   defrag_malloc WORKLOAD MIB     a workload of fragmenting.h; MIB: how large its heap becomes
//
// Stages for the judge: "start", "before", and "after" that call (judged.h). Pins mean nothing
// here.
#include "fragmenting.h"
#include "judged.h"

static uint64_t malloc_make(size_t size, bool is_still)
{
  (void)is_still;
  return (uintptr_t)malloc(size);
}

static void *malloc_open(uint64_t name)
{
  return (void *)(uintptr_t)name;
}

static void malloc_pin(uint64_t name)
{
  (void)name;
}

static void malloc_end(uint64_t name)
{
  free((void *)(uintptr_t)name);
}

static size_t malloc_usable(uint64_t name, size_t size)
{
  (void)size;
  return malloc_usable_size((void *)(uintptr_t)name);
}

static const struct store blocks = {malloc_make, malloc_open, malloc_pin, malloc_end,
                                    malloc_usable};

static void stage_tell(const char *stage, struct field *field, double seconds)
{
  const struct field_live live = field_check(field);
  judge_wait(stage, field->made, (struct stopwatch){seconds, 0},
             (struct live){live.objects, field->bytes, live.usable_bytes, 0});
}

int main(int argc, char **argv)
{
  if (argc != 3) die("usage: defrag_malloc WORKLOAD MIB");
  struct field field = {.store = &blocks};
  free(opaque(malloc(64)));
  stage_tell("start", &field, 0);
  field = workload_run(workload_named(argv[1]), &blocks, strtoul(argv[2], NULL, 10));
  stage_tell("before", &field, 0);
  const struct stopwatch start = stopwatch_start();
  heap_purge();
  const double seconds = stopwatch_stop(start).wall;
  stage_tell("after", &field, seconds);
  return 0;
}
