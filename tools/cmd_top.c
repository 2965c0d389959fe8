// SPDX-License-Identifier: MIT
//
// `mend top`: looks at the heap of a process again and again. Each look takes some time of a core
// that the process may want: so the next one comes no sooner than 200 times that later.
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>

#include "arguments.h"
#include "command.h"
#include "screen.h"
#include "top_view.h"

enum { COST_SHARE = 200 };

struct top_options {
  double interval;  // seconds
  size_t rounds;    // 0: without end
  bool is_batch;
  bool is_json;
  enum top_sort sort;
  const char *source;
};

static void print_help(void)
{
  fputs("usage: mend top [OPTION...] PID\n\n"
        "Shows the heap of a process that runs on mend, again and again: what is live,\n"
        "what is free and where, by size of blocks and by thread. The process is read\n"
        "without being stopped. PID may be a core file, too: then there is one look.\n\n"
        "  --interval T    time from one look to the next, 100ms to 1h; 1s by default.\n"
        "                  More where a look takes over half a percent of that\n"
        "  --once          one look, as plain text\n"
        "  --batch         plain text without end, for files; so it is without a terminal\n"
        "  --rounds N      end after so many looks\n"
        "  --sort ORDER    of blocks: by live bytes, free bytes, or size\n"
        "  --json          a line of JSON a look\n"
        "  --help          this\n\n"
        "Keys: q ends it, the space bar looks at once, c changes the order of blocks.\n\n"
        "Exit status: 0 if all went well or the process has ended, 1 if it could not be\n"
        "read, 2 if the arguments are wrong.\n",
        stdout);
}

static bool parse(struct top_options *options, int count, char **words, int *end)
{
  bool is_once = false;
  unsigned sort = options->sort;
  const struct argument known[] = {
      {"interval", .seconds = &options->interval, .least = 0.1, .most = 3600},
      {"once", .flag = &is_once},
      {"batch", .flag = &options->is_batch},
      {"rounds", .number = &options->rounds, .least = 1, .most = 1e9},
      {"sort", .choice = &sort, .words = top_sort_names},
      {"json", .flag = &options->is_json},
  };
  struct arguments given = {.command = "top",
                            .help = print_help,
                            .known = known,
                            .known_count = sizeof known / sizeof known[0]};
  if (!arguments_parse(&given, count, words, end)) return false;
  if (is_once) options->rounds = 1;
  options->is_batch = options->is_batch || is_once || options->is_json;
  options->sort = (enum top_sort)sort;
  if (given.operand_count == 1) {
    options->source = given.operands[0];
    return true;
  }
  complain("mend top takes the number of a process, or a core file; `mend top --help` says more");
  *end = END_USAGE;
  return false;
}

// ---------------------------------------------------------------------------------------------

static double own_seconds(void)
{
  struct rusage usage;
  getrusage(RUSAGE_SELF, &usage);
  return (double)(usage.ru_utime.tv_sec + usage.ru_stime.tv_sec) +
         (double)(usage.ru_utime.tv_usec + usage.ru_stime.tv_usec) / 1e6;
}

static void show(const struct top_view *view, const struct top_options *options, bool has_screen)
{
  char *text = NULL;
  size_t length = 0;
  if (options->is_json) {
    top_view_write_json(stdout, view);
    fflush(stdout);
    return;
  }
  FILE *stream = open_memstream(&text, &length);
  if (stream == NULL) return;
  top_view_write(stream, view);
  if (fclose(stream) == 0 && has_screen) screen_paint(text);
  if (!has_screen) {
    fputs(text, stdout);
    if (options->rounds != 1) putchar('\n');
    fflush(stdout);
  }
  free(text);
}

// Waits for the next look. False if the user has had enough.
static bool wait_next(struct top_view *view, int milliseconds, bool has_screen)
{
  if (!has_screen) {
    screen_sleep(milliseconds);
    return !ferror(stdout);
  }
  int key = screen_wait_key(milliseconds);
  if (key == 'c') view->sort = (enum top_sort)((view->sort + 1) % SORT_COUNT);
  return key != 'q' && key != -1;
}

// Looks at the process until it ends, the user has had enough, or all rounds are over. False if
// there was no look at all.
static bool look_on(struct remote *remote, const struct top_options *options, bool has_screen)
{
  struct top_view view = {.remote = remote, .sort = options->sort};
  double interval = options->interval;
  char note[64];
  for (size_t round = 1;; round++) {
    double before = own_seconds();
    if (!remote_measure(remote)) return round > 1;
    view.before = view.now;
    top_moment_take(&view.now, remote);
    note[0] = '\0';
    if (interval > options->interval) {
      snprintf(note, sizeof note, "   every %.1f s, for its size", interval);
    }
    view.note = note;
    view.rows = has_screen ? screen_size().rows - 1 : 0;
    show(&view, options, has_screen);
    if (round == options->rounds || !remote->target->is_live) return true;
    double cost = own_seconds() - before;
    interval = options->interval > cost * COST_SHARE ? options->interval : cost * COST_SHARE;
    if (!wait_next(&view, (int)(interval * 1000), has_screen)) return true;
  }
}

static bool open_source(struct target *target, const char *source)
{
  pid_t process = arguments_process(source);
  return process != 0 ? target_open_process(target, process) : target_open_core(target, source);
}

int command_top(int count, char **arguments)
{
  struct top_options options = {.interval = 1};
  int end;
  if (!parse(&options, count, arguments, &end)) return end;
  struct target target = {.memory = -1};
  struct remote remote = {0};
  bool is_good = open_source(&target, options.source) && remote_require(&remote, &target);
  if (is_good) {
    bool has_screen = target.is_live && !options.is_batch && screen_begin();
    is_good = look_on(&remote, &options, has_screen);
    screen_end();
    if (!is_good) target_complain_of_loss(&target);
  }
  remote_close(&remote);
  target_close(&target);
  return is_good ? END_OK : END_BAD_INPUT;
}
