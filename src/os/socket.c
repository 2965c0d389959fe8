// SPDX-License-Identifier: MIT
#include "os/socket.h"

#include <errno.h>
#include <poll.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/un.h>
#include <unistd.h>

#include "base/bits.h"
#include "os/direct.h"
#include "os/system.h"

enum { WAITING_MOST = 8 };  // connections that have not been accepted yet

#ifndef MFD_CLOEXEC
#define MFD_CLOEXEC 1U
#endif

// Which file a descriptor is of; 0 if of none.
static uint64_t file_number(int descriptor)
{
  struct stat status = {0};
  if (descriptor < 0 || fstat(descriptor, &status) != 0 || !S_ISSOCK(status.st_mode)) return 0;
  return status.st_ino;
}

INTERNAL bool os_listen(struct os_listener *listener, const char *name)
{
  struct sockaddr_un address = {.sun_family = AF_UNIX};
  // A name that is no file begins with a byte of 0.
  size_t length = bits_smaller(strlen(name), sizeof address.sun_path - 1);
  memcpy(address.sun_path + 1, name, length);
  socklen_t bytes = (socklen_t)(offsetof(struct sockaddr_un, sun_path) + 1 + length);
  *listener = (struct os_listener){.descriptor = -1};
  int low = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
  if (low < 0) return false;
  // Up there, where programs that close descriptors by number do not get to.
  listener->descriptor = os_duplicate_descriptor(low);
  if (listener->descriptor >= 0) {
    os_direct_close(low);
  } else {
    listener->descriptor = low;
  }
  listener->number = file_number(listener->descriptor);
  if (listener->number != 0 &&
      bind(listener->descriptor, (const struct sockaddr *)&address, bytes) == 0 &&
      listen(listener->descriptor, WAITING_MOST) == 0) {
    return true;
  }
  int refusal = errno;
  os_direct_close(listener->descriptor);
  *listener = (struct os_listener){.descriptor = -1};
  errno = refusal;
  return false;
}

INTERNAL bool os_listener_is_whole(const struct os_listener *listener)
{
  return listener->number != 0 && file_number(listener->descriptor) == listener->number;
}

INTERNAL enum os_accepted os_accept(const struct os_listener *listener, int *connection)
{
  if (!os_listener_is_whole(listener)) return OS_ACCEPT_ENDED;
  *connection = accept4(listener->descriptor, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);
  if (*connection >= 0) return OS_ACCEPTED;
  switch (errno) {
  case EINTR:
  case ECONNABORTED:
    return OS_ACCEPT_AGAIN;
  case EMFILE:
  case ENFILE:
  case ENOBUFS:
  case ENOMEM:
    return OS_ACCEPT_NO_ROOM;
  default:
    return OS_ACCEPT_ENDED;
  }
}

INTERNAL void os_listener_end(const struct os_listener *listener)
{
  if (os_listener_is_whole(listener)) shutdown(listener->descriptor, SHUT_RDWR);
}

INTERNAL void os_listener_close(struct os_listener *listener)
{
  if (os_listener_is_whole(listener)) os_direct_close(listener->descriptor);
  *listener = (struct os_listener){.descriptor = -1};
}

INTERNAL bool os_peer_may_ask(int connection)
{
  struct ucred peer = {.uid = (uid_t)-1};
  socklen_t bytes = sizeof peer;
  return getsockopt(connection, SOL_SOCKET, SO_PEERCRED, &peer, &bytes) == 0 &&
         (peer.uid == 0 || peer.uid == geteuid());
}

// Waits until one of the events; false if it has not come by the deadline.
static bool wait_for(int connection, short events, uint64_t deadline_ns)
{
  for (;;) {
    uint64_t now_ns = os_clock_ns();
    if (now_ns >= deadline_ns) return false;
    struct pollfd asked = {.fd = connection, .events = events};
    int result =
        os_direct_poll(&asked, (int)bits_smaller((deadline_ns - now_ns) / 1000000 + 1, 60000));
    if (result > 0) return true;
    if (result < 0 && errno != EINTR) return false;
  }
}

INTERNAL size_t os_receive(int connection, char *text, size_t bytes, uint64_t deadline_ns)
{
  while (wait_for(connection, POLLIN, deadline_ns)) {
    ssize_t got = recv(connection, text, bytes, MSG_DONTWAIT);
    if (got >= 0) return (size_t)got;
    if (errno != EINTR && errno != EAGAIN) return 0;
  }
  return 0;
}

INTERNAL bool os_send(int connection, const char *text, size_t bytes, uint64_t deadline_ns)
{
  while (bytes > 0) {
    if (!wait_for(connection, POLLOUT, deadline_ns)) return false;
    ssize_t sent = send(connection, text, bytes, MSG_DONTWAIT | MSG_NOSIGNAL);
    if (sent < 0 && errno != EINTR && errno != EAGAIN) return false;
    if (sent < 0) continue;
    text += sent;
    bytes -= (size_t)sent;
  }
  return true;
}

// What has been received and not read would make the end of the answer an error for who asks.
INTERNAL void os_hang_up(int connection)
{
  char rest[256];
  shutdown(connection, SHUT_WR);
  (void)recv(connection, rest, sizeof rest, MSG_DONTWAIT);
  os_direct_close(connection);
}

INTERNAL int os_memory_file(const char *name)
{
  return (int)syscall(SYS_memfd_create, name, MFD_CLOEXEC);
}

INTERNAL size_t os_file_bytes(int file)
{
  struct stat status = {0};
  return fstat(file, &status) == 0 ? (size_t)status.st_size : 0;
}

INTERNAL bool os_send_file(int connection, int file, uint64_t deadline_ns)
{
  char text[4096];
  off_t at = 0;
  for (;;) {
    ssize_t got = os_direct_read_at(file, text, sizeof text, at);
    if (got < 0 && errno == EINTR) continue;
    if (got <= 0) return got == 0;
    if (!os_send(connection, text, (size_t)got, deadline_ns)) return false;
    at += got;
  }
}
