// SPDX-License-Identifier: MIT
//
// The control socket, as another process sees it: what it answers, to whom, and what becomes of it
// when it is stopped and started, in children of forks, at the limit of descriptors, and when who
// asks is slow, rude or gone.
#define _GNU_SOURCE 1
#include "../support/suite.h"

#include <dirent.h>
#include <errno.h>
#include <pthread.h>
#include <stdio.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include "mend/stats.h"
#include "mend/track.h"

// ThreadSanitizer ends a child that starts a thread when its parent had several: there children do
// not answer.
#if defined(__has_feature)
#if __has_feature(thread_sanitizer)
#define __SANITIZE_THREAD__ 1
#endif
#endif
#ifdef __SANITIZE_THREAD__
#define TEST_CHILDREN_ANSWER 0
#else
#define TEST_CHILDREN_ANSWER 1
#endif

enum { ANSWER_MOST = 1 << 16 };

struct answer {
  size_t length;
  char text[ANSWER_MOST];
};

static int connect_to(pid_t process)
{
  struct sockaddr_un address = {.sun_family = AF_UNIX};
  int length =
      snprintf(address.sun_path + 1, sizeof address.sun_path - 1, "mend-%ld", (long)process);
  socklen_t bytes = (socklen_t)(offsetof(struct sockaddr_un, sun_path) + 1 + (size_t)length);
  int connection = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
  CHECK(connection >= 0);
  struct timeval patience = {.tv_sec = 60};
  setsockopt(connection, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof patience);
  if (connect(connection, (const struct sockaddr *)&address, bytes) == 0) return connection;
  close(connection);
  return -1;
}

static void read_all(int connection, struct answer *answer)
{
  ssize_t got;
  answer->length = 0;
  while ((got = recv(connection, answer->text + answer->length, ANSWER_MOST - 1 - answer->length,
                     0)) > 0) {
    answer->length += (size_t)got;
  }
  answer->text[answer->length] = '\0';
}

// Sends some bytes to a process and reads all that it says; false if it does not listen.
static bool ask(pid_t process, const char *request, size_t bytes, struct answer *answer)
{
  int connection = connect_to(process);
  if (connection < 0) return false;
  (void)send(connection, request, bytes, MSG_NOSIGNAL);
  if (bytes == 0 || request[bytes - 1] != '\n') shutdown(connection, SHUT_WR);
  read_all(connection, answer);
  close(connection);
  return true;
}

static bool ask_line(pid_t process, const char *line, struct answer *answer)
{
  return ask(process, line, strlen(line), answer);
}

// Whether the answer is whole: its length is what its first line says.
static bool is_whole(const struct answer *answer)
{
  size_t length = 0;
  int head = 0;
  return sscanf(answer->text, "ok %zu%n", &length, &head) == 1 && answer->text[head] == '\n' &&
         answer->length == (size_t)head + 1 + length;
}

static bool knows_version(pid_t process)
{
  struct answer answer;
  return ask_line(process, "version\n", &answer) && is_whole(&answer) &&
         strstr(answer.text, MEND_VERSION_STRING) != NULL;
}

static bool listens(pid_t process)
{
  int connection = connect_to(process);
  if (connection >= 0) close(connection);
  return connection >= 0;
}

static void it_answers_while_it_is_on(void **state)
{
  (void)state;
  assert_false(listens(getpid()));
  for (int i = 0; i < 5; i++) {
    errno = 4711;
    assert_true(mend_control_start());
    assert_true(mend_control_start());
    assert_true(knows_version(getpid()));
    mend_control_stop();
    mend_control_stop();
    assert_int_equal(errno, 4711);
    assert_false(listens(getpid()));
  }
}

static void each_request_has_its_answer(void **state)
{
  (void)state;
  static const char *const requests[][2] = {
      {"stats text\n", "resident"},        {"stats json\n", "\"schema\": \"mend-stats-1\""},
      {"stats openmetrics\n", "# EOF"},    {"stats prometheus\n", "# TYPE mend_line_bytes gauge"},
      {"stats xml\n", "<malloc version="}, {"map\n", "mend heap map 1"},
      {"profile\n", "mend-track 1"},       {"profile start 65536\n", "ok 0"},
      {"profile stop\n", "ok 0"},          {"profile start exact\n", "ok 0"},
      {"profile stop\n", "ok 0"},          {"options\n", "option control = "},
      {"leaks\n", "kind leaks"},
  };
  static struct answer answer;
  assert_true(mend_control_start());
  for (size_t i = 0; i < sizeof requests / sizeof requests[0]; i++) {
    assert_true(ask_line(getpid(), requests[i][0], &answer));
    // A checker's own memory is no place to look for leaks.
    if (test_is_instrumented() && strncmp(requests[i][0], "leaks", 5) == 0) continue;
    // The hardened build has no profiles, and says so; an end of them does no harm.
    bool is_refused = TEST_IS_HARDENED && strncmp(requests[i][0], "profile", 7) == 0 &&
                      strcmp(requests[i][0], "profile stop\n") != 0;
    if (is_refused) assert_non_null(strstr(answer.text, "error this build of mend takes no pro"));
    if (is_refused) continue;
    if (!is_whole(&answer) || strstr(answer.text, requests[i][1]) == NULL) {
      print_message("%s: %s\n", requests[i][0], answer.text);
      fail();
    }
  }
  mend_control_stop();
}

static void nonsense_is_refused(void **state)
{
  (void)state;
  static const char *const lines[] = {
      "\n",
      "stats\n",
      "stats yaml\n",
      "STATS TEXT\n",
      "mapp\n",
      "map \n",
      "version 1\n",
      "profile starts\n",
      "profile start x\n",
      "profile start -1\n",
      "profile start 99999999999999999999\n",
      "version\nversion\n",
      "version\r\n",
      "version",
      "",
  };
  static struct answer answer;
  char noise[4096];
  struct random random = {random_seed()};
  assert_true(mend_control_start());
  for (size_t i = 0; i < sizeof lines / sizeof lines[0]; i++) {
    assert_true(ask_line(getpid(), lines[i], &answer));
    assert_int_equal(strncmp(answer.text, "error ", 6), 0);
  }
  for (size_t i = 0; i < test_scaled(50); i++) {
    size_t bytes = 1 + random_below(&random, sizeof noise - 1);
    for (size_t at = 0; at < bytes; at++) noise[at] = (char)random_below(&random, 256);
    noise[bytes - 1] = '\n';
    assert_true(ask(getpid(), noise, bytes, &answer));
    assert_true(answer.length == 0 || strncmp(answer.text, "error ", 6) == 0);
  }
  assert_true(knows_version(getpid()));
  mend_control_stop();
}

static void who_does_not_read_holds_up_nobody_else(void **state)
{
  (void)state;
  assert_true(mend_control_start());
  for (int i = 0; i < 3; i++) {
    int connection = connect_to(getpid());
    assert_true(connection >= 0);
    assert_int_equal(send(connection, "map\n", 4, MSG_NOSIGNAL), 4);
    void *block = mend_malloc(100000);  // the process goes on
    assert_non_null(block);
    mend_free(block);
    if (i == 0) usleep(10000);
    close(connection);  // before the answer, or in the middle
  }
  assert_true(knows_version(getpid()));
  mend_control_stop();
}

static void who_says_nothing_is_given_up(void **state)
{
  (void)state;
  static struct answer answer;
  assert_true(mend_control_start());
  int silent = connect_to(getpid());
  assert_true(silent >= 0);
  assert_true(knows_version(getpid()));  // when that one's time is over
  read_all(silent, &answer);
  assert_string_equal(answer.text, "error a request is one line\n");
  close(silent);
  mend_control_stop();
}

// ---------------------------------------------------------------------------------------------

static void *ask_often(void *unused)
{
  for (int i = 0; i < 20; i++) CHECK(knows_version(getpid()));
  return unused;
}

static void several_may_ask_at_once(void **state)
{
  (void)state;
  assert_true(mend_control_start());
  threads_run(4, ask_often, NULL, 0);
  mend_control_stop();
}

static void *start_and_stop(void *unused)
{
  for (size_t i = 0; i < test_scaled(50); i++) {
    (void)mend_control_start();
    mend_control_stop();
  }
  return unused;
}

static void it_is_started_and_stopped_by_several_threads(void **state)
{
  (void)state;
  threads_run(4, start_and_stop, NULL, 0);
  assert_false(listens(getpid()));
  assert_true(mend_control_start());
  assert_true(knows_version(getpid()));
  mend_control_stop();
}

// The exit status of a child that does this; 99 if it has not ended by itself.
static int in_child(int (*function)(void))
{
  int status = 0;
  fflush(NULL);
  pid_t child = test_fork();
  if (child == 0) _exit(function());
  CHECK(waitpid(child, &status, 0) == child);
  return WIFEXITED(status) ? WEXITSTATUS(status) : 99;
}

static int ask_self_and_parent(void)
{
  if (!knows_version(getppid())) return 1;
  if (TEST_CHILDREN_ANSWER && !knows_version(getpid())) return 2;
  mend_control_stop();
  if (listens(getpid())) return 3;
  return knows_version(getppid()) ? 0 : 4;
}

static int be_silent(void)
{
  return listens(getpid()) ? 1 : 0;
}

static void children_answer_by_themselves(void **state)
{
  (void)state;
  assert_int_equal(in_child(be_silent), 0);
  assert_true(mend_control_start());
  for (int i = 0; i < 5; i++) assert_int_equal(in_child(ask_self_and_parent), 0);
  assert_true(knows_version(getpid()));
  mend_control_stop();
  assert_int_equal(in_child(be_silent), 0);
}

// The connection is held by a process that was forked while it was served.
static void an_answer_ends_though_a_fork_came_in_between(void **state)
{
  (void)state;
  assert_true(mend_control_start());
  int connection = connect_to(getpid());
  assert_true(connection >= 0);
  usleep(20000);
  fflush(NULL);
  pid_t child = test_fork();
  if (child == 0) {
    close(connection);
    (void)alarm(120);  // should the test be killed
    pause();
    _exit(0);
  }
  static struct answer answer;
  assert_int_equal(send(connection, "version\n", 8, MSG_NOSIGNAL), 8);
  read_all(connection, &answer);  // to the end
  assert_true(is_whole(&answer));
  close(connection);
  kill(child, SIGKILL);
  assert_int_equal(waitpid(child, NULL, 0), child);
  mend_control_stop();
}

enum { CHILDREN = 100 };
static _Atomic(bool) is_enough;

static void *start_until_enough(void *unused)
{
  while (!is_enough) {
    (void)mend_control_start();
    mend_control_stop();
  }
  return unused;
}

// A child that says that it is there, and stays.
static pid_t make_child(int ready)
{
  pid_t child = test_fork();
  if (child != 0) return child;
  mend_control_stop();
  CHECK(write(ready, "", 1) == 1);
  (void)alarm(120);  // should the test be killed
  for (;;) pause();
}

static void children_do_not_keep_what_a_start_was_about_to_have(void **state)
{
  (void)state;
  pthread_t thread;
  pid_t children[CHILDREN];
  int ready[2];
  char byte;
  assert_int_equal(pipe(ready), 0);
  assert_int_equal(pthread_create(&thread, NULL, start_until_enough, NULL), 0);
  fflush(NULL);
  for (int i = 0; i < CHILDREN; i++) children[i] = make_child(ready[1]);
  for (int i = 0; i < CHILDREN; i++) assert_int_equal(read(ready[0], &byte, 1), 1);
  is_enough = true;
  assert_int_equal(pthread_join(thread, NULL), 0);
  bool is_started = mend_control_start();
  mend_control_stop();
  for (int i = 0; i < CHILDREN; i++) {
    kill(children[i], SIGKILL);
    assert_int_equal(waitpid(children[i], NULL, 0), children[i]);
  }
  close(ready[0]);
  close(ready[1]);
  assert_true(is_started);
}

static pid_t asked;

static int ask_as_nobody(void)
{
  static struct answer answer;
  if (setresgid(65534, 65534, 65534) != 0 || setresuid(65534, 65534, 65534) != 0) return 77;
  if (!ask_line(asked, "version\n", &answer)) return 1;
  return strstr(answer.text, "error this process belongs to another user\n") != NULL ? 0 : 2;
}

static void another_user_is_refused(void **state)
{
  (void)state;
  if (geteuid() != 0) skip();
  asked = getpid();
  assert_true(mend_control_start());
  int result = in_child(ask_as_nobody);
  mend_control_stop();
  if (result == 77) skip();
  assert_int_equal(result, 0);
}

// ---------------------------------------------------------------------------------------------

static int ask_without_descriptors(void)
{
  if (!mend_control_start()) return 1;
  int connection = connect_to(getpid());
  struct rlimit limit = {64, 64};
  if (connection < 0 || setrlimit(RLIMIT_NOFILE, &limit) != 0) return 2;
  while (dup(0) >= 0) continue;
  // Whether it was accepted before or not: it says so, or it does not answer, and nothing is lost.
  static struct answer answer;
  struct timeval patience = {.tv_sec = 1};
  setsockopt(connection, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof patience);
  (void)send(connection, "version\n", 8, MSG_NOSIGNAL);
  read_all(connection, &answer);
  if (answer.length > 0 && !is_whole(&answer) && strncmp(answer.text, "error ", 6) != 0) return 3;
  close(connection);
  for (int i = 3; i < 64; i++) close(i);
  return knows_version(getpid()) ? 0 : 4;
}

static void at_the_limit_of_descriptors_it_waits_for_better_times(void **state)
{
  (void)state;
  assert_int_equal(in_child(ask_without_descriptors), 0);
}

static int close_all_and_ask(void)
{
  if (!mend_control_start() || !knows_version(getpid())) return 1;
  for (int i = 3; i < 2000; i++) close(i);
  // Perhaps by the socket that is being waited on still; then by one that has to be made first.
  for (int i = 0; i < 3; i++) {
    bool is_answered = false;
    for (int wait = 0; wait < 2000 && !is_answered; wait++) {
      is_answered = knows_version(getpid());
      if (!is_answered) usleep(5000);
    }
    if (!is_answered) return 2;
  }
  return 0;
}

static void a_program_that_closes_its_descriptor_is_answered_for_all_the_same(void **state)
{
  (void)state;
  if (test_is_instrumented()) return;  // which tells the race that is meant
  assert_int_equal(in_child(close_all_and_ask), 0);
}

// All threads of this process have each signal either open or, mend's own, blocked.
static void its_thread_takes_no_signals(void **state)
{
  (void)state;
  char path[300], line[256];
  unsigned long long blocked = 0;
  bool is_found = false;
  assert_true(mend_control_start());
  DIR *tasks = opendir("/proc/self/task");
  if (tasks == NULL) skip();
  for (struct dirent *entry; (entry = readdir(tasks)) != NULL;) {
    if (entry->d_name[0] == '.' || strtol(entry->d_name, NULL, 10) == getpid()) continue;
    snprintf(path, sizeof path, "/proc/self/task/%s/status", entry->d_name);
    FILE *file = fopen(path, "re");
    while (file != NULL && fgets(line, sizeof line, file) != NULL) {
      if (sscanf(line, "SigBlk: %llx", &blocked) != 1) continue;
      is_found |= (blocked & 1ULL << (SIGINT - 1)) != 0 && (blocked & 1ULL << (SIGTERM - 1)) != 0;
    }
    if (file != NULL) fclose(file);
  }
  closedir(tasks);
  mend_control_stop();
  assert_true(is_found);
}

int main(void)
{
  static const struct CMUnitTest tests[] = {
      cmocka_unit_test(it_answers_while_it_is_on),
      cmocka_unit_test(each_request_has_its_answer),
      cmocka_unit_test(nonsense_is_refused),
      cmocka_unit_test(who_does_not_read_holds_up_nobody_else),
      cmocka_unit_test(who_says_nothing_is_given_up),
      cmocka_unit_test(several_may_ask_at_once),
      cmocka_unit_test(it_is_started_and_stopped_by_several_threads),
      cmocka_unit_test(children_answer_by_themselves),
      cmocka_unit_test(an_answer_ends_though_a_fork_came_in_between),
      cmocka_unit_test(children_do_not_keep_what_a_start_was_about_to_have),
      cmocka_unit_test(another_user_is_refused),
      cmocka_unit_test(at_the_limit_of_descriptors_it_waits_for_better_times),
      cmocka_unit_test(a_program_that_closes_its_descriptor_is_answered_for_all_the_same),
      cmocka_unit_test(its_thread_takes_no_signals),
  };
  return SUITE_RUN(tests);
}
