// SPDX-License-Identifier: MIT
//
// Question: how fast and how compact is the heap of a database, many small blocks of which a
// working set turns over?
//
// Model: two threads, each with a shard of 150,000 rows; a row is a key block and a value block.
// Their sizes follow the ETC pool of Atikoglu et al., "Workload analysis of a large-scale key-value
// store" (SIGMETRICS 2012): keys a generalized extreme value distribution (30.80, 8.20, 0.0787),
// values a generalized Pareto distribution (0, 214.5, 0.348), here cut at 8 KiB. A transaction
// builds a result of 200 tuples (the order lines that TPC-C's stock-level transaction reads, clause
// 2.8 of revision 5.11) of 16 to 256 bytes, small ones more often, replaces four random rows (the
// steady turnover of Rumble et al., "Log-structured memory for DRAM-based storage", FAST 2014,
// workload W1 with its sizes spread), and frees the result together.
#include <math.h>

#include "pattern.h"

enum {
  ROWS = 150000,
  RESULT = 200,
  WRITES = 4,
  ROW_BLOCKS = 2,
  DRAWS = 8192,
  TRANSACTIONS = 100000
};

struct shard {
  struct random random;
  size_t transactions;
  void **rows;  // ROW_BLOCKS pointers a row: key, value
};

// Sizes drawn once, so that the load spends its time in the allocator and not in pow().
static uint16_t key_sizes[DRAWS], value_sizes[DRAWS], cell_sizes[DRAWS];

static uint16_t size_clamp(double size, double high)
{
  return (uint16_t)fmin(fmax(size, BLOCK_MIN), high);
}

static void sizes_draw(void)
{
  struct random random = random_seeded(7);
  for (size_t i = 0; i < DRAWS; i++) {
    const double key = pow(-log(random_unit(&random)), -0.078688) - 1;
    key_sizes[i] = size_clamp(30.7984 + 8.20449 / 0.078688 * key, 250);
    const double value = pow(random_unit(&random), -0.348238) - 1;
    value_sizes[i] = size_clamp(214.476 / 0.348238 * value, 8192);
    cell_sizes[i] = (uint16_t)(16 << random_below(&random, 3));
    cell_sizes[i] = (uint16_t)(cell_sizes[i] + random_below(&random, 3 * cell_sizes[i]));
  }
}

static void *block_drawn(struct random *random, const uint16_t *sizes)
{
  return block_new(sizes[random_below(random, DRAWS)]);
}

static void row_replace(struct shard *shard, size_t row)
{
  void **blocks = &shard->rows[row * ROW_BLOCKS];
  block_end(blocks[0]);
  block_end(blocks[1]);
  blocks[0] = block_drawn(&shard->random, key_sizes);
  blocks[1] = block_drawn(&shard->random, value_sizes);
}

static void transaction_run(struct shard *shard)
{
  void *result[RESULT];
  for (size_t i = 0; i < RESULT; i++) result[i] = block_drawn(&shard->random, cell_sizes);
  for (size_t i = 0; i < WRITES; i++) row_replace(shard, random_below(&shard->random, ROWS));
  for (size_t i = 0; i < RESULT; i++) block_end(result[i]);
}

static size_t shard_load(void *worker)
{
  struct shard *shard = worker;
  for (size_t row = 0; row < ROWS; row++) row_replace(shard, row);
  for (size_t i = 0; i < shard->transactions; i++) transaction_run(shard);
  return ROWS * ROW_BLOCKS + shard->transactions * (RESULT + WRITES * ROW_BLOCKS);
}

static void shard_live(void *worker, struct live *live)
{
  const struct shard *shard = worker;
  for (size_t i = 0; i < ROWS * ROW_BLOCKS; i++) live_add_block(live, shard->rows[i]);
}

static void shard_end(void *worker)
{
  const struct shard *shard = worker;
  for (size_t i = 0; i < ROWS * ROW_BLOCKS; i++) block_end(shard->rows[i]);
}

int main(int argc, char **argv)
{
  const struct pattern pattern = {shard_load, shard_live, shard_end};
  struct shard shards[WORKERS];
  sizes_draw();
  for (size_t i = 0; i < WORKERS; i++)
    shards[i] = (struct shard){random_seeded(i), work_scale(argc, argv) * TRANSACTIONS,
                               table_map(ROWS * ROW_BLOCKS * sizeof(void *))};
  return pattern_run(&pattern, shards, sizeof *shards);
}
