// SPDX-License-Identifier: MIT
//
// `mend profile`: who has allocated the memory of a process. The track file comes from a program
// that is run, a file, or a process that answers; or there are two of them, of which the difference
// is shown.
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "arguments.h"
#include "command.h"
#include "control.h"
#include "launch.h"
#include "option_table.h"
#include "output.h"
#include "profile.h"
#include "profile_output.h"
#include "profile_source.h"

enum { WATCH_MOST = 240 * 3600, ROWS_MOST = 1000000 };

struct profile_options {
  struct profile_output output;
  enum profile_by by;
  bool is_difference;
  double seconds;     // that a process is watched; 0: it is not
  uint64_t interval;  // 0: what the library thinks fit
  bool is_program;
  char **operands;  // files, a process, or the program
  size_t operand_count;
};

static void print_help(void)
{
  fputs("usage: mend profile [OPTION...] -- PROGRAM [ARGUMENT...]\n"
        "       mend profile [OPTION...] FILE | PID\n"
        "       mend profile [OPTION...] --diff OLD NEW\n\n"
        "Who has allocated the memory of a process: runs PROGRAM and samples its\n"
        "allocations, reads what a process has written, asks a running one, or compares\n"
        "two files. Without another format: a table of the largest sites.\n\n"
        "  --by WHAT        live (what is in use; the default), total (all since the\n"
        "                   start), sparse (free memory in pages that blocks keep)\n"
        "  --fragmentation  as --by sparse: who keeps sparse pages resident\n"
        "  --for TIME       what grows in the process PID in this time, 30s or 5m\n"
        "  --format FORMAT  table, pprof, collapsed, heap, heaptrack, massif, json, track\n"
        "  --output FILE    write to FILE, in the format that its name ends in: .pb.gz,\n"
        "                   .collapsed.txt, .heap, .heaptrack.gz, .massif, .json, .track\n"
        "  --top N          sites in the table, 10 by default\n"
        "  --callers N      callers of each, 4 by default\n"
        "  --interval SIZE  bytes from sample to sample, 512k by default\n"
        "  --diff           compare two files\n"
        "  --help           this\n\n"
        "Exit status: 0, 1 if a file is no good, 2 if the arguments are wrong; PROGRAM's.\n",
        stdout);
}

// ---------------------------------------------------------------------------------------------
// Arguments.

// As the library reads its own option.
static bool take_interval(const char *text, void *interval)
{
  static const char name[] = "profile_interval";
  const struct option_row *row = option_find(name, strlen(name));
  const char *wrong = option_read(row, text, strlen(text), interval);
  char range[OPTION_RANGE_MOST];
  option_write_range(range, row);
  if (*wrong != '\0') complain("--interval %s: %s: %s", text, wrong, range);
  return *wrong == '\0';
}

static bool take_format(const char *name, void *format)
{
  const struct profile_format **found = format;
  *found = profile_format_find(name);
  return *found != NULL;
}

// What goes together; a complaint, or NULL.
static const char *find_contradiction(const struct profile_options *options)
{
  const struct profile_format *format = options->output.format;
  bool has_two = options->is_difference || options->seconds > 0;
  if (options->is_program && has_two) return "--diff and --for are not for programs";
  if (options->is_difference && options->seconds > 0) return "--diff and --for exclude each other";
  if (options->operand_count == 0) {
    return "mend profile takes -- and a program, a file, or a process; `mend profile --help` says "
           "more";
  }
  if (options->is_program) {
    bool is_in_the_way = !profile_format_is_table(format) && options->output.path == NULL;
    return is_in_the_way ? "say where to with --output: stdout is the program's" : NULL;
  }
  if (options->is_difference && options->operand_count != 2) return "--diff takes two files";
  if (!options->is_difference && options->operand_count != 1) {
    return "mend profile takes one file or process; a program comes behind --";
  }
  if (options->seconds > 0 && arguments_process(options->operands[0]) == 0) {
    return "--for takes the number of a process";
  }
  return has_two && profile_format_is_track(format) ? "a difference is no track file" : NULL;
}

static bool check_operands(struct profile_options *options)
{
  struct profile_output *output = &options->output;
  if (output->format == NULL) output->format = profile_format_of_file(output->path);
  if (output->format == NULL) return false;
  output->stream = options->is_program ? stderr : stdout;
  const char *contradiction = find_contradiction(options);
  if (contradiction != NULL) complain("%s", contradiction);
  return contradiction == NULL;
}

static bool parse(struct profile_options *options, int count, char **words, int *end)
{
  static const char *const orders[] = {"live", "total", "sparse", NULL};
  unsigned by = options->by;
  bool is_fragmentation = false;
  struct profile_output *output = &options->output;
  const struct argument known[] = {
      {"by", .choice = &by, .words = orders},
      {"callers", .number = &output->table.callers, .most = ROWS_MOST},
      {"diff", .flag = &options->is_difference},
      {"for", .seconds = &options->seconds, .least = 0.1, .most = WATCH_MOST},
      {"format", .take = take_format, .taker = &output->format},
      {"fragmentation", .flag = &is_fragmentation},
      {"interval", .take = take_interval, .taker = &options->interval},
      {"output", .text = &output->path},
      {"top", .number = &output->table.rows, .most = ROWS_MOST},
  };
  struct arguments given = {.command = "profile",
                            .help = print_help,
                            .known = known,
                            .known_count = sizeof known / sizeof known[0]};
  if (!arguments_parse(&given, count, words, end)) return false;
  options->by = is_fragmentation ? BY_SPARSE : (enum profile_by)by;
  options->is_program = given.is_program;
  options->operands = given.operands;
  options->operand_count = given.operand_count;
  *end = END_USAGE;
  for (size_t i = 0; !given.is_program && i < given.operand_count; i++) {
    if (!arguments_may_read(&given, given.operands[i])) return false;
  }
  return check_operands(options);
}

// ---------------------------------------------------------------------------------------------

// What is not being sampled is not "nothing". False, after a complaint, if nothing ever was.
static bool check_mode(const struct profile_options *options, const struct track_file *file)
{
  if (file->mode != TRACK_OFF) return true;
  if (file->site_count == 0 && options->is_program) {
    complain("nothing was sampled in process %" PRIu64 ": libmend-secure takes no profiles, and "
             "mend_profile_stop ends them",
             file->pid);
    return false;
  }
  if (file->site_count == 0) {
    complain("nobody samples the allocations of process %" PRIu64 ": use --for TIME with the "
             "number of a process that runs, or start it with MEND_PROFILE=1",
             file->pid);
    return false;
  }
  // A table says so itself.
  if (!profile_format_is_table(options->output.format)) {
    complain("sampling of process %" PRIu64 " has ended: nothing allocated since is in it",
             file->pid);
  }
  return true;
}

// Of a source, or of the difference to an older one.
static bool show(const struct profile_options *options, const struct profile_source *source,
                 const struct profile_source *old_source)
{
  struct track_file file = {0}, old = {0};
  struct profile profile = {0};
  bool has_old = old_source != NULL;
  bool is_good =
      profile_source_read(source, &file) && (!has_old || profile_source_read(old_source, &old));
  is_good = is_good && check_mode(options, &file);
  if (is_good && profile_format_is_track(options->output.format)) {
    is_good = output_copy(options->output.path, options->output.stream, source->path);
  } else if (is_good) {
    is_good = profile_make(&profile, &file, has_old ? &old : NULL, options->by) &&
              profile_output(&options->output, &profile);
  }
  profile_free(&profile);
  track_free(&file);
  track_free(&old);
  return is_good;
}

static int run(const struct profile_options *options)
{
  struct track_folder folder;
  struct profile_source source;
  struct launch launch = {.library = LAUNCH_LIBRARY, .arguments = options->operands};
  bool is_shown = profile_source_run(&source, &launch, &folder, options->interval, options->by) &&
                  show(options, &source, NULL);
  track_folder_remove(&folder);
  return launch_end(&launch, is_shown);
}

static bool show_process(const struct profile_options *options, pid_t pid)
{
  struct profile_source old = {.descriptor = -1}, source = {.descriptor = -1};
  bool is_good = options->seconds > 0
                     ? profile_source_watch(&old, &source, pid, options->interval, options->seconds)
                     : profile_source_ask(&source, pid);
  is_good = is_good && show(options, &source, options->seconds > 0 ? &old : NULL);
  profile_source_close(&old);
  profile_source_close(&source);
  return is_good;
}

static bool show_files(const struct profile_options *options)
{
  struct profile_source sources[2];
  for (size_t i = 0; i < options->operand_count; i++) {
    if (!profile_source_file(&sources[i], options->operands[i])) return false;
  }
  return options->is_difference ? show(options, &sources[1], &sources[0])
                                : show(options, &sources[0], NULL);
}

int command_profile(int count, char **arguments)
{
  struct profile_options options = {.output.table = {.rows = 10, .callers = 4}};
  int end;
  if (!parse(&options, count, arguments, &end)) return end;
  if (options.is_program) return run(&options);
  pid_t pid = options.is_difference ? 0 : arguments_process(options.operands[0]);
  return (pid != 0 ? show_process(&options, pid) : show_files(&options)) ? END_OK : END_BAD_INPUT;
}
