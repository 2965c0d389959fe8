// SPDX-License-Identifier: MIT
#define _GNU_SOURCE 1
#include "adversarial.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/uio.h>
#include <unistd.h>

#include "../tests/support/support.h"
#include "mend/mend.h"
#include "mend/root.h"

enum { SLOTS = 64, CHUNK = 1 << 16, NEAR = 64 };

struct operation {
  uint8_t action;
  uint8_t slot;
  uint8_t low, high;  // a size
  uint8_t a, b;       // what the action makes of them
};

struct slot {
  unsigned char *block;  // NULL: never used
  size_t size;
  size_t alignment;
  uint64_t seed;  // of what a live block holds
  bool is_live;
};

static struct {
  struct slot slots[SLOTS];
  struct fuzz_progress *progress;
  mend_heap *heap;
  uint64_t seed;
  int messages;
  int level;
  bool is_tainted;  // free memory may have been written to
} fuzz;

static _Noreturn void violate(const char *what)
{
  snprintf(fuzz.progress->violation, FUZZ_TEXT_BYTES, "operation %u: %s", fuzz.progress->operation,
           what);
  _exit(EXIT_FAILURE);
}

static size_t size_of(const struct operation *operation)
{
  size_t size = operation->low | (size_t)(operation->high & 15) << 8;
  unsigned more = operation->high >> 4;
  return more > 7 ? size << (more - 7) : size;
}

static off_t told(void)
{
  struct stat status;
  CHECK(fstat(fuzz.messages, &status) == 0);
  return status.st_size;
}

// ---------------------------------------------------------------------------------------------
// The reference.

static void fill(struct slot *slot)
{
  slot->seed = ++fuzz.seed;
  pattern_fill(slot->block, slot->size, slot->seed);
}

static void check_contents(const struct slot *slot)
{
  if (pattern_difference(slot->block, slot->size, slot->seed) != slot->size) {
    violate("a live block holds what the program did not write");
  }
}

static bool overlap(const unsigned char *a, size_t a_size, const unsigned char *b, size_t b_size)
{
  return a < b + b_size && b < a + a_size;
}

static void check_place(const unsigned char *block, size_t size, size_t alignment)
{
  if (!mend_owns(block)) violate("a block lies outside of what mend owns");
  if ((uintptr_t)block % (alignment > 16 ? alignment : 16) != 0) violate("a block is misaligned");
  for (const struct slot *other = fuzz.slots; other < fuzz.slots + SLOTS; other++) {
    if (!other->is_live) continue;
    if (overlap(block, size > 0 ? size : 1, other->block, other->size > 0 ? other->size : 1)) {
      violate("two live blocks overlap");
    }
  }
}

static void add(struct slot *slot, void *block, size_t size, size_t alignment)
{
  if (block == NULL) violate("a block was refused");
  check_place(block, size, alignment);
  *slot = (struct slot){block, size, alignment, 0, true};
  fill(slot);
}

// ---------------------------------------------------------------------------------------------
// Right operations.

static void allocate(struct slot *slot, const struct operation *operation)
{
  size_t size = size_of(operation), alignment = 0;
  void *block;
  if (slot->is_live) return;
  switch (operation->a % 4) {
  case 0:
    block = mend_calloc(1, size);
    if (block != NULL && !fuzz.is_tainted && !is_zero(block, size)) violate("calloc is not clean");
    break;
  case 1:
    alignment = (size_t)1 << operation->b % 17;
    block = mend_aligned_alloc(alignment, size);
    break;
  case 2:
    if (fuzz.heap == NULL) fuzz.heap = mend_heap_create();
    block = mend_heap_malloc(fuzz.heap, size);
    break;
  default:
    block = mend_malloc(size);
  }
  add(slot, block, size, alignment);
}

static void *free_elsewhere(void *block)
{
  mend_free(block);
  return NULL;
}

static void release(struct slot *slot, const struct operation *operation)
{
  if (!slot->is_live) return;
  check_contents(slot);
  slot->is_live = false;
  if (operation->a % 8 == 0) {
    threads_run(1, free_elsewhere, slot->block, 0);
  } else if (operation->a % 8 == 1 && slot->alignment == 0) {
    mend_free_sized(slot->block, slot->size);
  } else {
    mend_free(slot->block);
  }
}

static void resize(struct slot *slot, const struct operation *operation)
{
  size_t size = size_of(operation);
  if (!slot->is_live || size == 0) return;
  check_contents(slot);
  slot->is_live = false;
  size_t kept = size < slot->size ? size : slot->size;
  uint64_t seed = slot->seed;
  void *block = opaque(mend_realloc(slot->block, size));
  if (block == NULL) violate("a block was refused");
  if (pattern_difference(block, kept / 8 * 8, seed) != kept / 8 * 8) violate("realloc lost bytes");
  add(slot, block, size, 0);
}

static void ask_size(struct slot *slot, const struct operation *operation)
{
  (void)operation;
  if (!slot->is_live) return;
  check_contents(slot);
  size_t usable = mend_malloc_usable_size(slot->block);
  if (usable < slot->size || (fuzz.level >= 1 && usable > slot->size)) violate("a wrong size");
}

static void trim(struct slot *slot, const struct operation *operation)
{
  (void)slot;
  mend_collect(operation->a % 2 == 0);
}

// ---------------------------------------------------------------------------------------------
// Misuses.

static uint64_t mix(uint64_t sum, const unsigned char *bytes, size_t count)
{
  for (size_t i = 0; i + 8 <= count; i += 8) {
    uint64_t word;
    memcpy(&word, bytes + i, sizeof word);
    sum = (sum ^ word) * UINT64_C(0x100000001b3);
  }
  return sum;
}

// Of all metadata that can be read.
static uint64_t metadata_sum(void)
{
  static unsigned char chunk[CHUNK];
  unsigned char *start = *(unsigned char *const *)mend_root.metadata_start;
  size_t bytes = *(const size_t *)mend_root.metadata_bytes;
  uint64_t sum = 0;
  for (size_t i = 0; i < bytes; i += CHUNK) {
    size_t length = bytes - i < CHUNK ? bytes - i : CHUNK;
    struct iovec here = {chunk, length}, there = {start + i, length};
    ssize_t got = process_vm_readv(getpid(), &here, 1, &there, 1, 0);
    if (got > 0) sum = mix(sum, chunk, (size_t)got);
  }
  return sum;
}

// Writes where the program has no business. What that does to its other blocks is its own doing.
static void scribble(unsigned char *start, size_t bytes, uint8_t value)
{
  uint64_t before = metadata_sum();
  fuzz.progress->has_misused = fuzz.is_tainted = true;
  fuzz.progress->is_in_access = true;
  for (size_t i = 0; i < bytes; i++) ((volatile unsigned char *)start)[i] = value;
  fuzz.progress->is_in_access = false;
  if (metadata_sum() != before) violate("a write behind a block has changed metadata");
  for (struct slot *slot = fuzz.slots; slot < fuzz.slots + SLOTS; slot++) {
    if (slot->is_live && overlap(start, bytes, slot->block, slot->size)) fill(slot);
  }
}

static void overflow(struct slot *slot, const struct operation *operation)
{
  if (!slot->is_live) return;
  scribble(slot->block + slot->size + operation->low % 16, 1 + operation->a % NEAR, operation->b);
}

static void underflow(struct slot *slot, const struct operation *operation)
{
  size_t length = 1 + operation->a % NEAR;
  if (!slot->is_live) return;
  scribble(slot->block - length - operation->low % 16, length, operation->b);
}

static void write_after_free(struct slot *slot, const struct operation *operation)
{
  if (slot->is_live || slot->block == NULL || slot->size == 0) return;
  size_t at = size_of(operation) % slot->size, length = 1 + operation->a % NEAR;
  scribble(slot->block + at, length < slot->size - at ? length : slot->size - at, operation->b);
}

static bool is_live(const void *pointer)
{
  for (const struct slot *slot = fuzz.slots; slot < fuzz.slots + SLOTS; slot++) {
    if (slot->is_live && slot->block == pointer) return true;
  }
  return false;
}

static void misuse(void *pointer, unsigned how, size_t size)
{
  off_t before = told();
  pointer = opaque(pointer);
  fuzz.progress->has_misused = true;
  if (how % 4 == 0) {
    (void)!opaque(mend_realloc(pointer, size + 1));
  } else if (how % 4 == 1) {
    (void)!mend_malloc_usable_size(pointer);
  } else {
    mend_free(pointer);
  }
  if (told() == before) violate("the use of what is no live block was not told");
  fuzz.progress->bad_frees++;
}

static void free_again(struct slot *slot, const struct operation *operation)
{
  if (slot->is_live || slot->block == NULL || is_live(slot->block)) return;
  misuse(slot->block, operation->a, slot->size);
}

static void free_arbitrary(struct slot *slot, const struct operation *operation)
{
  static unsigned char global[256];
  unsigned char local[256];
  size_t size = size_of(operation);
  uintptr_t start = (uintptr_t)slot->block;
  if (operation->b % 8 == 0) start = (uintptr_t)global;
  if (operation->b % 8 == 1) start = (uintptr_t)local;
  if (operation->b % 8 == 2) start = *(const uintptr_t *)mend_root.metadata_start;
  if (operation->b % 8 == 3) start = size;
  void *pointer = (void *)(operation->a % 2 == 0 ? start + size : start - size / 16 * 16);
  if (start == 0 || pointer == NULL || is_live(pointer)) return;
  misuse(pointer, operation->a / 2, 100);
}

static void free_with_wrong_size(struct slot *slot, const struct operation *operation)
{
  size_t wrong = size_of(operation);
  if (!slot->is_live || wrong == slot->size || fuzz.level < 1) return;
  off_t before = told();
  fuzz.progress->has_misused = true;
  mend_free_sized(slot->block, wrong);
  if (told() == before) violate("a wrong size was not told");
  slot->is_live = mend_malloc_usable_size(slot->block) == slot->size;
}

// Right operations are the common ones.
static void (*const actions[])(struct slot *, const struct operation *) = {
    allocate,   allocate,       allocate,  release,
    release,    release,        resize,    ask_size,
    trim,       overflow,       underflow, write_after_free,
    free_again, free_arbitrary, allocate,  free_with_wrong_size};

static int number_of(const char *name, int otherwise)
{
  const char *text = getenv(name);
  return text == NULL ? otherwise : text[0] - '0';
}

void fuzz_play(const uint8_t *input, size_t bytes, struct fuzz_progress *progress, int messages)
{
  fuzz.progress = progress;
  fuzz.messages = messages;
  fuzz.level = number_of("MEND_HARDEN", 2);
  for (size_t i = 0; i + FUZZ_OPERATION_BYTES <= bytes; i += FUZZ_OPERATION_BYTES) {
    struct operation operation;
    memcpy(&operation, input + i, sizeof operation);
    progress->operation = (unsigned)(i / FUZZ_OPERATION_BYTES);
    size_t action = operation.action % (sizeof actions / sizeof actions[0]);
    actions[action](&fuzz.slots[operation.slot % SLOTS], &operation);
  }
  progress->operation++;
  for (const struct slot *slot = fuzz.slots; slot < fuzz.slots + SLOTS; slot++) {
    if (slot->is_live) check_contents(slot);
  }
}
