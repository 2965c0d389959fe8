// SPDX-License-Identifier: MIT
//
// The operators of C++ in a process without a C++ library: the test plays that library's part, so
// the new-handler and the throwing of bad_alloc can be watched. The library is here as one
// translation unit, as aliases demand.
#include "all.c"

#include "api/operator_delete.c"
#include "api/operator_new.c"

#include "../support/suite.h"

static size_t handler_calls;
static size_t handler_gives_up_after;
static size_t throws;
static jmp_buf after_throw;

static void handle_new(void);
static new_handler current_handler = handle_new;

// As a program's handler: it cannot help, and at last takes itself away.
static void handle_new(void)
{
  handler_calls++;
  if (handler_calls == handler_gives_up_after) current_handler = NULL;
}

new_handler get_new_handler(void)
{
  return current_handler;
}

void throw_bad_alloc(void)
{
  throws++;
  longjmp(after_throw, 1);
}

static const volatile size_t too_much = SIZE_MAX / 2 + 1;

static struct _Unwind_Exception thrown;
static size_t caught;
static size_t caught_ends;

void *begin_catch(void *exception)
{
  caught += exception == &thrown;
  return exception;
}

void end_catch(void)
{
  caught_ends++;
}

// The compiler for musl brings no unwinder along.
#ifdef __GLIBC__
#define HAS_UNWINDER 1
#else
#define HAS_UNWINDER 0
#define _Unwind_RaiseException(exception) ((void)(exception))
#endif

static void handle_by_throwing(void)
{
  handler_calls++;
  _Unwind_RaiseException(&thrown);
  abort();  // nobody catches it
}

// Has handlers below handlers throw.
static void handle_by_asking_again(void)
{
  handler_calls++;
  current_handler = handle_by_throwing;
  assert_null(_ZnwmRKSt9nothrow_t(too_much, NULL));
  assert_int_equal(caught, 1);
  handle_by_throwing();
}

static void plain_forms_give_blocks_of_ours(void **state)
{
  (void)state;
  for (size_t size = 0; size < 200000; size = size * 2 + 1) {
    char *one = _Znwm(size);
    char *two = _Znam(size);
    assert_true(mend_owns(one) && mend_owns(two) && one != two);
    assert_true(mend_malloc_usable_size(one) >= size && is_aligned(two, 16));
    _ZdlPv(one);
    _ZdaPv(two);
  }
}

static void aligned_forms_are_aligned(void **state)
{
  (void)state;
  for (size_t alignment = 8; alignment <= 65536; alignment *= 2) {
    char *blocks[] = {_ZnwmSt11align_val_t(100, alignment), _ZnamSt11align_val_t(100, alignment),
                      _ZnwmSt11align_val_tRKSt9nothrow_t(100, alignment, NULL),
                      _ZnamSt11align_val_tRKSt9nothrow_t(100, alignment, NULL)};
    for (size_t i = 0; i < 4; i++) assert_true(is_aligned(blocks[i], alignment));
    _ZdlPvSt11align_val_t(blocks[0], alignment);
    _ZdaPvSt11align_val_t(blocks[1], alignment);
    _ZdlPvSt11align_val_tRKSt9nothrow_t(blocks[2], alignment, NULL);
    _ZdaPvSt11align_val_tRKSt9nothrow_t(blocks[3], alignment, NULL);
  }
}

static void begin(size_t gives_up_after)
{
  handler_calls = 0;
  throws = 0;
  handler_gives_up_after = gives_up_after;
  current_handler = gives_up_after > 0 ? handle_new : NULL;
}

// Whether the form threw.
static bool throwing_form_throws(size_t form)
{
  if (setjmp(after_throw) != 0) return true;
  void *block = form == 0   ? _Znwm(too_much)
                : form == 1 ? _Znam(too_much)
                : form == 2 ? _ZnwmSt11align_val_t(too_much, 64)
                            : _ZnamSt11align_val_t(too_much, 64);
  (void)opaque(block);
  return false;
}

static void throwing_forms_ask_the_handler_until_it_is_gone_and_throw(void **state)
{
  (void)state;
  for (size_t calls = 0; calls < 4; calls++) {
    for (size_t form = 0; form < 4; form++) {
      begin(calls);
      assert_true(throwing_form_throws(form));
      assert_int_equal(throws, 1);
      assert_int_equal(handler_calls, calls);
    }
  }
}

static void nothrow_forms_ask_the_handler_and_return_null(void **state)
{
  (void)state;
  for (size_t calls = 0; calls < 4; calls++) {
    begin(calls);
    assert_null(_ZnwmRKSt9nothrow_t(too_much, NULL));
    assert_int_equal(handler_calls, calls);
    begin(calls);
    assert_null(_ZnamRKSt9nothrow_t(too_much, NULL));
    assert_int_equal(handler_calls, calls);
    begin(calls);
    assert_null(_ZnwmSt11align_val_tRKSt9nothrow_t(too_much, 64, NULL));
    assert_int_equal(handler_calls, calls);
    assert_int_equal(throws, 0);
  }
}

static void begin_throwing(new_handler handler)
{
  handler_calls = 0;
  caught = 0;
  caught_ends = 0;
  current_handler = handler;
}

static void nothrow_forms_return_null_if_the_handler_throws(void **state)
{
  (void)state;
  if (!HAS_UNWINDER) skip();
  for (size_t form = 0; form < 4; form++) {
    begin_throwing(handle_by_throwing);
    assert_null(form == 0   ? _ZnwmRKSt9nothrow_t(too_much, NULL)
                : form == 1 ? _ZnamRKSt9nothrow_t(too_much, NULL)
                : form == 2 ? _ZnwmSt11align_val_tRKSt9nothrow_t(too_much, 64, NULL)
                            : _ZnamSt11align_val_tRKSt9nothrow_t(too_much, 64, NULL));
    assert_int_equal(handler_calls, 1);
    assert_int_equal(caught, 1);
    assert_int_equal(caught_ends, 1);
  }
}

static void handlers_below_handlers_may_throw(void **state)
{
  (void)state;
  if (!HAS_UNWINDER) skip();
  begin_throwing(handle_by_asking_again);
  assert_null(_ZnwmRKSt9nothrow_t(too_much, NULL));
  assert_int_equal(handler_calls, 3);
  assert_int_equal(caught, 2);
  assert_int_equal(caught_ends, 2);
}

static char *spare;

static void handle_by_freeing(void)
{
  mend_free(spare);
  spare = NULL;
  options.limit = 0;
  current_handler = NULL;
}

static void what_the_handler_frees_can_be_had(void **state)
{
  (void)state;
  begin(0);
  spare = mend_malloc(MIB);
  options.limit = chunk_statistics().used_bytes + MIB;
  current_handler = handle_by_freeing;
  char *block = _Znwm(20 * MIB);
  assert_non_null(block);
  assert_null(spare);
  assert_int_equal(throws, 0);
  _ZdlPv(block);
}

int main(void)
{
  static const struct CMUnitTest tests[] = {
      cmocka_unit_test(plain_forms_give_blocks_of_ours),
      cmocka_unit_test(aligned_forms_are_aligned),
      cmocka_unit_test(throwing_forms_ask_the_handler_until_it_is_gone_and_throw),
      cmocka_unit_test(nothrow_forms_ask_the_handler_and_return_null),
      cmocka_unit_test(nothrow_forms_return_null_if_the_handler_throws),
      cmocka_unit_test(handlers_below_handlers_may_throw),
      cmocka_unit_test(what_the_handler_frees_can_be_had),
  };
  return SUITE_RUN(tests);
}
