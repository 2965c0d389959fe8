// SPDX-License-Identifier: MIT
//
// `mend doctor`: looks at a process twice and says what is wrong with it, or runs a program and
// says that at its end.
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "arguments.h"
#include "command.h"
#include "doctor.h"
#include "launch.h"
#include "output.h"
#include "progress.h"
#include "screen.h"

enum { END_FINDINGS = 3, FIRST_LOOK_MS = 30, LOOK_MS_MOST = 2000, GROWTH_AFTER_S = 10 };
enum { WAIT_STEP_MS = 50 };

struct doctor_options {
  double wait;  // seconds between the looks
  bool is_json;
  const char *output;  // NULL: stdout; stderr beside a program's own output
  pid_t process;
  char **program;  // NULL: a process
};

static void print_help(void)
{
  fputs("usage: mend doctor [OPTION...] PID\n"
        "       mend doctor [OPTION...] -- PROGRAM [ARGUMENT...]\n\n"
        "Says in plain sentences what is wrong with the memory of a process, and what\n"
        "helps: whether it runs on mend at all, fragmentation, growth, free memory that\n"
        "nobody returns, limits that are near, options that are misspelt. The process\n"
        "is read twice and not stopped. Or runs PROGRAM on mend, looks at it now and\n"
        "then, and says that when it has ended, on stderr.\n\n"
        "  --wait T        time from the first look to the second, up to 1h; 2s if not\n"
        "                  given\n"
        "  --json          as JSON\n"
        "  --output FILE   into FILE\n"
        "  --help          this\n\n"
        "Exit status: 3 if there are warnings or problems; else the program's, or 0;\n"
        "1 if the process could not be read, 2 if the arguments are wrong.\n",
        stdout);
}

// The process, or the program behind "--".
static bool parse_patient(struct doctor_options *options, const struct arguments *given)
{
  if (given->is_program && given->operand_count > 0) {
    options->program = given->operands;
    return true;
  }
  if (!given->is_program && given->operand_count == 1) {
    options->process = arguments_process(given->operands[0]);
  }
  if (options->process != 0) return true;
  if (given->operand_count == 1 && target_is_core(given->operands[0])) {
    complain("%s is a core file: `mend top` and `mend map` read those", given->operands[0]);
    return false;
  }
  complain("mend doctor takes the number of a process, or -- and a program; `mend doctor --help` "
           "says more");
  return false;
}

static bool parse(struct doctor_options *options, int count, char **words, int *end)
{
  const struct argument known[] = {
      {"wait", .seconds = &options->wait, .most = 3600},
      {"json", .flag = &options->is_json},
      {"output", .text = &options->output},
  };
  struct arguments given = {.command = "doctor",
                            .help = print_help,
                            .known = known,
                            .known_count = sizeof known / sizeof known[0]};
  if (!arguments_parse(&given, count, words, end)) return false;
  *end = END_USAGE;
  return parse_patient(options, &given);
}

// ---------------------------------------------------------------------------------------------

static void judge_environment(struct doctor *doctor)
{
  size_t length;
  char *environment = doctor_read_environment(doctor->target, &length);
  if (environment == NULL) return;
  for (char *entry = environment; entry < environment + length; entry += strlen(entry) + 1) {
    doctor_judge_variable(doctor, entry);
  }
  doctor_count_settings(doctor);
  free(environment);
}

static void judge(struct doctor *doctor)
{
  doctor_free(doctor);
  doctor_judge_load(doctor);
  if (doctor->remote == NULL) return;
  judge_environment(doctor);
  doctor_judge_heap(doctor);
  doctor_judge_pages(doctor);
  doctor_judge_growth(doctor);
  doctor_judge_threads(doctor);
  doctor_judge_system(doctor);
}

// Writes the report to where it belongs. False after a complaint.
static bool tell(const struct doctor *doctor, const struct doctor_options *options)
{
  struct output output;
  FILE *standard = options->program != NULL ? stderr : stdout;
  if (!output_open(&output, options->output, standard)) return false;
  if (options->is_json) {
    doctor_write_json(doctor, output.stream);
  } else {
    doctor_write(doctor, output.stream);
  }
  return output_close(&output);
}

// The second look is what growth and standstill are told by.
static void wait_between(double seconds)
{
  struct progress progress = progress_begin("watching what changes");
  int steps = (int)(seconds * 1000) / WAIT_STEP_MS;
  for (int i = 0; i < steps; i++) {
    screen_sleep(WAIT_STEP_MS);
    progress_show(&progress, (double)(i + 1) / (double)steps);
  }
  screen_sleep((int)(seconds * 1000) % WAIT_STEP_MS);
  progress_end(&progress);
}

static bool look_twice(struct doctor *doctor, double wait)
{
  if (!doctor_look(doctor)) return false;
  doctor_watch_sites(doctor);
  wait_between(wait);
  return doctor_look(doctor);
}

static int examine_process(const struct doctor_options *options)
{
  struct target target = {.memory = -1};
  struct remote remote = {0};
  struct doctor doctor = {.target = &target, .profile = -1};
  bool is_good = target_open_process(&target, options->process);
  enum remote_found found = is_good ? remote_await(&remote, &target) : REMOTE_UNSOUND;
  is_good = found != REMOTE_UNSOUND;
  if (found == REMOTE_FOUND) {
    doctor.remote = &remote;
    is_good = look_twice(&doctor, options->wait);
    if (!is_good) target_complain_of_loss(&target);
  }
  if (is_good) {
    judge(&doctor);
    is_good = tell(&doctor, options);
  }
  bool has_trouble = doctor_has_trouble(&doctor);
  if (doctor.profile >= 0) close(doctor.profile);
  doctor_free(&doctor);
  remote_close(&remote);
  target_close(&target);
  if (!is_good) return END_BAD_INPUT;
  return has_trouble ? END_FINDINGS : END_OK;
}

// ---------------------------------------------------------------------------------------------
// A program.

struct attendance {
  struct doctor doctor;
  struct target target;
  struct remote remote;
  int wait_ms;
  bool is_closed;  // the process may not be read
};

static void forget(struct attendance *attendance)
{
  remote_close(&attendance->remote);
  target_close(&attendance->target);
  attendance->doctor.remote = NULL;
}

// Finds mend in the program, which may not have become one yet.
static bool find(struct attendance *attendance, pid_t pid)
{
  struct doctor *doctor = &attendance->doctor;
  if (doctor->remote != NULL || attendance->is_closed) return doctor->remote != NULL;
  forget(attendance);
  attendance->is_closed = !target_open_process(&attendance->target, pid);
  if (attendance->is_closed) return false;
  if (remote_open(&attendance->remote, &attendance->target) != REMOTE_FOUND) return false;
  doctor->remote = &attendance->remote;
  return true;
}

static int attend(void *argument, pid_t pid)
{
  struct attendance *attendance = argument;
  struct doctor *doctor = &attendance->doctor;
  bool is_there = find(attendance, pid);
  bool is_seen = is_there && doctor_look(doctor);
  // It may have become another program: then it is looked for anew.
  if (is_there && !is_seen) forget(attendance);
  if (is_seen) {
    // A program that has just begun grows.
    double seconds = (double)(doctor->last.nanoseconds - doctor->first.nanoseconds) / 1e9;
    struct doctor_look first = doctor->first;
    if (seconds < GROWTH_AFTER_S) doctor->first = doctor->last;
    judge(doctor);
    doctor->first = first;
    if (seconds > 2 * GROWTH_AFTER_S) doctor->first = doctor->last;
  }
  attendance->wait_ms *= 2;
  if (attendance->wait_ms > LOOK_MS_MOST) attendance->wait_ms = LOOK_MS_MOST;
  return attendance->wait_ms;
}

// The program has ended before its heap could be looked at.
static void judge_unseen(struct doctor *doctor)
{
  for (char **entry = environ; *entry != NULL; entry++) doctor_judge_variable(doctor, *entry);
  doctor_count_settings(doctor);
  doctor_find(doctor, SEVERITY_NOTE, "no-look", "Give it more to do, or look at it by its PID.",
              "The program has ended before its heap could be looked at, or mend was not in it.");
}

static int examine_program(const struct doctor_options *options)
{
  struct attendance attendance = {
      .doctor.profile = -1, .target.memory = -1, .wait_ms = FIRST_LOOK_MS};
  struct doctor *doctor = &attendance.doctor;
  struct launch launch = {.library = LAUNCH_LIBRARY,
                          .arguments = options->program,
                          .watch = attend,
                          .watch_argument = &attendance,
                          .watch_ms = FIRST_LOOK_MS,
                          .tells_refusal = true};
  doctor->target = &attendance.target;
  bool has_report = launch_run(&launch);
  if (has_report && doctor->look_count == 0) judge_unseen(doctor);
  if (launch.refusal.reason != NULL) {
    doctor_find(doctor, SEVERITY_PROBLEM, launch.refusal.code, "Link it with mend.", "%s %s.",
                options->program[0], launch.refusal.reason);
    has_report = true;
  }
  bool is_told = has_report && tell(doctor, options);
  bool has_trouble = doctor_has_trouble(doctor);
  doctor_free(doctor);
  forget(&attendance);
  if (is_told && has_trouble) return END_FINDINGS;
  return launch_end(&launch, is_told);
}

int command_doctor(int count, char **arguments)
{
  struct doctor_options options = {.wait = 2};
  int end;
  if (!parse(&options, count, arguments, &end)) return end;
  return options.program != NULL ? examine_program(&options) : examine_process(&options);
}
