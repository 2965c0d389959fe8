// SPDX-License-Identifier: MIT
//
// What the leak check is told by the layers between: the sizes of objects, and at the exit, where
// one look is enough; struct mend_leaks.
#define _GNU_SOURCE 1
#include "../support/suite.h"

#include <string.h>

#include "../support/hidden.h"
#include "api/leaks.h"
#include "mend/handle.h"
#include "mend/smart.h"

enum { OBJECTS = 20 };

static struct hidden lost[OBJECTS];

__attribute__((noinline)) static void lose_objects(void)
{
  for (size_t i = 0; i < OBJECTS; i++) {
    mend_handle handle = mend_handle_alloc(i == 0 ? 300000 : 100 + i);
    CHECK(!mend_handle_is_null(handle));
    lost[i].bits = ~handle.bits;
  }
}

__attribute__((noinline)) static void look(struct mend_leaks *leaks)
{
  *leaks = (struct mend_leaks){.bytes = sizeof *leaks};
  CHECK(leaks_check(leaks, -1, true));
}

static void objects_have_the_sizes_that_were_asked_for(void **state)
{
  (void)state;
  struct mend_leaks leaks;
  lose_objects();
  wipe_stack();
  look(&leaks);
  size_t bytes = 300000;
  for (size_t i = 1; i < OBJECTS; i++) bytes += 100 + i;
  assert_int_equal(leaks.handle_count, OBJECTS);
  assert_int_equal(leaks.handle_bytes, bytes);
  assert_true(leaks.pause_ns > 0 && leaks.check_ns >= leaks.pause_ns);
  for (size_t i = 0; i < OBJECTS; i++) {
    assert_int_equal(mend_handle_free((mend_handle){~opaque_size(lost[i].bits)}), MEND_OK);
  }
}

__attribute__((noinline)) static void lose_rc_self(void)
{
  void **object = mend_rc_new(64, NULL);
  object[3] = object;
  lost[0] = hide(opaque(object));
}

static void a_counted_object_that_holds_itself_is_a_cycle(void **state)
{
  (void)state;
  struct mend_leaks leaks;
  lose_rc_self();
  wipe_stack();
  look(&leaks);
  assert_int_equal(leaks.rc_cycle_count, 1);
  assert_int_equal(leaks.direct_count, 0);
  mend_rc_release(unhide(lost[0]));
  look(&leaks);
  assert_int_equal(leaks.rc_cycle_count, 0);
}

int main(void)
{
  if (test_is_instrumented()) {
    return test_cannot_run("a checker keeps addresses in memory of its own");
  }
  static const struct CMUnitTest tests[] = {
      cmocka_unit_test(objects_have_the_sizes_that_were_asked_for),
      cmocka_unit_test(a_counted_object_that_holds_itself_is_a_cycle),
  };
  return SUITE_RUN(tests);
}
