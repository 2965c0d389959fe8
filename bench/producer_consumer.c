// SPDX-License-Identifier: MIT
//
// Question: what does a block cost that one thread allocates and another one frees?
//
// Model: one producer, one consumer, messages of 16 to 512 bytes through a bounded queue (ring.h).
// No block is ever freed by the thread that allocated it, so all memory has to find its way back.
#include "ring.h"

enum { ROUNDS = 8000000 };

struct end {
  struct ring *ring;
  size_t count;
  bool producer;
};

static void produce(struct ring *ring, size_t count)
{
  struct random random = random_seeded(4);
  for (size_t i = 0; i < count; i++) {
    void *message = block_new(random_between(&random, 16, 512));
    while (!ring_push(ring, message)) sched_yield();
  }
  ring_publish(ring);
}

static void consume(struct ring *ring, size_t count)
{
  for (size_t i = 0; i < count; i++) {
    void *message;
    while (!ring_pop(ring, &message)) sched_yield();
    block_end(message);
  }
}

static void *run(void *argument)
{
  const struct end *end = argument;
  (end->producer ? produce : consume)(end->ring, end->count);
  return NULL;
}

int main(int argc, char **argv)
{
  const size_t ops = work_scale(argc, argv) * ROUNDS;
  struct ring *ring = table_map(sizeof *ring);
  struct end ends[] = {{ring, ops, true}, {ring, ops, false}};
  threads_run(2, run, ends, sizeof *ends);
  return ops_report("producer_consumer", ops);
}
