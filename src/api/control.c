// SPDX-License-Identifier: MIT
//
// A thread of mend's own waits on a local socket that is named by the process's number, and answers
// one request a connection, one after the other. It answers into a file in memory first, and sends
// that afterwards: so nothing that is slow to read holds up more than this thread, and who asks is
// told the length and sees whether all has come. Both sides have a time by which they must be done.
//
// It has all signals blocked and allocates nothing. Only processes of the same user, and root's,
// are answered.
#include "api/control.h"

#include <errno.h>
#include <string.h>

#include "base/format.h"
#include "base/options.h"
#include "base/output.h"
#include "core/tuning.h"
#include "mend/stats.h"
#include "mend/track.h"
#include "os/file.h"
#include "os/socket.h"
#include "os/system.h"
#include "os/thread.h"

enum {
  REQUEST_MOST = 128,
  ATTEMPTS = 20,
};
#define REQUEST_NS ((uint64_t)2000000000)
#define ANSWER_NS ((uint64_t)10000000000)

enum control_state { CONTROL_OFF, CONTROL_ON, CONTROL_ENDING };

// The state is OFF while there is no thread. Who has `lock` makes it ON with a new one, and ENDING;
// the thread makes it OFF with `listening`, which is the last that it does.
static struct {
  struct os_lock lock;          // of who starts and stops
  struct os_lock listening;     // protects `listener`, but for what the thread accepts from it;
                                // forks wait for it
  bool is_forking;              // held by a thread that forks
  _Atomic(uint32_t) state;      // enum control_state
  struct os_listener listener;  // only the thread changes it, while it runs
  _Atomic(int) connection;      // that it is answering, + 1
} control;

// ---------------------------------------------------------------------------------------------
// Requests.

struct control_request {
  const char *text;  // a word, or several; what is behind it is the argument
  bool has_argument;
  bool (*answer)(int file, const char *argument);  // false, with errno: that did not work
  enum mend_stats_format format;                   // of statistics, which `answer` is NULL for
};

static bool answer_map(int file, const char *argument)
{
  (void)argument;
  return mend_heap_map_write(file, NULL);
}

// One that nobody could ever begin is no empty profile.
static bool answer_profile(int file, const char *argument)
{
  (void)argument;
  if (TUNING_HAS_LISTS) return mend_profile_write(file);
  errno = ENOTSUP;
  return false;
}

// A number of bytes; "exact" for all. False if it is neither.
static bool read_interval(const char *text, size_t *interval)
{
  *interval = 0;
  if (strcmp(text, "exact") == 0) {
    *interval = MEND_PROFILE_EXACT;
    return true;
  }
  for (; *text >= '0' && *text <= '9'; text++) {
    if (*interval > ((size_t)1 << 50)) return false;
    *interval = *interval * 10 + (size_t)(*text - '0');
  }
  return *text == '\0';
}

static bool answer_profile_start(int file, const char *argument)
{
  size_t interval;
  (void)file;
  if (read_interval(argument, &interval)) return mend_profile_start(interval);
  errno = EINVAL;
  return false;
}

static bool answer_profile_stop(int file, const char *argument)
{
  (void)file, (void)argument;
  mend_profile_stop();
  return true;
}

static bool answer_leaks(int file, const char *argument)
{
  (void)argument;
  return mend_leak_check(NULL, file);
}

static bool answer_options(int file, const char *argument)
{
  (void)argument;
  return options_write(file);
}

static bool answer_version(int file, const char *argument)
{
  static const char text[] = MEND_VERSION_STRING "\n";
  (void)argument;
  return output_write_to(file, text, sizeof text - 1);
}

static const struct control_request control_requests[] = {
    {"stats text", false, NULL, MEND_STATS_TEXT},
    {"stats json", false, NULL, MEND_STATS_JSON},
    {"stats openmetrics", false, NULL, MEND_STATS_OPENMETRICS},
    {"stats prometheus", false, NULL, MEND_STATS_PROMETHEUS},
    {"stats xml", false, NULL, MEND_STATS_XML},
    {"map", false, answer_map, 0},
    {"profile start", true, answer_profile_start, 0},
    {"profile stop", false, answer_profile_stop, 0},
    {"profile", false, answer_profile, 0},
    {"leaks", false, answer_leaks, 0},
    {"options", false, answer_options, 0},
    {"version", false, answer_version, 0},
};

// The request that a line makes, and what follows it; NULL if there is no such.
static const struct control_request *find_request(const char *line, const char **argument)
{
  for (size_t i = 0; i < sizeof control_requests / sizeof control_requests[0]; i++) {
    const struct control_request *request = &control_requests[i];
    size_t length = strlen(request->text);
    if (strncmp(line, request->text, length) != 0) continue;
    *argument = line + length;
    if (**argument == '\0') return request;
    if (!request->has_argument || **argument != ' ') continue;
    ++*argument;
    return request;
  }
  return NULL;
}

// ---------------------------------------------------------------------------------------------
// A conversation.

// A line, without its end. False if it is too long, or does not come in time.
static bool read_request(int connection, char line[static REQUEST_MOST])
{
  uint64_t deadline_ns = os_deadline_ns(REQUEST_NS);
  memset(line, 0, REQUEST_MOST);  // MemorySanitizer does not see what the kernel writes
  for (size_t at = 0; at < REQUEST_MOST - 1;) {
    size_t got = os_receive(connection, line + at, REQUEST_MOST - 1 - at, deadline_ns);
    if (got == 0) return false;
    char *end = memchr(line + at, '\n', got);
    at += got;
    if (end == NULL) continue;
    *end = '\0';
    return end == line + at - 1 && strlen(line) == at - 1;
  }
  return false;
}

static void send_error(int connection, const char *why)
{
  char line[160];
  struct format format = format_begin(line, sizeof line);
  format_text(&format, "error ");
  format_text(&format, why);
  format_text(&format, "\n");
  (void)os_send(connection, line, (size_t)(format.at - line), os_deadline_ns(REQUEST_NS));
}

static void send_answer(int connection, int file)
{
  char line[40];
  struct format format = format_begin(line, sizeof line);
  uint64_t deadline_ns = os_deadline_ns(ANSWER_NS);
  format_text(&format, "ok ");
  format_number(&format, os_file_bytes(file), 0);
  format_text(&format, "\n");
  if (os_send(connection, line, (size_t)(format.at - line), deadline_ns)) {
    (void)os_send_file(connection, file, deadline_ns);
  }
}

// What there is to say of an errno; NULL: its number.
static const char *reason(int error)
{
  switch (error) {
  case EINVAL:
    return "that is no number";
  case EBUSY:
    return "the process is busy with another request of that kind";
  case ENOTSUP:
    return "this build of mend takes no profiles: libmend.so does";
  case ENOSPC:
  case EFBIG:
    return "the answer is too large";
  case 0:
  case ENOMEM:
    return "the process has no memory for it";
  default:
    return NULL;
  }
}

static void send_refusal(int connection, int error)
{
  char line[48];
  struct format format = format_begin(line, sizeof line - 1);
  const char *why = reason(error);
  format_text(&format, "it did not work: error ");
  format_number(&format, (uint64_t)error, 0);
  *format.at = '\0';
  send_error(connection, why != NULL ? why : line);
}

static bool make_answer(const struct control_request *request, int file, const char *argument)
{
  errno = 0;
  if (request->answer == NULL) return mend_stats_write(file, request->format);
  return request->answer(file, argument);
}

static void answer(int connection)
{
  char line[REQUEST_MOST];
  const char *argument = "";
  if (!os_peer_may_ask(connection)) {
    send_error(connection, "this process belongs to another user");
    return;
  }
  if (!read_request(connection, line)) {
    send_error(connection, "a request is one line");
    return;
  }
  const struct control_request *request = find_request(line, &argument);
  if (request == NULL) {
    send_error(connection, "there is no such request in mend " MEND_VERSION_STRING);
    return;
  }
  int file = os_memory_file("mend-answer");
  if (file < 0) {
    send_error(connection, "the process has no descriptor for the answer");
    return;
  }
  if (make_answer(request, file, argument)) {
    send_answer(connection, file);
  } else {
    send_refusal(connection, errno);
  }
  os_file_close(file);
}

// ---------------------------------------------------------------------------------------------
// The thread.

// A child that is about to become another program may have the name for a moment, and a program
// that is closing descriptors may close the new one before it has a name.
static bool control_listen(void)
{
  char name[40];
  struct format format = format_begin(name, sizeof name - 1);
  format_text(&format, "mend-");
  format_number(&format, os_process_id(), 0);
  *format.at = '\0';
  for (int i = 0; i < ATTEMPTS; i++) {
    if (os_listen(&control.listener, name)) return true;
    if (errno != EADDRINUSE && errno != EBADF && errno != ENOTSOCK) return false;
    os_sleep_ms(5);
  }
  return false;
}

// Answers until the listener ends.
static void converse(void)
{
  int connection;
  for (;;) {
    switch (os_accept(&control.listener, &connection)) {
    case OS_ACCEPTED:
      atomic_store(&control.connection, connection + 1);
      answer(connection);
      atomic_store(&control.connection, 0);
      os_hang_up(connection);
      break;
    case OS_ACCEPT_AGAIN:
      break;
    case OS_ACCEPT_NO_ROOM:
      os_sleep_ms(50);  // who asks has a time, too
      break;
    case OS_ACCEPT_ENDED:
      return;
    }
  }
}

// After the end of a listener. A program that closes descriptors that it does not know closes the
// listener, too: then it listens anew. (The name is free, because nobody has the socket any more.)
// One that is whole, and that nobody has ended, is one that the kernel lets nobody accept from:
// that would be so again, so it is the end.
static bool listen_again(void)
{
  os_lock_acquire(&control.listening);
  bool is_lost = !os_listener_is_whole(&control.listener);
  os_listener_close(&control.listener);
  bool goes_on = is_lost && atomic_load(&control.state) == CONTROL_ON && control_listen();
  if (!goes_on) atomic_store(&control.state, CONTROL_OFF);
  os_lock_release(&control.listening);
  return goes_on;
}

static void *control_run(void *unused)
{
  do {
    converse();
  } while (listen_again());
  return unused;
}

// Under the lock, or in the child of a fork. The name may be that of an end that is under way.
static bool control_begin(void)
{
  os_lock_acquire(&control.listening);
  bool is_listening = control_listen();
  os_lock_release(&control.listening);
  if (!is_listening) return false;
  atomic_store(&control.state, CONTROL_ON);
  if (os_thread_start(control_run)) return true;
  os_listener_close(&control.listener);
  atomic_store(&control.state, CONTROL_OFF);
  errno = EAGAIN;
  return false;
}

static void await_end(void)
{
  while (atomic_load(&control.state) == CONTROL_ENDING) os_sleep_ms(1);
}

// Whether there is a thread that goes on. (It holds `listening` while it finds out.)
static bool control_is_on(void)
{
  os_lock_acquire(&control.listening);
  bool is_on = atomic_load(&control.state) == CONTROL_ON;
  os_lock_release(&control.listening);
  return is_on;
}

bool mend_control_start(void)
{
  int saved_errno = errno;
  if (os_lock_is_mine(&control.lock)) {  // below a signal handler
    errno = EBUSY;
    return false;
  }
  os_lock_acquire(&control.lock);
  await_end();
  bool is_on = control_is_on() || control_begin();
  os_lock_release(&control.lock);
  if (is_on) errno = saved_errno;
  return is_on;
}

void mend_control_stop(void)
{
  int saved_errno = errno;
  uint32_t expected = CONTROL_ON;
  if (os_lock_is_mine(&control.lock)) return;
  os_lock_acquire(&control.lock);
  if (atomic_compare_exchange_strong(&control.state, &expected, CONTROL_ENDING)) {
    os_lock_acquire(&control.listening);
    os_listener_end(&control.listener);
    os_lock_release(&control.listening);
    await_end();
  }
  os_lock_release(&control.lock);
  errno = saved_errno;
}

// A child gets no listener that is half made: nobody could close it there.
static void control_before_fork(void)
{
  if (os_lock_is_mine(&control.listening)) return;  // below a signal handler
  os_lock_acquire(&control.listening);
  control.is_forking = true;
}

static void control_after_fork(void)
{
  if (!control.is_forking) return;
  control.is_forking = false;
  os_lock_release(&control.listening);
}

// What the parent's thread had is not the child's to keep: the connection would not end before the
// child does, and the parent's name would be taken for as long. It may be listening while its state
// is OFF, when another thread is about to start it.
static void control_in_child(void)
{
  control_after_fork();
  (void)os_lock_take_from_strangers(&control.lock);
  os_listener_close(&control.listener);
  if (atomic_load(&control.state) == CONTROL_OFF) return;
  bool was_on = atomic_load(&control.state) == CONTROL_ON;
  int connection = atomic_exchange(&control.connection, 0) - 1;
  if (connection >= 0) os_file_close(connection);
  atomic_store(&control.state, CONTROL_OFF);
  if (os_lock_is_mine(&control.listening)) return;  // below a signal handler
  // ThreadSanitizer ends a child that starts a thread when its parent had several.
  if (was_on && !HAS_THREAD_SANITIZER) (void)control_begin();
}

INTERNAL void control_register_forks(void)
{
  (void)os_on_fork(control_before_fork, control_after_fork, control_in_child);
}
