// SPDX-License-Identifier: MIT
//
// `mend stats`: the figures of a heap, of a running process, at the exit of a program, or out of a
// file.
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "arguments.h"
#include "command.h"
#include "control.h"
#include "launch.h"
#include "output.h"
#include "stats_view.h"
#include "stats_watch.h"
#include "track_folder.h"

struct stats_options {
  struct stats_view view;
  const char *format;  // as the library calls it; NULL: a table for people
  const char *output;  // NULL: none
  double watch;        // seconds from one look to the next; 0: there is one
  size_t rounds;       // how many then; 0: without end
  char **operands;
  bool is_program;
};

static void print_help(void)
{
  fputs("usage: mend stats [OPTION...] PID\n"
        "       mend stats [OPTION...] -- PROGRAM [ARGUMENT...]\n"
        "       mend stats [OPTION...] FILE\n\n"
        "Where the memory of a heap is: lines that add up to what the kernel counts as\n"
        "resident, the sizes of blocks, the heaps and the threads. Asks a process that\n"
        "was started with MEND_CONTROL=1; or runs PROGRAM and tells at its exit, on\n"
        "stderr; or shows a FILE of JSON, - being stdin.\n\n"
        "  --json, --openmetrics, --prometheus, --xml\n"
        "                  in that form and not as a table (a FILE: JSON only)\n"
        "  --all           every class, heap and thread, and figures that are 0\n"
        "  --bytes         numbers of bytes, not rounded\n"
        "  --output FILE   into FILE\n"
        "  --watch T       of a PID, a line every T (100ms to 1h), with changes a second;\n"
        "                  with --json, a line of JSON\n"
        "  --rounds N      end that after N lines\n"
        "  --help          this\n\n"
        "Exit status: the program's, or 0; 1 if the process does not answer, or there\n"
        "is nothing to tell; 2 if the arguments are wrong. docs/stats.md explains all\n"
        "figures.\n",
        stdout);
}

// What does not go with --watch; NULL if all does.
static const char *find_contradiction(const struct stats_options *options)
{
  if (options->watch == 0) return options->rounds != 0 ? "--rounds is for --watch" : NULL;
  if (options->is_program || arguments_process(options->operands[0]) == 0) {
    return "--watch is for the number of a process that runs";
  }
  if (options->format != NULL && strcmp(options->format, "json") != 0) {
    return "--watch has lines for people, or of JSON";
  }
  return options->output != NULL ? "--watch writes to the standard output" : NULL;
}

static bool parse(struct stats_options *options, int count, char **words, int *end)
{
  const struct argument known[] = {
      {"json", .chosen = &options->format},
      {"openmetrics", .chosen = &options->format},
      {"prometheus", .chosen = &options->format},
      {"xml", .chosen = &options->format},
      {"all", .flag = &options->view.shows_all},
      {"bytes", .flag = &options->view.is_exact},
      {"output", .text = &options->output},
      {"watch", .seconds = &options->watch, .least = 0.1, .most = 3600},
      {"rounds", .number = &options->rounds, .least = 1, .most = 1e9},
  };
  struct arguments given = {.command = "stats",
                            .help = print_help,
                            .known = known,
                            .known_count = sizeof known / sizeof known[0]};
  if (!arguments_parse(&given, count, words, end)) return false;
  options->is_program = given.is_program;
  options->operands = given.operands;
  *end = END_USAGE;
  if (!given.is_program && given.operand_count > 0) {
    if (!arguments_may_read(&given, given.operands[0])) return false;
  }
  if (given.is_program ? given.operand_count >= 1 : given.operand_count == 1) {
    const char *contradiction = find_contradiction(options);
    if (contradiction != NULL) complain("%s", contradiction);
    return contradiction == NULL;
  }
  complain("mend stats takes a process, a file, or -- and a program; `mend stats --help` says "
           "more");
  return false;
}

// ---------------------------------------------------------------------------------------------

struct text {
  char *bytes;
  size_t length;
};

static bool read_all(FILE *file, struct text *text)
{
  size_t room = 0;
  for (;;) {
    if (room - text->length < 2) {
      room = room == 0 ? 65536 : 2 * room;
      char *larger = realloc(text->bytes, room);
      if (larger == NULL) break;
      text->bytes = larger;
    }
    size_t got = fread(text->bytes + text->length, 1, room - text->length - 1, file);
    if (got == 0) break;
    text->length += got;
  }
  return feof(file) && !ferror(file);
}

// All of a file, or of stdin for "-". False after a complaint.
static bool read_file(const char *path, const char *name, struct text *text)
{
  bool is_stdin = strcmp(path, "-") == 0;
  FILE *file = is_stdin ? stdin : fopen(path, "re");
  bool is_read = file != NULL && read_all(file, text);
  if (!is_read) complain("%s: %s", name, strerror(errno));
  if (file != NULL && !is_stdin) fclose(file);
  return is_read;
}

static bool write_to(const struct stats_options *options, const struct text *text, const char *name,
                     FILE *stream)
{
  if (options->format == NULL) {
    return stats_view_write(&options->view, text->bytes, text->length, name, stream);
  }
  fwrite(text->bytes, 1, text->length, stream);
  return true;
}

static bool write_output(const struct stats_options *options, const struct text *text,
                         const char *name)
{
  struct output output;
  if (!output_open(&output, options->output, options->is_program ? stderr : stdout)) return false;
  if (write_to(options, text, name, output.stream)) return output_close(&output);
  output_abandon(&output);
  return false;
}

// Shows what a file has, which people know by a name; `is_known`: it comes from the library, just
// now.
static bool show(const struct stats_options *options, const char *path, const char *name,
                 bool is_known)
{
  struct text text = {0};
  bool is_good = read_file(path, name, &text);
  if (is_good && !is_known) is_good = stats_view_check(text.bytes, text.length, name);
  is_good = is_good && write_output(options, &text, name);
  free(text.bytes);
  return is_good;
}

static bool show_file(const struct stats_options *options, const char *path)
{
  if (options->format != NULL && strcmp(options->format, "json") != 0) {
    complain("a file is shown as a table or as JSON; for --%s ask the process", options->format);
    return false;
  }
  return show(options, path, path, false);
}

static bool show_process(const struct stats_options *options, pid_t pid)
{
  if (options->watch > 0) {
    const struct stats_watch watch = {.process = pid,
                                      .interval = options->watch,
                                      .rounds = options->rounds,
                                      .is_json = options->format != NULL,
                                      .is_exact = options->view.is_exact};
    return stats_watch(&watch);
  }
  char request[40];
  snprintf(request, sizeof request, "stats %s", options->format != NULL ? options->format : "json");
  int answer = control_ask(pid, request);
  if (answer < 0) return false;
  char path[32];
  snprintf(path, sizeof path, "/proc/self/fd/%d", answer);
  bool is_shown = show(options, path, options->operands[0], true);
  close(answer);
  return is_shown;
}

// ---------------------------------------------------------------------------------------------

// The program's own figures, and not those of processes that it has started.
static bool show_first(const struct stats_options *options, struct track_folder *folder,
                       const struct launch *launch)
{
  if (!track_folder_list(folder, launch->pid)) {
    complain("%s has left no statistics: mend was not in it, or it was killed or ended by _exit",
             launch->arguments[0]);
    return false;
  }
  bool is_shown = show(options, folder->files[0], launch->arguments[0], true);
  if (folder->count > 1) {
    complain("%zu processes that it has started have told theirs, too; `mend run -o "
             "stats_file=FOLDER/%%p` keeps all",
             folder->count - 1);
  }
  return is_shown;
}

static int run(const struct stats_options *options)
{
  struct track_folder folder;
  struct launch launch = {.library = LAUNCH_LIBRARY, .arguments = options->operands};
  if (!track_folder_make(&folder)) return END_BAD_INPUT;
  const struct launch_setting settings[] = {
      {"MEND_STATS_FILE", folder.pattern},
      {"MEND_STATS_FORMAT", options->format != NULL ? options->format : "json"}};
  launch.settings = settings;
  launch.setting_count = sizeof settings / sizeof settings[0];
  bool is_run = launch_run(&launch);
  bool is_shown = is_run && show_first(options, &folder, &launch);
  track_folder_remove(&folder);
  return launch_end(&launch, is_shown);
}

int command_stats(int count, char **arguments)
{
  struct stats_options options = {0};
  int end;
  if (!parse(&options, count, arguments, &end)) return end;
  if (options.is_program) return run(&options);
  pid_t pid = arguments_process(options.operands[0]);
  bool is_shown = pid != 0 ? show_process(&options, pid) : show_file(&options, options.operands[0]);
  return is_shown ? END_OK : END_BAD_INPUT;
}
