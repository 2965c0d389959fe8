// SPDX-License-Identifier: MIT
//
// P1: a block is freed a second time, so that it is handed out twice. Nothing of the block's class
// is allocated between the two frees: what was, and got the address, would be freed rightly.
#include <pthread.h>
#include <stdatomic.h>

#include "cases.h"

enum { OTHERS = 400 };

const char *const double_free_ways[] = {"direct",  "interleaved", "delayed", "emptied",
                                        "trimmed", "written",     "fourth",  NULL};
const char *const double_free_threads[] = {"second_elsewhere",
                                           "first_elsewhere",
                                           "both_elsewhere",
                                           "two_threads",
                                           "made_elsewhere",
                                           "race",
                                           NULL};
const char *const double_free_forks[] = {"second_in_child", "both_in_child", "thread_of_child",
                                         NULL};
const char *const double_free_reallocs[] = {"old_after_move", "after_zero", "moved_then_twice",
                                            "shrunk_then_twice", NULL};

static void *some_block(size_t size)
{
  return source_allocate(BY_MALLOC, size);
}

// Blocks of the size, freed before or behind the one that matters.
static size_t others_for(size_t size)
{
  size_t count = 16 * MIB / size;
  return count < OTHERS ? count : OTHERS;
}

static _Noreturn void free_again(void *block, size_t size)
{
  use_pointer(USE_FREE, block, size);
  oracle_judge(size);
}

static void free_among_others(void *block, size_t size, bool is_last)
{
  void *others[OTHERS];
  size_t count = others_for(size);
  for (size_t i = 0; i < count; i++) others[i] = some_block(size);
  if (is_last) {
    for (size_t i = 0; i < count; i++) free(others[i]);
    free(block);
  } else {
    free(block);
    for (size_t i = 0; i < count; i++) free(others[i]);
  }
}

void run_double_free(const struct attack *attack)
{
  size_t size = attack->size;
  void *block = some_block(size), *neighbour = some_block(size);
  if (attack_way_is(attack, "delayed")) {
    free_among_others(block, size, false);
  } else if (attack_way_is(attack, "emptied") || attack_way_is(attack, "trimmed")) {
    free(neighbour);
    free_among_others(block, size, true);
    if (attack_way_is(attack, "trimmed")) malloc_trim(0);
  } else {
    free(block);
  }
  if (attack_way_is(attack, "interleaved")) free(neighbour);
  // Where it can be: large blocks, and guarded ones, are inaccessible.
  if (attack_way_is(attack, "written") && size <= 60000 && attack_level() < 4) {
    attack_access();
    memset(opaque(block), 0x41, size);  // the marks of who looks for them in the block
  }
  if (attack_way_is(attack, "fourth")) {
    void *more[2] = {some_block(size + size / 2), some_block(2 * size)};
    free(more[0]);
    free(more[1]);
  }
  free_again(block, size);
}

static void free_it(void *block)
{
  free(block);
}

static void free_by_misuse(void *block)
{
  use_pointer(USE_FREE, block, 0);
}

struct made {
  void *block;
  size_t size;
};

static void make(void *argument)
{
  struct made *made = argument;
  made->block = some_block(made->size);
}

static pthread_barrier_t starting_line;

static void *race_to_free(void *block)
{
  pthread_barrier_wait(&starting_line);
  free(block);
  return NULL;
}

static _Noreturn void run_race(size_t size)
{
  CHECK(pthread_barrier_init(&starting_line, NULL, 2) == 0);
  void *block = some_block(size);
  attack_misuse();
  threads_run(2, race_to_free, block, 0);
  oracle_judge(size);
}

static void free_twice_elsewhere(void *block)
{
  free(block);
  free_by_misuse(block);
}

void run_double_free_threads(const struct attack *attack)
{
  struct made made = {NULL, attack->size};
  if (attack_way_is(attack, "race")) run_race(attack->size);
  if (attack_way_is(attack, "made_elsewhere")) {
    attack_in_thread(make, &made);
  } else {
    make(&made);
  }
  if (attack_way_is(attack, "both_elsewhere")) {
    attack_in_thread(free_twice_elsewhere, made.block);
    oracle_judge(attack->size);
  }
  bool is_first_here =
      attack_way_is(attack, "second_elsewhere") || attack_way_is(attack, "made_elsewhere");
  if (is_first_here) {
    free(made.block);
  } else {
    attack_in_thread(free_it, made.block);
  }
  if (attack_way_is(attack, "first_elsewhere")) free_again(made.block, attack->size);
  attack_in_thread(free_by_misuse, made.block);
  oracle_judge(attack->size);
}

void run_double_free_fork(const struct attack *attack)
{
  void *block = some_block(attack->size);
  if (attack_way_is(attack, "second_in_child")) free(block);
  attack_continue_in_fork();
  if (!attack_way_is(attack, "second_in_child")) free(block);
  if (attack_way_is(attack, "thread_of_child")) {
    attack_in_thread(free_by_misuse, block);
    oracle_judge(attack->size);
  }
  free_again(block, attack->size);
}

void run_double_free_realloc(const struct attack *attack)
{
  size_t size = attack->size;
  char *block = some_block(size);
  if (attack_way_is(attack, "after_zero")) {
    (void)!opaque(realloc(block, 0));
    free_again(block, size);
  }
  if (attack_way_is(attack, "shrunk_then_twice")) {
    char *shrunk = opaque(realloc(block, size - size / 8));
    free(shrunk);
    free_again(shrunk, size);
  }
  char *barrier = some_block(size);
  char *moved = opaque(realloc(block, 8 * size + 100000));
  CHECK(moved != NULL && barrier != NULL);
  if (attack_way_is(attack, "moved_then_twice")) {
    free(moved);
    free_again(moved, size);
  }
  if (moved == block) attack_cannot("realloc has not moved the block");
  free_again(block, size);
}

void run_double_free_source(const struct attack *attack)
{
  enum source source = (enum source)attack->way;
  void *block = source_allocate(source, attack->size);
  source_release(source, block);
  attack_misuse();
  source_release(source, opaque(block));
  oracle_judge(attack->size);
}

// Whatever is done with a pointer to a freed block is as bad.
void run_use_of_freed(const struct attack *attack)
{
  void *block = some_block(attack->size);
  free(block);
  use_pointer((enum use)attack->way, block, attack->size);
  oracle_judge(attack->size);
}
