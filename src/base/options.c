// SPDX-License-Identifier: MIT
#include "base/options.h"

#include <string.h>

#include "base/format.h"
#include "base/output.h"

enum option_kind { BOOL, NUMBER, SIZE, TIME };

struct option_row {
  const char *name;
  enum option_kind kind;
  uint64_t minimum;
  uint64_t maximum;
  const char *meaning;
};

INTERNAL struct options options = {
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
static_assert(sizeof options == OPTION_COUNT * sizeof(uint64_t), "one number a row");

static uint64_t *option_value(size_t row)
{
  return (uint64_t *)&options + row;
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

static bool parse_bool(const char *text, size_t length, uint64_t *value)
{
  static const char *const words[] = {"0", "1", "false", "true", "off", "on", "no", "yes"};
  for (unsigned i = 0; i < sizeof words / sizeof words[0]; i++) {
    if (!text_is(text, length, words[i])) continue;
    *value = i & 1;
    return true;
  }
  return false;
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
      {"m", SIZE, UINT64_C(1) << 20},
      {"ms", TIME, 1},
      {"g", SIZE, UINT64_C(1) << 30},
      {"t", SIZE, UINT64_C(1) << 40},
      {"s", TIME, 1000},
      {"kib", SIZE, UINT64_C(1) << 10},
      {"mib", SIZE, UINT64_C(1) << 20},
      {"kb", SIZE, UINT64_C(1) << 10},
      {"mb", SIZE, UINT64_C(1) << 20},
      {"gb", SIZE, UINT64_C(1) << 30},
      {"gib", SIZE, UINT64_C(1) << 30},
  };
  if (length == 0) return 1;
  for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
    if (rows[i].kind == kind && text_is(suffix, length, rows[i].suffix)) return rows[i].factor;
  }
  return 0;
}

static bool parse_number(enum option_kind kind, const char *text, size_t length, uint64_t *value)
{
  size_t digits = 0;
  uint64_t number = 0;
  while (digits < length && text[digits] >= '0' && text[digits] <= '9') {
    if (__builtin_mul_overflow(number, UINT64_C(10), &number)) return false;
    if (__builtin_add_overflow(number, (uint64_t)(text[digits] - '0'), &number)) return false;
    digits++;
  }
  uint64_t factor = suffix_factor(kind, text + digits, length - digits);
  if (digits == 0 || factor == 0) return false;
  return !__builtin_mul_overflow(number, factor, value);
}

static bool parse_value(const struct option_row *row, const char *text, size_t length,
                        uint64_t *value)
{
  bool is_number = row->kind == BOOL ? parse_bool(text, length, value)
                                     : parse_number(row->kind, text, length, value);
  return is_number && *value >= row->minimum && *value <= row->maximum;
}

static void warn(const char *what, const char *name, size_t length)
{
  char line[160];
  char word[65];
  size_t shown = length < sizeof word - 1 ? length : sizeof word - 1;
  memcpy(word, name, shown);
  word[shown] = '\0';
  struct format format = format_begin(line, sizeof line);
  format_text(&format, "mend: warning: ");
  format_text(&format, what);
  format_text(&format, " \"");
  format_text(&format, word);
  format_text(&format, "\" (ignored)\n");
  output_write(line, (size_t)(format.at - line));
}

INTERNAL bool options_set(const char *name, size_t name_length, const char *value,
                          size_t value_length)
{
  for (size_t i = 0; i < OPTION_COUNT; i++) {
    if (!text_is(name, name_length, option_rows[i].name)) continue;
    uint64_t parsed;
    if (parse_value(&option_rows[i], value, value_length, &parsed)) {
      *option_value(i) = parsed;
      return true;
    }
    warn("bad value for option", name, name_length);
    return false;
  }
  warn("unknown option", name, name_length);
  return false;
}

// "name:value,name:value"
static void read_list(const char *list)
{
  while (*list != '\0') {
    size_t length = strcspn(list, ",");
    const char *colon = memchr(list, ':', length);
    if (colon == NULL) {
      warn("no value for option", list, length);
    } else {
      size_t name_length = (size_t)(colon - list);
      options_set(list, name_length, colon + 1, length - name_length - 1);
    }
    list += length;
    if (*list == ',') list++;
  }
}

static bool has_prefix(const char *text, const char *prefix)
{
  return strncmp(text, prefix, strlen(prefix)) == 0;
}

INTERNAL void options_read(char *const *environment)
{
  static const char conf[] = "MEND_CONF=";
  static const char prefix[] = "MEND_";
  for (char *const *entry = environment; *entry != NULL; entry++) {
    if (has_prefix(*entry, conf)) read_list(*entry + strlen(conf));
  }
  for (char *const *entry = environment; *entry != NULL; entry++) {
    // MEND_TEST_... belongs to test programs.
    if (!has_prefix(*entry, prefix) || has_prefix(*entry, conf)) continue;
    if (has_prefix(*entry, "MEND_TEST_")) continue;
    const char *name = *entry + strlen(prefix);
    size_t length = strcspn(name, "=");
    if (name[length] == '=')
      options_set(name, length, name + length + 1, strlen(name) - length - 1);
  }
}

INTERNAL void options_print(void)
{
  for (size_t i = 0; i < OPTION_COUNT; i++) {
    char line[200];
    struct format format = format_begin(line, sizeof line);
    format_text(&format, "mend: option ");
    format_text(&format, option_rows[i].name);
    format_text(&format, " = ");
    format_number(&format, *option_value(i), 0);
    format_text(&format, "  (");
    format_text(&format, option_rows[i].meaning);
    format_text(&format, ")\n");
    output_write(line, (size_t)(format.at - line));
  }
}
