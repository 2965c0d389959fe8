// SPDX-License-Identifier: MIT
//
// A local socket with a name that is no file (Linux's abstract names), for short conversations with
// processes of the same user. Whoever is slow costs the other side no more than the time it grants,
// and whoever goes away raises no signal. errno is not preserved.
#ifndef OS_SOCKET_H
#define OS_SOCKET_H

#include "base/internal.h"

struct os_listener {
  int descriptor;   // -1: none
  uint64_t number;  // the file's, by which it is known again
};

enum os_accepted {
  OS_ACCEPTED,
  OS_ACCEPT_AGAIN,    // nothing has come of it; try again
  OS_ACCEPT_NO_ROOM,  // no descriptor, or no memory
  OS_ACCEPT_ENDED,    // the listener was ended, or the program has closed it, or it is forbidden
};

// Listens under a name. False, with errno, if somebody else has it (EADDRINUSE), or sockets cannot
// be had.
INTERNAL bool os_listen(struct os_listener *listener, const char *name);
// Whether the descriptor is the listener's still, and not one that the program has opened since.
INTERNAL bool os_listener_is_whole(const struct os_listener *listener);
// Waits for who asks. The connection neither waits nor outlives an exec.
INTERNAL enum os_accepted os_accept(const struct os_listener *listener, int *connection);
// Nobody is accepted any more, and os_accept returns in whichever thread; the name stays taken
// until the listener is closed.
INTERNAL void os_listener_end(const struct os_listener *listener);
INTERNAL void os_listener_close(struct os_listener *listener);

// Whether the other side is of this process's user, or root's.
INTERNAL bool os_peer_may_ask(int connection);
// Reads up to `bytes`; 0 at the end, or if nothing has come by the deadline (os_deadline_ns).
INTERNAL size_t os_receive(int connection, char *text, size_t bytes, uint64_t deadline_ns);
// Sends all; false if that has not worked by the deadline.
INTERNAL bool os_send(int connection, const char *text, size_t bytes, uint64_t deadline_ns);
INTERNAL void os_hang_up(int connection);

// A file in memory, to write to and to read again from its start; -1 if none can be had.
INTERNAL int os_memory_file(const char *name);
// How long it is.
INTERNAL size_t os_file_bytes(int file);
// Sends all of a file, from its start, likewise.
INTERNAL bool os_send_file(int connection, int file, uint64_t deadline_ns);

#endif
