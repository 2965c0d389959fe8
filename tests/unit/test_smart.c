// SPDX-License-Identifier: MIT
//
// Counted objects from inside: what their heads say, how counts end the process where they must
// not go on, and what happens if there is no memory to put destructors off.
#define _GNU_SOURCE 1
#include "../support/suite.h"

#include <errno.h>

#include "base/options.h"
#include "child.h"
#include "core/chunk.h"
#include "mend/smart.h"

static size_t ended;

static void count_end(void *object)
{
  (void)object;
  ended++;
}

static struct mend_rc_head *head_of(const void *object)
{
  return (struct mend_rc_head *)(uintptr_t)object - 1;
}

// ---------------------------------------------------------------------------------------------
// The head, as tools read it: from the start of a block.

struct found {
  const void *object;
  uint64_t destructor;
  size_t times;
};

static bool find(void *block, size_t usable_size, void *argument)
{
  struct found *found = argument;
  uint64_t kind;
  if (usable_size < sizeof(struct mend_rc_head)) return true;
  memcpy(&kind, block, sizeof kind);
  if ((kind & MEND_RC_MARK_BITS) != MEND_RC_MARK) return true;
  const char *object = (char *)block + (UINT64_C(1) << (kind >> 48 & 63));
  if (object != found->object) return true;
  found->times++;
  found->destructor = kind & ((UINT64_C(1) << 48) - 1);
  return true;
}

static void who_visits_blocks_finds_objects(void **state)
{
  (void)state;
  static const size_t alignments[] = {16, 32, 64, 1024, 8192};
  for (size_t i = 0; i < 2 * sizeof alignments / sizeof alignments[0]; i++) {
    bool is_local = i % 2 != 0;
    void *(*make)(size_t, size_t, mend_rc_destructor) =
        is_local ? mend_rc_local_new_aligned : mend_rc_new_aligned;
    struct found found = {make(alignments[i / 2], 100, count_end), 0, 0};
    assert_true(mend_heap_visit(NULL, find, &found));
    assert_int_equal(found.times, 1);
    assert_int_equal(found.destructor, (uintptr_t)count_end);
    assert_int_equal(head_of(found.object)->counts,
                     0x100000001 + (is_local ? UINT64_C(0x8000000080000000) : 0));
    (is_local ? mend_rc_local_release_untyped : mend_rc_release_untyped)(found.object);
  }
}

static void a_destructor_that_has_no_room_is_refused(void **state)
{
  (void)state;
  errno = 0;
  mend_rc_destructor high = (mend_rc_destructor)(uintptr_t)(UINT64_C(1) << 48);
  assert_null(mend_rc_new(10, high));
  assert_int_equal(errno, EINVAL);
}

// ---------------------------------------------------------------------------------------------
// Counts that must not go on.

static void *object;

static void retain(void)
{
  mend_rc_retain(object);
}

static void local_retain(void)
{
  mend_rc_local_retain(object);
}

static void release(void)
{
  mend_rc_release(object);
}

static void local_release(void)
{
  mend_rc_local_release(object);
}

static void weak(void)
{
  CHECK(mend_rc_weak_untyped(object) != NULL);
}

static void local_weak(void)
{
  CHECK(mend_rc_local_weak_untyped(object) != NULL);
}

static void upgrade(void)
{
  CHECK(mend_rc_upgrade_untyped(object) != NULL);
}

static void local_upgrade(void)
{
  CHECK(mend_rc_local_upgrade_untyped(object) != NULL);
}

static void weak_release(void)
{
  mend_rc_weak_release_untyped(object);
}

static void local_weak_release(void)
{
  mend_rc_local_weak_release_untyped(object);
}

static void retain_untyped(void)
{
  CHECK(mend_rc_retain_untyped(object) == object);
}

static void local_retain_untyped(void)
{
  CHECK(mend_rc_local_retain_untyped(object) == object);
}

static void release_untyped(void)
{
  mend_rc_release_untyped(object);
}

static void local_release_untyped(void)
{
  mend_rc_local_release_untyped(object);
}

#define TOO_MANY "too many references to a counted object"
#define OTHER_KIND "use of a counted object as one of the other kind"
#define ENDED "use of a counted object that has ended"
#define WEAK_TOO_MANY "release of a weak reference too many"
#define FINE ""

// What is done to an object with these counts, and what is said of it.
static const struct {
  void (*body)(void);
  bool is_local;
  uint32_t strong, weak;
  const char *message;
} endings[] = {
    {retain, false, 0x3ffffffe, 1, FINE},
    {retain, false, 0x3fffffff, 1, TOO_MANY},
    {retain, false, 0, 2, ENDED},
    {retain, true, 1, 1, OTHER_KIND},
    {local_retain, true, 0x3ffffffe, 1, FINE},
    {local_retain, true, 0x3fffffff, 1, TOO_MANY},
    {local_retain, true, 0, 2, ENDED},
    {local_retain, false, 1, 1, OTHER_KIND},
    {release, false, 0x3fffffff, 1, FINE},
    {release, false, 0, 2, ENDED},
    {release, true, 1, 1, OTHER_KIND},
    {release, true, 2, 1, OTHER_KIND},
    {local_release, true, 0x3fffffff, 1, FINE},
    {local_release, true, 0, 2, ENDED},
    {local_release, false, 1, 1, OTHER_KIND},
    {local_release, false, 2, 1, OTHER_KIND},
    {retain_untyped, false, 1, 1, FINE},
    {retain_untyped, true, 1, 1, OTHER_KIND},
    {local_retain_untyped, true, 1, 1, FINE},
    {local_retain_untyped, false, 1, 1, OTHER_KIND},
    {release_untyped, false, 2, 1, FINE},
    {release_untyped, true, 2, 1, OTHER_KIND},
    {local_release_untyped, true, 2, 1, FINE},
    {local_release_untyped, false, 2, 1, OTHER_KIND},
    {weak, false, 1, 0x3ffffffe, FINE},
    {weak, false, 1, 0x3fffffff, TOO_MANY},
    {weak, false, 0, 2, ENDED},
    {weak, true, 1, 1, OTHER_KIND},
    {local_weak, true, 1, 0x3ffffffe, FINE},
    {local_weak, true, 1, 0x3fffffff, TOO_MANY},
    {local_weak, true, 0, 2, ENDED},
    {local_weak, false, 1, 1, OTHER_KIND},
    {upgrade, false, 0x3ffffffe, 2, FINE},
    {upgrade, false, 0x3fffffff, 2, TOO_MANY},
    {upgrade, true, 1, 2, OTHER_KIND},
    {upgrade, true, 0, 2, OTHER_KIND},
    {local_upgrade, true, 0x3ffffffe, 2, FINE},
    {local_upgrade, true, 0x3fffffff, 2, TOO_MANY},
    {local_upgrade, false, 1, 2, OTHER_KIND},
    {local_upgrade, false, 0, 2, OTHER_KIND},
    {weak_release, false, 1, 2, FINE},
    {weak_release, false, 1, 1, WEAK_TOO_MANY},
    {weak_release, true, 0, 2, OTHER_KIND},
    {local_weak_release, true, 1, 2, FINE},
    {local_weak_release, true, 1, 1, WEAK_TOO_MANY},
    {local_weak_release, false, 0, 2, OTHER_KIND},
};

static void counts_that_cannot_be_end_the_process(void **state)
{
  (void)state;
  for (size_t i = 0; i < sizeof endings / sizeof endings[0]; i++) {
    object = endings[i].is_local ? mend_rc_local_new(100, count_end) : mend_rc_new(100, count_end);
    uint64_t counts = head_of(object)->counts;
    head_of(object)->counts = (endings[i].is_local ? MEND_RC_LOCAL : 0) +
                              ((uint64_t)endings[i].weak << 32) + endings[i].strong;
    struct ending ending = child_run(endings[i].body);
    if (*endings[i].message == '\0') {
      if (ending.exit_code != 0) fail_msg("%zu: %s", i, ending.text);
    } else if (ending.signal_number != SIGABRT || strstr(ending.text, endings[i].message) == NULL) {
      fail_msg("%zu: %s, not %s", i, ending.text, endings[i].message);
    }
    head_of(object)->counts = counts;
    (endings[i].is_local ? mend_rc_local_release_untyped : mend_rc_release_untyped)(object);
  }
}

static void what_has_no_mark_is_no_object(void **state)
{
  (void)state;
  uint64_t *words = mend_zalloc(100);
  object = words + 2;
  struct ending ending = child_run(retain);
  assert_int_equal(ending.signal_number, SIGABRT);
  assert_non_null(strstr(ending.text, "use of what is no counted object, or no longer one"));
  mend_free(words);
}

// ---------------------------------------------------------------------------------------------
// Without memory the destructors that should wait run at once.

enum { CHILDREN = 10000 };
static void *children[CHILDREN];
static size_t refusals;

static bool refuse(size_t size, void *argument)
{
  (void)size, (void)argument;
  refusals++;
  return false;
}

static void release_children(void *unused)
{
  (void)unused;
  for (size_t i = 0; i < CHILDREN; i++) mend_rc_release(children[i]);
}

static void without_memory_destructors_are_not_put_off(void **state)
{
  (void)state;
  struct options before = options;
  void *parent = mend_rc_new(16, release_children);
  for (size_t i = 0; i < CHILDREN; i++) children[i] = mend_rc_new(16, count_end);
  ended = 0;
  refusals = 0;
  options.limit = 1;
  mend_set_out_of_memory(refuse, NULL);
  errno = 4711;
  mend_rc_release(parent);
  assert_int_equal(errno, 4711);
  mend_set_out_of_memory(NULL, NULL);
  options = before;
  assert_int_equal(ended, CHILDREN);
  assert_true(refusals > 0);
}

int main(void)
{
  static const struct CMUnitTest tests[] = {
      cmocka_unit_test(who_visits_blocks_finds_objects),
      cmocka_unit_test(a_destructor_that_has_no_room_is_refused),
      cmocka_unit_test(counts_that_cannot_be_end_the_process),
      cmocka_unit_test(what_has_no_mark_is_no_object),
      cmocka_unit_test(without_memory_destructors_are_not_put_off),
  };
  return SUITE_RUN(tests);
}
