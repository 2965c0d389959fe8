// SPDX-License-Identifier: MIT
#include "stats_watch.h"

#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "clock.h"
#include "command.h"
#include "control.h"
#include "figures.h"
#include "json_head.h"
#include "process_image.h"
#include "screen.h"

enum { LINES_A_HEAD = 20, RETRY_MS = 20 };

struct look {
  int64_t nanoseconds;
  uint64_t image_before;  // of the process, when it was asked
  uint64_t image_after;   // and when it had answered
  json_t *figures;        // lines and figures together, by their names; NULL: there is none
};

// What a line for people has, value and change.
static const char *const columns[][2] = {{"resident_bytes", "resident"},
                                         {"live_bytes", "live"},
                                         {"free_bytes", "free"},
                                         {"retained_bytes", "kept"}};
// And what is shown as its change alone.
static const char *const counters[][2] = {{"purged_bytes_total", "purged"},
                                          {"os_calls_total", "calls"}};

enum { COLUMNS = sizeof columns / sizeof columns[0], COUNTERS = 2 };

// ---------------------------------------------------------------------------------------------
// A look.

static json_t *read_figures(int answer)
{
  char path[32];
  snprintf(path, sizeof path, "/proc/self/fd/%d", answer);
  json_t *root = json_load_file(path, 0, NULL);
  json_t *figures = json_copy(json_object_get(root, "lines"));
  if (json_object_update(figures, json_object_get(root, "figures")) != 0) {
    json_decref(figures);
    figures = NULL;
  }
  json_decref(root);
  return figures;
}

// Of a process that has answered before: while it becomes another program it does not.
static int ask_again(const struct stats_watch *watch, const char *request,
                     char why[static CONTROL_WHY_MOST])
{
  int64_t deadline = clock_ns(CLOCK_MONOTONIC) + NS_A_SECOND;
  for (;;) {
    int answer = control_try(watch->process, request, -1, why);
    if (answer >= 0 || process_is_gone(watch->process)) return answer;
    if (clock_ns(CLOCK_MONOTONIC) > deadline) return answer;
    screen_sleep(RETRY_MS);
  }
}

// False after a complaint, unless the process was there before and is no more.
static bool take_look(const struct stats_watch *watch, struct look *look, bool is_first)
{
  char why[CONTROL_WHY_MOST];
  static const char request[] = "stats json";
  look->image_before = process_image(watch->process);
  int answer = is_first ? control_ask(watch->process, request) : ask_again(watch, request, why);
  look->nanoseconds = clock_ns(CLOCK_MONOTONIC);
  look->image_after = process_image(watch->process);
  look->figures = answer >= 0 ? read_figures(answer) : NULL;
  if (answer >= 0) close(answer);
  if (look->figures != NULL) return true;
  bool has_ended = !is_first && process_is_gone(watch->process);
  if (answer >= 0) {
    complain("process %ld: these are no statistics of mend", (long)watch->process);
  } else if (!is_first && !has_ended) {
    complain("%s", why);
  }
  return has_ended;
}

static double value_of(const struct look *look, const char *name)
{
  return (double)json_integer_value(json_object_get(look->figures, name));
}

// A second, since the look before.
static double rate_of(const struct look *now, const struct look *before, const char *name)
{
  double seconds = (double)(now->nanoseconds - before->nanoseconds) / NS_A_SECOND;
  if (before->figures == NULL || seconds <= 0) return 0;
  return (value_of(now, name) - value_of(before, name)) / seconds;
}

// Whether the process has become another program since the look before. Counters only grow.
static bool has_changed(const struct look *now, const struct look *before)
{
  if (before->figures == NULL) return false;
  bool has_changed = now->image_after != before->image_before;
  for (size_t i = 0; i < COUNTERS; i++) {
    const char *name = counters[i][0];
    has_changed = has_changed || value_of(now, name) < value_of(before, name);
  }
  return has_changed;
}

static void forget(struct look *look)
{
  json_decref(look->figures);
  look->figures = NULL;
}

// ---------------------------------------------------------------------------------------------
// A line.

// "96.4M"; as a change with its sign.
static void write_short(char text[static FIGURE_TEXT_MOST], const struct stats_watch *watch,
                        double value, bool is_change)
{
  char size[FIGURE_TEXT_MOST];
  double amount = value < 0 ? -value : value;
  if (watch->is_exact) {
    snprintf(size, sizeof size, "%.0f", amount);
  } else {
    figure_write(size, UNIT_BYTES, amount);
    char *space = strchr(size, ' ');
    if (space != NULL) memmove(space, space[1] == 'B' ? "" : space + 1, space[1] == 'B' ? 1 : 2);
    if (space != NULL && *space != '\0') space[1] = '\0';
  }
  snprintf(text, FIGURE_TEXT_MOST, "%s%.28s", !is_change ? "" : value < 0 ? "-" : "+", size);
}

// So that a line has 80 columns, or as many as it takes.
static int width_of(const struct stats_watch *watch)
{
  return watch->is_exact ? 15 : 8;
}

static void print_head(const struct stats_watch *watch)
{
  int width = width_of(watch);
  for (size_t i = 0; i < COLUMNS; i++) printf("%*s%*s", width, columns[i][1], width, "/s");
  for (size_t i = 0; i < COUNTERS; i++) printf("%*s", width, counters[i][1]);
  putchar('\n');
}

static void print_line(const struct stats_watch *watch, const struct look *now,
                       const struct look *before)
{
  char text[FIGURE_TEXT_MOST];
  int width = width_of(watch);
  for (size_t i = 0; i < COLUMNS; i++) {
    write_short(text, watch, value_of(now, columns[i][0]), false);
    printf("%*s", width, text);
    write_short(text, watch, rate_of(now, before, columns[i][0]), true);
    printf("%*s", width, before->figures != NULL ? text : "-");
  }
  for (size_t i = 0; i < COUNTERS; i++) {
    double rate = rate_of(now, before, counters[i][0]);
    write_short(text, watch, rate, false);
    if (i > 0) snprintf(text, sizeof text, "%.0f", rate);
    printf("%*s", width, before->figures != NULL ? text : "-");
  }
  putchar('\n');
}

static void print_json(const struct stats_watch *watch, const struct look *now,
                       const struct look *before)
{
  const char *name;
  json_t *value;
  json_head_begin(stdout, "stats-watch");
  fputc(',', stdout);
  json_head_process(stdout, (uint64_t)watch->process, NULL, clock_ns(CLOCK_REALTIME));
  printf(",\"seconds\":%.3f", before->figures != NULL
                                  ? (double)(now->nanoseconds - before->nanoseconds) / NS_A_SECOND
                                  : 0);
  fputs(",\"figures\":", stdout);
  json_dumpf(now->figures, stdout, JSON_COMPACT);
  fputs(",\"per_second\":", stdout);
  if (before->figures == NULL) fputs("null", stdout);
  char separator = '{';
  json_object_foreach(now->figures, name, value)
  {
    if (before->figures == NULL) break;
    printf("%c\"%s\":%.1f", separator, name, rate_of(now, before, name));
    separator = ',';
  }
  puts(before->figures != NULL ? "}}" : "}");
}

bool stats_watch(const struct stats_watch *watch)
{
  struct look before = {0}, now;
  bool is_good = true;
  for (size_t round = 0; watch->rounds == 0 || round < watch->rounds; round++) {
    if (round > 0) screen_sleep((int)(watch->interval * 1000));
    is_good = take_look(watch, &now, round == 0);
    if (now.figures == NULL) break;
    if (has_changed(&now, &before)) {
      complain("process %ld has become another program: changes are counted anew",
               (long)watch->process);
      forget(&before);
    }
    if (watch->is_json) {
      print_json(watch, &now, &before);
    } else {
      if (round % LINES_A_HEAD == 0) print_head(watch);
      print_line(watch, &now, &before);
    }
    json_decref(before.figures);
    before = now;
    is_good = fflush(stdout) == 0;
    if (!is_good) complain("the output could not be written");
    if (!is_good) break;
  }
  json_decref(before.figures);
  return is_good;
}
