// SPDX-License-Identifier: MIT
//
// Question: what do blocks cost that a later generation of threads frees?
//
// Model: Larson and Krishnan, "Memory allocation for long-running server applications" (ISMM
// 1998). Two lines of threads; each thread takes over 2,000 live blocks of 10 to 500 bytes,
// replaces a random one at each step, starts its successor with the same blocks and ends.
#include "threads.h"

enum { LINES = 2, SLOTS = 2000, GENERATIONS = 100, STEPS = 50000 };

struct line {
  struct random random;
  size_t generations;
  void **slots;
};

static void *generation_run(void *argument)
{
  struct line *line = argument;
  for (size_t step = 0; step < STEPS; step++) {
    void **slot = &line->slots[random_below(&line->random, SLOTS)];
    block_end(*slot);
    *slot = block_new(random_between(&line->random, 10, 500));
  }
  return NULL;
}

static void *line_run(void *argument)
{
  struct line *line = argument;
  void *stack = table_map(STACK_BYTES);
  for (size_t i = 0; i < line->generations; i++)
    pthread_join(thread_start(stack, generation_run, line), NULL);
  for (size_t i = 0; i < SLOTS; i++) block_end(line->slots[i]);
  return NULL;
}

int main(int argc, char **argv)
{
  const size_t generations = work_scale(argc, argv) * GENERATIONS;
  struct line lines[LINES];
  for (size_t i = 0; i < LINES; i++)
    lines[i] = (struct line){random_seeded(i), generations, table_map(SLOTS * sizeof(void *))};
  threads_run(LINES, line_run, lines, sizeof *lines);
  return ops_report("server_handover", LINES * generations * STEPS);
}
