// SPDX-License-Identifier: MIT
//
// Options in the environment that do nothing: misspelt, or with values that the library refuses.
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <unistd.h>

#include "doctor.h"
#include "option_table.h"

enum { ENVIRONMENT_MOST = 4 << 20, NAME_MOST = 64, SETTINGS_MOST = 20 };

char *doctor_read_environment(const struct target *target, size_t *length)
{
  char path[64];
  *length = 0;
  snprintf(path, sizeof path, "/proc/%d/environ", (int)target->process);
  int file = target->is_live ? open(path, O_RDONLY | O_CLOEXEC) : -1;
  char *text = file >= 0 ? malloc(ENVIRONMENT_MOST + 1) : NULL;
  ssize_t count = 1;
  while (text != NULL && *length < ENVIRONMENT_MOST && count > 0) {
    count = read(file, text + *length, ENVIRONMENT_MOST - *length);
    if (count > 0) *length += (size_t)count;
  }
  if (file >= 0) close(file);
  if (text != NULL) text[*length] = '\0';
  return text;
}

// ---------------------------------------------------------------------------------------------
// Names that are nearly right.

static size_t smaller(size_t one, size_t other)
{
  return one < other ? one : other;
}

// How many letters have to be changed, added or taken out.
static size_t distance(const char *word, size_t length, const char *name)
{
  size_t row[NAME_MOST + 1];
  size_t name_length = strlen(name);
  if (name_length > NAME_MOST || length > NAME_MOST) return NAME_MOST;
  for (size_t j = 0; j <= name_length; j++) row[j] = j;
  for (size_t i = 1; i <= length; i++) {
    size_t corner = row[0];
    row[0] = i;
    for (size_t j = 1; j <= name_length; j++) {
      size_t change = corner + (strncasecmp(&word[i - 1], &name[j - 1], 1) != 0);
      corner = row[j];
      row[j] = smaller(smaller(row[j], row[j - 1]) + 1, change);
    }
  }
  return row[name_length];
}

// The option that a word was probably to be; NULL if none is near.
static const struct option_row *find_nearest(const char *word, size_t length)
{
  const struct option_row *nearest = NULL;
  size_t least = length / 3 + 1;
  for (size_t i = 0; i < option_count; i++) {
    size_t letters = distance(word, length, option_rows[i].name);
    if (letters > least || (nearest != NULL && letters == least)) continue;
    least = letters;
    nearest = &option_rows[i];
  }
  return nearest;
}

// ---------------------------------------------------------------------------------------------

// Only what a name may be made of is shown of it; values not at all.
static bool is_plain(const char *text, size_t length)
{
  for (size_t i = 0; i < length; i++) {
    if (text[i] <= ' ' || text[i] > '~') return false;
  }
  return length > 0 && length <= NAME_MOST;
}

// Whether a setting that does nothing is told of by itself: a few of them are enough.
static bool counts_by_name(struct doctor *doctor)
{
  return doctor->idle_settings++ < SETTINGS_MOST;
}

static void judge_unknown(struct doctor *doctor, bool is_listed, const char *name, size_t length)
{
  char remedy[160] = "`mend options` lists all that there are.";
  const struct option_row *nearest = find_nearest(name, length);
  if (!is_plain(name, length) || !counts_by_name(doctor)) return;
  if (nearest != NULL) {
    snprintf(remedy, sizeof remedy, "Did you mean %s? `mend options` lists all that there are.",
             nearest->name);
  }
  doctor_find(doctor, SEVERITY_WARNING, "unknown-option", remedy,
              "The environment sets %s%.*s%s, which is no option: it does nothing.",
              is_listed ? "" : "MEND_", (int)length, name, is_listed ? " in MEND_CONF" : "");
}

static void judge_value(struct doctor *doctor, const struct option_row *row, const char *value,
                        size_t length)
{
  uint64_t number;
  char range[OPTION_RANGE_MOST];
  if (length == 0) return;
  const char *wrong = option_read(row, value, length, &number);
  if (wrong[0] == '\0' || !counts_by_name(doctor)) return;
  option_write_range(range, row);
  char remedy[OPTION_RANGE_MOST + 96];
  const char *bounds = strcmp(range, "any") == 0 ? "" : range;
  snprintf(remedy, sizeof remedy, "%s%s%s`mend options %s` says what it is for.",
           bounds[0] != '\0' ? "It may be " : "", bounds, bounds[0] != '\0' ? ". " : "", row->name);
  doctor_find(doctor, SEVERITY_WARNING, "bad-option", remedy,
              "The environment gives the option %s a value that is refused (%s); the option stays "
              "as it is by itself.",
              row->name, wrong);
}

// A setting of the list MEND_CONF, or a variable of its own, without its "MEND_".
static void judge_setting(struct doctor *doctor, bool is_listed, const char *text, size_t length)
{
  const char *end = memchr(text, is_listed ? ':' : '=', length);
  size_t name_length = end != NULL ? (size_t)(end - text) : length;
  const struct option_row *row = option_find(text, name_length);
  if (row == NULL) {
    judge_unknown(doctor, is_listed, text, name_length);
  } else if (end != NULL) {
    judge_value(doctor, row, end + 1, length - name_length - 1);
  }
}

static void judge_list(struct doctor *doctor, const char *list)
{
  while (*list != '\0') {
    size_t length = strcspn(list, ",");
    if (length > 0) judge_setting(doctor, true, list, length);
    list += length;
    if (*list == ',') list++;
  }
}

// Names that begin so and are no options of the library.
static bool is_others(const char *name)
{
  return strncmp(name, "MEND_TEST_", 10) == 0 || strncmp(name, "MEND_LIBRARY=", 13) == 0;
}

void doctor_judge_variable(struct doctor *doctor, const char *variable)
{
  if (strncmp(variable, "MEND_", 5) != 0 || is_others(variable)) return;
  if (strncmp(variable, "MEND_CONF=", 10) == 0) {
    judge_list(doctor, variable + 10);
  } else if (strchr(variable, '=') != NULL) {
    judge_setting(doctor, false, variable + 5, strlen(variable + 5));
  }
}

void doctor_count_settings(struct doctor *doctor)
{
  if (doctor->idle_settings <= SETTINGS_MOST) return;
  size_t more = doctor->idle_settings - SETTINGS_MOST;
  doctor_find(doctor, SEVERITY_WARNING, "more-settings", "`mend options` lists all that there are.",
              "%zu more setting%s of the environment do%s nothing.", more, more == 1 ? "" : "s",
              more == 1 ? "es" : "");
}
