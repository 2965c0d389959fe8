// SPDX-License-Identifier: MIT
//
// What is reached in random graphs, against a model: all of it and nothing else. Chains of any
// length take no stack; what cannot be read leads nowhere; and how long ten million blocks take
// (the long form).
#define _GNU_SOURCE 1
#include "graph.h"

#include <stdio.h>
#include <sys/mman.h>
#include <time.h>
#include <unistd.h>

#include "os/snapshot.h"

static void compare_with_model(struct random *random, size_t count, size_t edges, size_t roots)
{
  struct graph graph;
  graph_make(&graph, random, count, edges, 3000);
  bool *model = calloc(count, sizeof *model);
  void **words = calloc(roots + 1, sizeof *words);
  for (size_t i = 0; i < roots; i++) {
    size_t which = random_below(random, count);
    model[which] = true;
    words[i] = graph.blocks[which] + random_below(random, graph.sizes[which]);
  }
  graph_close(&graph, model);
  leaks_begin_reach();
  reach_add_range(&leaks.reach, (uintptr_t)words, (uintptr_t)(words + roots), REACH_BLOCK);
  reach_follow(&leaks.reach);
  for (size_t i = 0; i < count; i++) CHECK(leaks_is_reached(graph.blocks[i]) == model[i]);
  leaks_end();
  free(model);
  free(words);
  graph_free(&graph);
}

static void exactly_what_the_model_reaches_is_reached(void **state)
{
  (void)state;
  struct random random = {random_seed()};
  for (size_t i = 0; i < test_scaled(40); i++) {
    size_t count = 1 + random_below(&random, 800);
    compare_with_model(&random, count, random_below(&random, 2 * count), random_below(&random, 9));
  }
}

static void **make_chain(size_t count)
{
  void **first = NULL;
  for (size_t i = 0; i < count; i++) {
    void **block = mend_zalloc(48);
    CHECK(block != NULL);
    block[5] = first;
    first = block;
  }
  return first;
}

static void free_chain(void **block)
{
  while (block != NULL) {
    void **next = block[5];
    mend_free(block);
    block = next;
  }
}

static void chains_of_any_length_are_followed(void **state)
{
  (void)state;
  enum { LENGTH = 300000 };
  void **first = make_chain(LENGTH);
  leaks_begin_reach();
  reach_add_word(&leaks.reach, (uintptr_t)first + 47);
  reach_add_word(&leaks.reach, (uintptr_t)first + 3);
  reach_follow(&leaks.reach);
  size_t reached = 0;
  for (void **at = first; at != NULL; at = at[5]) reached += leaks_is_reached(at);
  leaks_end();
  assert_int_equal(reached, LENGTH);
  free_chain(first);
}

static void what_cannot_be_read_leads_nowhere(void **state)
{
  (void)state;
  if (test_is_instrumented()) return;  // a checker has handlers of its own
  size_t page = (size_t)sysconf(_SC_PAGESIZE);
  char *block = mend_aligned_alloc(page, 4 * page);
  void *before = mend_zalloc(100), *behind = mend_zalloc(100), *inside = mend_zalloc(100);
  memset(block, 0, 4 * page);
  memcpy(block, &before, sizeof before);
  memcpy(block + page + 64, &inside, sizeof inside);
  memcpy(block + 3 * page, &behind, sizeof behind);
  assert_int_equal(mprotect(block + page, page, PROT_NONE), 0);
  leaks_begin_reach();
  os_snapshot_catch_faults();
  reach_add_word(&leaks.reach, (uintptr_t)block);
  reach_follow(&leaks.reach);
  bool are_reached = leaks_is_reached(before) && leaks_is_reached(behind);
  bool is_inside_reached = leaks_is_reached(inside);
  leaks_end();
  assert_int_equal(mprotect(block + page, page, PROT_READ | PROT_WRITE), 0);
  assert_true(are_reached);
  assert_false(is_inside_reached);
  mend_free(block);
  mend_free(before);
  mend_free(behind);
  mend_free(inside);
}

static uintptr_t object_address;

static uintptr_t resolve(uint64_t word)
{
  return word == 0x1234567b ? object_address : 0;
}

static void a_handle_leads_to_its_object(void **state)
{
  (void)state;
  void *block = mend_malloc(100), *other = mend_malloc(100);
  object_address = (uintptr_t)block;
  leaks_begin_reach();
  leaks.reach.handle = resolve;
  reach_add_word(&leaks.reach, 0x1234567c);
  reach_add_word(&leaks.reach, 0x7);
  assert_false(leaks_is_reached(block));
  reach_add_word(&leaks.reach, 0x1234567b);
  assert_true(leaks_is_reached(block) && !leaks_is_reached(other));
  leaks_end();
  mend_free(block);
  mend_free(other);
}

static size_t milliseconds(clock_t time)
{
  return (size_t)((double)time * 1000 / CLOCKS_PER_SEC);
}

// Blocks that lead to each other in a random order.
static void ten_million_blocks_take_seconds(void **state)
{
  (void)state;
  size_t count = getenv("MEND_TEST_LONG") != NULL ? 10000000 : 100000;
  struct random random = {random_seed()};
  void ***blocks = calloc(count, sizeof *blocks);
  for (size_t i = 0; i < count; i++) {
    blocks[i] = mend_malloc(16 + random_below(&random, 80));
    CHECK(blocks[i] != NULL);
    memset(blocks[i], 0, mend_malloc_usable_size(blocks[i]));
  }
  for (size_t i = count - 1; i > 0; i--) {  // a random order
    size_t j = random_below(&random, i + 1);
    void **block = blocks[i];
    blocks[i] = blocks[j];
    blocks[j] = block;
  }
  for (size_t i = 1; i < count; i++) blocks[(i - 1) / 2][i % 2] = blocks[i];
  clock_t begin = clock();  // of this process: the machine may have other work
  leaks_begin_reach();
  reach_add_word(&leaks.reach, (uintptr_t)blocks[1]);
  reach_follow(&leaks.reach);
  clock_t reached = clock();
  assert_true(lost_find(&leaks.lost, &leaks.reach, &leaks.scratch, NULL));
  clock_t sorted = clock();
  printf("%zu blocks: reached in %zu ms, those lost sorted in %zu ms more\n", count,
         milliseconds(reached - begin), milliseconds(sorted - reached));
  assert_in_range(leaks.lost.count, count / 4, count * 3 / 4);
  if (!test_is_instrumented()) assert_true(milliseconds(sorted - begin) < 20000);
  leaks_end();
  for (size_t i = 0; i < count; i++) mend_free(blocks[i]);
  free(blocks);
}

int main(void)
{
  if (TEST_IS_ANNOTATED) {
    return test_cannot_run("what lies behind the end of a block cannot be cleared");
  }
  static const struct CMUnitTest tests[] = {
      cmocka_unit_test(exactly_what_the_model_reaches_is_reached),
      cmocka_unit_test(chains_of_any_length_are_followed),
      cmocka_unit_test(a_handle_leads_to_its_object),
      cmocka_unit_test(ten_million_blocks_take_seconds),
      cmocka_unit_test(what_cannot_be_read_leads_nowhere),
  };
  return SUITE_RUN(tests);
}
