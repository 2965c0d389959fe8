// SPDX-License-Identifier: MIT
#include "option_table.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>
#include <unistd.h>

const struct option_row option_rows[] = {
#define OPTION(name, kind, initial, minimum, maximum, meaning) \
  {#name, kind, initial, minimum, maximum, meaning},
#include "options.def"
#undef OPTION
};

const size_t option_count = sizeof option_rows / sizeof option_rows[0];

static bool text_is(const char *text, size_t length, const char *word)
{
  return strncasecmp(text, word, length) == 0 && word[length] == '\0';
}

const struct option_row *option_find(const char *name, size_t length)
{
  for (size_t i = 0; i < option_count; i++) {
    if (text_is(name, length, option_rows[i].name)) return &option_rows[i];
  }
  return NULL;
}

// ---------------------------------------------------------------------------------------------
// Values.

static bool read_switch(const char *text, size_t length, uint64_t *value)
{
  static const char *const words[] = {"0", "1", "false", "true", "off", "on", "no", "yes"};
  for (size_t i = 0; i < sizeof words / sizeof words[0]; i++) {
    if (!text_is(text, length, words[i])) continue;
    *value = i & 1;
    return true;
  }
  return false;
}

// What a suffix multiplies by; 0 if the kind has none like it.
static uint64_t factor_of(enum option_kind kind, const char *suffix, size_t length)
{
  static const char letters[] = "bkmgt";
  if (length == 0) return 1;
  if (kind == TIME) {
    return text_is(suffix, length, "ms") ? 1 : text_is(suffix, length, "s") ? 1000 : 0;
  }
  if (kind != SIZE && kind != OS_PAGE) return 0;
  for (unsigned unit = 0; letters[unit] != '\0'; unit++) {
    const char written[] = {letters[unit], 'i', 'b', '\0'};
    const char shorter[] = {letters[unit], 'b', '\0'};
    bool is_it =
        strncasecmp(suffix, written, 1) == 0 &&
        (length == 1 ||
         (unit > 0 && (text_is(suffix, length, written) || text_is(suffix, length, shorter))));
    if (is_it) return UINT64_C(1) << (10 * unit);
  }
  return 0;
}

// False if it is too large for 64 bits; *end is where the digits end.
static bool read_digits(const char *text, size_t length, uint64_t *value, size_t *end)
{
  bool fits = true;
  *value = 0;
  for (*end = 0; *end < length && text[*end] >= '0' && text[*end] <= '9'; ++*end) {
    fits = fits && !__builtin_mul_overflow(*value, UINT64_C(10), value);
    fits = fits && !__builtin_add_overflow(*value, (uint64_t)(text[*end] - '0'), value);
  }
  return fits;
}

static bool is_os_page(uint64_t bytes)
{
  return bytes == 0 || ((bytes & (bytes - 1)) == 0 && bytes >= (uint64_t)sysconf(_SC_PAGESIZE));
}

const char *option_read(const struct option_row *row, const char *text, size_t length,
                        uint64_t *value)
{
  static const char *const malformed[] = {"neither on nor off", "not a number", "not a size",
                                          "not a size", "not a time"};
  size_t digits;
  if (row->kind == TEXT) return "";
  if (row->kind == BOOL) return read_switch(text, length, value) ? "" : malformed[BOOL];
  bool fits = read_digits(text, length, value, &digits);
  uint64_t factor = factor_of(row->kind, text + digits, length - digits);
  if (digits == 0 || factor == 0) return malformed[row->kind];
  fits = fits && !__builtin_mul_overflow(*value, factor, value);
  if (!fits || *value < row->minimum || *value > row->maximum) return "not in its range";
  if (row->kind == OS_PAGE && !is_os_page(*value)) {
    return "neither 0 nor a power of two from the kernel's page on";
  }
  return "";
}

void option_write(char text[static OPTION_TEXT_MOST], const struct option_row *row, uint64_t value)
{
  static const char *const units[] = {"", "k", "m", "g", "t"};
  unsigned unit = 0;
  bool is_size = row->kind == SIZE || row->kind == OS_PAGE;
  bool is_seconds = row->kind == TIME && value % 1000 == 0;
  if (row->kind == BOOL || row->kind == TEXT) {
    snprintf(text, OPTION_TEXT_MOST, "%s", row->kind == TEXT ? "" : value != 0 ? "on" : "off");
    return;
  }
  for (; is_size && unit < 4 && value != 0 && value % 1024 == 0; unit++) value /= 1024;
  if (is_seconds) value /= 1000;
  const char *suffix = row->kind != TIME || value == 0 ? units[unit] : is_seconds ? "s" : "ms";
  snprintf(text, OPTION_TEXT_MOST, "%" PRIu64 "%s", value, suffix);
}

void option_write_range(char text[static OPTION_RANGE_MOST], const struct option_row *row)
{
  char least[OPTION_TEXT_MOST];
  char most[OPTION_TEXT_MOST];
  if (row->kind == BOOL || row->kind == TEXT || row->maximum == UINT64_MAX) {
    const char *range = row->kind == BOOL ? "on or off" : row->kind == TEXT ? "text" : "any";
    snprintf(text, OPTION_RANGE_MOST, "%s", range);
    return;
  }
  option_write(least, row, row->minimum);
  option_write(most, row, row->maximum);
  snprintf(text, OPTION_RANGE_MOST, "%s to %s", least, most);
}

// ---------------------------------------------------------------------------------------------
// The environment.

// Takes over "name<separator>value" if that sets the option.
static bool take_entry(const struct option_row *row, const char *entry, size_t length,
                       char separator, struct option_setting *setting)
{
  uint64_t value;
  size_t name_length = strlen(row->name);
  if (length <= name_length + 1 || entry[name_length] != separator) return false;
  if (!text_is(entry, name_length, row->name)) return false;
  const char *text = entry + name_length + 1;
  if (*option_read(row, text, length - name_length - 1, &value) != '\0') return false;
  setting->value = text;
  setting->length = length - name_length - 1;
  return true;
}

static bool take_list(const struct option_row *row, const char *list,
                      struct option_setting *setting)
{
  bool is_set = false;
  while (*list != '\0') {
    size_t length = strcspn(list, ",");
    is_set |= take_entry(row, list, length, ':', setting);
    list += length + (list[length] == ',');
  }
  return is_set;
}

bool option_setting(const struct option_row *row, struct option_setting *setting)
{
  static const char conf[] = "MEND_CONF=";
  static const char prefix[] = "MEND_";
  bool is_set = false;
  for (char *const *entry = environ; *entry != NULL; entry++) {
    if (strncmp(*entry, conf, strlen(conf)) != 0) continue;
    if (!take_list(row, *entry + strlen(conf), setting)) continue;
    *setting = (struct option_setting){*entry, strlen(conf) - 1, setting->value, setting->length};
    is_set = true;
  }
  for (char *const *entry = environ; *entry != NULL; entry++) {
    if (strncmp(*entry, prefix, strlen(prefix)) != 0) continue;
    const char *name = *entry + strlen(prefix);
    if (!take_entry(row, name, strlen(name), '=', setting)) continue;
    setting->variable = *entry;
    setting->variable_length = (size_t)(setting->value - *entry) - 1;
    is_set = true;
  }
  return is_set;
}
