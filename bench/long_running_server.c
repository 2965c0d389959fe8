// SPDX-License-Identifier: MIT
//
// Question: does memory that one size used serve another size later?
//
// Model: a server whose load changes over its life, after the changing workloads of Rumble,
// Kejriwal and Ousterhout, "Log-structured memory for DRAM-based storage" (FAST 2014). Two threads,
// each with 16 MiB of live blocks; in each of eight phases new blocks have another range of sizes,
// and random old blocks are freed to stay within the 16 MiB. Peak RSS is half of the answer.
#include "threads.h"

enum { THREADS = 2, PHASES = 8, BUDGET = 16 << 20, SLOTS = 1 << 19, BYTES_A_PHASE = 48 << 20 };

struct range {
  uint32_t low, high;
};

static const struct range phases[PHASES] = {{16, 128},   {128, 512}, {1024, 8192},  {48, 256},
                                            {512, 2048}, {24, 64},   {4096, 16384}, {64, 1024}};

struct worker {
  struct random random;
  size_t cycles;
  size_t live_bytes;
  size_t live_count;
  size_t ops;
  void **slots;  // the first live_count are in use
};

static void block_drop_random(struct worker *worker)
{
  const size_t slot = random_below(&worker->random, (uint32_t)worker->live_count);
  worker->live_bytes -= block_size(worker->slots[slot]);
  block_end(worker->slots[slot]);
  worker->slots[slot] = worker->slots[--worker->live_count];
}

static void phase_run(struct worker *worker, struct range range)
{
  for (size_t allocated = 0; allocated < BYTES_A_PHASE; worker->ops++) {
    const size_t size = random_between(&worker->random, range.low, range.high);
    while (worker->live_bytes + size > BUDGET || worker->live_count == SLOTS)
      block_drop_random(worker);
    worker->slots[worker->live_count++] = block_new(size);
    worker->live_bytes += size;
    allocated += size;
  }
}

static void *run(void *argument)
{
  struct worker *worker = argument;
  for (size_t phase = 0; phase < worker->cycles * PHASES; phase++)
    phase_run(worker, phases[phase % PHASES]);
  while (worker->live_count != 0) block_drop_random(worker);
  return NULL;
}

int main(int argc, char **argv)
{
  const size_t cycles = work_scale(argc, argv);
  struct worker workers[THREADS];
  for (size_t i = 0; i < THREADS; i++)
    workers[i] = (struct worker){
        .random = random_seeded(i), .cycles = cycles, .slots = table_map(SLOTS * sizeof(void *))};
  threads_run(THREADS, run, workers, sizeof *workers);
  return ops_report("long_running_server", workers[0].ops + workers[1].ops);
}
