// SPDX-License-Identifier: MIT
#include "track_resolve.h"

#include <inttypes.h>
#include <stdlib.h>

static int compare_stacks(const void *first, const void *second)
{
  const struct track_stack *one = first;
  const struct track_stack *two = second;
  return (one->number > two->number) - (one->number < two->number);
}

static int compare_maps(const void *first, const void *second)
{
  const struct track_map *one = first;
  const struct track_map *two = second;
  return (one->start > two->start) - (one->start < two->start);
}

static bool order_stacks(struct track_file *file, const struct track_words *words)
{
  qsort(file->stacks, file->stack_count, sizeof *file->stacks, compare_stacks);
  for (size_t i = 1; i < file->stack_count; i++) {
    if (file->stacks[i].number == file->stacks[i - 1].number) {
      return words_refuse(words, "stack %" PRIu64 " is there twice", file->stacks[i].number);
    }
  }
  return true;
}

// From a stack's number to its index.
static bool find_stack(const struct track_file *file, const struct track_words *words,
                       size_t *stack)
{
  const struct track_stack wanted = {.number = *stack};
  const struct track_stack *found =
      bsearch(&wanted, file->stacks, file->stack_count, sizeof wanted, compare_stacks);
  if (found == NULL) return words_refuse(words, "there is no stack %zu", *stack);
  *stack = (size_t)(found - file->stacks);
  return true;
}

static int compare_threads(const void *first, const void *second)
{
  const struct track_thread *one = first;
  const struct track_thread *two = second;
  return (one->number > two->number) - (one->number < two->number);
}

// From a thread's number to its index.
static void find_thread(const struct track_file *file, uint32_t *thread)
{
  const struct track_thread wanted = {.number = *thread};
  const struct track_thread *found = NULL;
  if (file->thread_count > 0) {
    found = bsearch(&wanted, file->threads, file->thread_count, sizeof wanted, compare_threads);
  }
  *thread = found != NULL ? (uint32_t)(found - file->threads) : TRACK_NO_THREAD;
}

bool track_resolve(struct track_file *file, const struct track_words *words)
{
  bool is_sound = order_stacks(file, words);
  if (file->thread_count > 0) {
    qsort(file->threads, file->thread_count, sizeof *file->threads, compare_threads);
  }
  for (size_t i = 0; is_sound && i < file->site_count; i++) {
    is_sound = find_stack(file, words, &file->sites[i].stack);
  }
  for (size_t i = 0; is_sound && i < file->leak_count; i++) {
    is_sound = find_stack(file, words, &file->leaks[i].stack);
    find_thread(file, &file->leaks[i].thread);
  }
  for (size_t i = 0; is_sound && i < file->reached_count; i++) {
    is_sound = find_stack(file, words, &file->reached[i].stack);
  }
  for (size_t i = 0; is_sound && i < file->block_count; i++) {
    is_sound = find_stack(file, words, &file->blocks[i].stack);
  }
  for (size_t i = 0; is_sound && i < file->call_count; i++) {
    is_sound = find_stack(file, words, &file->calls[i].stack);
  }
  if (file->map_count > 0) {
    qsort(file->maps, file->map_count, sizeof *file->maps, compare_maps);
  }
  return is_sound;
}
