// SPDX-License-Identifier: MIT
//
// The control socket's thread, in a conversation that the test plays: what it accepts, what it
// reads and what it says, piece by piece, and when the system refuses. (tests/api/test_control.c
// has real sockets.)
#define _GNU_SOURCE 1
#include "../support/suite.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "api/control.h"
#include "mend/mend.h"
#include "mend/track.h"
#include "os/socket.h"
#include "os/thread.h"

enum { PIECES_MOST = 8, CONNECTION = 12345 };

// What is to happen, set before the thread starts, and what has.
static struct {
  int refusal;                      // errno of os_listen; 0: it works
  int refusals;                     // how often
  enum os_accepted accepted[8];     // one after the other; then the end of the listener
  const char *pieces[PIECES_MOST];  // what comes in, of each connection all; NULL: nothing more
  bool accepts_nobody;              // the kernel lets none be accepted the first time
  bool is_interrupted;              // by a handler, while who starts has it listen
  bool is_stranger;                 // who asks
  bool has_no_file;                 // for answers
  uintptr_t starter;                // the thread that is to listen; 0: whichever
  _Atomic(bool) is_closed;          // the listener, by the program
  _Atomic(size_t) listens, accepts, hung_up, ended, others;
  size_t received;
  size_t bytes;
  char sent[4096];
} played;

INTERNAL bool os_listen(struct os_listener *listener, const char *name)
{
  char expected[40];
  snprintf(expected, sizeof expected, "mend-%ld", (long)getpid());
  CHECK(strcmp(name, expected) == 0);
  if (played.is_interrupted) CHECK(raise(SIGUSR1) == 0);
  if (played.starter != os_thread_id()) atomic_fetch_add(&played.others, 1);
  atomic_store(&played.is_closed, false);
  listener->descriptor = -1;
  errno = played.refusal;
  if (played.refusals > 0) {
    played.refusals--;
    return false;
  }
  listener->descriptor = CONNECTION - 1;
  atomic_fetch_add(&played.listens, 1);
  return true;
}

INTERNAL bool os_listener_is_whole(const struct os_listener *listener)
{
  return listener->descriptor >= 0 && !atomic_load(&played.is_closed);
}

INTERNAL enum os_accepted os_accept(const struct os_listener *listener, int *connection)
{
  CHECK(listener->descriptor == CONNECTION - 1);
  size_t number = atomic_fetch_add(&played.accepts, 1);
  *connection = CONNECTION;
  played.received = 0;
  if (played.accepts_nobody && number == 0) return OS_ACCEPT_ENDED;
  if (number < sizeof played.accepted / sizeof played.accepted[0]) {
    bool is_end = played.accepted[number] == OS_ACCEPT_ENDED;
    if (is_end && number < 2) atomic_store(&played.is_closed, true);
    if (!is_end || number < 2) return played.accepted[number];
  }
  while (atomic_load(&played.ended) == 0) os_thread_yield();
  return OS_ACCEPT_ENDED;
}

INTERNAL void os_listener_end(const struct os_listener *listener)
{
  (void)listener;
  atomic_store(&played.ended, 1);
}

INTERNAL void os_listener_close(struct os_listener *listener)
{
  listener->descriptor = -1;
}

INTERNAL bool os_peer_may_ask(int connection)
{
  CHECK(connection == CONNECTION);
  return !played.is_stranger;
}

INTERNAL size_t os_receive(int connection, char *text, size_t bytes, uint64_t deadline_ns)
{
  CHECK(connection == CONNECTION && deadline_ns != 0 && deadline_ns != UINT64_MAX);
  if (played.received == PIECES_MOST || played.pieces[played.received] == NULL) return 0;
  const char *piece = played.pieces[played.received++];
  size_t length = strlen(piece);
  CHECK(length <= bytes);
  memcpy(text, piece, length);
  return length;
}

INTERNAL bool os_send(int connection, const char *text, size_t bytes, uint64_t deadline_ns)
{
  CHECK(connection == CONNECTION && deadline_ns != UINT64_MAX);
  CHECK(played.bytes + bytes < sizeof played.sent);
  memcpy(played.sent + played.bytes, text, bytes);
  played.bytes += bytes;
  return true;
}

INTERNAL void os_hang_up(int connection)
{
  CHECK(connection == CONNECTION);
  atomic_fetch_add(&played.hung_up, 1);
}

INTERNAL int os_memory_file(const char *name)
{
  (void)name;
  FILE *file = played.has_no_file ? NULL : tmpfile();
  return file != NULL ? dup(fileno(file)) : -1;
}

INTERNAL size_t os_file_bytes(int file)
{
  return (size_t)lseek(file, 0, SEEK_END);
}

INTERNAL bool os_send_file(int connection, int file, uint64_t deadline_ns)
{
  char text[512];
  ssize_t got;
  lseek(file, 0, SEEK_SET);
  while ((got = read(file, text, sizeof text)) > 0) {
    if (!os_send(connection, text, (size_t)got, deadline_ns)) return false;
  }
  return true;
}

// ---------------------------------------------------------------------------------------------

static void play_begin(void)
{
  memset(&played, 0, sizeof played);
  for (size_t i = 1; i < sizeof played.accepted / sizeof played.accepted[0]; i++) {
    played.accepted[i] = OS_ACCEPT_ENDED;
  }
}

// Starts, waits until so many connections are over, and stops.
static void play(size_t connections)
{
  assert_true(mend_control_start());
  while (atomic_load(&played.hung_up) < connections) os_thread_yield();
  mend_control_stop();
}

static void check_conversation(const char *first, const char *second, const char *said)
{
  play_begin();
  played.pieces[0] = first;
  played.pieces[1] = second;
  play(1);
  assert_string_equal(played.sent, said);
}

static void lines_come_in_pieces(void **state)
{
  (void)state;
  static const char version[] = "ok 6\n" MEND_VERSION_STRING "\n";
  check_conversation("version\n", NULL, version);
  check_conversation("ver", "sion\n", version);
  check_conversation("version", "\n", version);
  check_conversation("version", NULL, "error a request is one line\n");
  check_conversation(NULL, NULL, "error a request is one line\n");
  check_conversation("version\nmore", NULL, "error a request is one line\n");
  check_conversation("0123456789012345678901234567890123456789012345678901234567890123",
                     "012345678901234567890123456789012345678901234567890123456789012",
                     "error a request is one line\n");
  check_conversation("versions\n", NULL,
                     "error there is no such request in mend " MEND_VERSION_STRING "\n");
  check_conversation("profile start 1x\n", NULL, "error that is no number\n");
}

static void strangers_are_not_even_read(void **state)
{
  (void)state;
  play_begin();
  played.is_stranger = true;
  played.pieces[0] = "version\n";
  play(1);
  assert_string_equal(played.sent, "error this process belongs to another user\n");
  assert_int_equal(played.received, 0);
}

static void without_a_file_there_is_an_error(void **state)
{
  (void)state;
  play_begin();
  played.has_no_file = true;
  played.pieces[0] = "version\n";
  play(1);
  assert_string_equal(played.sent, "error the process has no descriptor for the answer\n");
}

static void it_goes_on_when_nothing_is_accepted(void **state)
{
  (void)state;
  play_begin();
  played.accepted[0] = OS_ACCEPT_AGAIN;
  played.accepted[1] = OS_ACCEPT_NO_ROOM;
  played.accepted[2] = OS_ACCEPT_AGAIN;
  played.accepted[3] = OS_ACCEPTED;
  played.pieces[0] = "version\n";
  play(1);
  assert_int_equal(strncmp(played.sent, "ok ", 3), 0);
  assert_int_equal(played.listens, 1);
}

// The program has closed the descriptor, twice; and the name is taken for a moment.
static void it_listens_anew(void **state)
{
  (void)state;
  play_begin();
  played.accepted[0] = OS_ACCEPT_ENDED;
  played.accepted[1] = OS_ACCEPT_ENDED;
  played.accepted[2] = OS_ACCEPTED;
  played.refusal = EADDRINUSE;
  played.refusals = 2;
  played.pieces[0] = "version\n";
  play(1);
  assert_int_equal(strncmp(played.sent, "ok ", 3), 0);
  assert_int_equal(played.listens, 3);
}

// A listener of which the kernel lets nobody be accepted (a filter of system calls forbids that) is
// not made anew, again and again: only who starts another one does that.
static void it_ends_where_nobody_can_be_accepted(void **state)
{
  (void)state;
  play_begin();
  played.accepts_nobody = true;
  played.starter = os_thread_id();
  played.accepted[0] = played.accepted[1] = OS_ACCEPT_AGAIN;
  assert_true(mend_control_start());
  while (atomic_load(&played.listens) < 2) {
    if (atomic_load(&played.accepts) > 0) assert_true(mend_control_start());
  }
  mend_control_stop();
  assert_int_equal(atomic_load(&played.others), 0);
  assert_int_equal(atomic_load(&played.listens), 2);
}

static struct {
  size_t count;
  bool has_started;
  int error;
} below;

static void start_below(int number)
{
  (void)number;
  below.count++;
  errno = 0;
  below.has_started = mend_control_start();
  below.error = errno;
  mend_control_stop();
}

// A handler that has interrupted a start would wait for itself.
static void below_a_start_there_is_none(void **state)
{
  (void)state;
  struct sigaction action = {.sa_handler = start_below};
  assert_int_equal(sigaction(SIGUSR1, &action, NULL), 0);
  play_begin();
  played.is_interrupted = true;
  played.accepted[0] = OS_ACCEPTED;
  played.pieces[0] = "version\n";
  play(1);
  assert_int_equal(below.count, 1);
  assert_false(below.has_started);
  assert_int_equal(below.error, EBUSY);
  assert_int_equal(strncmp(played.sent, "ok ", 3), 0);
}

static void what_is_refused_is_told(void **state)
{
  (void)state;
  static const int refusals[] = {EACCES, EMFILE, EAFNOSUPPORT, EADDRINUSE};
  for (size_t i = 0; i < sizeof refusals / sizeof refusals[0]; i++) {
    play_begin();
    played.refusal = refusals[i];
    played.refusals = 1000;
    assert_false(mend_control_start());
    assert_int_equal(errno, refusals[i]);
    mend_control_stop();
  }
}

int main(void)
{
  static const struct CMUnitTest tests[] = {
      cmocka_unit_test(lines_come_in_pieces),
      cmocka_unit_test(strangers_are_not_even_read),
      cmocka_unit_test(without_a_file_there_is_an_error),
      cmocka_unit_test(it_goes_on_when_nothing_is_accepted),
      cmocka_unit_test(it_listens_anew),
      cmocka_unit_test(it_ends_where_nobody_can_be_accepted),
      cmocka_unit_test(below_a_start_there_is_none),
      cmocka_unit_test(what_is_refused_is_told),
  };
  return SUITE_RUN(tests);
}
