// SPDX-License-Identifier: MIT
#include "arguments.h"

#include <errno.h>
#include <fcntl.h>
#include <getopt.h>
#include <inttypes.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "command.h"

// Options as getopt_long numbers them, above all letters.
enum { TIME_MOST = 32, KNOWN_MOST = 24, KNOWN_FIRST = 256, OPERAND = 1, HELP = 'h' };

// ---------------------------------------------------------------------------------------------
// Values.

static bool take_number(const struct argument *argument, const char *value)
{
  char *end;
  errno = 0;
  unsigned long number = strtoul(value, &end, 10);
  *argument->number = number;
  bool is_number = *value >= '0' && *value <= '9' && *end == '\0' && errno == 0;
  if (is_number && (double)number >= argument->least && (double)number <= argument->most) {
    return true;
  }
  if (argument->least > 0) {
    complain("--%s is a number from %.0f to %.0f, not '%s'", argument->name, argument->least,
             argument->most, value);
  } else {
    complain("--%s is a number up to %.0f, not '%s'", argument->name, argument->most, value);
  }
  return false;
}

// "500ms", "2s" or "1h": of the units, the largest that it is a whole number of.
static const char *time_text(char text[static TIME_MOST], double seconds)
{
  uint64_t whole = (uint64_t)seconds;
  bool is_whole = (double)whole == seconds;
  if (is_whole && (whole == 0 || whole % 60 != 0)) {
    snprintf(text, TIME_MOST, "%" PRIu64 "s", whole);
  } else if (is_whole && whole % 3600 != 0) {
    snprintf(text, TIME_MOST, "%" PRIu64 "m", whole / 60);
  } else if (is_whole) {
    snprintf(text, TIME_MOST, "%" PRIu64 "h", whole / 3600);
  } else {
    snprintf(text, TIME_MOST, "%.0fms", seconds * 1000);
  }
  return text;
}

static bool take_seconds(const struct argument *argument, const char *value)
{
  static const struct {
    const char *name;
    double seconds;
  } units[] = {{"", 1}, {"s", 1}, {"ms", 1e-3}, {"m", 60}, {"h", 3600}};
  char least[TIME_MOST], most[TIME_MOST];
  char *end;
  const char *unit = value + strspn(value, "0123456789.");
  double number = strtod(value, &end);
  bool is_number = *value >= '0' && *value <= '9' && end == unit;
  for (size_t i = 0; is_number && i < sizeof units / sizeof units[0]; i++) {
    if (strcmp(unit, units[i].name) != 0) continue;
    *argument->seconds = number * units[i].seconds;
    if (*argument->seconds >= argument->least && *argument->seconds <= argument->most) return true;
  }
  complain("--%s is a time from %s to %s, not '%s'", argument->name,
           time_text(least, argument->least), time_text(most, argument->most), value);
  return false;
}

// "live, total or sparse"
static void complain_of_choice(const struct argument *argument, const char *value)
{
  char list[160] = "";
  for (const char *const *word = argument->words; *word != NULL; word++) {
    const char *before = word == argument->words ? "" : word[1] != NULL ? ", " : " or ";
    size_t length = strlen(list);
    snprintf(list + length, sizeof list - length, "%s%s", before, *word);
  }
  complain("--%s is %s, not '%s'", argument->name, list, value);
}

static bool take_choice(const struct argument *argument, const char *value)
{
  for (unsigned i = 0; argument->words[i] != NULL; i++) {
    if (strcmp(value, argument->words[i]) != 0) continue;
    *argument->choice = i;
    return true;
  }
  complain_of_choice(argument, value);
  return false;
}

static bool has_value(const struct argument *argument)
{
  return argument->flag == NULL && argument->chosen == NULL;
}

static bool take_argument(const struct argument *argument, const char *value)
{
  if (argument->number != NULL) return take_number(argument, value);
  if (argument->seconds != NULL) return take_seconds(argument, value);
  if (argument->choice != NULL) return take_choice(argument, value);
  if (argument->take != NULL) return argument->take(value, argument->taker);
  if (argument->flag != NULL) *argument->flag = true;
  if (argument->chosen != NULL) *argument->chosen = argument->name;
  if (argument->text != NULL) *argument->text = value;
  return true;
}

// ---------------------------------------------------------------------------------------------

// The table as getopt_long wants it.
struct getopt_tables {
  struct option names[KNOWN_MOST + 2];
  char letters[4 + 2 * KNOWN_MOST];
};

static void make_tables(struct getopt_tables *tables, const struct arguments *arguments)
{
  // "-": operands come in their order; ":": a value that is missing has an answer of its own.
  char *letter = stpcpy(tables->letters, arguments->ends_at_operand ? "+:h" : "-:h");
  for (size_t i = 0; i < arguments->known_count; i++) {
    const struct argument *argument = &arguments->known[i];
    int value = has_value(argument) ? required_argument : no_argument;
    tables->names[i] = (struct option){argument->name, value, NULL, KNOWN_FIRST + (int)i};
    if (argument->letter == 0) continue;
    *letter++ = argument->letter;
    if (has_value(argument)) *letter++ = ':';
  }
  *letter = '\0';
  tables->names[arguments->known_count] = (struct option){"help", no_argument, NULL, HELP};
  tables->names[arguments->known_count + 1] = (struct option){0};
}

static const struct argument *find_argument(const struct arguments *arguments, int option)
{
  if (option >= KNOWN_FIRST) return &arguments->known[option - KNOWN_FIRST];
  for (size_t i = 0; i < arguments->known_count; i++) {
    if (arguments->known[i].letter == option) return &arguments->known[i];
  }
  return NULL;
}

static bool take_option(const struct arguments *arguments, int option, const char *word)
{
  const struct argument *argument = find_argument(arguments, option);
  if (argument != NULL) return take_argument(argument, optarg);
  if (option == ':') {
    complain("%s lacks its value", word);
  } else if (optopt >= KNOWN_FIRST) {
    complain("--%s takes no value", arguments->known[optopt - KNOWN_FIRST].name);
  } else if (optopt != 0) {
    complain("-%c is no option of mend %s", optopt, arguments->command);
  } else {
    complain("%s is no option of mend %s; `mend %s --help` lists them", word, arguments->command,
             arguments->command);
  }
  return false;
}

bool arguments_parse(struct arguments *arguments, int count, char **words, int *end)
{
  struct getopt_tables tables;
  char **operand = words + 1;  // where the next goes: none comes before its place
  int option;
  make_tables(&tables, arguments);
  opterr = 0;
  while ((option = getopt_long(count, words, tables.letters, tables.names, NULL)) != -1) {
    if (option == OPERAND) {
      *operand++ = optarg;
    } else if (option == HELP) {
      arguments->help();
      *end = END_OK;
      return false;
    } else if (!take_option(arguments, option, words[optind - 1])) {
      *end = END_USAGE;
      return false;
    }
  }
  arguments->operands = words + 1;
  arguments->is_program =
      operand == words + 1 && optind > 1 && strcmp(words[optind - 1], "--") == 0;
  while (optind < count) *operand++ = words[optind++];
  *operand = NULL;
  arguments->operand_count = (size_t)(operand - arguments->operands);
  return true;
}

// ---------------------------------------------------------------------------------------------

// By how it begins: a script, or an ELF file that is a program (also a shared library; a core file
// is none).
static bool is_program(const char *path)
{
  unsigned char head[18] = "";
  int file = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
  if (file < 0) return false;
  ssize_t got = read(file, head, sizeof head);
  close(file);
  if (got >= 2 && memcmp(head, "#!", 2) == 0) return true;
  unsigned kind = (unsigned)head[16] | head[17];  // one of them is 0, whatever the order
  return got == sizeof head && memcmp(head, "\177ELF", 4) == 0 && (kind == 2 || kind == 3);
}

bool arguments_may_read(const struct arguments *arguments, const char *operand)
{
  if (!is_program(operand)) return true;
  complain("%s is a program; to run it: mend %s -- %s", operand, arguments->command, operand);
  return false;
}

pid_t arguments_process(const char *operand)
{
  char *end;
  if (*operand < '1' || *operand > '9') return 0;
  errno = 0;
  long number = strtol(operand, &end, 10);
  return errno == 0 && *end == '\0' && number <= INT_MAX ? (pid_t)number : 0;
}
