// SPDX-License-Identifier: MIT
//
// Counted objects of both kinds: who ends what, when, and how often.
#include "../support/suite.h"

#include <errno.h>
#include <pthread.h>
#include <string.h>

#include "../support/live.h"
#include "mend/smart.h"

struct node {
  struct node *next;
  struct node *other;
  MEND_WEAK(struct node) back;
  int value;
};

static size_t ended;
static const struct node *ended_last;

static void node_end(struct node *node)
{
  ended++;
  ended_last = node;
  errno = 4712;
  mend_rc_release(node->next);
  mend_rc_release(node->other);
  mend_rc_weak_release(node->back);
}

static void local_end(struct node *node)
{
  ended++;
  ended_last = node;
  errno = 4712;
  mend_rc_local_release(node->next);
  mend_rc_local_release(node->other);
  mend_rc_local_weak_release(node->back);
}

// ---------------------------------------------------------------------------------------------
// Their lives. Each test is there for both kinds.

static void objects_are_zeroed_and_aligned(void **state)
{
  (void)state;
  static const size_t sizes[] = {0, 1, 8, 16, 17, 33, 49, 65, 200, 4080, 4081, 70000, 5000000};
  static const size_t alignments[] = {1, 8, 16, 32, 64, 256, 4096, 65536, 4194304};
  for (size_t i = 0; i < sizeof sizes / sizeof sizes[0]; i++) {
    for (int round = 0; round < 2; round++) {  // the second gets what the first has written to
      char *object = mend_rc_new(sizes[i], NULL);
      char *local = mend_rc_local_new(sizes[i], NULL);
      assert_true(is_aligned(object, 16) && is_zero(object, sizes[i]));
      assert_true(is_aligned(local, 16) && is_zero(local, sizes[i]));
      memset(object, 0xaa, sizes[i]);
      memset(local, 0xaa, sizes[i]);
      mend_rc_release(object);
      mend_rc_local_release(local);
    }
    for (size_t j = 0; j < sizeof alignments / sizeof alignments[0]; j++) {
      char *object = mend_rc_new_aligned(alignments[j], sizes[i], NULL);
      char *local = mend_rc_local_new_aligned(alignments[j], sizes[i], NULL);
      assert_true(is_aligned(object, alignments[j]) && is_zero(object, sizes[i]));
      assert_true(is_aligned(local, alignments[j]) && is_zero(local, sizes[i]));
      memset(object, 0xaa, sizes[i]);
      memset(local, 0xaa, sizes[i]);
      mend_rc_release(object);
      mend_rc_local_release(local);
    }
  }
}

struct wide {
  _Alignas(128) char bytes[100];
};

static void types_keep_their_alignment(void **state)
{
  (void)state;
  struct wide *object = mend_rc_make(struct wide, NULL);
  struct wide *local = mend_rc_local_make(struct wide, NULL);
  assert_true(is_aligned(object, 128) && is_zero(object, sizeof *object));
  assert_true(is_aligned(local, 128) && is_zero(local, sizeof *local));
  assert_true(is_live((char *)object - 128));
  mend_rc_release(object);
  mend_rc_local_release(local);
  assert_false(is_live((char *)object - 128));
  assert_false(is_live((char *)local - 128));
}

static void what_cannot_be_is_refused(void **state)
{
  (void)state;
  static const struct {
    size_t alignment, size;
    int error;
  } cases[] = {
      {0, 10, EINVAL},
      {24, 10, EINVAL},
      {16, SIZE_MAX, ENOMEM},
      {16, SIZE_MAX - 16, ENOMEM},
      {16, SIZE_MAX / 2, ENOMEM},
      {4096, SIZE_MAX - 100, ENOMEM},
      {SIZE_MAX / 2 + 1, 10, ENOMEM},
  };
  for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
    size_t size = opaque_size(cases[i].size);
    errno = 0;
    assert_null(mend_rc_new_aligned(cases[i].alignment, size, NULL));
    assert_int_equal(errno, cases[i].error);
    errno = 0;
    assert_null(mend_rc_local_new_aligned(cases[i].alignment, size, NULL));
    assert_int_equal(errno, cases[i].error);
  }
  errno = 0;
  assert_null(mend_rc_new(opaque_size(SIZE_MAX - 15), NULL));
  assert_int_equal(errno, ENOMEM);
}

static void null_is_allowed(void **state)
{
  (void)state;
  struct node *none = NULL;
  MEND_WEAK(struct node) nowhere = NULL;
  assert_null(mend_rc_retain(none));
  assert_null(mend_rc_local_retain(none));
  assert_null(mend_rc_weak(none));
  assert_null(mend_rc_local_weak(none));
  assert_null(mend_rc_upgrade(nowhere));
  assert_null(mend_rc_local_upgrade(nowhere));
  assert_int_equal(mend_rc_count(none), 0);
  mend_rc_release(none);
  mend_rc_local_release(none);
  mend_rc_weak_release(nowhere);
  mend_rc_local_weak_release(nowhere);
}

static void the_last_reference_ends_the_object_once(void **state)
{
  (void)state;
  ended = 0;
  struct node *node = mend_rc_make(struct node, node_end);
  struct node *const second = mend_rc_retain(node);
  assert_ptr_equal(second, node);
  mend_rc_retain(node);
  assert_int_equal(mend_rc_count(node), 3);
  mend_rc_release(node);
  mend_rc_release(node);
  assert_int_equal(ended, 0);
  assert_int_equal(mend_rc_count(node), 1);
  assert_true(is_live((char *)node - 16));
  mend_rc_release(node);
  assert_int_equal(ended, 1);
  assert_ptr_equal(ended_last, node);
  assert_false(is_live((char *)node - 16));
}

static void the_last_local_reference_ends_the_object_once(void **state)
{
  (void)state;
  ended = 0;
  struct node *node = mend_rc_local_make(struct node, local_end);
  assert_ptr_equal(mend_rc_local_retain(node), node);
  assert_int_equal(mend_rc_count(node), 2);
  mend_rc_local_release(node);
  assert_int_equal(ended, 0);
  assert_true(is_live((char *)node - 16));
  mend_rc_local_release(node);
  assert_int_equal(ended, 1);
  assert_ptr_equal(ended_last, node);
  assert_false(is_live((char *)node - 16));
}

static void weak_references_keep_the_memory_alone(void **state)
{
  (void)state;
  ended = 0;
  struct node *node = mend_rc_make(struct node, node_end);
  MEND_WEAK(struct node) weak = mend_rc_weak(node);
  MEND_WEAK(struct node) second = mend_rc_weak(node);
  assert_int_equal(mend_rc_count(node), 1);
  struct node *strong = mend_rc_upgrade(weak);
  assert_ptr_equal(strong, node);
  mend_rc_release(node);
  assert_int_equal(ended, 0);
  mend_rc_release(strong);
  assert_int_equal(ended, 1);
  assert_null(mend_rc_upgrade(weak));
  mend_rc_weak_release(weak);
  assert_true(is_live((char *)node - 16));
  assert_null(mend_rc_upgrade(second));
  mend_rc_weak_release(second);
  assert_false(is_live((char *)node - 16));
  assert_int_equal(ended, 1);
}

static void weak_local_references_keep_the_memory_alone(void **state)
{
  (void)state;
  ended = 0;
  struct node *node = mend_rc_local_make(struct node, local_end);
  MEND_WEAK(struct node) weak = mend_rc_local_weak(node);
  MEND_WEAK(struct node) second = mend_rc_local_weak(node);
  struct node *strong = mend_rc_local_upgrade(weak);
  assert_ptr_equal(strong, node);
  mend_rc_local_release(node);
  assert_int_equal(ended, 0);
  mend_rc_local_release(strong);
  assert_int_equal(ended, 1);
  assert_null(mend_rc_local_upgrade(weak));
  mend_rc_local_weak_release(weak);
  assert_true(is_live((char *)node - 16));
  assert_null(mend_rc_local_upgrade(second));
  mend_rc_local_weak_release(second);
  assert_false(is_live((char *)node - 16));
}

static void a_weak_reference_that_goes_first_changes_nothing(void **state)
{
  (void)state;
  ended = 0;
  struct node *node = mend_rc_make(struct node, node_end);
  struct node *local = mend_rc_local_make(struct node, local_end);
  mend_rc_weak_release(mend_rc_weak(node));
  mend_rc_local_weak_release(mend_rc_local_weak(local));
  assert_int_equal(mend_rc_count(node), 1);
  assert_int_equal(mend_rc_count(local), 1);
  mend_rc_release(node);
  mend_rc_local_release(local);
  assert_int_equal(ended, 2);
  assert_false(is_live((char *)node - 16));
}

// The names that other languages call: no macro is between, and each is a function of the library.
static const struct {
  void *(*make)(size_t, mend_rc_destructor);
  void *(*retain)(const void *);
  void (*release)(const void *);
  void *(*weak)(const void *);
  void *(*upgrade)(const volatile void *);
  void (*weak_release)(const volatile void *);
} kinds[] = {
    {mend_rc_new, mend_rc_retain_untyped, mend_rc_release_untyped, mend_rc_weak_untyped,
     mend_rc_upgrade_untyped, mend_rc_weak_release_untyped},
    {mend_rc_local_new, mend_rc_local_retain_untyped, mend_rc_local_release_untyped,
     mend_rc_local_weak_untyped, mend_rc_local_upgrade_untyped, mend_rc_local_weak_release_untyped},
};

static void count_end(void *object)
{
  (void)object;
  ended++;
}

static void what_has_no_types_does_the_same(void **state)
{
  (void)state;
  for (size_t i = 0; i < sizeof kinds / sizeof kinds[0]; i++) {
    ended = 0;
    char *object = kinds[i].make(10, count_end);
    void *weak = kinds[i].weak(object);
    assert_ptr_equal(kinds[i].retain(object), object);
    assert_ptr_equal(kinds[i].upgrade(weak), object);
    assert_int_equal(mend_rc_count(object), 3);
    kinds[i].release(object);
    kinds[i].release(object);
    assert_int_equal(mend_rc_count(object), 1);
    assert_int_equal(ended, 0);
    kinds[i].release(object);
    assert_int_equal(ended, 1);
    assert_int_equal(mend_rc_count(weak), 0);
    assert_null(kinds[i].upgrade(weak));
    assert_true(is_live(object - 16));
    kinds[i].weak_release(weak);
    assert_false(is_live(object - 16));
    assert_null(kinds[i].retain(NULL));
    kinds[i].release(NULL);
  }
}

// The destructor sees its object with no strong reference, and cannot have one by a weak one.
static MEND_WEAK(struct node) weak_to_itself;
static bool was_dead;

static void look_at_itself(struct node *node)
{
  ended++;
  was_dead = mend_rc_count(node) == 0 && mend_rc_upgrade(weak_to_itself) == NULL;
  mend_rc_weak_release(weak_to_itself);  // the last one: the memory stays until this has returned
  node->value = 1;
}

static void an_object_is_dead_in_its_destructor(void **state)
{
  (void)state;
  ended = 0;
  struct node *node = mend_rc_make(struct node, look_at_itself);
  weak_to_itself = mend_rc_weak(node);
  mend_rc_release(node);
  assert_true(was_dead);
  assert_int_equal(ended, 1);
  assert_false(is_live((char *)node - 16));
}

// A circle, one of whose references is weak, comes to its end.
static void parents_and_children_may_know_each_other(void **state)
{
  (void)state;
  ended = 0;
  struct node *parent = mend_rc_make(struct node, node_end);
  parent->next = mend_rc_make(struct node, node_end);
  parent->next->back = mend_rc_weak(parent);
  MEND_AUTO_RC struct node *child = mend_rc_retain(parent->next);
  mend_rc_release(parent);
  assert_int_equal(ended, 1);
  assert_null(mend_rc_upgrade(child->back));
  assert_int_equal(mend_rc_count(child), 1);
}

static void errno_is_as_the_destructor_leaves_it(void **state)
{
  (void)state;
  struct node *node = mend_rc_make(struct node, node_end);
  errno = 4711;
  mend_rc_release(mend_rc_retain(node));
  assert_int_equal(errno, 4711);
  mend_rc_release(node);
  assert_int_equal(errno, 4712);
}

// ---------------------------------------------------------------------------------------------
// Objects that end others.

// What an object ends has its destructor called after its own, and before the release returns.
static char order[8];

static void note(struct node *node)
{
  size_t at = strlen(order);
  order[at] = (char)node->value;
  mend_rc_release(node->next);
  mend_rc_release(node->other);
  order[strlen(order)] = '.';
}

static struct node *make_noted(char name, struct node *next, struct node *other)
{
  struct node *node = mend_rc_make(struct node, note);
  node->value = name;
  node->next = next;
  node->other = other;
  return node;
}

static void destructors_do_not_nest(void **state)
{
  (void)state;
  memset(order, 0, sizeof order);
  mend_rc_release(make_noted('a', make_noted('b', NULL, NULL), make_noted('c', NULL, NULL)));
  assert_string_equal(order, "a.c.b.");
}

// Lists of both kinds, with weak references back, in a thread with little stack.
static void *end_long_lists(void *unused)
{
  size_t length = test_scaled(1000000);
  struct node *list = NULL;
  struct node *local = NULL;
  ended = 0;
  for (size_t i = 0; i < length; i++) {
    struct node *node = mend_rc_make(struct node, node_end);
    struct node *local_node = mend_rc_local_make(struct node, local_end);
    if (list != NULL) list->back = mend_rc_weak(node);
    if (local != NULL) local->back = mend_rc_local_weak(local_node);
    node->next = list;
    local_node->next = local;
    list = node;
    local = local_node;
  }
  mend_rc_release(list);
  CHECK(ended == length);
  mend_rc_local_release(local);
  CHECK(ended == 2 * length);
  return unused;
}

static void long_lists_take_no_stack(void **state)
{
  (void)state;
  pthread_t thread;
  pthread_attr_t attributes;
  assert_int_equal(pthread_attr_init(&attributes), 0);
  assert_int_equal(pthread_attr_setstacksize(&attributes, 256 * KIB), 0);
  assert_int_equal(pthread_create(&thread, &attributes, end_long_lists, NULL), 0);
  assert_int_equal(pthread_join(thread, NULL), 0);
  pthread_attr_destroy(&attributes);
}

static struct node *make_tree(unsigned depth)
{
  struct node *node = mend_rc_make(struct node, node_end);
  node->next = depth > 0 ? make_tree(depth - 1) : NULL;
  node->other = depth > 0 ? make_tree(depth - 1) : NULL;
  return node;
}

static void trees_end_whole(void **state)
{
  (void)state;
  ended = 0;
  size_t before = live_blocks(NULL);
  mend_rc_release(make_tree(12));
  assert_int_equal(ended, (1 << 13) - 1);
  assert_int_equal(live_blocks(NULL), before);
}

enum { CHILDREN = 3000 };
struct many {
  struct node *children[CHILDREN];
};

static void many_end(struct many *many)
{
  for (size_t i = 0; i < CHILDREN; i++) mend_rc_release(many->children[i]);
}

static void one_object_may_end_many(void **state)
{
  (void)state;
  for (size_t children = 0; children <= CHILDREN; children = 2 * children + 1) {
    ended = 0;
    size_t before = live_blocks(NULL);
    struct many *many = mend_rc_make(struct many, many_end);
    for (size_t i = 0; i < children; i++) many->children[i] = mend_rc_make(struct node, node_end);
    mend_rc_release(many);
    assert_int_equal(ended, children);
    assert_int_equal(live_blocks(NULL), before);
  }
}

int main(void)
{
  static const struct CMUnitTest tests[] = {
      cmocka_unit_test(objects_are_zeroed_and_aligned),
      cmocka_unit_test(types_keep_their_alignment),
      cmocka_unit_test(what_cannot_be_is_refused),
      cmocka_unit_test(null_is_allowed),
      cmocka_unit_test(the_last_reference_ends_the_object_once),
      cmocka_unit_test(the_last_local_reference_ends_the_object_once),
      cmocka_unit_test(weak_references_keep_the_memory_alone),
      cmocka_unit_test(weak_local_references_keep_the_memory_alone),
      cmocka_unit_test(a_weak_reference_that_goes_first_changes_nothing),
      cmocka_unit_test(what_has_no_types_does_the_same),
      cmocka_unit_test(an_object_is_dead_in_its_destructor),
      cmocka_unit_test(parents_and_children_may_know_each_other),
      cmocka_unit_test(errno_is_as_the_destructor_leaves_it),
      cmocka_unit_test(destructors_do_not_nest),
      cmocka_unit_test(long_lists_take_no_stack),
      cmocka_unit_test(trees_end_whole),
      cmocka_unit_test(one_object_may_end_many),
  };
  return SUITE_RUN(tests);
}
