// SPDX-License-Identifier: MIT
#include "control.h"

#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>

#include "clock.h"
#include "command.h"
#include "process_age.h"
#include "silence.h"

enum {
  SECONDS_MOST = 120,         // until it answers: it may have to look through all its memory first
  ANSWER_SECONDS_MOST = 300,  // until all of the answer has come
  ANSWER_BYTES_MOST = 1 << 30,
  STATUS_MOST = 200,  // bytes of the line before the answer
  RETRY_MS = 20,      // after which a process that has too many visitors is tried again
};

struct asking {
  pid_t pid;
  int connection;  // never blocks
  int cancel;      // if it can be read, the answer is wanted no more; or -1
};

static int fail(char *why, const char *format, long number)
{
  // The formats are those below, and silence.c's.
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wformat-nonliteral"
  snprintf(why, CONTROL_WHY_MOST, format, number);
#pragma GCC diagnostic pop
  return -1;
}

static int64_t ns_after(int64_t seconds)
{
  return clock_ns(CLOCK_MONOTONIC) + seconds * NS_A_SECOND;
}

// Waits until there is something to read, or for that long. Negative if it is cancelled or fails.
static int wait_for(const struct asking *asking, int milliseconds)
{
  struct pollfd files[] = {{.fd = asking->connection, .events = POLLIN},
                           {.fd = asking->cancel, .events = POLLIN}};
  int ready = poll(files, 2, milliseconds);
  if (ready < 0 || files[1].revents == 0) return ready;
  errno = ECANCELED;
  return -1;
}

// Whoever answers under that name is the process itself, or somebody who has taken its name.
static bool is_answered_by(const struct asking *asking)
{
  struct ucred peer = {0};
  socklen_t bytes = sizeof peer;
  return getsockopt(asking->connection, SOL_SOCKET, SO_PEERCRED, &peer, &bytes) == 0 &&
         peer.pid == asking->pid;
}

// A process that is stopped takes nobody in, and its queue may be full.
static bool reach(const struct asking *asking)
{
  struct sockaddr_un address = {.sun_family = AF_UNIX};
  int length =
      snprintf(address.sun_path + 1, sizeof address.sun_path - 1, "mend-%ld", (long)asking->pid);
  socklen_t bytes = (socklen_t)(offsetof(struct sockaddr_un, sun_path) + 1 + (size_t)length);
  struct asking queued = {.connection = -1, .cancel = asking->cancel};
  int64_t deadline = ns_after(SECONDS_MOST);
  while (connect(asking->connection, (const struct sockaddr *)&address, bytes) != 0) {
    if ((errno != EAGAIN && errno != EINTR) || clock_ns(CLOCK_MONOTONIC) > deadline) {
      return false;
    }
    if (wait_for(&queued, RETRY_MS) < 0 && errno != EINTR) return false;
  }
  return true;
}

// Connects. False if that fails.
static bool connect_to(struct asking *asking, char *why)
{
  long pid = asking->pid;
  char folder[64];
  struct stat status;
  asking->connection = -1;
  snprintf(folder, sizeof folder, "/proc/%ld", pid);
  if (stat(folder, &status) != 0) {
    fail(why, "there is no process %ld", pid);
    return false;
  }
  asking->connection = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
  if (asking->connection < 0) {
    fail(why, "sockets cannot be had here, to ask process %ld", pid);
    return false;
  }
  if (!reach(asking)) {
    fail(why, silence_reason(asking->pid), pid);
  } else if (is_answered_by(asking)) {
    return true;
  } else {
    fail(why, "somebody else answers in the name of process %ld", pid);
  }
  close(asking->connection);
  asking->connection = -1;
  return false;
}

// If that fails there may be an answer all the same: who refuses does so before the request is
// read, and may be gone when it comes.
static void send_request(int connection, const char *request)
{
  char line[STATUS_MOST];
  int length = snprintf(line, sizeof line, "%s\n", request);
  (void)!send(connection, line, (size_t)length, MSG_NOSIGNAL);
}

// What has come; 0 or below if nothing comes any more, or not before the deadline.
static ssize_t receive(const struct asking *asking, int64_t deadline, char *text, size_t bytes)
{
  for (;;) {
    int64_t left = deadline - clock_ns(CLOCK_MONOTONIC);
    int ready = left > 0 ? wait_for(asking, (int)(left / NS_A_MS) + 1) : 0;
    ssize_t got = ready > 0 ? recv(asking->connection, text, bytes, 0) : ready;
    if (got >= 0 || (errno != EINTR && errno != EAGAIN)) return got;
  }
}

// Byte by byte, so that nothing behind its end is read.
static bool read_status(const struct asking *asking, char line[static STATUS_MOST])
{
  int64_t deadline = ns_after(SECONDS_MOST);
  for (size_t at = 0; at < STATUS_MOST - 1; at++) {
    if (receive(asking, deadline, line + at, 1) != 1) return false;
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
static int keep_answer(const struct asking *asking, unsigned long long bytes)
{
  char text[65536];
  int64_t deadline = ns_after(ANSWER_SECONDS_MOST);
  int file = memfd_create("mend-answer", MFD_CLOEXEC);
  if (file < 0) return -1;
  while (bytes > 0) {
    size_t most = bytes < sizeof text ? (size_t)bytes : sizeof text;
    ssize_t got = receive(asking, deadline, text, most);
    if (got <= 0 || !write_all(file, text, (size_t)got)) break;
    bytes -= (unsigned long long)got;
  }
  if (bytes == 0 && lseek(file, 0, SEEK_SET) == 0) return file;
  close(file);
  return -1;
}

// Of an answer that has not come; it is another thing if that is wanted no more.
static int tell_missing(const struct asking *asking, const char *otherwise, char *why)
{
  bool is_cancelled = errno == ECANCELED;
  bool has_ended = !is_cancelled && silence_is_end(asking->pid);
  return fail(why, has_ended ? "process %ld ended before it answered" : otherwise, asking->pid);
}

static int converse(const struct asking *asking, const char *request, char *why)
{
  char line[STATUS_MOST] = "";
  char *end = line;
  long pid = asking->pid;
  errno = 0;
  send_request(asking->connection, request);
  if (!read_status(asking, line)) {
    return tell_missing(asking, "process %ld has not answered in time", why);
  }
  if (strncmp(line, "error ", 6) == 0) {
    snprintf(why, CONTROL_WHY_MOST, "process %ld: %.180s", pid, line + 6);
    return -1;
  }
  errno = 0;
  bool is_ok = strncmp(line, "ok ", 3) == 0 && line[3] >= '0' && line[3] <= '9';
  unsigned long long bytes = is_ok ? strtoull(line + 3, &end, 10) : 0;
  if (!is_ok || *end != '\0' || errno != 0) {
    return fail(why, "what process %ld answers is not understood", pid);
  }
  if (bytes > ANSWER_BYTES_MOST) {
    return fail(why, "process %ld announces an answer of over 1 GiB", pid);
  }
  int file = keep_answer(asking, bytes);
  return file >= 0 ? file : tell_missing(asking, "the answer of process %ld was cut off", why);
}

static int converse_and_close(const struct asking *asking, const char *request, char *why)
{
  if (asking->connection < 0) return -1;
  int file = converse(asking, request, why);
  close(asking->connection);
  return file;
}

int control_try(pid_t pid, const char *request, int cancel, char why[static CONTROL_WHY_MOST])
{
  struct asking asking = {.pid = pid, .cancel = cancel};
  connect_to(&asking, why);
  return converse_and_close(&asking, request, why);
}

int control_ask(pid_t pid, const char *request)
{
  char why[CONTROL_WHY_MOST];
  struct asking asking = {.pid = pid, .cancel = -1};
  while (!connect_to(&asking, why) && process_wait_young(pid)) continue;
  int file = converse_and_close(&asking, request, why);
  if (file < 0) complain("%s", why);
  return file;
}

bool control_answers(pid_t pid)
{
  char why[CONTROL_WHY_MOST];
  struct asking asking = {.pid = pid, .cancel = -1};
  if (!connect_to(&asking, why)) return false;
  close(asking.connection);
  return true;
}
