// SPDX-License-Identifier: MIT
//
// A random graph of blocks: each holds addresses of others, anywhere in them and at any word, among
// words that are no addresses.
#ifndef TESTS_UNIT_GRAPH_H
#define TESTS_UNIT_GRAPH_H

#include "leaks.h"

struct graph {
  size_t count;
  size_t edge_count;
  char **blocks;
  size_t *sizes;
  size_t (*edges)[2];  // from, to
};

// The memory is the graph's owner's: blocks alone are mend's.
static inline void graph_make(struct graph *graph, struct random *random, size_t count,
                              size_t edge_count, size_t most_bytes)
{
  *graph = (struct graph){.count = count, .edge_count = edge_count};
  graph->blocks = calloc(count, sizeof *graph->blocks);
  graph->sizes = calloc(count, sizeof *graph->sizes);
  graph->edges = calloc(edge_count, sizeof *graph->edges);
  CHECK(graph->blocks != NULL && graph->sizes != NULL && graph->edges != NULL);
  for (size_t i = 0; i < count; i++) {
    graph->sizes[i] = 512 + random_below(random, most_bytes) / 8 * 8;
    graph->blocks[i] = mend_malloc(graph->sizes[i]);
    CHECK(graph->blocks[i] != NULL);
    memset(graph->blocks[i], 0, mend_malloc_usable_size(graph->blocks[i]));
    for (size_t j = 0; j < 3; j++) {
      uint64_t number = random_next(random) >> 40;
      memcpy(graph->blocks[i] + random_below(random, 64) * 8, &number, sizeof number);
    }
  }
  size_t *places = calloc(count, sizeof *places);
  for (size_t i = 0; i < edge_count; i++) {
    size_t from = random_below(random, count);
    size_t to = random_below(random, count);
    // The last word of some, the first ones of others: none twice.
    size_t words = graph->sizes[from] / 8;
    size_t place = places[from]++;
    CHECK(place < words);
    char *target = graph->blocks[to] + 1 + random_below(random, graph->sizes[to] - 1);
    memcpy(graph->blocks[from] + (words - 1 - place) * 8, &target, sizeof target);
    graph->edges[i][0] = from;
    graph->edges[i][1] = to;
  }
  free(places);
}

static inline void graph_free(struct graph *graph)
{
  for (size_t i = 0; i < graph->count; i++) mend_free(graph->blocks[i]);
  free(graph->blocks);
  free(graph->sizes);
  free(graph->edges);
}

// Adds to a set all that it leads to.
static inline void graph_close(const struct graph *graph, bool *set)
{
  for (bool has_grown = true; has_grown;) {
    has_grown = false;
    for (size_t i = 0; i < graph->edge_count; i++) {
      if (!set[graph->edges[i][0]] || set[graph->edges[i][1]]) continue;
      set[graph->edges[i][1]] = has_grown = true;
    }
  }
}

#endif
