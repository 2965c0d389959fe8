// SPDX-License-Identifier: MIT
//
// The C library's ways to ask and to steer: trim, mallinfo, mallinfo2, malloc_info, mallopt, and
// the version. The XML is read by a small parser that wants every element closed in order.
#define _GNU_SOURCE 1
#include "../support/suite.h"

#include <ctype.h>
#include <errno.h>
#include <malloc.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "../support/sizes.h"
#include "mend/mend.h"

static void the_version_is_the_headers(void **state)
{
  (void)state;
  assert_int_equal(mend_version(), MEND_VERSION);
  assert_string_equal(mend_version_string(), MEND_VERSION_STRING);
  int major = 0, minor = 0, patch = 0;
  assert_int_equal(sscanf(MEND_VERSION_STRING, "%d.%d.%d", &major, &minor, &patch), 3);
  assert_int_equal(10000 * major + 100 * minor + patch, MEND_VERSION);
}

static void redirected_says_whose_malloc_it_is(void **state)
{
  (void)state;
  void *block = malloc(100);
  assert_int_equal(mend_owns(block), mend_is_redirected());
  free(block);
}

static void mallinfo2_grows_by_what_is_allocated(void **state)
{
  (void)state;
  for (size_t i = 0; i < TEST_SIZE_COUNT; i++) {
    struct mend_mallinfo2 before = mend_mallinfo2();
    void *block = mend_malloc(test_sizes[i]);
    struct mend_mallinfo2 live = mend_mallinfo2();
    size_t usable = mend_malloc_usable_size(block);
    // A large block is counted under hblks and hblkhd, every other under uordblks.
    size_t grown = (live.uordblks - before.uordblks) + (live.hblkhd - before.hblkhd);
    assert_true(is_growth_by(0, grown, usable));
    mend_free(block);
    struct mend_mallinfo2 after = mend_mallinfo2();
    assert_int_equal(after.uordblks, before.uordblks);
    assert_int_equal(after.hblks, before.hblks);
    assert_int_equal(after.hblkhd, before.hblkhd);
  }
}

static void large_blocks_are_counted(void **state)
{
  (void)state;
  struct mend_mallinfo2 before = mend_mallinfo2();
  void *block = mend_malloc(64 * MIB);
  struct mend_mallinfo2 live = mend_mallinfo2();
  assert_int_equal(live.hblks, before.hblks + 1);
  assert_true(live.hblkhd >= before.hblkhd + 64 * MIB);
  assert_true(live.arena + live.hblkhd >= live.uordblks);
  mend_free(block);
  assert_int_equal(mend_mallinfo2().hblks, before.hblks);
}

static void mallinfo_is_mallinfo2_in_ints(void **state)
{
  (void)state;
  void *block = mend_malloc(5000);
  struct mend_mallinfo2 wide = mend_mallinfo2();
  struct mend_mallinfo narrow = mend_mallinfo();
  assert_int_equal(narrow.arena, (int)wide.arena);
  assert_int_equal(narrow.ordblks, (int)wide.ordblks);
  assert_int_equal(narrow.hblks, (int)wide.hblks);
  assert_int_equal(narrow.hblkhd, (int)wide.hblkhd);
  assert_int_equal(narrow.uordblks, (int)wide.uordblks);
  assert_int_equal(narrow.fordblks, (int)wide.fordblks);
#ifdef __GLIBC__
  assert_int_equal(sizeof(struct mend_mallinfo2), sizeof(struct mallinfo2));
  assert_int_equal(sizeof(struct mend_mallinfo), sizeof(struct mallinfo));
#endif
  mend_free(block);
}

static void trim_tells_whether_memory_went_back(void **state)
{
  (void)state;
  void *large = mend_malloc(200000);
  memset(large, 1, 200000);
  mend_free(large);
  mend_malloc_trim(0);
  assert_int_equal(mend_malloc_trim(0), 0);  // nothing is left to give
}

static void mallopt_knows_the_parameters_of_malloc_h(void **state)
{
  // M_MXFAST, M_NLBLKS, M_GRAIN, M_KEEP, M_TRIM_THRESHOLD, M_TOP_PAD, M_MMAP_THRESHOLD, M_MMAP_MAX,
  // M_CHECK_ACTION, M_PERTURB, M_ARENA_TEST, M_ARENA_MAX: not every C library has them.
  static const int known[] = {1, 2, 3, 4, -1, -2, -3, -4, -5, -6, -7, -8};
  (void)state;
  for (size_t i = 0; i < sizeof known / sizeof known[0]; i++) {
    assert_int_equal(mend_mallopt(known[i], 1), 1);
  }
  assert_int_equal(mend_mallopt(12345, 1), 0);
  assert_int_equal(mend_mallopt(-12345, 1), 0);
}

// Reads the XML: "<name attributes>", "<name attributes/>", "</name>". Fails the test where an
// element is not closed, or closed out of order. Returns how many elements there are.
static size_t count_elements(const char *text)
{
  enum { DEPTH = 16, NAME = 32 };
  char open[DEPTH][NAME];
  size_t depth = 0;
  size_t count = 0;
  for (const char *at = strchr(text, '<'); at != NULL; at = strchr(at + 1, '<')) {
    const char *end = strchr(at, '>');
    assert_non_null(end);
    char name[NAME] = "";
    bool closing = at[1] == '/';
    for (size_t i = 0; i + 1 < NAME && isalnum((unsigned char)at[1 + closing + i]); i++) {
      name[i] = at[1 + closing + i];
    }
    assert_true(name[0] != '\0');
    if (closing) {
      assert_true(depth > 0);
      assert_string_equal(open[--depth], name);
    } else if (end[-1] != '/') {
      assert_true(depth < DEPTH);
      memcpy(open[depth++], name, NAME);
    }
    count += !closing;
  }
  assert_int_equal(depth, 0);
  return count;
}

static void malloc_info_writes_xml(void **state)
{
  (void)state;
  char *text = NULL;
  size_t bytes = 0;
  FILE *stream = open_memstream(&text, &bytes);
  assert_non_null(stream);
  assert_int_equal(mend_malloc_info(1, stream), EINVAL);
  fflush(stream);
  assert_int_equal(bytes, 0);
  assert_int_equal(mend_malloc_info(0, stream), 0);
  fclose(stream);
  assert_true(strstr(text, "<malloc version=\"mend-1\">") == text);
  assert_true(count_elements(text) > 1);
  free(text);
}

int main(void)
{
  static const struct CMUnitTest tests[] = {
      cmocka_unit_test(the_version_is_the_headers),
      cmocka_unit_test(redirected_says_whose_malloc_it_is),
      cmocka_unit_test(mallinfo2_grows_by_what_is_allocated),
      cmocka_unit_test(large_blocks_are_counted),
      cmocka_unit_test(mallinfo_is_mallinfo2_in_ints),
      cmocka_unit_test(trim_tells_whether_memory_went_back),
      cmocka_unit_test(mallopt_knows_the_parameters_of_malloc_h),
      cmocka_unit_test(malloc_info_writes_xml),
  };
  return SUITE_RUN(tests);
}
