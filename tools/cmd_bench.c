// SPDX-License-Identifier: MIT
//
// `mend bench`: a quick comparison of malloc on this machine. Each pattern of bench_patterns.c is
// run by this command once more, in a process of its own, with a library in front; the libraries
// take turns within each round, so that what else the machine does meets all of them. A worker that
// does not run on the library it was given says so, and that library is left out.
#include <dlfcn.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include "arguments.h"
#include "bench.h"
#include "command.h"
#include "json_text.h"
#include "launch.h"
#include "progress.h"
#include "text.h"

enum { ROUNDS_MOST = 99, WITH_MOST = 3, RIVALS_MOST = 5 + WITH_MOST, PATTERNS_MOST = 8 };

// The first argument of a worker.
#define WORKER "--worker"

struct measured {
  double ns;   // an operation
  double mib;  // the process's greatest resident size
};

struct rival {
  const char *name;
  const char *preload;  // "": nothing
  struct measured measured[PATTERNS_MOST][ROUNDS_MOST];
};

struct bench {
  struct rival *rivals[RIVALS_MOST];
  size_t rival_count;
  size_t rounds;
  bool as_json;
};

static void print_help(void)
{
  fputs("usage: mend bench [OPTION...]\n\n"
        "Times some patterns of allocation with the C library's malloc, with mend, and\n"
        "with jemalloc, tcmalloc and mimalloc where they are installed: nanoseconds an\n"
        "operation and the greatest resident size, each the median of some rounds, in\n"
        "which the libraries take turns; behind it, half the distance of the least and\n"
        "the greatest.\n\n"
        "  --rounds N      1 to 99; 5 if it is not given\n"
        "  --with LIBRARY  also this file; may be given three times\n"
        "  --json          every measurement as JSON, instead of the table\n"
        "  --help          this\n\n"
        "It takes some seconds a round, and says little of a particular program.\n\n"
        "Exit status: 0 if all went well, 1 if a library that was named does not work, or\n"
        "the output could not be written, 2 if the arguments are wrong.\n",
        stdout);
}

// ---------------------------------------------------------------------------------------------
// The worker, which is a process of its own.

// "mend bench --worker PATTERN LIBRARY", in which malloc must be of a file whose name ends so.
static int work(size_t pattern, const char *library)
{
  Dl_info info;
  struct rusage usage;
  void *function = dlsym(RTLD_DEFAULT, "malloc");
  if (function == NULL || dladdr(function, &info) == 0) return END_USAGE;
  if (strlen(library) > strlen(info.dli_fname)) return END_BAD_INPUT;
  const char *end = info.dli_fname + strlen(info.dli_fname) - strlen(library);
  if (strcmp(end, library) != 0) return END_BAD_INPUT;
  double ns = bench_time(pattern);
  if (ns < 0 || getrusage(RUSAGE_SELF, &usage) != 0) return END_BAD_INPUT;
  printf("%.3f %.3f\n", ns, (double)usage.ru_maxrss / 1024);
  return END_OK;
}

static void exec_worker(const char *preload, size_t pattern, int output)
{
  char number[24];
  snprintf(number, sizeof number, "%zu", pattern);
  char *const arguments[] = {"mend", "bench", WORKER, number, (char *)(uintptr_t)preload, NULL};
  int nowhere = open("/dev/null", O_WRONLY | O_CLOEXEC);
  bool is_set =
      *preload != '\0' ? setenv("LD_PRELOAD", preload, 1) == 0 : unsetenv("LD_PRELOAD") == 0;
  if (is_set && nowhere >= 0 && dup2(output, STDOUT_FILENO) >= 0 &&
      dup2(nowhere, STDERR_FILENO) >= 0) {
    execv("/proc/self/exe", arguments);
  }
  _exit(END_USAGE);
}

// False if the worker did not run on the library, or failed.
static bool start_worker(const struct rival *rival, size_t pattern, struct measured *measured)
{
  int ends[2];
  char text[64];
  int status = 0;
  if (pipe2(ends, O_CLOEXEC) != 0) return false;
  pid_t worker = fork();
  if (worker == 0) exec_worker(rival->preload, pattern, ends[1]);
  close(ends[1]);
  FILE *output = fdopen(ends[0], "r");
  bool is_told = output != NULL && fgets(text, sizeof text, output) != NULL &&
                 sscanf(text, "%lf %lf", &measured->ns, &measured->mib) == 2;
  if (output != NULL) fclose(output);
  bool has_ended = worker > 0 && waitpid(worker, &status, 0) == worker;
  return is_told && has_ended && status == 0;
}

// ---------------------------------------------------------------------------------------------
// The rounds.

// Takes a rival in if it works here: a run that does not count.
static bool add_rival(struct bench *bench, const char *name, const char *preload)
{
  struct measured unused;
  struct rival *rival = calloc(1, sizeof *rival);
  if (rival == NULL || bench->rival_count == RIVALS_MOST) {
    free(rival);
    return false;
  }
  rival->name = name;
  rival->preload = preload;
  if (!start_worker(rival, 0, &unused)) {
    free(rival);
    return false;
  }
  bench->rivals[bench->rival_count++] = rival;
  return true;
}

static void add_installed(struct bench *bench)
{
  static const struct {
    const char *name;
    const char *files[3];
  } known[] = {
      {"jemalloc", {"libjemalloc.so.2", NULL}},
      {"tcmalloc", {"libtcmalloc_minimal.so.4", "libtcmalloc.so.4", NULL}},
      {"mimalloc", {"libmimalloc.so.3", "libmimalloc.so.2", NULL}},
  };
  for (size_t i = 0; i < sizeof known / sizeof known[0]; i++) {
    for (size_t j = 0; known[i].files[j] != NULL; j++) {
      if (add_rival(bench, known[i].name, known[i].files[j])) break;
    }
  }
}

// The rivals take turns, and another begins each round.
static bool measure(struct bench *bench)
{
  struct progress progress = progress_begin("measuring");
  size_t all = bench->rounds * bench_pattern_count * bench->rival_count;
  size_t done = 0;
  const struct rival *failed = NULL;
  for (size_t round = 0; round < bench->rounds; round++) {
    for (size_t pattern = 0; pattern < bench_pattern_count; pattern++) {
      for (size_t i = 0; i < bench->rival_count; i++) {
        struct rival *rival = bench->rivals[(round + i) % bench->rival_count];
        if (!start_worker(rival, pattern, &rival->measured[pattern][round])) failed = rival;
        progress_show(&progress, (double)++done / (double)all);
      }
    }
  }
  progress_end(&progress);
  if (failed != NULL) complain("a run with %s has failed", failed->name);
  return failed == NULL;
}

// ---------------------------------------------------------------------------------------------
// What comes of it.

static int compare(const void *left, const void *right)
{
  const double *a = left;
  const double *b = right;
  return (*a > *b) - (*a < *b);
}

struct summary {
  double median;
  double spread;  // half the distance of the least and the greatest, in percent of the median
};

static struct summary summarize(const struct measured *measured, size_t rounds, bool is_time)
{
  double values[ROUNDS_MOST];
  for (size_t i = 0; i < rounds; i++) values[i] = is_time ? measured[i].ns : measured[i].mib;
  qsort(values, rounds, sizeof *values, compare);
  double median = (values[rounds / 2] + values[(rounds - 1) / 2]) / 2;
  return (struct summary){median, (values[rounds - 1] - values[0]) / 2 / median * 100};
}

static void print_part(const struct bench *bench, const char *title, bool is_time)
{
  printf("%-11s", title);
  for (size_t i = 0; i < bench->rival_count; i++) printf(" %12.12s", bench->rivals[i]->name);
  putchar('\n');
  for (size_t pattern = 0; pattern < bench_pattern_count; pattern++) {
    printf("%-11s", bench_patterns[pattern].name);
    for (size_t i = 0; i < bench->rival_count; i++) {
      struct summary found = summarize(bench->rivals[i]->measured[pattern], bench->rounds, is_time);
      printf(" %7.1f %3.0f%%", found.median, found.spread);
    }
    putchar('\n');
  }
}

static void print_table(const struct bench *bench)
{
  print_part(bench, "ns", true);
  putchar('\n');
  print_part(bench, "MiB at most", false);
  putchar('\n');
  for (size_t i = 0; i < bench_pattern_count; i++) {
    printf("%-11s  %s\n", bench_patterns[i].name, bench_patterns[i].meaning);
  }
  printf("\n%zu round%s; median, and half the spread. Smaller is better.\n", bench->rounds,
         bench->rounds == 1 ? "" : "s");
}

static void print_json(const struct bench *bench)
{
  const char *before = "[";
  for (size_t i = 0; i < bench->rival_count; i++) {
    const struct rival *rival = bench->rivals[i];
    for (size_t pattern = 0; pattern < bench_pattern_count; pattern++) {
      printf("%s{\"library\":", before);
      json_write_string(stdout, rival->name);
      printf(",\"pattern\":\"%s\",\"runs\":[", bench_patterns[pattern].name);
      for (size_t round = 0; round < bench->rounds; round++) {
        const struct measured *measured = &rival->measured[pattern][round];
        printf("%s{\"ns\":%.3f,\"mib\":%.3f}", round == 0 ? "" : ",", measured->ns, measured->mib);
      }
      printf("]}");
      before = ",\n ";
    }
  }
  puts("]");
}

// ---------------------------------------------------------------------------------------------

static bool parse_number(const char *text, size_t most, size_t *number)
{
  char *end;
  unsigned long value = strtoul(text, &end, 10);
  *number = value;
  return *text >= '0' && *text <= '9' && *end == '\0' && value <= most;
}

static int bench_all(struct bench *bench, const char *const *named, size_t named_count)
{
  static char library[LAUNCH_PATH_MOST];
  if (!launch_find_library(library, LAUNCH_LIBRARY)) return END_BAD_INPUT;
  if (!add_rival(bench, "C library", "") || !add_rival(bench, "mend", library)) {
    complain("%s does not work; `mend check` may say why", library);
    return END_BAD_INPUT;
  }
  add_installed(bench);
  for (size_t i = 0; i < named_count; i++) {
    if (add_rival(bench, text_base_name(named[i]), named[i])) continue;
    complain("%s could not be preloaded, or its malloc does not work", named[i]);
    return END_BAD_INPUT;
  }
  if (!measure(bench)) return END_BAD_INPUT;
  if (bench->as_json) {
    print_json(bench);
  } else {
    print_table(bench);
  }
  return END_OK;
}

struct bench_options {
  struct bench *bench;
  const char *named[WITH_MOST];
  size_t named_count;
};

static bool take_rival(const char *library, void *taker)
{
  struct bench_options *options = taker;
  if (options->named_count == WITH_MOST) {
    complain("--with may be given %d times", WITH_MOST);
    return false;
  }
  options->named[options->named_count++] = library;
  return true;
}

static bool parse(struct bench_options *options, int count, char **words, int *end)
{
  const struct argument known[] = {
      {"rounds", .number = &options->bench->rounds, .least = 1, .most = ROUNDS_MOST},
      {"with", .take = take_rival, .taker = options},
      {"json", .flag = &options->bench->as_json},
  };
  struct arguments given = {.command = "bench",
                            .help = print_help,
                            .known = known,
                            .known_count = sizeof known / sizeof known[0]};
  if (!arguments_parse(&given, count, words, end)) return false;
  if (given.operand_count == 0) return true;
  complain("mend bench takes no arguments; `mend bench --help` says more");
  *end = END_USAGE;
  return false;
}

int command_bench(int count, char **arguments)
{
  struct bench bench = {.rounds = 5};
  struct bench_options options = {.bench = &bench};
  size_t pattern;
  if (count == 4 && strcmp(arguments[1], WORKER) == 0) {
    bool is_pattern = parse_number(arguments[2], bench_pattern_count - 1, &pattern);
    return is_pattern ? work(pattern, arguments[3]) : END_USAGE;
  }
  int end;
  if (!parse(&options, count, arguments, &end)) return end;
  int status = bench_all(&bench, options.named, options.named_count);
  for (size_t i = 0; i < bench.rival_count; i++) free(bench.rivals[i]);
  return status;
}
