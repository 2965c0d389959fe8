// SPDX-License-Identifier: MIT
//
// Question: how fast and how compact is the heap of a program that learns, a few large buffers
// that grow by realloc among many small nodes?
//
// Model: the host side of a training and inference loop, with the mix of lifetimes that Maas et al.
// describe in "Learning-based memory allocation for C++ server workloads" (ASPLOS 2020) and the
// growing key-value caches of Kwon et al., "Efficient memory management for large language model
// serving with PagedAttention" (SOSP 2023). Two threads. A step runs 24 layers forward: each makes
// 100 graph nodes, shapes and operator arguments of 16 to 384 bytes and an activation of 4 to 64
// KiB; then backward: all of it is freed in reverse order. In each step one of 32 sequences gains
// tokens: its cache, 32 KiB to 4 MiB, grows by half through realloc; at 4 MiB the sequence ends and
// another one starts. The list of the step's samples doubles from 4 to 64 KiB. 48 MiB of weights in
// 12 tensors stay.
#include "pattern.h"

enum { LAYERS = 24, NODES = 100, SEQUENCES = 32, STEPS = 3000, WEIGHTS = 12 };
enum { KIB = 1024, MIB = KIB * KIB, CACHE_MIN = 32 * KIB, CACHE_MAX = 4 * MIB };
enum { LIST_MIN = 4 * KIB, LIST_MAX = 64 * KIB, GROUP = NODES + 1 };

struct buffer {
  unsigned char *bytes;
  size_t size;
};

struct learner {
  struct random random;
  size_t steps;
  size_t ops;
  void **graph;              // LAYERS groups: the nodes, then the activation
  struct buffer *sequences;  // the growing caches
  struct buffer *weights;
};

static void buffer_grow(struct learner *learner, struct buffer *buffer, size_t size)
{
  const size_t old = buffer->size;
  unsigned char *bytes = opaque(realloc(buffer->bytes, size));
  if (bytes == NULL) die("realloc returned NULL");
  if (old != 0 && bytes[old - 1] != block_tag(old)) die("realloc lost the last byte");
  touch_pages(bytes, old, size);
  *buffer = (struct buffer){bytes, size};
  learner->ops++;
}

static void buffer_end(struct buffer *buffer)
{
  if (buffer->size != 0 && buffer->bytes[buffer->size - 1] != block_tag(buffer->size))
    die("a buffer was overwritten");
  free(buffer->bytes);
  *buffer = (struct buffer){0};
}

static void graph_forward(struct learner *learner)
{
  for (size_t layer = 0; layer < LAYERS; layer++) {
    void **group = &learner->graph[layer * GROUP];
    for (size_t i = 0; i < NODES; i++) {
      const uint32_t low = (uint32_t)16 << random_below(&learner->random, 4);
      group[i] = block_new(low + random_below(&learner->random, 2 * low));
    }
    group[NODES] = block_new(random_between(&learner->random, 4 * KIB, 64 * KIB));
  }
  learner->ops += LAYERS * GROUP;
}

static void graph_backward(struct learner *learner)
{
  for (size_t i = LAYERS * GROUP; i-- > 0;) block_end(learner->graph[i]);
}

static void sequence_extend(struct learner *learner, struct buffer *cache)
{
  const size_t size = cache->size == 0 ? CACHE_MIN : cache->size + cache->size / 2;
  if (size > CACHE_MAX) buffer_end(cache);
  buffer_grow(learner, cache, size > CACHE_MAX ? CACHE_MIN : size);
}

static void step_run(struct learner *learner)
{
  struct buffer list = {0};
  for (size_t size = LIST_MIN; size <= LIST_MAX; size *= 2) buffer_grow(learner, &list, size);
  graph_forward(learner);
  sequence_extend(learner, &learner->sequences[random_below(&learner->random, SEQUENCES)]);
  graph_backward(learner);
  buffer_end(&list);
}

static size_t learner_load(void *worker)
{
  struct learner *learner = worker;
  for (size_t i = 0; i < WEIGHTS; i++) buffer_grow(learner, &learner->weights[i], 4 * MIB);
  for (size_t i = 0; i < learner->steps; i++) step_run(learner);
  return learner->ops;
}

static void learner_live(void *worker, struct live *live)
{
  const struct learner *learner = worker;
  for (size_t i = 0; i < WEIGHTS; i++)
    live_add(live, learner->weights[i].bytes, learner->weights[i].size);
  for (size_t i = 0; i < SEQUENCES; i++)
    live_add(live, learner->sequences[i].bytes, learner->sequences[i].size);
}

static void learner_end(void *worker)
{
  const struct learner *learner = worker;
  for (size_t i = 0; i < WEIGHTS; i++) buffer_end(&learner->weights[i]);
  for (size_t i = 0; i < SEQUENCES; i++) buffer_end(&learner->sequences[i]);
}

int main(int argc, char **argv)
{
  const struct pattern pattern = {learner_load, learner_live, learner_end};
  struct learner learners[WORKERS];
  for (size_t i = 0; i < WORKERS; i++)
    learners[i] = (struct learner){.random = random_seeded(i),
                                   .steps = work_scale(argc, argv) * STEPS,
                                   .graph = table_map(LAYERS * GROUP * sizeof(void *)),
                                   .sequences = table_map(SEQUENCES * sizeof(struct buffer)),
                                   .weights = table_map(WEIGHTS * sizeof(struct buffer))};
  return pattern_run(&pattern, learners, sizeof *learners);
}
