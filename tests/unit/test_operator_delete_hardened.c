// SPDX-License-Identifier: MIT
//
// The operators delete of the hardened build, by their mangled names, as a C++ compiler calls them:
// each takes what the operator new that belongs to it has made, and tells of every other block, of
// each wrong size and each wrong alignment.
//
// linked with: mend_units_hardened
#define _GNU_SOURCE 1
#include "child.h"
#include "deleters.h"

#include "api/operator_new.c"
#include "core/registry.h"
#include "os/sealed.h"

enum { SIZE = 100, ALIGNED = 64 };

static void *make(enum maker maker, size_t size)
{
  switch (maker) {
  case BY_MALLOC:
    return mend_malloc(size);
  case BY_MEMALIGN:
    return mend_memalign(ALIGNED, size);
  case BY_NEW:
    return _Znwm(size);
  case BY_NEW_ALIGNED:
    return _ZnwmSt11align_val_t(size, ALIGNED);
  case BY_ARRAY:
    return _Znam(size);
  default:
    return _ZnamSt11align_val_t(size, ALIGNED);
  }
}

static void *make_without_throwing(enum maker maker, size_t size)
{
  switch (maker) {
  case BY_NEW:
    return _ZnwmRKSt9nothrow_t(size, NULL);
  case BY_NEW_ALIGNED:
    return _ZnwmSt11align_val_tRKSt9nothrow_t(size, ALIGNED, NULL);
  case BY_ARRAY:
    return _ZnamRKSt9nothrow_t(size, NULL);
  default:
    return _ZnamSt11align_val_tRKSt9nothrow_t(size, ALIGNED, NULL);
  }
}

static bool is_aligned_maker(enum maker maker)
{
  return maker == BY_MEMALIGN || maker == BY_NEW_ALIGNED || maker == BY_ARRAY_ALIGNED;
}

// ---------------------------------------------------------------------------------------------

static const size_t sizes[] = {0, 1, 24, SIZE, 1000, 5000, 20000, 60000, 100000, 3000000};
enum { SIZE_COUNT = sizeof sizes / sizeof sizes[0] };

static void each_takes_what_belongs_to_it(void **state)
{
  (void)state;
  for (size_t i = 0; i < FORM_COUNT * SIZE_COUNT; i++) {
    const struct form *form = &forms[i / SIZE_COUNT];
    size_t size = sizes[i % SIZE_COUNT];
    for (int throws = 0; throws < 2; throws++) {
      char *block =
          throws != 0 ? make(form->takes, size) : make_without_throwing(form->takes, size);
      assert_non_null(block);
      assert_true(is_aligned(block, is_aligned_maker(form->takes) ? ALIGNED : 16));
      assert_int_equal(mend_malloc_usable_size(block), size);
      if (size > 0) memset(block, 7, size);
      form->call(block, size, ALIGNED);
    }
  }
}

static void null_is_deleted_by_all(void **state)
{
  (void)state;
  for (size_t i = 0; i < FORM_COUNT; i++) forms[i].call(NULL, SIZE, ALIGNED);
}

// ---------------------------------------------------------------------------------------------
// What a child does: a deletion, of which all but one thing may be right.

static struct deletion {
  const struct form *form;
  enum maker maker;
  size_t made_size;
  size_t size;
  size_t alignment;
} deletion;

// A block that is not guarded, as some are by chance: of those more is told, and at every level.
static char *make_common(enum maker maker, size_t size)
{
  char *block;
  do {
    block = make(maker, size);
    CHECK(block != NULL);
  } while (guarded_owns(block));
  return block;
}

static void delete_once(void)
{
  char *block = make_common(deletion.maker, deletion.made_size);
  deletion.form->call(block, deletion.size, deletion.alignment);
}

static void delete_twice(void)
{
  char *block = make_common(deletion.maker, deletion.made_size);
  deletion.form->call(block, deletion.size, deletion.alignment);
  deletion.form->call(opaque(block), deletion.size, deletion.alignment);
}

static void delete_inside(void)
{
  char *block = make(deletion.maker, deletion.made_size);
  deletion.form->call(block + 16, deletion.size, deletion.alignment);
}

static void free_instead(void)
{
  mend_free(make_common(deletion.maker, deletion.made_size));
}

static void begin(const struct form *form, size_t size)
{
  deletion = (struct deletion){form, form->takes, size, size, ALIGNED};
}

static const size_t wrong_sizes[] = {24, SIZE, 20000, 100000};
enum { WRONG_SIZE_COUNT = sizeof wrong_sizes / sizeof wrong_sizes[0] };

static void each_tells_of_blocks_of_others(void **state)
{
  (void)state;
  for (size_t i = 0; i < FORM_COUNT * MAKERS; i++) {
    const struct form *form = &forms[i / MAKERS];
    enum maker maker = (enum maker)(i % MAKERS);
    begin(form, wrong_sizes[i % WRONG_SIZE_COUNT]);
    deletion.maker = maker;
    if (is_aligned_maker(maker) != is_aligned_maker(form->takes) || maker == form->takes) continue;
    child_check_abort(delete_once, "mend: free of a block of another kind: 0x");
  }
  for (size_t i = 0; i < FORM_COUNT; i++) {
    begin(&forms[i], SIZE);
    child_check_abort(free_instead, "mend: free of a block of another kind: 0x");
  }
}

static void those_with_a_size_tell_of_a_wrong_one(void **state)
{
  (void)state;
  size_t told = 0;
  for (size_t i = 0; i < FORM_COUNT * WRONG_SIZE_COUNT; i++) {
    const struct form *form = &forms[i / WRONG_SIZE_COUNT];
    if (!form->has_size) continue;
    begin(form, wrong_sizes[i % WRONG_SIZE_COUNT]);
    for (int difference = -1; difference <= 1; difference += 2) {
      deletion.size = deletion.made_size + (size_t)difference;
      child_check_abort(delete_once, "mend: free with a wrong size: 0x");
      told++;
    }
    deletion.size = 0;
    child_check_abort(delete_once, "mend: free with a wrong size: 0x");
  }
  assert_int_equal(told, 4 * WRONG_SIZE_COUNT * 2);
}

static void each_tells_of_a_wrong_alignment(void **state)
{
  (void)state;
  for (size_t i = 0; i < FORM_COUNT; i++) {
    const struct form *form = &forms[i];
    bool is_array = form->takes == BY_ARRAY || form->takes == BY_ARRAY_ALIGNED;
    begin(form, wrong_sizes[i % WRONG_SIZE_COUNT]);
    if (is_aligned_maker(form->takes)) {
      deletion.alignment = ALIGNED / 2;
      child_check_abort(delete_once, "mend: free with a wrong alignment: 0x");
      deletion.alignment = ALIGNED * 2;
      child_check_abort(delete_once, "mend: free with a wrong alignment: 0x");
      deletion.alignment = ALIGNED;
      deletion.maker = is_array ? BY_ARRAY : BY_NEW;
    } else {
      deletion.maker = is_array ? BY_ARRAY_ALIGNED : BY_NEW_ALIGNED;
    }
    child_check_abort(delete_once, "mend: free with a wrong alignment: 0x");
  }
}

static void each_tells_of_a_second_deletion_and_of_other_addresses(void **state)
{
  (void)state;
  for (size_t i = 0; i < FORM_COUNT; i++) {
    begin(&forms[i], wrong_sizes[i % WRONG_SIZE_COUNT]);
    bool is_large = deletion.made_size > SIZE_CLASS_MAX_BYTES;
    child_check_abort(delete_twice, is_large ? "mend: free of memory that is not in use: 0x"
                                             : "mend: double free: 0x");
    child_check_abort(delete_inside, "mend: free of a pointer inside a block: 0x");
  }
}

// At level 0 only what needs no claim is looked at.
static void delete_anything(void)
{
  CHECK(os_sealed_open());
  options.harden = 0;
  os_sealed_close();
  for (size_t i = 0; i < FORM_COUNT * MAKERS; i++) {
    forms[i / MAKERS].call(make_common((enum maker)(i % MAKERS), SIZE), SIZE + 1, ALIGNED * 2);
  }
}

static void at_level_0_no_claim_is_looked_at(void **state)
{
  (void)state;
  child_check(delete_anything);
}

int main(void)
{
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(each_takes_what_belongs_to_it),
      cmocka_unit_test(null_is_deleted_by_all),
      cmocka_unit_test(each_tells_of_blocks_of_others),
      cmocka_unit_test(those_with_a_size_tell_of_a_wrong_one),
      cmocka_unit_test(each_tells_of_a_wrong_alignment),
      cmocka_unit_test(each_tells_of_a_second_deletion_and_of_other_addresses),
      cmocka_unit_test(at_level_0_no_claim_is_looked_at),
  };
  return SUITE_RUN(tests);
}
