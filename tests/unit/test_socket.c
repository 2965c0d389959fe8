// SPDX-License-Identifier: MIT
//
// Local sockets: who listens, who is accepted, and that nobody waits for longer than he said.
#define _GNU_SOURCE 1
#include "../support/suite.h"

#include <fcntl.h>
#include <pthread.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "os/socket.h"
#include "os/system.h"

static char name[64];

static int connect_to_it(void)
{
  struct sockaddr_un address = {.sun_family = AF_UNIX};
  memcpy(address.sun_path + 1, name, strlen(name));
  int connection = socket(AF_UNIX, SOCK_STREAM, 0);
  CHECK(connection >= 0);
  socklen_t bytes = (socklen_t)(offsetof(struct sockaddr_un, sun_path) + 1 + strlen(name));
  if (connect(connection, (struct sockaddr *)&address, bytes) == 0) return connection;
  close(connection);
  return -1;
}

static void a_name_is_one_listeners(void **state)
{
  (void)state;
  struct os_listener listener, other;
  assert_true(os_listen(&listener, name));
  assert_true(os_listener_is_whole(&listener));
  assert_true((fcntl(listener.descriptor, F_GETFD) & FD_CLOEXEC) != 0);
  assert_false(os_listen(&other, name));
  assert_int_equal(other.descriptor, -1);
  assert_false(os_listener_is_whole(&other));
  os_listener_close(&listener);
  assert_int_equal(listener.descriptor, -1);
  assert_true(os_listen(&listener, name));
  os_listener_close(&listener);
}

static void two_sides_talk(void **state)
{
  (void)state;
  struct os_listener listener;
  int mine = -1;
  char text[16] = "";
  assert_true(os_listen(&listener, name));
  int other = connect_to_it();
  assert_int_equal(os_accept(&listener, &mine), OS_ACCEPTED);
  assert_true(os_peer_may_ask(mine));
  assert_int_equal(send(other, "hello", 5, 0), 5);
  assert_int_equal(os_receive(mine, text, sizeof text, os_deadline_ns(1000000000)), 5);
  assert_string_equal(text, "hello");
  assert_true(os_send(mine, "yes", 3, os_deadline_ns(1000000000)));
  assert_int_equal(recv(other, text, sizeof text, 0), 3);
  os_hang_up(mine);
  assert_int_equal(recv(other, text, sizeof text, 0), 0);
  close(other);
  os_listener_close(&listener);
}

static void nobody_waits_for_ever(void **state)
{
  (void)state;
  struct os_listener listener;
  int mine = -1;
  static char text[1 << 20];
  assert_true(os_listen(&listener, name));
  int other = connect_to_it();
  assert_int_equal(os_accept(&listener, &mine), OS_ACCEPTED);
  assert_int_equal(os_receive(mine, text, sizeof text, os_deadline_ns(20000000)), 0);
  bool is_sent = true;
  for (int i = 0; i < 64 && is_sent; i++) {
    is_sent = os_send(mine, text, sizeof text, os_deadline_ns(20000000));
  }
  assert_false(is_sent);
  close(other);
  assert_false(os_send(mine, text, sizeof text, os_deadline_ns(20000000)));  // and no SIGPIPE
  assert_int_equal(os_receive(mine, text, sizeof text, os_deadline_ns(1)), 0);
  os_hang_up(mine);
  os_listener_close(&listener);
}

static void *end_later(void *argument)
{
  usleep(20000);
  os_listener_end(argument);
  return NULL;
}

static void who_waits_for_a_connection_is_woken_by_the_end(void **state)
{
  (void)state;
  struct os_listener listener;
  pthread_t thread;
  int mine = -1;
  assert_true(os_listen(&listener, name));
  assert_int_equal(pthread_create(&thread, NULL, end_later, &listener), 0);
  assert_int_equal(os_accept(&listener, &mine), OS_ACCEPT_ENDED);
  assert_int_equal(pthread_join(thread, NULL), 0);
  os_listener_close(&listener);
}

// A program that closes what it does not know, and opens something else with that number.
static void a_descriptor_of_another_file_is_let_alone(void **state)
{
  (void)state;
  struct os_listener listener;
  int mine = -1;
  assert_true(os_listen(&listener, name));
  int number = listener.descriptor;
  close(number);
  assert_int_equal(os_accept(&listener, &mine), OS_ACCEPT_ENDED);
  assert_int_equal(dup2(0, number), number);
  assert_false(os_listener_is_whole(&listener));
  assert_int_equal(os_accept(&listener, &mine), OS_ACCEPT_ENDED);
  os_listener_end(&listener);
  os_listener_close(&listener);
  assert_true(fcntl(number, F_GETFD) >= 0);
  close(number);
}

static void a_file_in_memory_is_sent_whole(void **state)
{
  (void)state;
  int ends[2];
  static char text[20000], got[20000];
  for (size_t i = 0; i < sizeof text; i++) text[i] = (char)(i % 251);
  int file = os_memory_file("test");
  if (file < 0) skip();
  assert_int_equal(os_file_bytes(file), 0);
  assert_int_equal(write(file, text, sizeof text), sizeof text);
  assert_int_equal(os_file_bytes(file), sizeof text);
  assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM, 0, ends), 0);
  for (int i = 0; i < 2; i++) {
    assert_true(os_send_file(ends[0], file, os_deadline_ns(1000000000)));
    assert_int_equal(recv(ends[1], got, sizeof got, MSG_WAITALL), sizeof got);
    assert_memory_equal(got, text, sizeof got);
  }
  close(ends[0]);
  close(ends[1]);
  close(file);
}

int main(void)
{
  static const struct CMUnitTest tests[] = {
      cmocka_unit_test(a_name_is_one_listeners),
      cmocka_unit_test(two_sides_talk),
      cmocka_unit_test(nobody_waits_for_ever),
      cmocka_unit_test(who_waits_for_a_connection_is_woken_by_the_end),
      cmocka_unit_test(a_descriptor_of_another_file_is_let_alone),
      cmocka_unit_test(a_file_in_memory_is_sent_whole),
  };
  snprintf(name, sizeof name, "mend-test-%ld", (long)getpid());
  return SUITE_RUN(tests);
}
