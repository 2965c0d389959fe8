// SPDX-License-Identifier: MIT
#include "track/roots.h"

#include <string.h>

#include "core/frontier.h"
#include "core/metadata.h"
#include "core/runs.h"
#include "os/maps.h"
#include "os/snapshot.h"
#include "os/system.h"
#include "os/thread.h"

// The tables of checkers are larger, and no program's memory is: to ask which of their pages hold
// something would take minutes.
#define ROOTS_MOST_BYTES ((size_t)1 << 40)

enum { ROOTS_OF_CORE = 5, THREAD_WORDS = 512 };

// ---------------------------------------------------------------------------------------------
// What is ours.

INTERNAL void roots_add_ours(struct roots *roots, const void *start, size_t bytes)
{
  if (bytes == 0 || roots->ours_count == roots->ours_room) return;
  struct root_range *range = &roots->ours[roots->ours_count++];
  *range = (struct root_range){(uintptr_t)start, (uintptr_t)start + bytes};
}

static bool is_foreign_slice(struct page *slice)
{
  return page_is_foreign(slice) && slice->slices > 0;
}

static size_t count_foreign_runs(void)
{
  size_t count = 0;
  for (size_t i = 0; i < runs_frontier(); i++) count += is_foreign_slice(&region.pages[i]);
  return count;
}

// The region as far as it has been used, without what others have mapped in between.
static void roots_add_region(struct roots *roots)
{
  size_t first = 0;
  size_t end = runs_frontier();
  for (size_t i = 0; i < end;) {
    struct page *slice = &region.pages[i];
    if (!is_foreign_slice(slice)) {
      i++;
      continue;
    }
    roots_add_ours(roots, page_start(&region.pages[first]), slices_to_bytes(i - first));
    i += slice->slices;
    first = i;
  }
  if (first < end) {
    roots_add_ours(roots, page_start(&region.pages[first]), slices_to_bytes(end - first));
  }
}

static void add_ours_of_core(struct roots *roots)
{
  size_t bytes;
  const void *variables = frontier_variables(&bytes);
  roots_add_ours(roots, variables, bytes);
  roots_add_ours(roots, &region, sizeof region);
  roots_add_ours(roots, region.pages, frontier_table_bytes());
  roots_add_ours(roots, metadata_extent.start,
                 atomic_load_explicit(&metadata_extent.bytes, memory_order_acquire));
  roots_add_region(roots);
}

// They come in several rows that are sorted already.
static void sort_roots_ours(struct roots *roots)
{
  for (size_t i = 1; i < roots->ours_count; i++) {
    struct root_range range = roots->ours[i];
    size_t at = i;
    for (; at > 0 && roots->ours[at - 1].start > range.start; at--) {
      roots->ours[at] = roots->ours[at - 1];
    }
    roots->ours[at] = range;
  }
}

// ---------------------------------------------------------------------------------------------
// Stacks.

INTERNAL void roots_add_stack(struct roots *roots, struct root_stack stack)
{
  if (stack.pointer == 0 || roots->stack_count == roots->stack_room) return;
  roots->stacks[roots->stack_count++] = stack;
}

// What lies below the pointers of stacks that the C library knows of.
static void leave_out_unused(struct roots *roots)
{
  for (size_t i = 0; i < roots->stack_count; i++) {
    const struct root_stack *stack = &roots->stacks[i];
    struct os_thread_stack known;
    if (!os_threads_stack(stack->thread, stack->pointer, &known)) continue;
    roots_add_ours(roots, (const void *)known.start, stack->pointer - known.start);
  }
}

static size_t count_parked(void)
{
  size_t count = 0;
  const struct os_parked *parked = os_parking_threads();
  for (; parked != NULL; parked = parked->next) count++;
  return count;
}

static void look_for_threads(struct roots *roots, struct os_scratch *scratch)
{
  struct os_thread_state first;
  struct os_threads *living = os_scratch_take(scratch, sizeof *living);
  if (living == NULL || !os_threads_list(living) || living->is_foreign) return;
  if (!living->is_cut) roots->threads = living;
  if (os_threads_look((uint32_t)os_process_id(), &first) && first.is_over) {
    roots->first_stack = os_threads_first_stack();
  }
}

INTERNAL bool roots_begin(struct roots *roots, struct os_scratch *scratch, size_t more_ours)
{
  *roots = (struct roots){0};
  roots->stack_room = count_parked() + 1;
  roots->ours_room = ROOTS_OF_CORE + count_foreign_runs() + 1 + more_ours + roots->stack_room;
  roots->ours = os_scratch_take_array(scratch, roots->ours_room, sizeof *roots->ours);
  roots->stacks = os_scratch_take_array(scratch, roots->stack_room, sizeof *roots->stacks);
  if (roots->ours == NULL || roots->stacks == NULL) return false;
  look_for_threads(roots, scratch);
  add_ours_of_core(roots);
  const struct os_parked *parked = os_parking_threads();
  for (; parked != NULL; parked = parked->next) {
    roots_add_stack(roots, (struct root_stack){parked->stack, parked->thread, parked->is_first});
  }
  return true;
}

// ---------------------------------------------------------------------------------------------
// All mappings.

struct roots_walk {
  struct roots *roots;
  struct reach *reach;
  size_t next_ours;    // the first that does not end before the mapping
  uintptr_t last_end;  // of the mapping before
  bool was_barred;     // that could not be read
};

static bool path_begins_with(const char *text, const char *start)
{
  return strncmp(text, start, strlen(start)) == 0;
}

static bool is_memory_path(const char *path)
{
  size_t length = strlen(path);
  bool is_deleted = length > 10 && strcmp(path + length - 10, " (deleted)") == 0;
  return is_deleted || path[0] == '\0' || path[0] == '[' || path_begins_with(path, "/memfd:") ||
         path_begins_with(path, "/dev/zero") || path_begins_with(path, "/dev/shm/") ||
         path_begins_with(path, "/SYSV") || path_begins_with(path, "/anon_hugepage");
}

static bool is_root_mapping(const struct roots_walk *walk, const struct os_map *map)
{
  bool is_told = walk->reach->written->file >= 0;
  if (!map->is_readable || path_begins_with(map->path, "[v")) return false;
  if (map->end - map->start >= ROOTS_MOST_BYTES || (!is_told && !map->is_writable)) return false;
  return !map->is_shared || (map->is_writable && is_memory_path(map->path));
}

// Whether a number of a thread that there is occurs in such a structure. It does, in a fixed place,
// until the thread has ended.
static bool names_living_thread(const struct roots *roots, const uint64_t *words, size_t count)
{
  for (size_t i = 0; i < count; i++) {
    if (os_threads_has(roots->threads, (uint32_t)words[i])) return true;
    if (os_threads_has(roots->threads, (uint32_t)(words[i] >> 32))) return true;
  }
  return false;
}

static bool has_pointer_in(const struct roots *roots, const struct os_map *map)
{
  for (size_t i = 0; i < roots->stack_count; i++) {
    uintptr_t pointer = roots->stacks[i].pointer;
    if (pointer >= map->start && pointer < map->end) return true;
  }
  return false;
}

// Whether the C library has made all of a mapping, and a guard below, for the stack of a thread.
static bool is_thread_mapping(const struct os_map *map, uintptr_t thread)
{
  struct os_thread_stack stack;
  return os_threads_stack(thread, map->start, &stack) && stack.guard_bytes > 0 &&
         stack.start + stack.guard_bytes == map->start && stack.start + stack.bytes == map->end;
}

// Up to where a mapping is the stack of a thread that has ended; its start if it is not.
static uintptr_t ended_stack_up_to(const struct roots *roots, const struct os_map *map)
{
  uint64_t words[THREAD_WORDS];
  uintptr_t from = map->end - sizeof words;
  if (roots->threads == NULL || map->path[0] != '\0' || from <= map->start) return map->start;
  if (os_snapshot_copy(words, (const void *)from, sizeof words) != sizeof words) return map->start;
  uintptr_t thread = os_threads_find(from, words, THREAD_WORDS);
  if (thread == 0 || !is_thread_mapping(map, thread)) return map->start;
  size_t first = (thread - from) / sizeof words[0];
  if (names_living_thread(roots, words + first, THREAD_WORDS - first)) return map->start;
  return thread;
}

// Where what is in use of the first thread's stack begins.
static uintptr_t first_stack_from(const struct roots *roots, const struct os_map *map)
{
  uintptr_t pointer = roots->first_stack;
  for (size_t i = 0; i < roots->stack_count; i++) {
    const struct root_stack *stack = &roots->stacks[i];
    if (stack->pointer < map->start || stack->pointer >= map->end) continue;
    if (!stack->is_first) return map->start;  // somebody else is in it
    pointer = stack->pointer;
  }
  return pointer > map->start && pointer < map->end ? pointer : map->start;
}

// Where what is in use of a mapping begins, but for what is left out.
static uintptr_t mapping_used_from(const struct roots_walk *walk, const struct os_map *map)
{
  if (map->is_shared) return map->start;
  if (strcmp(map->path, "[stack]") == 0) return first_stack_from(walk->roots, map);
  bool is_behind_guard = walk->was_barred && walk->last_end == map->start;
  if (!is_behind_guard || has_pointer_in(walk->roots, map)) return map->start;
  return ended_stack_up_to(walk->roots, map);
}

// Adds what is not ours.
static void add_rest_of_mapping(struct roots_walk *walk, uintptr_t start, uintptr_t end,
                                enum reach_part part)
{
  const struct roots *roots = walk->roots;
  while (walk->next_ours < roots->ours_count && roots->ours[walk->next_ours].end <= start) {
    walk->next_ours++;
  }
  for (size_t i = walk->next_ours; i < roots->ours_count && start < end; i++) {
    if (roots->ours[i].start >= end) break;
    if (roots->ours[i].start > start) {
      reach_add_range(walk->reach, start, roots->ours[i].start, part);
    }
    start = bits_larger(start, roots->ours[i].end);
  }
  if (start < end) reach_add_range(walk->reach, start, end, part);
}

static bool add_root_mapping(const struct os_map *map, void *argument)
{
  struct roots_walk *walk = argument;
  if (is_root_mapping(walk, map)) {
    uintptr_t start = mapping_used_from(walk, map);
    add_rest_of_mapping(walk, start, map->end, map->is_shared ? REACH_SHARED : REACH_PRIVATE);
  }
  walk->last_end = map->end;
  walk->was_barred = !map->is_readable;
  return true;
}

INTERNAL bool roots_add_all(struct roots *roots, struct reach *reach)
{
  struct os_maps_reader reader;
  struct roots_walk walk = {.roots = roots, .reach = reach};
  leave_out_unused(roots);
  sort_roots_ours(roots);
  const struct os_parked *parked = os_parking_threads();
  for (; parked != NULL; parked = parked->next) {
    if (parked->handler_end != 0) {
      reach_add_range(reach, parked->handler, parked->handler_end, REACH_BLOCK);
    }
  }
  return os_maps_each(&reader, add_root_mapping, &walk);
}
