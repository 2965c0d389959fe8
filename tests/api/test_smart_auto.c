// SPDX-License-Identifier: MIT
//
// Ownership that is bound to a block of statements: what is given back on every way out of it, and
// what mend_take hands on.
#include "../support/suite.h"

#include <errno.h>
#include <string.h>

#include "../support/live.h"
#include "mend/smart.h"

static mend_heap *heap;

static char *make_block(size_t size, bool is_good)
{
  MEND_AUTO_FREE char *block = mend_heap_malloc(heap, size);
  MEND_AUTO_FREE const void *const scratch = mend_heap_malloc(heap, size);
  if (block == NULL || scratch == NULL || !is_good) return NULL;
  memset(block, 1, size);
  return mend_take(&block);
}

static void blocks_are_freed_on_every_way_out(void **state)
{
  (void)state;
  heap = mend_heap_create();
  errno = 4711;
  assert_null(make_block(100, false));
  assert_int_equal(live_blocks(heap), 0);
  char *block = make_block(100, true);
  assert_int_equal(live_blocks(heap), 1);
  assert_int_equal(block[99], 1);
  for (int i = 0; i < 4; i++) {
    MEND_AUTO_FREE int *number = mend_heap_malloc(heap, sizeof *number);
    MEND_AUTO_FREE void *nothing = NULL;
    assert_int_equal(live_blocks(heap), 2);
    if (i == 1) continue;
    if (i == 2) break;
  }
  assert_int_equal(live_blocks(heap), 1);
  mend_free(block);
  assert_int_equal(errno, 4711);
  mend_heap_destroy(heap);
}

static mend_handle make_object(bool is_good)
{
  MEND_AUTO_HANDLE mend_handle handle = mend_handle_alloc(100);
  return is_good ? mend_take(&handle) : MEND_HANDLE_NULL;
}

static void objects_are_freed_unless_they_are_handed_on(void **state)
{
  (void)state;
  mend_handle seen = MEND_HANDLE_NULL;
  errno = 4711;
  {
    MEND_AUTO_HANDLE mend_handle none = MEND_HANDLE_NULL;
    MEND_AUTO_HANDLE mend_handle handle = make_object(true);
    seen = handle;
    assert_int_equal(mend_handle_status(seen), MEND_OK);
  }
  assert_int_equal(mend_handle_status(seen), MEND_STALE);
  assert_true(mend_handle_is_null(make_object(false)));
  assert_int_equal(errno, 4711);
}

static void pins_end_with_their_block(void **state)
{
  (void)state;
  MEND_AUTO_HANDLE mend_handle handle = mend_handle_alloc(100);
  struct mend_pinned kept;
  {
    MEND_AUTO_PIN struct mend_pinned pinned = mend_pin_hold(handle);
    MEND_AUTO_PIN struct mend_pinned again = mend_pin_hold(handle);
    MEND_AUTO_PIN struct mend_pinned none = mend_pin_hold(MEND_HANDLE_NULL);
    assert_non_null(pinned.address);
    assert_ptr_equal(pinned.address, mend_resolve(handle));
    assert_null(none.address);
    assert_true(mend_handle_is_null(none.handle));
    kept = mend_take(&again);
    assert_null(again.address);
  }
  assert_int_equal(mend_unpin(kept.handle), MEND_OK);
  assert_int_equal(mend_unpin(handle), MEND_INVALID);
}

static bool is_in_scope(void)
{
  return mend_defragment(NULL) == MEND_BUSY;
}

static void scopes_end_with_their_block(void **state)
{
  (void)state;
  assert_false(is_in_scope());
  {
    MEND_AUTO_SCOPE;
    {
      MEND_AUTO_SCOPE;
      MEND_AUTO_SCOPE;
      assert_true(is_in_scope());
    }
    assert_true(is_in_scope());
  }
  assert_false(is_in_scope());
}

struct node {
  int value;
};

static size_t ended;

static void node_end(struct node *node)
{
  ended += node->value == 0;  // all that these tests make are
  errno = 4712;
}

static struct node *make_node(bool is_good)
{
  MEND_AUTO_RC struct node *node = mend_rc_make(struct node, node_end);
  MEND_AUTO_RC struct node *const nothing = NULL;
  return is_good ? mend_take(&node) : nothing;
}

static void references_are_given_back_unless_they_are_handed_on(void **state)
{
  (void)state;
  ended = 0;
  errno = 4711;
  assert_null(make_node(false));
  assert_int_equal(ended, 1);
  {
    MEND_AUTO_RC const struct node *node = make_node(true);
    MEND_AUTO_RC const struct node *second = mend_rc_retain(node);
    MEND_AUTO_RC_LOCAL struct node *local = mend_rc_local_make(struct node, node_end);
    MEND_AUTO_RC_LOCAL struct node *nothing = NULL;
    assert_int_equal(mend_rc_count(second), 2);
    assert_int_equal(mend_rc_count(local), 1);
    assert_int_equal(ended, 1);
  }
  assert_int_equal(ended, 3);
  assert_int_equal(errno, 4711);
}

static void take_evaluates_once(void **state)
{
  (void)state;
  char text[] = "text";
  char *texts[] = {text, text + 1};
  char **at = texts;
  assert_ptr_equal(mend_take(at++), text);
  assert_ptr_equal(at, texts + 1);
  assert_null(texts[0]);
  assert_ptr_equal(texts[1], text + 1);
}

int main(void)
{
  static const struct CMUnitTest tests[] = {
      cmocka_unit_test(blocks_are_freed_on_every_way_out),
      cmocka_unit_test(objects_are_freed_unless_they_are_handed_on),
      cmocka_unit_test(pins_end_with_their_block),
      cmocka_unit_test(scopes_end_with_their_block),
      cmocka_unit_test(references_are_given_back_unless_they_are_handed_on),
      cmocka_unit_test(take_evaluates_once),
  };
  return SUITE_RUN(tests);
}
