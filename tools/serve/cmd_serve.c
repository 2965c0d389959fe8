// SPDX-License-Identifier: MIT
//
// `mend serve`: a page for browsers with the heap of a process as it is now. One thread looks at
// the process at fixed times and answers in between, so however many ask, the process is read no
// more often, and each look is answered from memory. What the process itself has to say another
// thread asks for (sites.h): who wants that waits, and nobody else.
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/auxv.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "arguments.h"
#include "clock.h"
#include "command.h"
#include "serve/files.h"
#include "serve/metrics.h"
#include "serve/picture.h"
#include "serve/sites.h"
#include "serve/server.h"

// A look takes at most one part in LOOK_SHARE of the time.
enum { LOOK_SHARE = 5 };
// How often to see whether what somebody waits for has come.
enum { WAIT_MS = 20 };

struct serve {
  pid_t process;
  uint16_t port;
  int64_t interval_ns;
  struct picture picture;
  struct sites *sites;
};

static void print_help(void)
{
  fputs("usage: mend serve [OPTION...] PID\n\n"
        "Shows the heap of a process that runs on mend as a page for browsers, which\n"
        "changes as the heap does: a map, memory and fragmentation over time, classes,\n"
        "and, where the process samples its allocations, the sites that hold most. The\n"
        "process is not stopped.\n\n"
        "  --port N       the port, on 127.0.0.1 alone; without it, one that is free\n"
        "  --interval T   how often to look, 50ms to 60s; 500ms if it is not given\n"
        "  --help         this\n\n"
        "The address that it prints holds a secret token: who has it can read the page,\n"
        "until the command is ended (by Ctrl-C). There are also /metrics (OpenMetrics),\n"
        "/debug/pprof/heap (for pprof) and /api/state (JSON).\n\n"
        "Exit status: 0 if it was ended by a signal, 1 if the process can not be read or\n"
        "is another user's, or the port can not be had, 2 if the arguments are wrong.\n",
        stdout);
}

// ---------------------------------------------------------------------------------------------
// What is asked for.

static void answer_text(struct answer *answer, const char *type, char *text, size_t length)
{
  *answer = (struct answer){.status = 200, .type = type, .text = text, .length = length};
}

// What `write` writes.
static void answer_written(struct answer *answer, const char *type, const struct serve *serve,
                           void (*write)(const struct serve *, uint64_t, FILE *), uint64_t number)
{
  char *text = NULL;
  size_t length = 0;
  FILE *stream = open_memstream(&text, &length);
  if (stream == NULL) return;
  write(serve, number, stream);
  if (fclose(stream) == 0) answer_text(answer, type, text, length);
}

static void write_state(const struct serve *serve, uint64_t since, FILE *stream)
{
  picture_write(&serve->picture, since, stream);
}

static void write_metrics(const struct serve *serve, uint64_t unused, FILE *stream)
{
  (void)unused;
  metrics_write(&serve->picture, stream);
}

static uint64_t number_of(const char *text)
{
  return text != NULL ? strtoull(text, NULL, 10) : 0;
}

static void answer_pprof(const struct serve *serve, struct answer *answer)
{
  size_t length;
  char why[CONTROL_WHY_MOST + 8];
  answer->is_coming = sites_are_coming(serve->sites);
  if (answer->is_coming) return;
  char *text = sites_pprof(serve->sites, &length, why);
  if (text != NULL) {
    answer_text(answer, "application/octet-stream", text, length);
    return;
  }
  strcat(why, "\n");
  text = strdup(why);
  if (text == NULL) return;
  answer_text(answer, "text/plain; charset=utf-8", text, strlen(text));
  answer->status = 503;
}

static void answer_path(void *argument, const struct request *request, struct answer *answer)
{
  struct serve *serve = argument;
  const char *path = request_path(request);
  const struct serve_file *file = serve_file_find(path);
  char *text;
  size_t length;
  if (file != NULL) {
    answer_text(answer, file->type, (char *)(uintptr_t)file->bytes, file->length);
    answer->is_lasting = true;
  } else if (strcmp(path, "/api/state") == 0) {
    answer_written(answer, "application/json", serve, write_state,
                   number_of(request_value(request, "since")));
  } else if (strcmp(path, "/api/sites") == 0) {
    text = sites_json(serve->sites, &length);
    if (text != NULL) answer_text(answer, "application/json", text, length);
  } else if (strcmp(path, "/api/stats") == 0) {
    text = sites_stats(serve->sites, &length);
    if (text != NULL) answer_text(answer, "application/json", text, length);
  } else if (strcmp(path, "/debug/pprof/heap") == 0) {
    answer_pprof(serve, answer);
  } else if (strcmp(path, "/metrics") == 0) {
    answer_written(answer, METRICS_TYPE, serve, write_metrics, 0);
  }
}

// ---------------------------------------------------------------------------------------------

static volatile sig_atomic_t is_ended;

static void end(int signal)
{
  (void)signal;
  is_ended = 1;
}

// Answers for as long. False if that can not go on.
static bool serve_for(struct serve *serve, struct server *server, int64_t milliseconds)
{
  bool is_waited_for = server->waiting_count > 0;
  if (is_waited_for && !sites_are_coming(serve->sites)) server_go_on(server);
  if (is_waited_for && milliseconds > WAIT_MS) milliseconds = WAIT_MS;
  return server_run(server, (int)milliseconds);
}

static void serve_until_ended(struct serve *serve, struct server *server)
{
  // The second one ends the command at once.
  const struct sigaction action = {.sa_handler = end, .sa_flags = (int)SA_RESETHAND};
  sigaction(SIGINT, &action, NULL);
  sigaction(SIGTERM, &action, NULL);
  int64_t next = clock_ns(CLOCK_MONOTONIC) + serve->interval_ns;
  while (!is_ended) {
    int64_t wait_ms = (next - clock_ns(CLOCK_MONOTONIC)) / NS_A_MS;
    if (wait_ms > 0) {
      if (!serve_for(serve, server, wait_ms)) break;
      continue;
    }
    bool was_live = serve->picture.is_live;
    picture_look(&serve->picture);
    if (was_live && !serve->picture.is_live) complain("the last picture stays; Ctrl-C ends this");
    int64_t spent = (int64_t)serve->picture.look_ns * LOOK_SHARE;
    next = clock_ns(CLOCK_MONOTONIC) + (spent > serve->interval_ns ? spent : serve->interval_ns);
  }
}

// A reader with another's rights would show a heap to who may not see it.
static bool may_read(pid_t process)
{
  char path[32];
  struct stat state;
  if (getauxval(AT_SECURE) != 0 || getuid() != geteuid()) {
    complain("mend serve does not run with another user's rights");
    return false;
  }
  snprintf(path, sizeof path, "/proc/%d", (int)process);
  if (stat(path, &state) != 0) {
    complain("process %d: %s", (int)process, errno == ENOENT ? "there is none" : strerror(errno));
    return false;
  }
  if (state.st_uid == geteuid()) return true;
  complain("process %d is another user's: run mend serve as user %u", (int)process,
           (unsigned)state.st_uid);
  return false;
}

static int serve_process(struct serve *serve)
{
  struct server server = {0};
  bool is_open = may_read(serve->process) && picture_open(&serve->picture, serve->process);
  serve->sites = is_open ? sites_open(serve->process) : NULL;
  is_open = serve->sites != NULL && server_open(&server, serve->port, answer_path, serve);
  if (is_open) {
    printf("http://127.0.0.1:%u/?token=%s\n", server.port, server.token);
    is_open = fflush(stdout) == 0;
  }
  if (is_open) serve_until_ended(serve, &server);
  server_close(&server);
  sites_close(serve->sites);
  picture_close(&serve->picture);
  return is_open ? END_OK : END_BAD_INPUT;
}

// ---------------------------------------------------------------------------------------------

static bool parse(struct serve *serve, int count, char **words, int *end)
{
  size_t port = 0;
  double seconds = 0.5;
  const struct argument known[] = {
      {"port", .number = &port, .least = 1, .most = UINT16_MAX},
      {"interval", .seconds = &seconds, .least = 0.05, .most = 60},
  };
  struct arguments given = {.command = "serve",
                            .help = print_help,
                            .known = known,
                            .known_count = sizeof known / sizeof known[0]};
  if (!arguments_parse(&given, count, words, end)) return false;
  serve->port = (uint16_t)port;
  serve->interval_ns = (int64_t)(seconds * NS_A_SECOND);
  if (given.operand_count == 1) serve->process = arguments_process(given.operands[0]);
  if (serve->process != 0) return true;
  complain("mend serve takes the number of a process; `mend serve --help` says more");
  *end = END_USAGE;
  return false;
}

int command_serve(int count, char **arguments)
{
  struct serve *serve = calloc(1, sizeof *serve);
  if (serve == NULL) return END_BAD_INPUT;
  int status;
  if (parse(serve, count, arguments, &status)) status = serve_process(serve);
  free(serve);
  return status;
}
