// SPDX-License-Identifier: MIT
//
// Question: does a thread that frees another thread's block get the rest of its cache line?
//
// Model: Berger et al. (ASPLOS 2000), cache-scratch. The main thread allocates small blocks side
// by side and deals them out to two threads in turn. Each thread frees what it was dealt and
// then allocates and writes blocks of its own: if the dealt block comes back, two threads write
// in one cache line for the rest of their lives. A unit of work is 200 deals.
#include "false_sharing.h"

enum { THREADS = 2, DEALT = 16, STEPS = 20000, DEALS = 200 };

struct hand {
  void *blocks[DEALT];
};

static void *run(void *argument)
{
  struct hand *hand = argument;
  for (size_t i = 0; i < DEALT; i++) block_end(hand->blocks[i]);
  for (size_t step = 0; step < STEPS; step++) block_write_often();
  return NULL;
}

int main(int argc, char **argv)
{
  const size_t deals = work_scale(argc, argv) * DEALS;
  struct hand *hands = table_map(THREADS * sizeof *hands);
  for (size_t deal = 0; deal < deals; deal++) {
    for (size_t i = 0; i < THREADS * DEALT; i++)
      hands[i % THREADS].blocks[i / THREADS] = block_new(SIZE);
    threads_run(THREADS, run, hands, sizeof *hands);
  }
  return ops_report("false_sharing_passive", deals * THREADS * (DEALT + STEPS));
}
