// SPDX-License-Identifier: MIT
//
// P4 and P7: a write that leaves its block, upwards or downwards, and what becomes of that when the
// block, or its neighbour, is freed.
#include "cases.h"

const char *const overflow_ways[] = {"one_byte", "nul", "eight", "sixty_four", NULL};
const char *const underflow_ways[] = {"one_byte", "eight", "sixty_four", NULL};
const char *const overflow_frees[] = {"elsewhere", "in_child", "realloc", "realloc_zero", NULL};
const char *const slack_ways[] = {"behind_eight", "behind_sixteen", NULL};
const char *const sweep_ways[] = {"eight", "sixty_four", NULL};
const char *const long_ways[] = {"up", "down", NULL};
const char *const large_edges[] = {"size_before", "far_before", "far_behind", NULL};

enum { BLOCKS = 32, LONGEST = 4 << 20, FAR = 128 << 10 };

static size_t length_of(const struct attack *attack)
{
  if (attack_way_is(attack, "eight")) return 8;
  return attack_way_is(attack, "sixty_four") ? 64 : 1;
}

// One byte is turned, so that it surely changes; NUL is written where it changes something.
static void write_over(const struct attack *attack, volatile char *at)
{
  size_t length = length_of(attack);
  attack_access();
  if (attack_way_is(attack, "nul")) {
    *at = '\0';
  } else if (length == 1) {
    *at = (char)~*at;
  } else {
    for (size_t i = 0; i < length; i++) at[i] = 'A';
  }
}

static char *find_block(const struct attack *attack)
{
  char *block = NULL;
  for (size_t i = 0; i < BLOCKS; i++) {
    block = source_allocate(BY_MALLOC, attack->size);
    if (!attack_way_is(attack, "nul")) break;
    attack_access();
    if (*(volatile char *)(block + attack->size) != '\0') break;
  }
  return block;
}

void run_overflow(const struct attack *attack)
{
  bool is_down = attack->threat->ways == underflow_ways;
  char *block = find_block(attack);
  memset(block, 'a', attack->size);
  write_over(attack, is_down ? block - length_of(attack) : block + attack->size);
  use_pointer(USE_FREE, block, attack->size);
  oracle_judge(attack->size);
}

static void turn(char *at)
{
  attack_access();
  *(volatile char *)at = (char)~*(volatile char *)at;
}

void run_overflow_source(const struct attack *attack)
{
  enum source source = (enum source)attack->way;
  char *block = source_allocate(source, attack->size);
  turn(block + attack->size);
  attack_misuse();
  source_release(source, block);
  oracle_judge(attack->size);
}

static void free_by_misuse(void *block)
{
  use_pointer(USE_FREE, block, 0);
}

void run_overflow_freed(const struct attack *attack)
{
  char *block = source_allocate(BY_MALLOC, attack->size);
  turn(block + attack->size);
  if (attack_way_is(attack, "elsewhere")) attack_in_thread(free_by_misuse, block);
  if (attack_way_is(attack, "in_child")) {
    attack_continue_in_fork();
    free_by_misuse(block);
  }
  if (attack_way_is(attack, "realloc")) use_pointer(USE_REALLOC, block, 4 * attack->size);
  if (attack_way_is(attack, "realloc_zero")) use_pointer(USE_REALLOC_ZERO, block, 0);
  oracle_judge(attack->size);
}

// Not the first bytes behind the block, which a canary holds, but what is behind them.
void run_slack(const struct attack *attack)
{
  char *block = source_allocate(BY_MALLOC, attack->size);
  turn(block + attack->size + (attack_way_is(attack, "behind_eight") ? 8 : 16));
  use_pointer(USE_FREE, block, attack->size);
  oracle_judge(attack->size);
}

// Two blocks of which none is nearer to the other: the lower one's index, and the upper one's.
static bool find_neighbours(char *const *blocks, size_t count, size_t *lower, size_t *upper)
{
  size_t least = SIZE_MAX;
  for (size_t i = 0; i < count; i++) {
    for (size_t j = 0; j < count; j++) {
      size_t distance = (size_t)(blocks[j] - blocks[i]);
      if (blocks[j] <= blocks[i] || distance >= least) continue;
      least = distance;
      *lower = i;
      *upper = j;
    }
  }
  return least < 4096;
}

// The lower block is never freed: its neighbour is.
void run_sweep(const struct attack *attack)
{
  enum { COUNT = 600 };
  static char *blocks[COUNT];
  size_t lower = 0, upper = 0;
  for (size_t i = 0; i < COUNT; i++) blocks[i] = source_allocate(BY_MALLOC, attack->size);
  if (!find_neighbours(blocks, COUNT, &lower, &upper)) attack_cannot("no two are neighbours");
  write_over(attack, blocks[lower] + attack->size);
  use_pointer(USE_FREE, blocks[upper], attack->size);
  oracle_judge(attack->size);
}

// On and on, until something stops it.
void run_overflow_long(const struct attack *attack)
{
  volatile char *block = source_allocate(BY_MALLOC, attack->size);
  attack_access();
  for (size_t i = 0; i < LONGEST; i++) {
    if (attack_way_is(attack, "up")) {
      block[attack->size + i] = 'A';
    } else {
      *(block - 1 - i) = 'A';
    }
  }
  attack_neutralised();
}

void run_overread(const struct attack *attack)
{
  // A guarded block ends at a guard, or, by chance, begins at one: of many some end there.
  enum { MANY = 32 };
  for (int i = 0; i < MANY; i++) {
    volatile char *block = source_allocate(BY_MALLOC, attack->size);
    attack_access();
    (void)block[attack->size];
  }
  attack_neutralised();
}

// P7: what an allocator with headers would take for the size of a mapping; or far from the block.
void run_large_edge(const struct attack *attack)
{
  size_t size = attack->size;
  oracle_watch(source_allocate(BY_MALLOC, size), size);
  char *block = source_allocate(BY_MALLOC, size);
  oracle_watch(source_allocate(BY_MALLOC, size), size);
  attack_access();
  if (attack_way_is(attack, "size_before")) {
    size_t lie = ((2 * size + 0xfff) & ~(size_t)0xfff) | 2;
    memset(opaque(block - 64), 0, 64);
    memcpy(opaque(block - sizeof lie), &lie, sizeof lie);
  } else if (attack_way_is(attack, "far_before")) {
    *(volatile char *)(block - 4096) = 'A';
  } else {
    for (size_t i = 0; i < FAR; i += 4096) *(volatile char *)(block + size + 8 + i) = 'A';
  }
  use_pointer(USE_FREE, block, size);
  oracle_judge(size);
}
