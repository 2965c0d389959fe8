// SPDX-License-Identifier: MIT
//
// `mend map`: reads one heap map or two, of files, running processes or core files, and draws them.
#include <getopt.h>
#include <inttypes.h>
#include <langinfo.h>
#include <locale.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "command.h"
#include "map_html.h"
#include "map_terminal.h"
#include "remote_map.h"

struct map_options {
  const char *html;    // NULL: none
  const char *colour;  // auto, always, never
  size_t width;        // 0: the terminal's
  const char *paths[2];
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

static bool parse_width(const char *text, size_t *width)
{
  char *end;
  long value = strtol(text, &end, 10);
  bool is_number = *text >= '0' && *text <= '9' && *end == '\0';
  if (!is_number || value < TERMINAL_WIDTH_LEAST || value > TERMINAL_WIDTH_MOST) {
    complain("--width is a number from %d to %d, not '%s'", TERMINAL_WIDTH_LEAST,
             TERMINAL_WIDTH_MOST, text);
    return false;
  }
  *width = (size_t)value;
  return true;
}

static bool parse_colour(const char *text, const char **colour)
{
  *colour = text;
  if (strcmp(text, "auto") == 0 || strcmp(text, "always") == 0 || strcmp(text, "never") == 0) {
    return true;
  }
  complain("--color is auto, always or never, not '%s'", text);
  return false;
}

static bool parse_paths(struct map_options *options, int count, char **arguments)
{
  if (count < 1 || count > 2) {
    complain("mend map takes one source or two; `mend map --help` says more");
    return false;
  }
  for (int i = 0; i < count; i++) options->paths[i] = arguments[i];
  options->path_count = (size_t)count;
  if (count == 1 || strcmp(arguments[0], "-") != 0 || strcmp(arguments[1], "-") != 0) return true;
  complain("the standard input can be read once");
  return false;
}

enum parsed { PARSED, PARSED_HELP, PARSED_WRONG };

static enum parsed parse(struct map_options *options, int count, char **arguments)
{
  static const struct option known[] = {{"html", required_argument, NULL, 'o'},
                                        {"width", required_argument, NULL, 'w'},
                                        {"color", required_argument, NULL, 'c'},
                                        {"help", no_argument, NULL, 'h'},
                                        {NULL, 0, NULL, 0}};
  int option;
  bool is_right = true;
  opterr = 0;
  while (is_right && (option = getopt_long(count, arguments, ":h", known, NULL)) != -1) {
    switch (option) {
    case 'o':
      options->html = optarg;
      break;
    case 'w':
      is_right = parse_width(optarg, &options->width);
      break;
    case 'c':
      is_right = parse_colour(optarg, &options->colour);
      break;
    case 'h':
      print_help();
      return PARSED_HELP;
    default:
      complain(option == ':' ? "%s lacks its value" : "%s is no option of mend map",
               arguments[optind - 1]);
      is_right = false;
    }
  }
  if (is_right) is_right = parse_paths(options, count - optind, arguments + optind);
  return is_right ? PARSED : PARSED_WRONG;
}

// ---------------------------------------------------------------------------------------------

static size_t terminal_width(void)
{
  struct winsize size;
  if (ioctl(STDOUT_FILENO, TIOCGWINSZ, &size) != 0 || size.ws_col < TERMINAL_WIDTH_LEAST) return 80;
  return size.ws_col < TERMINAL_WIDTH_MOST ? size.ws_col : TERMINAL_WIDTH_MOST;
}

static bool wants_colour(const char *colour)
{
  if (strcmp(colour, "auto") != 0) return strcmp(colour, "always") == 0;
  const char *terminal = getenv("TERM");
  const char *refusal = getenv("NO_COLOR");
  return isatty(STDOUT_FILENO) && (refusal == NULL || *refusal == '\0') && terminal != NULL &&
         strcmp(terminal, "dumb") != 0;
}

static bool draw(const struct snapshot *snapshots, const struct map_options *options)
{
  (void)setlocale(LC_CTYPE, "");
  const struct terminal terminal = {
      .width = options->width != 0 ? options->width : terminal_width(),
      .has_colour = wants_colour(options->colour),
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
  pid_t process = target_parse_process(argument);
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
  struct map_options options = {.colour = "auto"};
  switch (parse(&options, count, arguments)) {
  case PARSED_HELP:
    return END_OK;
  case PARSED_WRONG:
    return END_USAGE;
  case PARSED:
    break;
  }
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
