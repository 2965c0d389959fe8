// SPDX-License-Identifier: MIT
//
// Text in a fixed buffer, against snprintf.
#include "../support/suite.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "base/format.h"

enum { ROOM = 64 };

// Whether `format`, begun at `buffer`, holds exactly `text`.
static bool holds(const struct format *format, const char *buffer, const char *text)
{
  size_t length = (size_t)(format->at - buffer);
  return length == strlen(text) && memcmp(buffer, text, length) == 0;
}

static void numbers_are_as_snprintf_writes_them(void **state)
{
  (void)state;
  struct random random = {random_seed()};
  for (unsigned i = 0; i < 20000; i++) {
    uint64_t number = random_next(&random) >> random_below(&random, 64);
    int width = (int)random_below(&random, 25);
    char expected[ROOM], buffer[ROOM];
    struct format decimal = format_begin(buffer, sizeof buffer);
    format_number(&decimal, number, (unsigned)width);
    snprintf(expected, sizeof expected, "%*" PRIu64, width, number);
    assert_true(holds(&decimal, buffer, expected));
    struct format hex = format_begin(buffer, sizeof buffer);
    format_hex(&hex, number);
    snprintf(expected, sizeof expected, "0x%" PRIx64, number);
    assert_true(holds(&hex, buffer, expected));
  }
}

static void the_smallest_and_largest_numbers_fit(void **state)
{
  (void)state;
  char buffer[ROOM];
  struct format format = format_begin(buffer, sizeof buffer);
  format_number(&format, 0, 0);
  format_text(&format, " ");
  format_number(&format, UINT64_MAX, 0);
  format_text(&format, " ");
  format_hex(&format, 0);
  format_text(&format, " ");
  format_hex(&format, UINT64_MAX);
  assert_true(holds(&format, buffer, "0 18446744073709551615 0x0 0xffffffffffffffff"));
}

static void pieces_follow_each_other(void **state)
{
  (void)state;
  char buffer[ROOM];
  struct format format = format_begin(buffer, sizeof buffer);
  format_text(&format, "");
  format_text(&format, "at ");
  format_hex(&format, 0xbeef);
  format_text(&format, ":");
  format_number(&format, 7, 3);
  assert_true(holds(&format, buffer, "at 0xbeef:  7"));
}

static void what_does_not_fit_is_cut_off(void **state)
{
  (void)state;
  static const char whole[] = "abc  12345 0xfedcba987";
  for (size_t room = 0; room < sizeof whole; room++) {
    char buffer[ROOM];
    memset(buffer, '#', sizeof buffer);
    struct format format = format_begin(buffer, room);
    format_text(&format, "abc");
    format_number(&format, 12345, 7);
    format_text(&format, " ");
    format_hex(&format, UINT64_C(0xfedcba987));
    assert_int_equal(format.at - buffer, room < sizeof whole - 1 ? room : sizeof whole - 1);
    assert_memory_equal(buffer, whole, (size_t)(format.at - buffer));
    for (size_t i = room; i < sizeof buffer; i++) assert_int_equal(buffer[i], '#');
  }
}

int main(void)
{
  static const struct CMUnitTest tests[] = {
      cmocka_unit_test(numbers_are_as_snprintf_writes_them),
      cmocka_unit_test(the_smallest_and_largest_numbers_fit),
      cmocka_unit_test(pieces_follow_each_other),
      cmocka_unit_test(what_does_not_fit_is_cut_off),
  };
  return SUITE_RUN(tests);
}
