// SPDX-License-Identifier: MIT
//
// The C library's ways to ask about the heap, against the library's own numbers.
#define _GNU_SOURCE 1
#include "capture.h"

#include <errno.h>
#include <malloc.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/size_class.h"
#include "mend/mend.h"
#include "stats/stats.h"

static void mallinfo_agrees_with_the_statistics(void **state)
{
  (void)state;
  void *blocks[5];
  for (size_t i = 0; i < 5; i++) blocks[i] = mend_malloc(i < 2 ? 1000 : 1000000);
  struct mend_stats stats = stats_collect(NULL);
  struct mend_mallinfo2 info = mend_mallinfo2();
  assert_int_equal(info.uordblks + info.hblkhd, stats.live_bytes);
  assert_int_equal(info.hblks, stats.large_count);
  assert_int_equal(info.hblkhd, stats.large_bytes);
  assert_int_equal(info.keepcost, stats.retained_bytes);
  assert_int_equal(info.fordblks, stats.free_bytes + stats.uncarved_bytes + stats.retained_bytes);
  assert_int_equal(info.arena, info.uordblks + info.fordblks);
  assert_int_equal(info.arena + info.hblkhd + stats.rest_bytes + stats.unused_bytes,
                   stats.committed_bytes);
  for (size_t i = 0; i < 5; i++) mend_free(blocks[i]);
}

static void the_short_form_says_the_same(void **state)
{
  (void)state;
  void *block = mend_malloc(100000);
  struct mend_mallinfo2 info = mend_mallinfo2();
  struct mend_mallinfo small = mend_mallinfo();
  const size_t *numbers = (const size_t *)(const void *)&info;
  const int *ints = (const int *)(const void *)&small;
  assert_int_equal(sizeof info / sizeof *numbers, sizeof small / sizeof *ints);
  for (size_t i = 0; i < sizeof small / sizeof *ints; i++) {
    assert_int_equal(ints[i], (int)numbers[i]);
  }
  mend_free(block);
}

static void the_structures_are_those_of_the_c_library(void **state)
{
  (void)state;
#ifdef __GLIBC__
  assert_int_equal(sizeof(struct mend_mallinfo), sizeof(struct mallinfo));
  assert_int_equal(offsetof(struct mend_mallinfo, hblkhd), offsetof(struct mallinfo, hblkhd));
  assert_int_equal(offsetof(struct mend_mallinfo, keepcost), offsetof(struct mallinfo, keepcost));
#if __GLIBC_PREREQ(2, 33)
  assert_int_equal(sizeof(struct mend_mallinfo2), sizeof(struct mallinfo2));
  assert_int_equal(offsetof(struct mend_mallinfo2, uordblks), offsetof(struct mallinfo2, uordblks));
#endif
#endif
}

// Adds up attributes of the XML: sum of size * live over the classes.
static size_t live_in_classes(const char *text)
{
  size_t total = 0;
  size_t size, pages, live, free_blocks;
  for (const char *at = strstr(text, "<class "); at != NULL; at = strstr(at + 1, "<class ")) {
    assert_int_equal(sscanf(at, "<class size=\"%zu\" pages=\"%zu\" live=\"%zu\" free=\"%zu\"/>",
                            &size, &pages, &live, &free_blocks),
                     4);
    assert_int_equal(size_class_bytes(size_class_of(size)), size);
    assert_true(pages > 0);
    total += size * live;
  }
  return total;
}

static void the_xml_adds_up(void **state)
{
  (void)state;
  static char text[32768];
  void *blocks[100];
  for (size_t i = 0; i < 100; i++) blocks[i] = mend_malloc(1 + i * 600);
  void *large = mend_malloc(500000);
  FILE *stream = fmemopen(text, sizeof text, "w");
  assert_int_equal(mend_malloc_info(0, stream), 0);
  fclose(stream);
  struct mend_stats stats = stats_collect(NULL);
  assert_int_equal(strncmp(text, "<malloc version=\"mend-1\">\n", 26), 0);
  assert_string_equal(text + strlen(text) - 10, "</malloc>\n");
  assert_int_equal(live_in_classes(text), stats.live_bytes - stats.large_bytes);
  char line[100];
  snprintf(line, sizeof line, "<total type=\"large\" count=\"%zu\" size=\"%zu\"/>",
           stats.large_count, stats.large_bytes);
  assert_non_null(strstr(text, line));
  snprintf(line, sizeof line, "<total type=\"live\" size=\"%zu\"/>", stats.live_bytes);
  assert_non_null(strstr(text, line));
  for (size_t i = 0; i < 100; i++) mend_free(blocks[i]);
  mend_free(large);
}

static void flags_of_malloc_info_must_be_0(void **state)
{
  (void)state;
  char text[64] = "";
  FILE *stream = fmemopen(text, sizeof text, "w");
  assert_int_equal(mend_malloc_info(1, stream), EINVAL);
  assert_int_equal(mend_malloc_info(-1, stream), EINVAL);
  fclose(stream);
  assert_string_equal(text, "");
}

static void malloc_stats_prints_the_table(void **state)
{
  (void)state;
  capture_begin();
  mend_malloc_stats();
  capture_end();
  assert_non_null(strstr(captured.text, "bytes live"));
  assert_true(captured_lines() >= 10);
}

static void mallopt_knows_the_parameters_of_the_header(void **state)
{
  (void)state;
#ifdef __GLIBC__
  static const int known[] = {M_MXFAST,    M_TRIM_THRESHOLD, M_TOP_PAD, M_MMAP_THRESHOLD,
                              M_MMAP_MAX,  M_CHECK_ACTION,   M_PERTURB, M_ARENA_TEST,
                              M_ARENA_MAX, M_NLBLKS,         M_GRAIN,   M_KEEP};
  for (size_t i = 0; i < sizeof known / sizeof known[0]; i++) {
    assert_int_equal(mend_mallopt(known[i], 1), 1);
  }
#endif
  static const int unknown[] = {0, 5, 100, -9, -100};
  for (size_t i = 0; i < sizeof unknown / sizeof unknown[0]; i++) {
    assert_int_equal(mend_mallopt(unknown[i], 1), 0);
  }
}

static void this_process_is_not_redirected(void **state)
{
  (void)state;
  assert_false(mend_is_redirected());
}

int main(void)
{
  static const struct CMUnitTest tests[] = {
      cmocka_unit_test(mallinfo_agrees_with_the_statistics),
      cmocka_unit_test(the_short_form_says_the_same),
      cmocka_unit_test(the_structures_are_those_of_the_c_library),
      cmocka_unit_test(the_xml_adds_up),
      cmocka_unit_test(flags_of_malloc_info_must_be_0),
      cmocka_unit_test(malloc_stats_prints_the_table),
      cmocka_unit_test(mallopt_knows_the_parameters_of_the_header),
      cmocka_unit_test(this_process_is_not_redirected),
  };
  return SUITE_RUN(tests);
}
