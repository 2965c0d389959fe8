// SPDX-License-Identifier: MIT
//
// Question: does the allocator itself place blocks of two threads in one cache line?
//
// Model: Berger et al., "Hoard: a scalable memory allocator for multithreaded applications"
// (ASPLOS 2000), cache-thrash. Two threads; each allocates an 8-byte block, writes it 100 times
// and frees it, again and again. A shared cache line makes every write a transfer between cores.
#include "false_sharing.h"

enum { THREADS = 2, ROUNDS = 6000000 };

static void *run(void *argument)
{
  const size_t rounds = *(size_t *)argument;
  for (size_t i = 0; i < rounds; i++) block_write_often();
  return NULL;
}

int main(int argc, char **argv)
{
  const size_t rounds = work_scale(argc, argv) * ROUNDS / THREADS;
  size_t shares[THREADS] = {rounds, rounds};
  threads_run(THREADS, run, shares, sizeof *shares);
  return ops_report("false_sharing_active", rounds * THREADS);
}
