// SPDX-License-Identifier: MIT
//
// The names of the copying functions, each with a prefix: this process's memcpy stays the C
// library's, and what is asked is where each name leads, below level 3 and from there on.
#include "bounds.h"

#include <dlfcn.h>

#define BOUNDS_NAME(name) renamed_##name
#define COPY(result, name, parameters, arguments) result renamed_##name parameters;
#define FILL(name, parameters, arguments) void renamed_##name parameters;
#include "secure/bounds.def"
#undef COPY
#undef FILL

#include "api/bounds_override.c"

#include "base/options.h"
#include "os/memory.h"

// As at the start of a process with that level, whatever the constructor has found.
static void start_with(uint64_t level)
{
  CHECK(os_memory_permit(&mend_bounds, sizeof mend_bounds));
  memset(&mend_bounds.bytes, 0, sizeof mend_bounds);
  options.harden = level;
  start();
}

static bool has_functions(void)
{
  return dlsym(RTLD_NEXT, "memmove") != NULL;  // else this is a file without a loader
}

// What the checked functions copy and fill with is the C library's: it is fast.
static void check_own_functions(void)
{
  assert_ptr_equal((void *)(uintptr_t)mend_bounds.move, dlsym(RTLD_NEXT, "memmove"));
  assert_ptr_equal((void *)(uintptr_t)mend_bounds.fill, dlsym(RTLD_NEXT, "memset"));
}

// Calls some of the names, which must do what they are called for.
static void call_names(void)
{
  places_set(8, 8);
  memcpy(from_block, "abcdefg", 8);
  CHECK(renamed_memcpy(to_block, from_block, 8) == to_block);
  CHECK(strcmp(to_block, "abcdefg") == 0 && to_block[8] == UNTOUCHED);
  renamed_bzero(to_block, 8);
  CHECK(to_block[0] == 0 && to_block[7] == 0);
  CHECK(renamed_stpcpy(to_block, from_block + 3) == to_block + 4);
  CHECK(__wrap_memset(to_block, 'x', 3) == to_block);
  CHECK(__wrap_memcpy(to_block + 1, "y", 1) == to_block + 1);
  CHECK(__wrap_memmove(to_block + 2, to_block + 1, 1) == to_block + 2);
  CHECK(strcmp(to_block, "xyyg") == 0);
}

static void below_level_3_names_lead_to_the_c_library(void **state)
{
  (void)state;
  if (!has_functions()) skip();
  start_with(2);
  assert_false(mend_bounds.checks);
  check_own_functions();
#define COPY(result, name, parameters, arguments) \
  if (strcmp(#name, "memcpy") != 0) \
    assert_ptr_equal((void *)(uintptr_t)mend_bounds.calls.name, dlsym(RTLD_NEXT, #name));
#define FILL(name, parameters, arguments) COPY(void, name, parameters, arguments)
#include "secure/bounds.def"
#undef COPY
#undef FILL
  // So that programs which were linked with an old memcpy may still let the ranges overlap.
  assert_ptr_equal((void *)(uintptr_t)mend_bounds.calls.memcpy, dlsym(RTLD_NEXT, "memmove"));
  call_names();
}

static void call_too_much(void)
{
  places_set(7, 8);
  (void)renamed_memcpy(to_block, from_block, 8);
}

static void set_unchecked(void)
{
  places_set(7, 0);
  (void)__wrap_memset(to_block, 0, 8);
  (void)__wrap_memcpy(to_block, from_block, 8);
  (void)__wrap_memmove(to_block, from_block, 8);
}

static void from_level_3_on_names_are_checked(void **state)
{
  (void)state;
  start_with(3);
  assert_true(mend_bounds.checks);
  if (has_functions()) check_own_functions();
#define COPY(result, name, parameters, arguments) \
  assert_true((uintptr_t)mend_bounds.calls.name == 0);
#define FILL(name, parameters, arguments) COPY(void, name, parameters, arguments)
#include "secure/bounds.def"
#undef COPY
#undef FILL
  call_names();
  child_check_abort(call_too_much, "mend: overflow by memcpy: ");
  start_with(2);
  child_check(call_too_much);
}

static void copies_of_the_allocator_are_never_checked(void **state)
{
  (void)state;
  start_with(3);
  child_check(set_unchecked);
}

static void write_into_the_table(void)
{
  signal(SIGSEGV, SIG_DFL);  // cmocka's handler would go on with the next test
  mend_bounds.bytes[0] = 1;
}

static void the_table_is_sealed_at_the_start(void **state)
{
  (void)state;
  assert_int_equal(child_run(write_into_the_table).signal_number, SIGSEGV);
}

static void before_the_start_names_work(void **state)
{
  (void)state;
  assert_true(os_memory_permit(&mend_bounds, sizeof mend_bounds));
  memset(&mend_bounds.bytes, 0, sizeof mend_bounds);
  call_names();
}

int main(void)
{
  static const struct CMUnitTest tests[] = {
      cmocka_unit_test(the_table_is_sealed_at_the_start),
      cmocka_unit_test(below_level_3_names_lead_to_the_c_library),
      cmocka_unit_test(from_level_3_on_names_are_checked),
      cmocka_unit_test(copies_of_the_allocator_are_never_checked),
      cmocka_unit_test(before_the_start_names_work),
  };
  return SUITE_RUN(tests);
}
