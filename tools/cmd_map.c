// SPDX-License-Identifier: MIT
//
// `mend map`: reads one heap map or two, of files, running processes or core files, and draws them.
#include <inttypes.h>
#include <langinfo.h>
#include <locale.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "arguments.h"
#include "command.h"
#include "map_html.h"
#include "map_terminal.h"
#include "output.h"
#include "remote_map.h"

enum colour { COLOUR_AUTO, COLOUR_ALWAYS, COLOUR_NEVER };

struct map_options {
  const char *html;  // NULL: none
  enum colour colour;
  size_t width;  // 0: the terminal's
  char **paths;
  size_t path_count;
};

static void print_help(void)
{
  fputs("usage: mend map [OPTION...] SOURCE [AFTER]\n\n"
        "Draws a heap page by page. SOURCE is the number of a process that runs on mend,\n"
        "which is read without stopping it; a core file; or a file that\n"
        "mend_heap_map_write has written (\"-\": the standard input). With AFTER, a later\n"
        "one of the same process, it draws both on the same scale, before and after.\n\n"
        "  --html FILE     also write one HTML page with all of it, for browsers: no\n"
        "                  other file, no network\n"
        "  --width N       draw in N columns, 40 to 1000; else as wide as the terminal\n"
        "  --color WHEN    auto (on a terminal, unless NO_COLOR is set), always or never\n"
        "  --help          this\n\n"
        "Exit status: 0 if all went well, 1 if a source is no good or nothing could be\n"
        "written, 2 if the arguments are wrong.\n",
        stdout);
}

static bool take_paths(struct map_options *options, const struct arguments *given)
{
  if (given->operand_count < 1 || given->operand_count > 2) {
    complain("mend map takes one source or two; `mend map --help` says more");
    return false;
  }
  options->paths = given->operands;
  options->path_count = given->operand_count;
  if (options->path_count == 1 || strcmp(options->paths[0], "-") != 0 ||
      strcmp(options->paths[1], "-") != 0) {
    return true;
  }
  complain("the standard input can be read once");
  return false;
}

static bool parse(struct map_options *options, int count, char **words, int *end)
{
  static const char *const colours[] = {"auto", "always", "never", NULL};
  unsigned colour = options->colour;
  const struct argument known[] = {
      {"html", .text = &options->html},
      {"width", .number = &options->width, .least = TERMINAL_WIDTH_LEAST,
       .most = TERMINAL_WIDTH_MOST},
      {"color", .choice = &colour, .words = colours},
  };
  struct arguments given = {.command = "map",
                            .help = print_help,
                            .known = known,
                            .known_count = sizeof known / sizeof known[0]};
  if (!arguments_parse(&given, count, words, end)) return false;
  options->colour = (enum colour)colour;
  *end = END_USAGE;
  return take_paths(options, &given);
}

// ---------------------------------------------------------------------------------------------

static size_t terminal_width(void)
{
  struct winsize size;
  if (ioctl(STDOUT_FILENO, TIOCGWINSZ, &size) != 0 || size.ws_col < TERMINAL_WIDTH_LEAST) return 80;
  return size.ws_col < TERMINAL_WIDTH_MOST ? size.ws_col : TERMINAL_WIDTH_MOST;
}

static bool has_colour(enum colour colour)
{
  return colour == COLOUR_AUTO ? output_has_colour(stdout) : colour == COLOUR_ALWAYS;
}

static bool draw(const struct snapshot *snapshots, const struct map_options *options)
{
  (void)setlocale(LC_CTYPE, "");
  const struct terminal terminal = {
      .width = options->width != 0 ? options->width : terminal_width(),
      .has_colour = has_colour(options->colour),
      .has_utf8 = strcmp(nl_langinfo(CODESET), "UTF-8") == 0,
  };
  size_t count = options->path_count;
  if (options->html != NULL && !html_write(snapshots, count, options->html)) return false;
  return terminal_draw(snapshots, count, &terminal);
}

// What a heap was read from.
struct source {
  struct target target;
  struct remote remote;
  struct snapshot snapshot;
};

// What could not be told for certain of a process that runs.
static void warn(const struct remote *remote)
{
  if (remote->torn_count > 0) {
    complain("%s: %" PRIu64 " pages changed while they were read, again and again; they may be "
             "missing or not quite right",
             remote->target->name, remote->torn_count);
  }
  if (remote->is_cut_off) complain("%s: the heap goes on behind this", remote->target->name);
}

static bool read_source(struct source *source, const char *argument)
{
  struct target *target = &source->target;
  pid_t process = arguments_process(argument);
  if (process == 0 && !target_is_core(argument)) return snapshot_read(&source->snapshot, argument);
  bool is_open =
      process != 0 ? target_open_process(target, process) : target_open_core(target, argument);
  if (!is_open || !remote_require(&source->remote, target)) return false;
  bool is_read = remote_map(&source->remote, &source->snapshot);
  warn(&source->remote);
  return is_read;
}

static void free_source(struct source *source)
{
  snapshot_free(&source->snapshot);
  remote_close(&source->remote);
  target_close(&source->target);
}

int command_map(int count, char **arguments)
{
  struct map_options options = {.colour = COLOUR_AUTO};
  int end;
  if (!parse(&options, count, arguments, &end)) return end;
  struct source sources[2] = {{.target.memory = -1}, {.target.memory = -1}};
  struct snapshot snapshots[2] = {0};
  bool is_good = true;
  for (size_t i = 0; i < options.path_count && is_good; i++) {
    is_good = read_source(&sources[i], options.paths[i]);
    snapshots[i] = sources[i].snapshot;
  }
  is_good = is_good && draw(snapshots, &options);
  for (size_t i = 0; i < 2; i++) free_source(&sources[i]);
  return is_good ? END_OK : END_BAD_INPUT;
}
