// SPDX-License-Identifier: MIT
#include "track/reach.h"

#include "os/memory.h"
#include "os/snapshot.h"

enum { REACH_WORDS = 512, REACH_AHEAD = 8 };

// Of longer ones the kernel is asked which pages hold something.
#define REACH_ASK_BYTES ((size_t)1 << 20)

static_assert(sizeof(uintptr_t) == sizeof(uint64_t), "a word is an address or a handle");

// ---------------------------------------------------------------------------------------------
// Reading.

struct reach_reading {
  reach_words visit;
  void *argument;
};

// Behind what cannot be read, the next os page may be readable again.
static void reach_read_range(uintptr_t start, uintptr_t end, void *argument)
{
  struct reach_reading *reading = argument;
  uint64_t words[REACH_WORDS];
  while (start < end) {
    size_t bytes = bits_smaller(end - start, sizeof words);
    size_t got = os_snapshot_copy(words, (const void *)start, bytes);
    if (got > 0) reading->visit(words, got / sizeof words[0], reading->argument);
    start += got;
    if (got < bytes)
      start = bits_align_down(start, os_kernel_page_bytes()) + os_kernel_page_bytes();
  }
}

INTERNAL void reach_read(struct os_written *written, uintptr_t start, uintptr_t end,
                         enum reach_part part, reach_words visit, void *argument)
{
  struct reach_reading reading = {visit, argument};
  start = bits_align_up(start, sizeof(uint64_t));
  end = bits_align_down(end, sizeof(uint64_t));
  if (start >= end) return;
  uintptr_t first = bits_align_up(start, os_kernel_page_bytes());
  uintptr_t last = bits_align_down(end, os_kernel_page_bytes());
  if ((part == REACH_BLOCK && end - start < REACH_ASK_BYTES) || first >= last) {
    reach_read_range(start, end, &reading);
    return;
  }
  reach_read_range(start, first, &reading);
  os_written_each(written, first, last, part == REACH_SHARED, reach_read_range, &reading);
  reach_read_range(last, end, &reading);
}

// ---------------------------------------------------------------------------------------------

INTERNAL bool reach_begin(struct reach *reach, const struct heap_view *view,
                          struct os_scratch *scratch, struct os_written *written,
                          reach_handle handle)
{
  *reach = (struct reach){.view = view, .handle = handle, .written = written};
  size_t words = (size_t)heap_view_count(view) / 64 + 1;
  reach->marked = os_scratch_take_array(scratch, words, sizeof *reach->marked);
  reach->stack = os_scratch_take_array(scratch, heap_view_count(view), sizeof *reach->stack);
  return reach->marked != NULL && reach->stack != NULL;
}

INTERNAL void reach_add_word(struct reach *reach, uint64_t word)
{
  uintptr_t address;
  uint32_t number = reach_lead(reach, word, &address);
  if (number == VIEW_NONE) return;
  uint64_t bit = UINT64_C(1) << number % 64;
  if ((reach->marked[number / 64] & bit) != 0) return;
  reach->marked[number / 64] |= bit;
  reach->stack[reach->stack_count++] = address;
}

static void reach_add_words(const uint64_t *words, size_t count, void *argument)
{
  for (size_t i = 0; i < count; i++) reach_add_word(argument, words[i]);
}

INTERNAL void reach_add_range(struct reach *reach, uintptr_t start, uintptr_t end,
                              enum reach_part part)
{
  reach_read(reach->written, start, end, part, reach_add_words, reach);
}

static void reach_read_block(struct reach *reach, uintptr_t address)
{
  struct view_block block = heap_view_block_at(reach->view, address);
  reach_read(reach->written, block.start, block.start + block.bytes, REACH_BLOCK, reach_add_words,
             reach);
}

INTERNAL void reach_follow(struct reach *reach)
{
  uintptr_t waiting[REACH_AHEAD] = {0};
  unsigned count = 0;  // of those that wait
  for (unsigned i = 0; reach->stack_count > 0 || count > 0; i = (i + 1) % REACH_AHEAD) {
    uintptr_t address = waiting[i];
    waiting[i] = 0;
    if (reach->stack_count > 0) {
      waiting[i] = reach->stack[--reach->stack_count];
      __builtin_prefetch((const void *)waiting[i]);
      count++;
    }
    if (address == 0) continue;
    count--;
    reach_read_block(reach, address);
  }
}
