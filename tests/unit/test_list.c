// SPDX-License-Identifier: MIT
//
// The list against an array that is kept in the same order by moving its elements.
#include "../support/suite.h"

#include <string.h>

#include "base/list.h"

enum { NODES = 40, STEPS = 20000 };

struct item {
  int before;  // so that the link is not at the start
  struct list link;
};

struct model {
  struct item *items[NODES];
  size_t count;
};

static void model_insert(struct model *model, size_t at, struct item *item)
{
  memmove(&model->items[at + 1], &model->items[at], (model->count - at) * sizeof model->items[0]);
  model->items[at] = item;
  model->count++;
}

static size_t model_find(const struct model *model, const struct item *item)
{
  size_t at = 0;
  while (at < model->count && model->items[at] != item) at++;
  return at;
}

static void model_remove(struct model *model, size_t at)
{
  model->count--;
  memmove(&model->items[at], &model->items[at + 1], (model->count - at) * sizeof model->items[0]);
}

static void assert_same(const struct list *head, const struct model *model)
{
  const struct list *forwards = head;
  const struct list *backwards = head;
  assert_int_equal(list_is_empty(head), model->count == 0);
  for (size_t i = 0; i < model->count; i++) {
    forwards = forwards->next;
    backwards = backwards->prev;
    assert_ptr_equal(forwards, &model->items[i]->link);
    assert_ptr_equal(backwards, &model->items[model->count - 1 - i]->link);
  }
  assert_ptr_equal(forwards->next, head);
  assert_ptr_equal(backwards->prev, head);
}

static void a_new_list_is_empty(void **state)
{
  (void)state;
  struct list head;
  list_init(&head);
  assert_same(&head, &(struct model){.count = 0});
}

static void a_node_knows_whether_it_is_in_a_list(void **state)
{
  (void)state;
  struct list head;
  struct item item = {0};
  list_init(&head);
  assert_false(list_contains_node(&item.link));
  list_push_back(&head, &item.link);
  assert_true(list_contains_node(&item.link));
  list_remove(&item.link);
  assert_false(list_contains_node(&item.link));
  assert_true(list_is_empty(&head));
}

static void the_structure_around_a_link_is_found(void **state)
{
  (void)state;
  struct item item;
  assert_ptr_equal(CONTAINER_OF(&item.link, struct item, link), &item);
}

static void random_pushes_and_removals_keep_the_order(void **state)
{
  (void)state;
  static struct item items[NODES];
  struct random random = {random_seed()};
  struct model model = {.count = 0};
  struct list head;
  list_init(&head);
  for (unsigned i = 0; i < STEPS; i++) {
    struct item *item = &items[random_below(&random, NODES)];
    size_t at = model_find(&model, item);
    assert_int_equal(list_contains_node(&item->link), at < model.count);
    if (at < model.count) {
      list_remove(&item->link);
      model_remove(&model, at);
    } else if (random_below(&random, 2) == 0) {
      list_push_front(&head, &item->link);
      model_insert(&model, 0, item);
    } else {
      list_push_back(&head, &item->link);
      model_insert(&model, model.count, item);
    }
    assert_same(&head, &model);
  }
}

int main(void)
{
  static const struct CMUnitTest tests[] = {
      cmocka_unit_test(a_new_list_is_empty),
      cmocka_unit_test(a_node_knows_whether_it_is_in_a_list),
      cmocka_unit_test(the_structure_around_a_link_is_found),
      cmocka_unit_test(random_pushes_and_removals_keep_the_order),
  };
  return SUITE_RUN(tests);
}
