// SPDX-License-Identifier: MIT
#include "control.h"

#include <errno.h>
#include <limits.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/time.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>

#include "command.h"
#include "process_age.h"

enum {
  SECONDS_MOST = 120,         // until it answers: it may have to look through all its memory first
  ANSWER_SECONDS_MOST = 300,  // until all of the answer has come
  ANSWER_BYTES_MOST = 1 << 30,
  STATUS_MOST = 200,  // bytes of the line before the answer
};

bool control_parse_pid(const char *text, pid_t *pid)
{
  char *end;
  errno = 0;
  long number = strtol(text, &end, 10);
  if (text[0] < '0' || text[0] > '9' || *end != '\0' || errno != 0) return false;
  if (number < 1 || number > INT_MAX) return false;
  *pid = (pid_t)number;
  return true;
}

static int fail(char *why, const char *format, long number)
{
  // The formats are those below.
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wformat-nonliteral"
  snprintf(why, CONTROL_WHY_MOST, format, number);
#pragma GCC diagnostic pop
  return -1;
}

// Whoever answers under that name is the process itself, or somebody who has taken its name.
static bool is_answered_by(int connection, pid_t pid)
{
  struct ucred peer = {0};
  socklen_t bytes = sizeof peer;
  return getsockopt(connection, SOL_SOCKET, SO_PEERCRED, &peer, &bytes) == 0 && peer.pid == pid;
}

static int connect_to(pid_t pid, char *why)
{
  struct sockaddr_un address = {.sun_family = AF_UNIX};
  int length = snprintf(address.sun_path + 1, sizeof address.sun_path - 1, "mend-%ld", (long)pid);
  socklen_t bytes = (socklen_t)(offsetof(struct sockaddr_un, sun_path) + 1 + (size_t)length);
  char folder[64];
  struct stat status;
  snprintf(folder, sizeof folder, "/proc/%ld", (long)pid);
  if (stat(folder, &status) != 0) return fail(why, "there is no process %ld", (long)pid);
  int connection = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
  if (connection < 0) return fail(why, "sockets cannot be had here, to ask process %ld", (long)pid);
  struct timeval patience = {.tv_sec = SECONDS_MOST};
  setsockopt(connection, SOL_SOCKET, SO_SNDTIMEO, &patience, sizeof patience);
  if (connect(connection, (const struct sockaddr *)&address, bytes) != 0) {
    close(connection);
    return fail(why,
                "process %ld does not answer: it does not run on mend, was not started with "
                "MEND_CONTROL=1, or is in another network namespace",
                (long)pid);
  }
  if (is_answered_by(connection, pid)) return connection;
  close(connection);
  return fail(why, "somebody else answers in the name of process %ld", (long)pid);
}

// If that fails there may be an answer all the same: who refuses does so before the request is
// read, and may be gone when it comes.
static void send_request(int connection, const char *request)
{
  char line[STATUS_MOST];
  int length = snprintf(line, sizeof line, "%s\n", request);
  (void)!send(connection, line, (size_t)length, MSG_NOSIGNAL);
}

static double seconds_now(void)
{
  struct timespec now;
  clock_gettime(CLOCK_MONOTONIC, &now);
  return (double)now.tv_sec + (double)now.tv_nsec / 1e9;
}

// What has come; 0 or below if nothing comes any more, or not before the deadline.
static ssize_t receive(int connection, double deadline, char *text, size_t bytes)
{
  struct pollfd waiting = {.fd = connection, .events = POLLIN};
  for (;;) {
    double left = deadline - seconds_now();
    int ready = left > 0 ? poll(&waiting, 1, (int)(left * 1000) + 1) : 0;
    ssize_t got = ready > 0 ? recv(connection, text, bytes, 0) : ready;
    if (got >= 0 || errno != EINTR) return got;
  }
}

// Byte by byte, so that nothing behind its end is read.
static bool read_status(int connection, char line[static STATUS_MOST])
{
  double deadline = seconds_now() + SECONDS_MOST;
  for (size_t at = 0; at < STATUS_MOST - 1; at++) {
    if (receive(connection, deadline, line + at, 1) != 1) return false;
    if (line[at] != '\n') continue;
    line[at] = '\0';
    return true;
  }
  return false;
}

static bool write_all(int file, const char *text, size_t bytes)
{
  while (bytes > 0) {
    ssize_t written = write(file, text, bytes);
    if (written < 0 && errno == EINTR) continue;
    if (written <= 0) return false;
    text += written;
    bytes -= (size_t)written;
  }
  return true;
}

// The answer in a file of its own, or -1 if not all of it has come.
static int keep_answer(int connection, unsigned long long bytes)
{
  char text[65536];
  double deadline = seconds_now() + ANSWER_SECONDS_MOST;
  int file = memfd_create("mend-answer", MFD_CLOEXEC);
  if (file < 0) return -1;
  while (bytes > 0) {
    size_t most = bytes < sizeof text ? (size_t)bytes : sizeof text;
    ssize_t got = receive(connection, deadline, text, most);
    if (got <= 0 || !write_all(file, text, (size_t)got)) break;
    bytes -= (unsigned long long)got;
  }
  if (bytes == 0 && lseek(file, 0, SEEK_SET) == 0) return file;
  close(file);
  return -1;
}

static int converse(int connection, pid_t pid, const char *request, char *why)
{
  char line[STATUS_MOST] = "";
  char *end = line;
  send_request(connection, request);
  if (!read_status(connection, line)) {
    return fail(why, "process %ld has not answered in time", (long)pid);
  }
  if (strncmp(line, "error ", 6) == 0) {
    snprintf(why, CONTROL_WHY_MOST, "process %ld: %.180s", (long)pid, line + 6);
    return -1;
  }
  errno = 0;
  bool is_ok = strncmp(line, "ok ", 3) == 0 && line[3] >= '0' && line[3] <= '9';
  unsigned long long bytes = is_ok ? strtoull(line + 3, &end, 10) : 0;
  if (!is_ok || *end != '\0' || errno != 0) {
    return fail(why, "what process %ld answers is not understood", (long)pid);
  }
  if (bytes > ANSWER_BYTES_MOST) {
    return fail(why, "process %ld announces an answer of over 1 GiB", (long)pid);
  }
  int file = keep_answer(connection, bytes);
  return file >= 0 ? file : fail(why, "the answer of process %ld was cut off", (long)pid);
}

static int converse_and_close(int connection, pid_t pid, const char *request, char *why)
{
  if (connection < 0) return -1;
  int file = converse(connection, pid, request, why);
  close(connection);
  return file;
}

int control_try(pid_t pid, const char *request, char why[static CONTROL_WHY_MOST])
{
  return converse_and_close(connect_to(pid, why), pid, request, why);
}

int control_ask(pid_t pid, const char *request)
{
  char why[CONTROL_WHY_MOST];
  int connection = connect_to(pid, why);
  while (connection < 0 && process_wait_young(pid)) connection = connect_to(pid, why);
  int file = converse_and_close(connection, pid, request, why);
  if (file < 0) complain("%s", why);
  return file;
}

bool control_answers(pid_t pid)
{
  char why[CONTROL_WHY_MOST];
  int connection = connect_to(pid, why);
  if (connection >= 0) close(connection);
  return connection >= 0;
}
