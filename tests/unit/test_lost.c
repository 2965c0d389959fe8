// SPDX-License-Identifier: MIT
//
// How lost blocks hang together, in random graphs against a model that tries each pair; long chains
// and rings; counted objects; sizes.
#include "graph.h"

enum { MOST = 60 };

static bool leads[MOST][MOST];  // over one or more edges

static void close_model(const struct graph *graph)
{
  memset(leads, 0, sizeof leads);
  for (size_t i = 0; i < graph->count; i++) {
    for (size_t j = 0; j < graph->edge_count; j++) {
      if (graph->edges[j][0] == i) leads[i][graph->edges[j][1]] = true;
    }
    graph_close(graph, leads[i]);
  }
}

// The kind of a lost block: what leads to it, and does it lead back?
static enum lost_kind kind_in_model(const struct graph *graph, const bool *reached, size_t i)
{
  bool is_cycle = false;
  for (size_t j = 0; j < graph->count; j++) {
    if (j == i || reached[j] || !leads[j][i]) continue;
    if (!leads[i][j]) return LOST_INDIRECT;
    is_cycle = true;
  }
  return is_cycle ? LOST_CYCLE : LOST_DIRECT;
}

static const struct lost_block *lost_at(const void *block)
{
  for (uint32_t i = 0; i < leaks.lost.count; i++) {
    if (leaks.lost.blocks[i].start == (uintptr_t)block) return &leaks.lost.blocks[i];
  }
  return NULL;
}

static void compare_with_model(struct random *random, size_t count, size_t edges)
{
  struct graph graph;
  bool reached[MOST] = {false};
  graph_make(&graph, random, count, edges, 500);
  close_model(&graph);
  size_t root = random_below(random, count);
  leaks_begin_reach();
  if (random_below(random, 2) == 0) {
    reach_add_word(&leaks.reach, (uintptr_t)graph.blocks[root]);
    reach_follow(&leaks.reach);
    reached[root] = true;
    graph_close(&graph, reached);
  }
  CHECK(lost_find(&leaks.lost, &leaks.reach, &leaks.scratch, NULL));
  for (size_t i = 0; i < count; i++) {
    const struct lost_block *lost = lost_at(graph.blocks[i]);
    CHECK((lost == NULL) == reached[i]);
    if (lost != NULL) CHECK(lost->kind == kind_in_model(&graph, reached, i));
  }
  leaks_end();
  graph_free(&graph);
}

static void kinds_are_those_of_the_model(void **state)
{
  (void)state;
  struct random random = {random_seed()};
  for (size_t i = 0; i < test_scaled(400); i++) {
    size_t count = 1 + random_below(&random, MOST);
    compare_with_model(&random, count, random_below(&random, 2 * count));
  }
}

static size_t count_kind(enum lost_kind kind)
{
  size_t count = 0;
  for (uint32_t i = 0; i < leaks.lost.count; i++) count += leaks.lost.blocks[i].kind == kind;
  return count;
}

enum { LENGTH = 100000 };
static void **chain[LENGTH];

static void chains_and_rings_of_any_length_are_told(void **state)
{
  (void)state;
  for (size_t i = 0; i < LENGTH; i++) {
    chain[i] = mend_zalloc(32);
    if (i > 0) chain[i - 1][1] = chain[i];
  }
  leaks_begin_reach();
  assert_true(lost_find(&leaks.lost, &leaks.reach, &leaks.scratch, NULL));
  assert_int_equal(count_kind(LOST_DIRECT), 1);
  assert_int_equal(count_kind(LOST_INDIRECT), LENGTH - 1);
  leaks_end();
  chain[LENGTH - 1][1] = chain[0];
  leaks_begin_reach();
  assert_true(lost_find(&leaks.lost, &leaks.reach, &leaks.scratch, NULL));
  assert_int_equal(count_kind(LOST_CYCLE), LENGTH);
  leaks_end();
  for (size_t i = 0; i < LENGTH; i++) mend_free(chain[i]);
}

// Blocks whose second word is 1 are counted, and known by their third word.
static uintptr_t counted_of_test(uintptr_t block, size_t bytes)
{
  const uint64_t *words = (const uint64_t *)block;
  return bytes >= 24 && words[1] == 1 ? block + 16 : 0;
}

static void who_holds_his_own_address_is_a_cycle(void **state)
{
  (void)state;
  uintptr_t *blocks[4];
  for (size_t i = 0; i < 4; i++) blocks[i] = mend_zalloc(48);
  blocks[0][0] = (uintptr_t)blocks[0];
  blocks[1][0] = (uintptr_t)blocks[1] + 16;  // such as a short string
  blocks[2][0] = (uintptr_t)blocks[2] + 16;
  blocks[2][1] = 1;
  blocks[3][1] = 1;
  leaks_begin_reach();
  assert_true(lost_find(&leaks.lost, &leaks.reach, &leaks.scratch, counted_of_test));
  assert_int_equal(lost_at(blocks[0])->kind, LOST_CYCLE);
  assert_int_equal(lost_at(blocks[1])->kind, LOST_DIRECT);
  assert_int_equal(lost_at(blocks[2])->kind, LOST_RC_CYCLE);
  assert_int_equal(lost_at(blocks[3])->kind, LOST_DIRECT);
  lost_set_bytes(&leaks.lost, (uintptr_t)blocks[3], 33);
  lost_set_bytes(&leaks.lost, (uintptr_t)blocks[3] + 1, 77);
  assert_int_equal(lost_at(blocks[3])->bytes, 33);
  leaks_end();
  for (size_t i = 0; i < 4; i++) mend_free(blocks[i]);
}

int main(void)
{
  if (TEST_IS_ANNOTATED) {
    return test_cannot_run("what lies behind the end of a block cannot be cleared");
  }
  static const struct CMUnitTest tests[] = {
      cmocka_unit_test(kinds_are_those_of_the_model),
      cmocka_unit_test(chains_and_rings_of_any_length_are_told),
      cmocka_unit_test(who_holds_his_own_address_is_a_cycle),
  };
  return SUITE_RUN(tests);
}
