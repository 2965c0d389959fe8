// SPDX-License-Identifier: MIT
//
// What the public functions of mend/secure.h say of what the vault finds, where the vault is the
// real one: errno, and the line with which misuse ends.
#include "../support/suite.h"

#include <errno.h>
#include <string.h>

#include "child.h"
#include "mend/secure.h"
#if TEST_IS_VALGRIND
#include <valgrind/memcheck.h>
#endif

static char *block;

static void free_twice(void)
{
  mend_secure_free(block);
  mend_secure_free(block);
}

static void free_a_local(void)
{
  char local[16];
  mend_secure_free(opaque(local));
}

static void free_the_inside(void)
{
  mend_secure_free(block + 1);
}

static void free_the_guard(void)
{
  mend_secure_free(block - 4096);
}

static void write_past_the_end(void)
{
  ((char *)opaque(block))[20] ^= 1;
  mend_secure_free(block);
}

static void write_before_the_start(void)
{
  ((char *)opaque(block))[-1] ^= 1;
  mend_secure_free(block);
}

static void free_by_free(void)
{
  mend_free(block);
}

static void free_by_free_wiped(void)
{
  mend_free_wiped(block);
}

static void free_the_inside_by_free(void)
{
  mend_free(block + 16);
}

static void resize(void)
{
  CHECK(mend_realloc(block, 100) == NULL);
}

static void grow_in_place(void)
{
  CHECK(mend_expand(block, 100) == NULL);
}

static void ask_malloc_for_its_size(void)
{
  CHECK(mend_malloc_usable_size(block) == 0);
}

static void ask_for_the_size_of_another(void)
{
  CHECK(mend_secure_size(mend_malloc(10)) == 0);
}

static void protect_what_is_freed(void)
{
  mend_secure_free(block);
  CHECK(mend_secure_protect(block, MEND_SECURE_READ_ONLY));
}

static void each_misuse_has_its_line(void **state)
{
  (void)state;
  static const struct {
    void (*body)(void);
    const char *line;
  } misuses[] = {
      {free_twice, "mend: use of a secure block that has been freed: 0x"},
      {free_a_local, "mend: use of a pointer that is no secure block: 0x"},
      {free_the_inside, "mend: use of a pointer inside a secure block: 0x"},
      {free_the_guard, "mend: use of a pointer inside a secure block: 0x"},
      {write_past_the_end, "mend: write past the end of a secure block: 0x"},
      {write_before_the_start, "mend: write before the start of a secure block: 0x"},
      {free_by_free, "mend: free of a secure block: 0x"},
      {free_by_free_wiped, "mend: free of a secure block: 0x"},
      {free_the_inside_by_free, "mend: free of a secure block: 0x"},
      {resize, "mend: realloc of a secure block: 0x"},
      {grow_in_place, "mend: realloc of a secure block: 0x"},
      {ask_malloc_for_its_size, "mend: malloc_usable_size of a secure block: 0x"},
      {ask_for_the_size_of_another, "mend: use of a pointer that is no secure block: 0x"},
      {protect_what_is_freed, "mend: use of a secure block that has been freed: 0x"},
  };
  for (unsigned flags = 0; flags <= MEND_SECURE_SHARE_PAGES; flags += MEND_SECURE_SHARE_PAGES) {
    block = mend_secure_alloc(20, flags | MEND_SECURE_MAY_SWAP);
    assert_non_null(block);
    for (size_t i = 0; i < sizeof misuses / sizeof misuses[0]; i++) {
      child_check_abort(misuses[i].body, misuses[i].line);
    }
    mend_secure_free(block);
  }
}

static void errno_tells_and_is_preserved(void **state)
{
  (void)state;
  errno = 77;
  block = mend_secure_alloc(10, MEND_SECURE_MAY_SWAP);
  assert_true(mend_secure_protect(block, MEND_SECURE_READ_ONLY));
  assert_int_equal(mend_secure_size(block), 10);
  mend_secure_free(block);
  mend_secure_free(NULL);
  assert_int_equal(errno, 77);
  assert_null(mend_secure_alloc(10, 16));
  assert_int_equal(errno, EINVAL);
  assert_null(mend_secure_alloc(PTRDIFF_MAX, MEND_SECURE_MAY_SWAP));
  assert_int_equal(errno, ENOMEM);
  block = mend_secure_alloc(10, MEND_SECURE_MAY_SWAP | MEND_SECURE_SHARE_PAGES);
  errno = 0;
  assert_false(mend_secure_protect(block, MEND_SECURE_READ_ONLY));
  assert_int_equal(errno, EINVAL);
  errno = 0;
  assert_false(mend_secure_protect(NULL, MEND_SECURE_READ_ONLY));
  assert_int_equal(errno, EINVAL);
  mend_secure_free(block);
  block = mend_secure_alloc(10, MEND_SECURE_MAY_SWAP);
  errno = 0;
  assert_false(mend_secure_protect(block, (enum mend_secure_access)3));
  assert_int_equal(errno, EINVAL);
  mend_secure_free(block);
}

static void null_is_no_block(void **state)
{
  (void)state;
  assert_int_equal(mend_secure_size(NULL), 0);
  assert_false(mend_secure_is_locked(NULL));
  assert_false(mend_secure_owns(NULL));
  mend_free_wiped(NULL);
  mend_wipe(NULL, 0);
  assert_true(mend_secure_equal(NULL, NULL, 0));
  errno = 0;
  assert_false(mend_heap_set_wipe(NULL, true));
  assert_int_equal(errno, EINVAL);
  errno = 0;
  assert_false(mend_heap_set_wipe((mend_heap *)(void *)&state, true));
  assert_int_equal(errno, EINVAL);
}

// Memcheck, told that the bytes are not defined, reports each branch and each address that depends
// on them.
static void nothing_branches_on_what_is_compared(void **state)
{
  (void)state;
  unsigned char one[40], other[40];
  memset(one, 1, sizeof one);
  memset(other, 1, sizeof other);
#if TEST_IS_VALGRIND
  (void)VALGRIND_MAKE_MEM_UNDEFINED(one, sizeof one);
  (void)VALGRIND_MAKE_MEM_UNDEFINED(other, sizeof other);
#endif
  bool are_equal = mend_secure_equal(one, other, sizeof one);
#if TEST_IS_VALGRIND
  (void)VALGRIND_MAKE_MEM_DEFINED(&are_equal, sizeof are_equal);
#endif
  assert_true(are_equal);
}

int main(void)
{
  static const struct CMUnitTest tests[] = {
      cmocka_unit_test(each_misuse_has_its_line),
      cmocka_unit_test(errno_tells_and_is_preserved),
      cmocka_unit_test(null_is_no_block),
      cmocka_unit_test(nothing_branches_on_what_is_compared),
  };
  return SUITE_RUN(tests);
}
