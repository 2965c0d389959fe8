// SPDX-License-Identifier: MIT
//
// The options: each kind of value, good and bad, for every row of the table that has the kind; the
// environment and its order of precedence; and what is said of mistakes.
#include "capture.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/options.h"

enum kind { BOOL, NUMBER, SIZE, OS_PAGE, TIME, TEXT };

struct row {
  const char *name;
  enum kind kind;
  uint64_t initial;
  uint64_t minimum;
  uint64_t maximum;
  const char *meaning;
  size_t offset;
};

static const struct row rows[] = {
#define OPTION(name, kind, initial, minimum, maximum, meaning) \
  {#name, kind, initial, minimum, maximum, meaning, offsetof(struct options, name)},
#include "base/options.def"
#undef OPTION
};
enum { ROW_COUNT = sizeof rows / sizeof rows[0] };

static uint64_t value_of(const struct row *row)
{
  return *(const uint64_t *)(const void *)((const char *)&options + row->offset);
}

static int set_back(void **state)
{
  (void)state;
  static struct options initial;
  static bool is_kept;
  if (!is_kept) initial = options;
  is_kept = true;
  options = initial;
  capture_begin();
  return 0;
}

static int stop_capture(void **state)
{
  (void)state;
  capture_end();
  return 0;
}

// Sets an option by an entry, behind which there is more text that must not be read.
static bool set(const char *name, const char *value)
{
  char text[256];
  int length = snprintf(text, sizeof text, "%s=%s", name, value);
  CHECK(length > 0 && (size_t)length < sizeof text - 1);
  strcpy(text + length, "9");
  return options_set("MEND_", text, (size_t)length, '=');
}

static void assert_set(const struct row *row, const char *value, uint64_t expected)
{
  assert_true(set(row->name, value));
  assert_int_equal(value_of(row), expected);
  assert_int_equal(captured.bytes, 0);
}

// The value is refused with one line that shows the option and the value, and changes nothing.
static void assert_refused(const struct row *row, const char *value)
{
  char start[256];
  struct options before = options;
  capture_begin();
  assert_false(set(row->name, value));
  assert_memory_equal(&options, &before, sizeof options);
  assert_int_equal(captured_lines(), 1);
  snprintf(start, sizeof start, "mend: MEND_%s=%s: ", row->name, value);
  assert_int_equal(strncmp(captured.text, start, strlen(start)), 0);
  assert_string_equal(captured.text + captured.bytes - 10, "; ignored\n");
  capture_begin();
}

static void every_row_starts_within_its_limits(void **state)
{
  (void)state;
  for (size_t i = 0; i < ROW_COUNT; i++) {
    assert_int_equal(value_of(&rows[i]), rows[i].initial);
    assert_true(rows[i].minimum <= rows[i].initial && rows[i].initial <= rows[i].maximum);
    assert_true(rows[i].meaning[0] != '\0');
    for (const char *at = rows[i].name; *at != '\0'; at++) {
      assert_true((*at >= 'a' && *at <= 'z') || *at == '_');
    }
  }
}

static void words_set_what_is_true_or_false(void **state)
{
  (void)state;
  static const struct {
    const char *word;
    uint64_t value;
  } words[] = {
      {"1", 1}, {"true", 1},  {"on", 1},  {"yes", 1}, {"YES", 1}, {"True", 1},
      {"0", 0}, {"false", 0}, {"off", 0}, {"no", 0},  {"OFF", 0}, {"fAlSe", 0},
  };
  static const char *const bad[] = {"2", "-1", "y", "tru", "truee", "on ", " on", "10"};
  for (size_t i = 0; i < ROW_COUNT; i++) {
    if (rows[i].kind != BOOL) continue;
    for (size_t j = 0; j < sizeof words / sizeof words[0]; j++) {
      assert_set(&rows[i], words[j].word, words[j].value);
    }
    for (size_t j = 0; j < sizeof bad / sizeof bad[0]; j++) assert_refused(&rows[i], bad[j]);
  }
}

static void assert_limits_hold(const struct row *row)
{
  char text[32];
  snprintf(text, sizeof text, "%" PRIu64, row->minimum);
  assert_set(row, text, row->minimum);
  snprintf(text, sizeof text, "%" PRIu64, row->maximum);
  assert_set(row, text, row->maximum);
  if (row->minimum > 0) {
    snprintf(text, sizeof text, "%" PRIu64, row->minimum - 1);
    assert_refused(row, text);
  }
  if (row->maximum < UINT64_MAX) {
    snprintf(text, sizeof text, "%" PRIu64, row->maximum + 1);
    assert_refused(row, text);
  }
}

static void numbers_of_each_row_keep_within_its_limits(void **state)
{
  (void)state;
  static const char *const bad[] = {
      "-1",
      "+1",
      " 1",
      "1 ",
      "0x10",
      "1.5",
      "1e3",
      "x",
      "k",
      "one",
      "1kk",
      "1 k",
      "18446744073709551616",
      "99999999999999999999999",
  };
  for (size_t i = 0; i < ROW_COUNT; i++) {
    if (rows[i].kind == BOOL || rows[i].kind == TEXT) continue;
    assert_limits_hold(&rows[i]);
    for (size_t j = 0; j < sizeof bad / sizeof bad[0]; j++) assert_refused(&rows[i], bad[j]);
  }
}

static const struct row *row_of(const char *name)
{
  size_t i = 0;
  while (strcmp(rows[i].name, name) != 0) CHECK(++i < ROW_COUNT);
  return &rows[i];
}

static void sizes_take_suffixes_in_either_case(void **state)
{
  (void)state;
  const struct row *limit = row_of("limit");
  static const struct {
    const char *text;
    uint64_t value;
  } sizes[] = {
      {"7", 7},
      {"7b", 7},
      {"7k", 7 << 10},
      {"7K", 7 << 10},
      {"7kb", 7 << 10},
      {"7KiB", 7 << 10},
      {"7m", 7 << 20},
      {"7MB", 7 << 20},
      {"7mib", 7 << 20},
      {"7g", UINT64_C(7) << 30},
      {"7GiB", UINT64_C(7) << 30},
      {"7gb", UINT64_C(7) << 30},
      {"7t", UINT64_C(7) << 40},
      {"7tb", UINT64_C(7) << 40},
      {"7TiB", UINT64_C(7) << 40},
      {"0", 0},
      {"16383t", UINT64_C(16383) << 40},
  };
  static const char *const bad[] = {"7ms", "7s", "7p",    "7kk",       "7ki",
                                    "7ti", "7i", "7tibs", "16777216t", "17179869184g"};
  for (size_t i = 0; i < sizeof sizes / sizeof sizes[0]; i++) {
    assert_set(limit, sizes[i].text, sizes[i].value);
  }
  for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) assert_refused(limit, bad[i]);
}

static void times_are_milliseconds_or_seconds(void **state)
{
  (void)state;
  const struct row *delay = row_of("purge_delay");
  static const char *const bad[] = {"10k", "10b", "10us", "10min", "10m", "10h"};
  assert_set(delay, "10", 10);
  assert_set(delay, "20ms", 20);
  assert_set(delay, "30s", 30000);
  assert_set(delay, "40S", 40000);
  for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) assert_refused(delay, bad[i]);
}

static void plain_numbers_take_no_suffix(void **state)
{
  (void)state;
  const struct row *budget = row_of("map_budget");
  static const char *const bad[] = {"10k", "10b", "10ms", "10s", "10%"};
  assert_set(budget, "10", 10);
  for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) assert_refused(budget, bad[i]);
}

static void text_is_kept_as_it_is(void **state)
{
  (void)state;
  static char longest[OPTIONS_TEXT_BYTES];
  assert_string_equal(options_text(options.track_file, "otherwise"), "otherwise");
  assert_true(set("track_file", "/a b/%p,c:d=e"));
  // set() has written one character more behind the value.
  assert_string_equal(options_text(options.track_file, ""), "/a b/%p,c:d=e");
  assert_true(set("track_file", ""));
  assert_true(set("track_file", "f"));
  assert_string_equal(options_text(options.track_file, ""), "f");
  memset(longest, 'x', sizeof longest);
  memcpy(longest, "track_file=", 11);
  assert_false(options_set("MEND_", longest, sizeof longest, '='));
  assert_non_null(strstr(captured.text, "...: too long; ignored\n"));
  assert_string_equal(options_text(options.track_file, ""), "f");
}

static void names_are_whole_and_in_either_case(void **state)
{
  (void)state;
  assert_true(set("Retain_Percent", "11"));
  assert_int_equal(options.retain_percent, 11);
  assert_true(set("RETAIN_PERCENT", "12"));
  assert_int_equal(options.retain_percent, 12);
  static const char *const unknown[] = {"", "retain", "retain_percen", "retain_percents",
                                        "nothing"};
  char line[64];
  for (size_t i = 0; i < sizeof unknown / sizeof unknown[0]; i++) {
    struct options before = options;
    capture_begin();
    assert_false(set(unknown[i], "1"));
    assert_memory_equal(&options, &before, sizeof options);
    snprintf(line, sizeof line, "mend: MEND_%s: no such option; ignored\n", unknown[i]);
    assert_string_equal(captured.text, line);
  }
}

static void what_is_wrong_is_told_in_one_line(void **state)
{
  (void)state;
  static const struct {
    const char *name;
    const char *value;
    const char *line;
  } mistakes[] = {
      {"LIMIT", "12q", "mend: MEND_LIMIT=12q: not a size; ignored\n"},
      {"Stats", "maybe", "mend: MEND_Stats=maybe: neither on nor off; ignored\n"},
      {"MAP_BUDGET", "1k", "mend: MEND_MAP_BUDGET=1k: not a number; ignored\n"},
      {"PURGE_DELAY", "2h", "mend: MEND_PURGE_DELAY=2h: not a time; ignored\n"},
      {"PURGE_DELAY", "2h\n", "mend: MEND_PURGE_DELAY=2h?: not a time; ignored\n"},
      {"REGION", "1", "mend: MEND_REGION=1: not in the range of 16m to 32t; ignored\n"},
      {"PURGE_DELAY", "9999s",
       "mend: MEND_PURGE_DELAY=9999s: not in the range of 0ms to 3600s; ignored\n"},
      {"RETAIN_PERCENT", "2000",
       "mend: MEND_RETAIN_PERCENT=2000: not in the range of 0 to 1000; ignored\n"},
      {"OS_PAGE_SIZE", "99999999999999999999g",
       "mend: MEND_OS_PAGE_SIZE=99999999999999999999g: not in the range of 0 to 64k; ignored\n"},
  };
  for (size_t i = 0; i < sizeof mistakes / sizeof mistakes[0]; i++) {
    capture_begin();
    assert_false(set(mistakes[i].name, mistakes[i].value));
    assert_string_equal(captured.text, mistakes[i].line);
  }
}

static void read_environment(const char *first, const char *second, const char *third)
{
  char *environment[4] = {NULL, NULL, NULL, NULL};
  const char *entries[] = {first, second, third};
  static char texts[3][512];
  for (size_t i = 0; i < 3 && entries[i] != NULL; i++) {
    CHECK(strlen(entries[i]) < sizeof texts[i]);
    strcpy(texts[i], entries[i]);
    environment[i] = texts[i];
  }
  options_read(environment, 4096);
}

static void an_os_page_is_a_power_of_two_and_not_below_the_kernels(void **state)
{
  (void)state;
  const struct row *row = row_of("os_page_size");
  static const char *const bad[] = {"1", "512", "2k", "3000", "4095", "4097", "12k", "65535"};
  options_read((char *[]){NULL}, 4096);
  for (uint64_t bytes = 4096; bytes <= 65536; bytes *= 2) {
    char text[32];
    snprintf(text, sizeof text, "%" PRIu64, bytes);
    assert_set(row, text, bytes);
  }
  assert_set(row, "16k", 16384);
  assert_set(row, "0", 0);
  for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) assert_refused(row, bad[i]);
  options_read((char *[]){NULL}, 16384);
  assert_refused(row, "8k");
  assert_set(row, "16k", 16384);
  options_read((char *[]){NULL}, 4096);
  read_environment("MEND_OS_PAGE_SIZE=12k", NULL, NULL);
  assert_string_equal(captured.text,
                      "mend: MEND_OS_PAGE_SIZE=12k: neither 0 nor a power of two from the kernel's "
                      "page on; ignored\n");
}

static void the_environment_is_read(void **state)
{
  (void)state;
  read_environment("MEND_RETAIN_PERCENT=21", "HOME=/root", "MEND_LIMIT=64m");
  assert_int_equal(options.retain_percent, 21);
  assert_int_equal(options.limit, 64 << 20);
  assert_int_equal(captured.bytes, 0);
}

static void one_variable_holds_a_list(void **state)
{
  (void)state;
  read_environment("MEND_CONF=retain_percent:22,limit:1g,stats:on,", NULL, NULL);
  assert_int_equal(options.retain_percent, 22);
  assert_int_equal(options.limit, 1 << 30);
  assert_int_equal(options.stats, 1);
  assert_int_equal(captured.bytes, 0);
}

static void a_variable_of_its_own_wins_over_the_list(void **state)
{
  (void)state;
  read_environment("MEND_RETAIN_PERCENT=31", "MEND_CONF=retain_percent:32,stats:1", NULL);
  assert_int_equal(options.retain_percent, 31);
  assert_int_equal(options.stats, 1);
  read_environment("MEND_CONF=retain_percent:34", "MEND_RETAIN_PERCENT=33", NULL);
  assert_int_equal(options.retain_percent, 33);
}

static void a_mistake_in_a_list_spoils_nothing_else(void **state)
{
  (void)state;
  read_environment("MEND_CONF=stats,limit:,:5,retain_percent:41,,verbose:maybe,huge_pages:0", NULL,
                   NULL);
  assert_int_equal(options.retain_percent, 41);
  assert_int_equal(options.huge_pages, 0);
  assert_int_equal(options.stats, 0);
  assert_int_equal(options.verbose, 0);
  assert_string_equal(captured.text,
                      "mend: MEND_CONF: stats: no value; ignored\n"
                      "mend: MEND_CONF: : no such option; ignored\n"
                      "mend: MEND_CONF: verbose:maybe: neither on nor off; ignored\n");
}

static void an_empty_value_is_as_none(void **state)
{
  (void)state;
  struct options before = options;
  read_environment("MEND_LIMIT=", "MEND_STATS=", "MEND_NOTHING=");
  assert_memory_equal(&options, &before, sizeof options);
  read_environment("MEND_CONF=limit:5m,limit:,stats:", "MEND_LIMIT=", NULL);
  assert_int_equal(options.limit, 5 << 20);
  assert_int_equal(captured.bytes, 0);
}

static void variables_for_others_are_left_alone(void **state)
{
  (void)state;
  struct options before = options;
  read_environment("MEND_TEST_SEED=0x5", "MEND_TEST_LIMIT=5", "NOTMEND_LIMIT=5");
  read_environment("MEND_LIBRARY=/lib/libmend.so", "NOTMEND_STATS=1", NULL);
  assert_memory_equal(&options, &before, sizeof options);
  assert_int_equal(captured.bytes, 0);
}

static void variables_without_a_value_are_left_alone(void **state)
{
  (void)state;
  struct options before = options;
  read_environment("MEND_STATS", "MEND", "=MEND_STATS=1");
  assert_memory_equal(&options, &before, sizeof options);
  assert_int_equal(captured.bytes, 0);
}

static void a_misspelt_variable_is_told(void **state)
{
  (void)state;
  read_environment("MEND_STATTS=1", "MEND_STATS=1", NULL);
  assert_int_equal(options.stats, 1);
  assert_string_equal(captured.text, "mend: MEND_STATTS: no such option; ignored\n");
}

// Other products have variables that begin with MEND_ too.
static void values_of_unknown_names_are_not_shown(void **state)
{
  (void)state;
  static const char *const entries[] = {
      "MEND_USER_KEY=s3cr3t", "MEND_KEY=a=s3cr3t",    "MEND_A:B=s3cr3t",       "MEND_=s3cr3t",
      "MEND_CONF=key:s3cr3t", "MEND_CONF=key=s3cr3t", "MEND_CONF=key=a:s3cr3t"};
  for (size_t i = 0; i < sizeof entries / sizeof entries[0]; i++) {
    capture_begin();
    read_environment(entries[i], NULL, NULL);
    assert_int_equal(captured_lines(), 1);
    assert_null(strstr(captured.text, "s3cr3t"));
    assert_non_null(strstr(captured.text, ": no such option; ignored\n"));
  }
}

static void an_equals_sign_in_a_list_is_told(void **state)
{
  (void)state;
  struct options before = options;
  read_environment("MEND_CONF=purge_delay=1s,limit=", NULL, NULL);
  assert_memory_equal(&options, &before, sizeof options);
  assert_string_equal(captured.text, "mend: MEND_CONF: purge_delay=1s: not name:value; ignored\n");
}

static void an_entry_of_any_length_makes_one_short_line(void **state)
{
  (void)state;
  static char entry[5000];
  memset(entry, 'n', sizeof entry);
  for (size_t at = 1; at < sizeof entry - 1; at += 7) {
    entry[at] = '=';
    capture_begin();
    assert_false(options_set("MEND_", entry, sizeof entry, '='));
    assert_int_equal(captured_lines(), 1);
    assert_true(captured.bytes < 200);
    assert_non_null(
        strstr(captured.text, at > 80 ? "...: no such option; ignored\n" : "n: no such option"));
    entry[at] = 'n';
  }
}

static void assert_listed(const char *name, const char *value, const char *shown)
{
  char line[400];
  const struct row *row = row_of(name);
  assert_true(set(name, value));
  capture_begin();
  options_print();
  assert_int_equal(captured_lines(), ROW_COUNT);
  snprintf(line, sizeof line, "mend: option %s = %s  (%s)\n", name, shown, row->meaning);
  assert_non_null(strstr(captured.text, line));
  capture_begin();
}

static void options_are_listed_with_readable_values(void **state)
{
  (void)state;
  assert_listed("limit", "0", "0");
  assert_listed("limit", "1000", "1000");
  assert_listed("limit", "1536", "1536");
  assert_listed("limit", "65536", "64k");
  assert_listed("limit", "1572864", "1536k");
  assert_listed("limit", "64m", "64m");
  assert_listed("limit", "3072m", "3g");
  assert_listed("limit", "4t", "4t");
  assert_listed("limit", "8192t", "8192t");
  assert_listed("limit", "18446744073709551615", "18446744073709551615");
  assert_listed("purge_delay", "0", "0ms");
  assert_listed("purge_delay", "1500", "1500ms");
  assert_listed("purge_delay", "5000", "5s");
  assert_listed("retain_percent", "1000", "1000");
  assert_listed("stats", "1", "on");
  assert_listed("stats", "no", "off");
}

// The listing's value of a row, as it stands there.
static void listed_value(const char *name, char value[static 32])
{
  char mark[64];
  capture_begin();
  options_print();
  snprintf(mark, sizeof mark, "mend: option %s = ", name);
  const char *at = strstr(captured.text, mark);
  assert_non_null(at);
  assert_int_equal(sscanf(at + strlen(mark), "%31s", value), 1);
  capture_begin();
}

static void what_is_listed_can_be_set(void **state)
{
  (void)state;
  for (size_t i = 0; i < ROW_COUNT; i++) {
    if (rows[i].kind == TEXT) continue;
    const uint64_t values[] = {rows[i].minimum, rows[i].maximum, rows[i].initial};
    for (size_t j = 0; j < 3; j++) {
      char value[32];
      snprintf(value, sizeof value, "%" PRIu64, values[j]);
      assert_set(&rows[i], value, values[j]);
      listed_value(rows[i].name, value);
      assert_set(&rows[i], value, values[j]);
    }
  }
}

#define OPTION_TEST(function) cmocka_unit_test_setup_teardown(function, set_back, stop_capture)

int main(void)
{
  static const struct CMUnitTest tests[] = {
      OPTION_TEST(every_row_starts_within_its_limits),
      OPTION_TEST(words_set_what_is_true_or_false),
      OPTION_TEST(numbers_of_each_row_keep_within_its_limits),
      OPTION_TEST(sizes_take_suffixes_in_either_case),
      OPTION_TEST(times_are_milliseconds_or_seconds),
      OPTION_TEST(plain_numbers_take_no_suffix),
      OPTION_TEST(text_is_kept_as_it_is),
      OPTION_TEST(names_are_whole_and_in_either_case),
      OPTION_TEST(what_is_wrong_is_told_in_one_line),
      OPTION_TEST(an_os_page_is_a_power_of_two_and_not_below_the_kernels),
      OPTION_TEST(the_environment_is_read),
      OPTION_TEST(one_variable_holds_a_list),
      OPTION_TEST(a_variable_of_its_own_wins_over_the_list),
      OPTION_TEST(a_mistake_in_a_list_spoils_nothing_else),
      OPTION_TEST(an_empty_value_is_as_none),
      OPTION_TEST(variables_for_others_are_left_alone),
      OPTION_TEST(variables_without_a_value_are_left_alone),
      OPTION_TEST(a_misspelt_variable_is_told),
      OPTION_TEST(values_of_unknown_names_are_not_shown),
      OPTION_TEST(an_equals_sign_in_a_list_is_told),
      OPTION_TEST(an_entry_of_any_length_makes_one_short_line),
      OPTION_TEST(options_are_listed_with_readable_values),
      OPTION_TEST(what_is_listed_can_be_set),
  };
  return SUITE_RUN(tests);
}
