// SPDX-License-Identifier: MIT
//
// `mend options`: the table of all options, with what this environment makes of them.
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>

#include "arguments.h"
#include "command.h"
#include "json_text.h"
#include "option_table.h"
#include "text.h"

enum { LINE_MOST = 80 };

static void print_help(void)
{
  fputs("usage: mend options [--json] [NAME...]\n\n"
        "Lists the options of the library, or those that are named: what each is called,\n"
        "what it is if nobody says otherwise, what it may be, what the environment of\n"
        "this command makes of it now, and what it means. An option is set by\n"
        "MEND_NAME=VALUE in the environment of a program, by MEND_CONF=\"NAME:VALUE,...\",\n"
        "or by `mend run -o NAME=VALUE`.\n\n"
        "  --json    the same as JSON: an array of objects, with the numbers as they are\n"
        "  --help    this\n\n"
        "Exit status: 0 if all went well, 1 if there is no option of a name, or the\n"
        "output could not be written, 2 if the arguments are wrong.\n",
        stdout);
}

static void print_row(const struct option_row *row)
{
  char initial[OPTION_TEXT_MOST];
  char range[OPTION_RANGE_MOST];
  struct option_setting setting = {0};
  option_write(initial, row, row->initial);
  option_write_range(range, row);
  printf("%-18s %-9s %-18s ", row->name, *initial == '\0' ? "-" : initial, range);
  if (option_setting(row, &setting)) {
    printf("%.*s (%.*s)\n", (int)setting.length, setting.value, (int)setting.variable_length,
           setting.variable);
  } else {
    puts("-");
  }
  fputs("    ", stdout);
  text_wrap(stdout, row->meaning, LINE_MOST, 4, 4);
}

static void print_json_setting(const struct option_row *row)
{
  uint64_t value = row->initial;
  struct option_setting setting = {0};
  bool is_set = option_setting(row, &setting);
  if (is_set) (void)option_read(row, setting.value, setting.length, &value);
  fputs(",\"value\":", stdout);
  if (row->kind != TEXT) {
    printf("%ju", (uintmax_t)value);
  } else if (is_set) {
    json_write_text(stdout, setting.value, setting.length);
  } else {
    fputs("null", stdout);
  }
  fputs(",\"set_by\":", stdout);
  if (is_set) {
    json_write_text(stdout, setting.variable, setting.variable_length);
  } else {
    fputs("null", stdout);
  }
}

static void print_json_row(const struct option_row *row)
{
  static const char *const kinds[] = {"switch", "number", "size", "os_page", "time_ms", "text"};
  printf("{\"name\":\"%s\",\"kind\":\"%s\"", row->name, kinds[row->kind]);
  if (row->kind != TEXT) {
    printf(",\"default\":%ju,\"minimum\":%ju,\"maximum\":%ju", (uintmax_t)row->initial,
           (uintmax_t)row->minimum, (uintmax_t)row->maximum);
  }
  print_json_setting(row);
  fputs(",\"meaning\":", stdout);
  json_write_string(stdout, row->meaning);
  fputc('}', stdout);
}

// "purge_delay" or "MEND_PURGE_DELAY".
static const struct option_row *find_named(const char *name)
{
  if (strncasecmp(name, "MEND_", 5) == 0) name += 5;
  return option_find(name, strlen(name));
}

// Those that are named, in the order of the names; all if none is.
static int print_rows(char **names, size_t count, bool as_json)
{
  size_t row_count = count > 0 ? count : option_count;
  for (size_t i = 0; i < count; i++) {
    if (find_named(names[i]) != NULL) continue;
    complain("there is no option '%s'; `mend options` lists them", names[i]);
    return END_BAD_INPUT;
  }
  if (!as_json) printf("%-18s %-9s %-18s %s\n", "OPTION", "DEFAULT", "RANGE", "NOW");
  for (size_t i = 0; i < row_count; i++) {
    const struct option_row *row = count > 0 ? find_named(names[i]) : &option_rows[i];
    if (as_json) {
      fputs(i == 0 ? "[" : ",\n ", stdout);
      print_json_row(row);
    } else {
      print_row(row);
    }
  }
  if (as_json) puts("]");
  return END_OK;
}

int command_options(int count, char **arguments)
{
  bool as_json = false;
  const struct argument known[] = {{"json", .flag = &as_json}};
  struct arguments given = {
      .command = "options", .help = print_help, .known = known, .known_count = 1};
  int end;
  if (!arguments_parse(&given, count, arguments, &end)) return end;
  return print_rows(given.operands, given.operand_count, as_json);
}
