// SPDX-License-Identifier: MIT
//
// A web server for one reader: this machine, this user. It listens on 127.0.0.1 alone and answers
// only who knows its token, a random number that is made at the start. The address that is printed
// has it; the first visit trades it for a cookie and an address without. Whoever asks by another
// name than 127.0.0.1 or localhost is refused, so that a page of another site, whose name leads
// here, gets nothing; no answer may be read or framed by other sites.
//
// Requests are bounded: GET and HEAD without a body, some KiB of head, a few connections, each for
// some seconds. All is done by the thread that calls server_run; an answer that is not there yet
// holds nobody else up.
#ifndef TOOLS_SERVE_SERVER_H
#define TOOLS_SERVE_SERVER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct request;

struct answer {
  unsigned status;   // of HTTP: 200
  const char *type;  // "application/json"
  char *text;        // is freed, unless it lasts
  size_t length;
  bool is_lasting;
  bool is_coming;  // not there yet: it is asked for again after server_go_on
};

// Fills the answer to what is allowed; a status of 404 is filled in already.
typedef void (*server_handler)(void *argument, const struct request *request,
                               struct answer *answer);

enum {
  SERVER_TOKEN_BYTES = 16,
  SERVER_TOKEN_LENGTH = 2 * SERVER_TOKEN_BYTES,
  SERVER_CONNECTIONS_MOST = 32,
};

struct server {
  struct MHD_Daemon *daemon;
  server_handler handler;
  void *argument;
  uint16_t port;
  char token[SERVER_TOKEN_LENGTH + 1];
  char cookie[24];                                          // its name: cookies know no ports
  struct MHD_Connection *waiting[SERVER_CONNECTIONS_MOST];  // for answers that are coming
  size_t waiting_count;
};

// Port 0: one that is free. False after a complaint.
bool server_open(struct server *server, uint16_t port, server_handler handler, void *argument);
// Answers what comes in within so many milliseconds. False if it can go on no more.
bool server_run(struct server *server, int milliseconds);
// Asks again for all the answers that were coming.
void server_go_on(struct server *server);
void server_close(struct server *server);

const char *request_path(const struct request *request);
// What the address has behind "?name="; NULL if nothing.
const char *request_value(const struct request *request, const char *name);

#endif
