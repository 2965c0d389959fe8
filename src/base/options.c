// SPDX-License-Identifier: MIT
#include "base/options.h"

#include <string.h>

#include "base/bits.h"
#include "base/format.h"
#include "base/output.h"

enum option_kind { BOOL, NUMBER, SIZE, OS_PAGE, TIME, TEXT };
enum verdict { GOOD, MALFORMED, OUT_OF_RANGE, NO_OS_PAGE };

struct option_row {
  const char *name;
  enum option_kind kind;
  uint64_t minimum;
  uint64_t maximum;
  const char *meaning;
};

INTERNAL struct options options SEALED = {
#define OPTION(name, kind, initial, minimum, maximum, meaning) .name = (initial),
#include "base/options.def"
#undef OPTION
};

static const struct option_row option_rows[] = {
#define OPTION(name, kind, initial, minimum, maximum, meaning) \
  {#name, kind, minimum, maximum, meaning},
#include "base/options.def"
#undef OPTION
};

#define OPTION_COUNT (sizeof option_rows / sizeof option_rows[0])
enum { OPTION_LINE_BYTES = 200 };
static_assert(sizeof options >= OPTION_COUNT * sizeof(uint64_t), "one number a row");

// What no os page is smaller than, once options_read has been told.
static size_t least_os_page = 1;

static uint64_t *option_value(const struct option_row *row)
{
  return (uint64_t *)&options + (row - option_rows);
}

static char lower(char character)
{
  return character >= 'A' && character <= 'Z' ? (char)(character - 'A' + 'a') : character;
}

// Whether a stretch of text is `word`, in either case.
static bool text_is(const char *text, size_t length, const char *word)
{
  for (size_t i = 0; i < length; i++) {
    if (word[i] == '\0' || lower(text[i]) != word[i]) return false;
  }
  return word[length] == '\0';
}

static enum verdict parse_bool(const char *text, size_t length, uint64_t *value)
{
  static const char *const words[] = {"0", "1", "false", "true", "off", "on", "no", "yes"};
  for (unsigned i = 0; i < sizeof words / sizeof words[0]; i++) {
    if (!text_is(text, length, words[i])) continue;
    *value = i & 1;
    return GOOD;
  }
  return MALFORMED;
}

// What a number of this kind is multiplied by for its suffix; 0 if it has no such suffix.
static uint64_t suffix_factor(enum option_kind kind, const char *suffix, size_t length)
{
  static const struct {
    const char *suffix;
    enum option_kind kind;
    uint64_t factor;
  } rows[] = {
      {"b", SIZE, 1},
      {"k", SIZE, UINT64_C(1) << 10},
      {"kb", SIZE, UINT64_C(1) << 10},
      {"kib", SIZE, UINT64_C(1) << 10},
      {"m", SIZE, UINT64_C(1) << 20},
      {"mb", SIZE, UINT64_C(1) << 20},
      {"mib", SIZE, UINT64_C(1) << 20},
      {"g", SIZE, UINT64_C(1) << 30},
      {"gb", SIZE, UINT64_C(1) << 30},
      {"gib", SIZE, UINT64_C(1) << 30},
      {"t", SIZE, UINT64_C(1) << 40},
      {"tb", SIZE, UINT64_C(1) << 40},
      {"tib", SIZE, UINT64_C(1) << 40},
      {"ms", TIME, 1},
      {"s", TIME, 1000},
  };
  if (length == 0) return 1;
  if (kind == OS_PAGE) kind = SIZE;
  for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
    if (rows[i].kind == kind && text_is(suffix, length, rows[i].suffix)) return rows[i].factor;
  }
  return 0;
}

static enum verdict parse_number(enum option_kind kind, const char *text, size_t length,
                                 uint64_t *value)
{
  size_t digits = 0;
  uint64_t number = 0;
  bool overflows = false;
  while (digits < length && text[digits] >= '0' && text[digits] <= '9') {
    overflows |= __builtin_mul_overflow(number, UINT64_C(10), &number);
    overflows |= __builtin_add_overflow(number, (uint64_t)(text[digits] - '0'), &number);
    digits++;
  }
  uint64_t factor = suffix_factor(kind, text + digits, length - digits);
  if (digits == 0 || factor == 0) return MALFORMED;
  overflows |= __builtin_mul_overflow(number, factor, value);
  return overflows ? OUT_OF_RANGE : GOOD;
}

// Whether there could be os pages of this size on this kernel; 0 stands for those that there are.
static bool is_os_page(uint64_t bytes)
{
  return bytes == 0 || (bits_is_power_of_two(bytes) && bytes >= least_os_page);
}

// Keeps a copy, which a later value does not take the place of: there are few.
static enum verdict keep_text(const char *text, size_t length, uint64_t *value)
{
  if (length >= OPTIONS_TEXT_BYTES - options.text_used) return MALFORMED;
  char *kept = options.texts + options.text_used;
  memcpy(kept, text, length);
  kept[length] = '\0';
  options.text_used += length + 1;
  *value = (uintptr_t)kept;
  return GOOD;
}

static enum verdict parse_value(const struct option_row *row, const char *text, size_t length,
                                uint64_t *value)
{
  if (row->kind == TEXT) return keep_text(text, length, value);
  enum verdict verdict = row->kind == BOOL ? parse_bool(text, length, value)
                                           : parse_number(row->kind, text, length, value);
  if (verdict == GOOD && (*value < row->minimum || *value > row->maximum)) return OUT_OF_RANGE;
  if (verdict == GOOD && row->kind == OS_PAGE && !is_os_page(*value)) return NO_OS_PAGE;
  return verdict;
}

// An entry as it was written, but for what would spoil the line.
static void format_entry(struct format *format, const char *entry, size_t length)
{
  char shown[81];
  size_t count = length < sizeof shown ? length : sizeof shown - 1;
  for (size_t i = 0; i < count; i++) shown[i] = entry[i] >= ' ' && entry[i] <= '~' ? entry[i] : '?';
  shown[count] = '\0';
  format_text(format, shown);
  if (count < length) format_text(format, "...");
}

// In the largest unit that leaves a whole number: as an option may be written.
static void format_value(struct format *format, enum option_kind kind, uint64_t value)
{
  static const char *const units[] = {"", "k", "m", "g", "t"};
  unsigned unit = 0;
  if (kind == OS_PAGE) kind = SIZE;
  if (kind == BOOL) {
    format_text(format, value != 0 ? "on" : "off");
    return;
  }
  if (kind == TEXT) {
    const char *text = options_text(value, "-");
    format_entry(format, text, strlen(text));
    return;
  }
  while (kind == SIZE && unit < 4 && value != 0 && value % 1024 == 0) {
    value /= 1024;
    unit++;
  }
  bool is_seconds = kind == TIME && value != 0 && value % 1000 == 0;
  format_number(format, is_seconds ? value / 1000 : value, 0);
  format_text(format, kind != TIME ? units[unit] : is_seconds ? "s" : "ms");
}

// What is wrong with an entry. The range is that of the row, where one is given.
static void warn(const char *prefix, const char *entry, size_t length, const char *what,
                 const struct option_row *row)
{
  char line[240];
  struct format format = format_begin(line, sizeof line);
  format_text(&format, "mend: ");
  format_text(&format, prefix);
  format_entry(&format, entry, length);
  format_text(&format, ": ");
  format_text(&format, what);
  if (row != NULL) {
    format_value(&format, row->kind, row->minimum);
    format_text(&format, " to ");
    format_value(&format, row->kind, row->maximum);
  }
  format_text(&format, "; ignored\n");
  output_write(line, (size_t)(format.at - line));
}

static const struct option_row *find_row(const char *name, size_t length)
{
  for (size_t i = 0; i < OPTION_COUNT; i++) {
    if (text_is(name, length, option_rows[i].name)) return &option_rows[i];
  }
  return NULL;
}

// Where the name at an entry's start ends: at the separator, or at a '=' in its place.
static size_t name_length_of(const char *entry, size_t length, char separator)
{
  size_t end = 0;
  while (end < length && entry[end] != separator && entry[end] != '=') end++;
  return end;
}

INTERNAL bool options_set(const char *prefix, const char *entry, size_t length, char separator)
{
  static const char *const malformed[] = {"neither on nor off", "not a number", "not a size",
                                          "not a size",         "not a time",   "too long"};
  size_t name_length = name_length_of(entry, length, separator);
  if (name_length + 1 == length) return true;  // an empty value
  const struct option_row *row = find_row(entry, name_length);
  if (row == NULL) {
    // Without the value: the variable may be another product's, and hold a secret of that.
    warn(prefix, entry, name_length, "no such option", NULL);
    return false;
  }
  if (name_length == length || entry[name_length] != separator) {
    warn(prefix, entry, length, name_length == length ? "no value" : "not name:value", NULL);
    return false;
  }
  uint64_t value;
  switch (parse_value(row, entry + name_length + 1, length - name_length - 1, &value)) {
  case MALFORMED:
    warn(prefix, entry, length, malformed[row->kind], NULL);
    return false;
  case OUT_OF_RANGE:
    warn(prefix, entry, length, "not in the range of ", row);
    return false;
  case NO_OS_PAGE:
    warn(prefix, entry, length, "neither 0 nor a power of two from the kernel's page on", NULL);
    return false;
  case GOOD:
    *option_value(row) = value;
  }
  return true;
}

// "name:value,name:value"
static void read_list(const char *list)
{
  while (*list != '\0') {
    size_t length = strcspn(list, ",");
    if (length > 0) options_set("MEND_CONF: ", list, length, ':');
    list += length;
    if (*list == ',') list++;
  }
}

static bool has_prefix(const char *text, const char *prefix)
{
  return strncmp(text, prefix, strlen(prefix)) == 0;
}

INTERNAL void options_read(char *const *environment, size_t kernel_page_bytes)
{
  static const char conf[] = "MEND_CONF=";
  static const char prefix[] = "MEND_";
  least_os_page = kernel_page_bytes;
  for (char *const *entry = environment; *entry != NULL; entry++) {
    if (has_prefix(*entry, conf)) read_list(*entry + strlen(conf));
  }
  for (char *const *entry = environment; *entry != NULL; entry++) {
    // MEND_TEST_... belongs to test programs, MEND_LIBRARY to the command.
    if (!has_prefix(*entry, prefix) || has_prefix(*entry, conf)) continue;
    if (has_prefix(*entry, "MEND_TEST_") || strchr(*entry, '=') == NULL) continue;
    if (has_prefix(*entry, "MEND_LIBRARY=")) continue;
    const char *name = *entry + strlen(prefix);
    options_set(prefix, name, strlen(name), '=');
  }
}

// One option's line; says how long it is.
static size_t describe_option(const struct option_row *row, char line[static OPTION_LINE_BYTES])
{
  struct format format = format_begin(line, OPTION_LINE_BYTES);
  format_text(&format, "mend: option ");
  format_text(&format, row->name);
  format_text(&format, " = ");
  format_value(&format, row->kind, *option_value(row));
  format_text(&format, "  (");
  format_text(&format, row->meaning);
  format_text(&format, ")\n");
  return (size_t)(format.at - line);
}

INTERNAL void options_print(void)
{
  char line[OPTION_LINE_BYTES];
  for (size_t i = 0; i < OPTION_COUNT; i++) {
    output_write(line, describe_option(&option_rows[i], line));
  }
}

INTERNAL bool options_write(int descriptor)
{
  char line[OPTION_LINE_BYTES];
  for (size_t i = 0; i < OPTION_COUNT; i++) {
    if (!output_write_to(descriptor, line, describe_option(&option_rows[i], line))) return false;
  }
  return true;
}
