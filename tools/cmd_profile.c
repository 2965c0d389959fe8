// SPDX-License-Identifier: MIT
//
// `mend profile`: who has allocated the memory of a process. Runs a program with sampling on, or
// reads what a process has written, or compares two such files; then writes the table or another
// form.
#include <errno.h>
#include <getopt.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "command.h"
#include "launch.h"
#include "profile.h"
#include "profile_formats.h"
#include "track_folder.h"

static const struct format {
  const char *name;
  const char *suffix;  // of files that are written in it unless something else is asked for
  bool (*write)(const struct profile *profile, FILE *stream);  // NULL: the table
  bool is_compressed_by_suffix;
} formats[] = {
    {"table", ".txt", NULL, false},
    {"pprof", ".pb.gz", profile_write_pprof, false},
    {"collapsed", ".collapsed.txt", profile_write_collapsed, false},
    {"heap", ".heap", profile_write_heap, false},
    {"heaptrack", ".heaptrack.gz", profile_write_heaptrack, true},
    {"massif", ".massif", profile_write_massif, false},
    {"json", ".json", profile_write_json, false},
};
enum { FORMATS = sizeof formats / sizeof formats[0] };

struct profile_options {
  const struct format *format;  // NULL: by the name of the output
  const char *output;           // NULL: none
  enum profile_by by;
  struct profile_table table;
  bool is_difference;
  const char *interval;  // as it was given, or NULL
  char **operands;       // files, or the program
  size_t operand_count;
  bool is_program;
};

static void print_help(void)
{
  fputs("usage: mend profile [OPTION...] -- PROGRAM [ARGUMENT...]\n"
        "       mend profile [OPTION...] FILE\n"
        "       mend profile [OPTION...] --diff OLD NEW\n\n"
        "Who has allocated the memory of a process: runs PROGRAM and samples its\n"
        "allocations, or reads what mend_profile_write has written, or compares two\n"
        "such files. Without another format: a table of the largest sites.\n\n"
        "  --by WHAT        live (what is in use; the default), total (all since the\n"
        "                   start), sparse (free memory in pages that blocks keep)\n"
        "  --fragmentation  as --by sparse: who keeps sparse pages resident\n"
        "  --format FORMAT  table, pprof, collapsed, heap, heaptrack, massif, json\n"
        "  --output FILE    write to FILE, in the format that its name ends in: .pb.gz,\n"
        "                   .collapsed.txt, .heap, .heaptrack.gz, .massif, .json, .txt\n"
        "  --top N          sites in the table, 10 by default\n"
        "  --callers N      callers of each, 4 by default\n"
        "  --interval SIZE  bytes from sample to sample, 512k by default\n"
        "  --help           this\n\n"
        "Exit status: 0, 1 if a file is no good, 2 if the arguments are wrong; PROGRAM's.\n",
        stdout);
}

// ---------------------------------------------------------------------------------------------
// Arguments.

static bool parse_by(const char *text, enum profile_by *by)
{
  static const char *const names[] = {"live", "total", "sparse"};
  for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
    if (strcmp(text, names[i]) != 0) continue;
    *by = (enum profile_by)i;
    return true;
  }
  complain("--by is live, total or sparse, not '%s'", text);
  return false;
}

static bool parse_format(const char *text, const struct format **format)
{
  for (size_t i = 0; i < FORMATS; i++) {
    if (strcmp(text, formats[i].name) != 0) continue;
    *format = &formats[i];
    return true;
  }
  complain("there is no format '%s'; `mend profile --help` lists them", text);
  return false;
}

static bool parse_count(const char *name, const char *text, size_t *count)
{
  char *end;
  errno = 0;
  unsigned long value = strtoul(text, &end, 10);
  if (*text < '0' || *text > '9' || *end != '\0' || errno != 0 || value > 1000000) {
    complain("%s is a number up to 1000000, not '%s'", name, text);
    return false;
  }
  *count = value;
  return true;
}

enum { OPTION_FRAGMENTATION = 256, OPTION_DIFF, OPTION_INTERVAL, OPTION_CALLERS };

static bool take_option(struct profile_options *options, int option)
{
  switch (option) {
  case 'b':
    return parse_by(optarg, &options->by);
  case 'f':
    return parse_format(optarg, &options->format);
  case 'o':
    options->output = optarg;
    return true;
  case 't':
    return parse_count("--top", optarg, &options->table.rows);
  case OPTION_CALLERS:
    return parse_count("--callers", optarg, &options->table.callers);
  case OPTION_FRAGMENTATION:
    options->by = BY_SPARSE;
    return true;
  case OPTION_DIFF:
    options->is_difference = true;
    return true;
  case OPTION_INTERVAL:
    options->interval = optarg;
    return true;
  default:
    return false;
  }
}

// By the end of the output's name, the longest that is known; the table if that tells nothing.
static const struct format *format_of_name(const char *name)
{
  const struct format *found = &formats[0];
  size_t length = name != NULL ? strlen(name) : 0;
  size_t longest = 0;
  for (size_t i = 0; i < FORMATS; i++) {
    size_t end = strlen(formats[i].suffix);
    if (end <= longest || length <= end) continue;
    if (strcmp(name + length - end, formats[i].suffix) != 0) continue;
    found = &formats[i];
    longest = end;
  }
  return found;
}

static bool check_operands(struct profile_options *options)
{
  size_t wanted = options->is_difference ? 2 : 1;
  if (options->format == NULL) options->format = format_of_name(options->output);
  if (options->is_program && options->is_difference) {
    complain("--diff compares two files");
  } else if (options->operand_count == 0) {
    complain("mend profile takes -- and a program, or a file; `mend profile --help` says more");
  } else if (!options->is_program && options->operand_count != wanted) {
    complain(options->is_difference ? "--diff takes two files"
                                    : "mend profile takes one file; a program comes behind --");
  } else if (options->is_program && options->format->write != NULL && options->output == NULL) {
    complain("say where to with --output: the program writes to the standard output");
  } else {
    return true;
  }
  return false;
}

enum parsed { PARSED, PARSED_HELP, PARSED_WRONG };

static enum parsed parse(struct profile_options *options, int count, char **arguments)
{
  static const struct option known[] = {{"by", required_argument, NULL, 'b'},
                                        {"format", required_argument, NULL, 'f'},
                                        {"output", required_argument, NULL, 'o'},
                                        {"top", required_argument, NULL, 't'},
                                        {"callers", required_argument, NULL, OPTION_CALLERS},
                                        {"fragmentation", no_argument, NULL, OPTION_FRAGMENTATION},
                                        {"diff", no_argument, NULL, OPTION_DIFF},
                                        {"interval", required_argument, NULL, OPTION_INTERVAL},
                                        {"help", no_argument, NULL, 'h'},
                                        {NULL, 0, NULL, 0}};
  int option;
  opterr = 0;
  while ((option = getopt_long(count, arguments, ":h", known, NULL)) != -1) {
    if (option == 'h') {
      print_help();
      return PARSED_HELP;
    }
    if (option == ':' || option == '?') {
      complain(option == ':' ? "%s lacks its value" : "%s is no option of mend profile",
               arguments[optind - 1]);
      return PARSED_WRONG;
    }
    if (!take_option(options, option)) return PARSED_WRONG;
  }
  options->is_program = optind > 1 && strcmp(arguments[optind - 1], "--") == 0;
  options->operands = arguments + optind;
  options->operand_count = (size_t)(count - optind);
  return check_operands(options) ? PARSED : PARSED_WRONG;
}

// ---------------------------------------------------------------------------------------------
// Output.

static bool wants_colour(FILE *stream)
{
  const char *terminal = getenv("TERM");
  const char *refusal = getenv("NO_COLOR");
  return isatty(fileno(stream)) && (refusal == NULL || *refusal == '\0') && terminal != NULL &&
         strcmp(terminal, "dumb") != 0;
}

static bool write_to(const struct profile *profile, const struct profile_options *options,
                     FILE *stream)
{
  if (options->format->write != NULL) return options->format->write(profile, stream);
  struct profile_table table = options->table;
  table.has_colour = wants_colour(stream);
  return profile_write_table(profile, &table, stream);
}

static bool ends_in_gz(const char *name)
{
  size_t length = strlen(name);
  return length > 3 && strcmp(name + length - 3, ".gz") == 0;
}

// Through memory, and compressed.
static bool write_compressed(const struct profile *profile, const struct profile_options *options,
                             FILE *stream)
{
  char *bytes = NULL;
  size_t length = 0;
  FILE *memory = open_memstream(&bytes, &length);
  bool is_good = memory != NULL && write_to(profile, options, memory);
  if (memory != NULL) is_good = fclose(memory) == 0 && is_good;
  is_good = is_good && gzip_write(stream, bytes, length);
  free(bytes);
  return is_good;
}

static bool write_output(const struct profile *profile, const struct profile_options *options)
{
  if (options->output == NULL) {
    return write_to(profile, options, options->is_program ? stderr : stdout);
  }
  FILE *stream = fopen(options->output, "we");
  if (stream == NULL) {
    complain("%s: %s", options->output, strerror(errno));
    return false;
  }
  bool is_compressed = options->format->is_compressed_by_suffix && ends_in_gz(options->output);
  bool is_good = is_compressed ? write_compressed(profile, options, stream)
                               : write_to(profile, options, stream);
  bool is_written = !ferror(stream);
  is_written = fclose(stream) == 0 && is_written;
  if (!is_written) complain("%s: it could not be written", options->output);
  return is_good && is_written;
}

// ---------------------------------------------------------------------------------------------
// The three ways to it.

static bool read_profile(struct track_file *file, const char *path)
{
  if (!track_read(file, path)) return false;
  if (file->kind == TRACK_PROFILE) return true;
  complain("%s is no profile but a leak report: `mend leaks %s` shows it", path, path);
  return false;
}

// Of a file, or of the difference to an older one.
static bool show(const struct profile_options *options, const char *path, const char *old_path)
{
  struct track_file file = {0}, old = {0};
  struct profile profile = {0};
  bool is_good = read_profile(&file, path) && (old_path == NULL || read_profile(&old, old_path)) &&
                 profile_make(&profile, &file, old_path != NULL ? &old : NULL, options->by) &&
                 write_output(&profile, options);
  profile_free(&profile);
  track_free(&file);
  track_free(&old);
  return is_good;
}

// The profile of the program, and not of those that it has started.
static bool show_first(const struct profile_options *options, struct track_folder *folder,
                       const struct launch *launch)
{
  if (!track_folder_list(folder, launch->pid)) {
    complain("%s has left no profile: mend was not in it, or it was killed", launch->arguments[0]);
    return false;
  }
  if (folder->count > 1) {
    complain("%zu processes that it has started have profiles, too; `mend run -o profile=on "
             "-o track_file=FOLDER/%%p` keeps all",
             folder->count - 1);
  }
  return show(options, folder->files[0], NULL);
}

static int run(const struct profile_options *options)
{
  struct track_folder folder;
  struct launch launch = {.library = LAUNCH_LIBRARY, .arguments = options->operands};
  if (!track_folder_make(&folder)) return END_BAD_INPUT;
  const struct launch_setting settings[] = {{"MEND_PROFILE", "1"},
                                            {"MEND_TRACK_FILE", folder.pattern},
                                            {"MEND_PROFILE_INTERVAL", options->interval}};
  launch.settings = settings;
  launch.setting_count = options->interval != NULL ? 3 : 2;
  bool is_run = launch_run(&launch);
  bool is_shown = is_run && show_first(options, &folder, &launch);
  track_folder_remove(&folder);
  int status = launch_end(&launch);
  return status != END_OK || is_shown ? status : END_BAD_INPUT;
}

int command_profile(int count, char **arguments)
{
  struct profile_options options = {.table = {.rows = 10, .callers = 4}};
  switch (parse(&options, count, arguments)) {
  case PARSED_HELP:
    return END_OK;
  case PARSED_WRONG:
    return END_USAGE;
  case PARSED:
    break;
  }
  if (options.is_program) return run(&options);
  const char *old = options.is_difference ? options.operands[0] : NULL;
  const char *path = options.operands[options.is_difference ? 1 : 0];
  return show(&options, path, old) ? END_OK : END_BAD_INPUT;
}
