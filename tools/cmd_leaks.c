// SPDX-License-Identifier: MIT
//
// `mend leaks`: runs a program with every allocation remembered, and tells what nothing reached any
// more when it ended; or asks a process that runs what nothing in it reaches; or tells it of track
// files that were written before.
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "arguments.h"
#include "command.h"
#include "control.h"
#include "json_head.h"
#include "launch.h"
#include "leak_report.h"
#include "misuse_text.h"
#include "output.h"
#include "track_folder.h"

enum { END_LEAKS = 23, EXIT_CODE_MOST = 255, SUPPRESSION_FILES_MOST = 16 };

struct leaks_options {
  struct leak_view view;
  const char *suppression_files[SUPPRESSION_FILES_MOST];
  size_t suppression_file_count;
  const char *output;  // NULL: stdout, or stderr beside a program's own output
  size_t exit_code;    // where there are leaks
  bool has_children;   // processes that the program has forked are told of, too
  const char *since;   // an earlier track file of the same process, or NULL
  const char *save;    // where the track file is kept, or NULL
  char **program;      // NULL: a process, or files
  pid_t process;       // 0: files
  char **files;
  size_t file_count;
};

// What has been told of so far.
struct telling {
  const struct leaks_options *options;
  struct suppressions suppressions;
  struct track_file since;
  struct output output;
  size_t count;  // processes
  bool has_leaks;
};

static void print_help(void)
{
  fputs("usage: mend leaks [OPTION...] -- PROGRAM [ARGUMENT...]\n"
        "       mend leaks [OPTION...] PID | FILE...\n\n"
        "Runs PROGRAM and tells of all blocks that nothing reaches any more when it\n"
        "ends, by the stack that allocated them, on stderr; or tells on stdout what is\n"
        "lost in the running process PID, which has MEND_CONTROL=1, or in track FILEs.\n"
        "(PID may be interrupted for a moment: epoll_wait and sleep return EINTR then.)\n\n"
        "  --suppressions FILE  leave out what FILE names, in lines leak:PATTERN\n"
        "  --children           also of the processes that PROGRAM has forked\n"
        "  --show WHAT          stacks of `reachable` blocks, too; each of the `blocks`\n"
        "  --limit N            at most N stacks of a process, the largest first\n"
        "  --save FILE          keep the track file\n"
        "  --since FILE         also what has grown since PID or FILE was saved so\n"
        "  --json               as JSON\n"
        "  --output FILE        into FILE\n"
        "  --exit-code N        the status where there are leaks; 23 if not given\n"
        "  --help               this\n\n"
        "Exit status: 23 if there are leaks that are not suppressed; else the program's,\n"
        "or 0; 1 if PROGRAM ended without a report (by _exit or a signal), a file is no\n"
        "good or the output could not be written, 2 if the arguments are wrong.\n",
        stdout);
}

// ---------------------------------------------------------------------------------------------
// Arguments.

static bool take_show(const char *text, void *view)
{
  struct leak_view *shown = view;
  if (strcmp(text, "reachable") == 0) {
    shown->shows_reachable = true;
  } else if (strcmp(text, "blocks") == 0) {
    shown->shows_blocks = true;
  } else {
    complain("--show is reachable or blocks, not '%s'", text);
    return false;
  }
  return true;
}

static bool take_suppressions(const char *file, void *taker)
{
  struct leaks_options *options = taker;
  if (options->suppression_file_count == SUPPRESSION_FILES_MOST) {
    complain("--suppressions: %d files are enough", SUPPRESSION_FILES_MOST);
    return false;
  }
  options->suppression_files[options->suppression_file_count++] = file;
  return true;
}

// A program stands behind "--", a process and files do not.
static bool check_operands(struct leaks_options *options, const struct arguments *given)
{
  if (given->operand_count == 0) {
    complain(
        "mend leaks takes -- and a program, a process or files; `mend leaks --help` says more");
    return false;
  }
  options->files = given->operands;
  options->file_count = given->operand_count;
  if (given->is_program) {
    options->program = given->operands;
  } else if (options->file_count == 1) {
    options->process = arguments_process(options->files[0]);
  }
  for (size_t i = 0; !given->is_program && i < options->file_count; i++) {
    if (options->process == 0 && !arguments_may_read(given, options->files[i])) return false;
  }
  if (options->since != NULL && (given->is_program || options->file_count > 1)) {
    complain("--since is for one process, or one file");
    return false;
  }
  if (options->save == NULL || given->is_program || options->process != 0) return true;
  complain("--save is for programs and processes; a file is saved already");
  return false;
}

static bool parse(struct leaks_options *options, int count, char **words, int *end)
{
  const struct argument known[] = {
      {"suppressions", .take = take_suppressions, .taker = options},
      {"children", .flag = &options->has_children},
      {"show", .take = take_show, .taker = &options->view},
      {"limit", .number = &options->view.limit, .most = UINT32_MAX},
      {"save", .text = &options->save},
      {"since", .text = &options->since},
      {"json", .flag = &options->view.as_json},
      {"output", .text = &options->output},
      {"exit-code", .number = &options->exit_code, .most = EXIT_CODE_MOST},
  };
  struct arguments given = {.command = "leaks",
                            .help = print_help,
                            .known = known,
                            .known_count = sizeof known / sizeof known[0]};
  if (!arguments_parse(&given, count, words, end)) return false;
  *end = END_USAGE;
  return check_operands(options, &given);
}

// ---------------------------------------------------------------------------------------------
// Reports.

// Of what the process itself has told of with bare addresses.
static bool tell_misuse(const struct track_file *file, const struct telling *telling)
{
  return misuse_text_write(file, telling->options->view.as_json ? stderr : telling->output.stream);
}

static bool tell(struct telling *telling, const char *path)
{
  const struct leaks_options *options = telling->options;
  struct leak_report report = {0};
  struct track_file file;
  bool is_good = track_read(&file, path);
  if (is_good && file.kind == TRACK_MISUSE) {
    is_good = tell_misuse(&file, telling);
    track_free(&file);
    return is_good;
  }
  if (is_good && file.kind != TRACK_LEAKS) {
    complain("%s is a profile, not a leak check: `mend profile` reads it", path);
    is_good = false;
  }
  is_good = is_good && leak_report_make(&report, &file, &telling->suppressions);
  if (is_good && options->since != NULL) is_good = leak_report_compare(&report, &telling->since);
  if (is_good && options->view.as_json) {
    fputs(telling->count > 0 ? ",\n" : "", telling->output.stream);
    leak_json_write(&report, &options->view, telling->output.stream);
  } else if (is_good) {
    leak_text_write(&report, &options->view, telling->output.stream);
  }
  telling->count += is_good;
  telling->has_leaks = telling->has_leaks || report.leak_count > 0;
  leak_report_free(&report);
  track_free(&file);
  return is_good;
}

static bool tell_all(struct telling *telling, char **files, size_t count)
{
  const struct leaks_options *options = telling->options;
  bool is_good = true;
  if (options->view.as_json) {
    json_head_begin(telling->output.stream, "leaks");
    fputs(",\n\"processes\":[\n", telling->output.stream);
  }
  for (size_t i = 0; i < count; i++) is_good = tell(telling, files[i]) && is_good;
  if (options->view.as_json) {
    fputs("],\n", telling->output.stream);
    leak_json_write_suppressions(&telling->suppressions, telling->output.stream);
    fputs("}\n", telling->output.stream);
  } else {
    leak_text_write_suppressions(&telling->suppressions, telling->output.stream);
  }
  return is_good;
}

// What the processes have done that ends them, by name. Says whether there was anything.
static bool tell_misuses(struct telling *telling, struct track_folder *folder)
{
  track_folder_list_misuses(folder);
  for (size_t i = 0; i < folder->count; i++) (void)tell(telling, folder->files[i]);
  fflush(telling->output.stream);
  return folder->count > 0;
}

static void tell_of_no_report(const struct launch *launch, bool has_misuse)
{
  const char *program = launch->arguments[0];
  if (WIFSIGNALED(launch->status)) {
    int number = WTERMSIG(launch->status);
    bool is_asked = number == SIGINT || number == SIGTERM;
    complain("%s ended without a report: by signal %d (%s)%s", program, number, strsignal(number),
             has_misuse ? ", after the error above"
             : is_asked ? "; with MEND_CONTROL=1, `mend leaks PID` asks a program that runs"
                        : "");
  } else {
    complain("%s ended without a report: by _exit, or without mend in it", program);
  }
}

// Of the program, and of its children if they are asked for. Says whether what there is to tell of
// has been told.
static bool tell_of_run(struct telling *telling, struct track_folder *folder,
                        const struct launch *launch)
{
  const struct leaks_options *options = telling->options;
  bool has_misuse = tell_misuses(telling, folder);
  bool has_report = track_folder_list(folder, launch->pid);
  size_t children = folder->count - has_report;
  if (!has_report) tell_of_no_report(launch, has_misuse);
  if (children > 0 && !options->has_children) {
    complain("%zu child process%s not looked at: --children does", children,
             children == 1 ? " was" : "es were");
  }
  size_t count = options->has_children ? folder->count : has_report;
  bool is_good = count > 0 && tell_all(telling, folder->files, count);
  if (has_report && options->save != NULL)
    is_good = output_copy(options->save, NULL, folder->files[0]) && is_good;
  return is_good;
}

static bool run_program(struct telling *telling, struct launch *launch)
{
  struct track_folder folder;
  if (!track_folder_make(&folder)) return false;
  const struct launch_setting settings[] = {{"MEND_LEAKS", "1"},
                                            {"MEND_TRACK_FILE", folder.pattern}};
  launch->settings = settings;
  launch->setting_count = sizeof settings / sizeof settings[0];
  bool is_good = launch_run(launch) && tell_of_run(telling, &folder, launch);
  launch->settings = NULL;
  track_folder_remove(&folder);
  return is_good;
}

// Has the process look for what is lost in it.
static bool ask_process(struct telling *telling)
{
  const struct leaks_options *options = telling->options;
  int answer = control_ask(options->process, "leaks");
  if (answer < 0) return false;
  char path[32];
  snprintf(path, sizeof path, "/proc/self/fd/%d", answer);
  bool is_good = tell_all(telling, (char *[]){path}, 1);
  if (options->save != NULL) is_good = output_copy(options->save, NULL, path) && is_good;
  close(answer);
  return is_good;
}

static bool prepare(struct telling *telling)
{
  const struct leaks_options *options = telling->options;
  for (size_t i = 0; i < options->suppression_file_count; i++) {
    if (!suppressions_read(&telling->suppressions, options->suppression_files[i])) return false;
  }
  if (options->since != NULL && !track_read(&telling->since, options->since)) return false;
  return output_open(&telling->output, options->output, options->program != NULL ? stderr : stdout);
}

// Leaks that have been told of decide how the command ends, whatever else went wrong; then the
// program does; then what went wrong.
static int tell_with(struct telling *telling)
{
  const struct leaks_options *options = telling->options;
  struct launch launch = {.library = LAUNCH_LIBRARY, .arguments = options->program};
  if (!prepare(telling)) return END_BAD_INPUT;
  bool is_good = options->program != NULL ? run_program(telling, &launch)
                 : options->process != 0  ? ask_process(telling)
                                          : tell_all(telling, options->files, options->file_count);
  bool is_written = output_close(&telling->output);
  if (telling->has_leaks && is_written && options->exit_code != 0) return (int)options->exit_code;
  return launch_end(&launch, is_good && is_written);
}

int command_leaks(int count, char **arguments)
{
  struct leaks_options options = {.exit_code = END_LEAKS, .view.limit = SIZE_MAX};
  int end;
  if (!parse(&options, count, arguments, &end)) return end;
  struct telling telling = {.options = &options};
  int status = tell_with(&telling);
  suppressions_free(&telling.suppressions);
  track_free(&telling.since);
  return status;
}
