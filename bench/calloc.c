// SPDX-License-Identifier: MIT
//
// Question: what does zeroed memory cost, and is memory zeroed that is zero already?
//
// Model: one thread with 1,000 live blocks. Of 256 callocs 239 take 16 to 1024 bytes (objects),
// 16 take 4 to 64 KiB (buffers) and one takes 1 MiB (a hash table, one of 16, the oldest replaced;
// it gets an entry in each os page). Random slots are replaced; first, middle and last byte, and
// each place that gets an entry, must read zero.
#include "common.h"

enum { SLOTS = 1000, TABLES = 16, MIB = 1024 * 1024, ROUNDS = 1500000 };

static void *zeroed_new(size_t size)
{
  unsigned char *block = opaque(calloc(size / 8, 8));
  if (block == NULL) die("calloc returned NULL");
  if (block[0] != 0 || block[size / 2] != 0 || block[size - 1] != 0) die("calloc is not zero");
  return block_mark(block, size);
}

static void *table_new(void)
{
  unsigned char *table = zeroed_new(MIB);
  for (size_t at = OS_PAGE; at < MIB; at += OS_PAGE) {
    if (table[at] != 0) die("calloc is not zero");
    table[at] = 1;
  }
  return table;
}

static size_t size_of_step(struct random *random, size_t step)
{
  const uint32_t low = step % 16 == 1 ? 512 : 2;
  const uint32_t high = step % 16 == 1 ? 8192 : 128;
  return 8 * random_between(random, low, high);
}

int main(int argc, char **argv)
{
  const size_t ops = work_scale(argc, argv) * ROUNDS;
  struct random random = random_seeded(5);
  void **slots = table_map((SLOTS + TABLES) * sizeof *slots);
  for (size_t i = 0; i < ops; i++) {
    const bool is_table = i % 256 == 0;
    void **slot =
        is_table ? &slots[SLOTS + i / 256 % TABLES] : &slots[random_below(&random, SLOTS)];
    block_end(*slot);
    *slot = is_table ? table_new() : zeroed_new(size_of_step(&random, i));
  }
  for (size_t i = 0; i < SLOTS + TABLES; i++) block_end(slots[i]);
  return ops_report("calloc", ops);
}
