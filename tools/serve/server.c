// SPDX-License-Identifier: MIT
#include "serve/server.h"

#include <arpa/inet.h>
#include <errno.h>
#include <microhttpd.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>

#include "command.h"

enum { HEAD_BYTES_MOST = 16 << 10, TIMEOUT_SECONDS = 10 };

struct request {
  struct MHD_Connection *connection;
  const char *path;
};

const char *request_path(const struct request *request)
{
  return request->path;
}

const char *request_value(const struct request *request, const char *name)
{
  return MHD_lookup_connection_value(request->connection, MHD_GET_ARGUMENT_KIND, name);
}

static const char *request_header(const struct request *request, const char *name)
{
  return MHD_lookup_connection_value(request->connection, MHD_HEADER_KIND, name);
}

// ---------------------------------------------------------------------------------------------
// Who may ask.

// In a time that does not depend on where they differ.
static bool is_token(const struct server *server, const char *text)
{
  if (text == NULL || strlen(text) != SERVER_TOKEN_LENGTH) return false;
  volatile unsigned char difference = 0;
  for (size_t i = 0; i < SERVER_TOKEN_LENGTH; i++) {
    difference |= (unsigned char)(text[i] ^ server->token[i]);
  }
  return difference == 0;
}

static bool has_cookie(const struct server *server, const struct request *request)
{
  return is_token(
      server, MHD_lookup_connection_value(request->connection, MHD_COOKIE_KIND, server->cookie));
}

static bool has_token(const struct server *server, const struct request *request)
{
  static const char bearer[] = "Bearer ";
  const char *header = request_header(request, MHD_HTTP_HEADER_AUTHORIZATION);
  bool is_borne = header != NULL && strncmp(header, bearer, strlen(bearer)) == 0 &&
                  is_token(server, header + strlen(bearer));
  return is_borne || is_token(server, request_value(request, "token"));
}

// Whether the server was asked for by a name of this machine. A name of another site may lead here
// as well: then the browser takes the answers for that site's.
static bool is_loopback(const struct server *server, const struct request *request)
{
  static const char *const names[] = {"127.0.0.1", "localhost"};
  const char *host = request_header(request, MHD_HTTP_HEADER_HOST);
  char expected[32];
  for (size_t i = 0; host != NULL && i < sizeof names / sizeof names[0]; i++) {
    snprintf(expected, sizeof expected, "%s:%u", names[i], server->port);
    if (strcasecmp(host, expected) == 0) return true;
  }
  return false;
}

// ---------------------------------------------------------------------------------------------
// Answers.

static const struct {
  const char *name;
  const char *value;
} headers[] = {
    {"Cache-Control", "no-store"},
    {"Content-Security-Policy",
     "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; "
     "img-src 'self' data:; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"},
    {"Cross-Origin-Opener-Policy", "same-origin"},
    {"Cross-Origin-Resource-Policy", "same-origin"},
    {"Referrer-Policy", "no-referrer"},
    {"X-Content-Type-Options", "nosniff"},
    {"X-Frame-Options", "DENY"},
};

// With the cookie, unless that is NULL, and a Location with it.
static enum MHD_Result send_answer(const struct request *request, const struct answer *answer,
                                   const char *cookie)
{
  struct MHD_Response *response = MHD_create_response_from_buffer(
      answer->length, answer->text,
      answer->is_lasting ? MHD_RESPMEM_PERSISTENT : MHD_RESPMEM_MUST_FREE);
  if (response == NULL) {
    if (!answer->is_lasting) free(answer->text);
    return MHD_NO;
  }
  enum MHD_Result result = MHD_add_response_header(response, "Content-Type", answer->type);
  for (size_t i = 0; i < sizeof headers / sizeof headers[0] && result == MHD_YES; i++) {
    result = MHD_add_response_header(response, headers[i].name, headers[i].value);
  }
  if (cookie != NULL && result == MHD_YES) {
    result = MHD_add_response_header(response, "Set-Cookie", cookie);
    if (result == MHD_YES) result = MHD_add_response_header(response, "Location", "/");
  }
  if (result == MHD_YES) {
    result = MHD_queue_response(request->connection, answer->status, response);
  }
  MHD_destroy_response(response);
  return result;
}

static enum MHD_Result send_line(const struct request *request, unsigned status, char *line,
                                 const char *cookie)
{
  const struct answer answer = {.status = status,
                                .type = "text/plain; charset=utf-8",
                                .text = line,
                                .length = strlen(line),
                                .is_lasting = true};
  return send_answer(request, &answer, cookie);
}

static enum MHD_Result send_cookie(const struct server *server, const struct request *request)
{
  static char line[] = "the page is at /\n";
  char cookie[128];
  snprintf(cookie, sizeof cookie, "%s=%s; Path=/; HttpOnly; SameSite=Strict", server->cookie,
           server->token);
  return send_line(request, MHD_HTTP_SEE_OTHER, line, cookie);
}

static enum MHD_Result set_aside(struct server *server, struct MHD_Connection *connection)
{
  if (server->waiting_count == SERVER_CONNECTIONS_MOST) return MHD_NO;
  server->waiting[server->waiting_count++] = connection;
  MHD_suspend_connection(connection);
  return MHD_YES;
}

// Whether the library shall call again when the head has been dealt with: what is answered before
// that closes the connection, which is right for those who send a body.
static bool is_to_wait(const struct request *request, const char *method, void **state)
{
  static char called;
  bool is_first = *state == NULL;
  bool has_body = request_header(request, MHD_HTTP_HEADER_CONTENT_LENGTH) != NULL ||
                  request_header(request, MHD_HTTP_HEADER_TRANSFER_ENCODING) != NULL;
  *state = &called;
  return is_first && !has_body && strcmp(method, "GET") == 0;
}

static enum MHD_Result answer_request(void *argument, struct MHD_Connection *connection,
                                      const char *path, const char *method, const char *version,
                                      const char *body, size_t *body_bytes, void **state)
{
  static char strange[] = "403: this server is for 127.0.0.1 alone\n";
  static char unknown[] = "403: open the address that `mend serve` has printed\n";
  static char refused[] = "405: there is nothing here but to read\n";
  static char missing[] = "404: there is no such page\n";
  struct server *server = argument;
  const struct request request = {connection, path};
  (void)version;
  (void)body;
  (void)body_bytes;
  if (is_to_wait(&request, method, state)) return MHD_YES;
  if (!is_loopback(server, &request)) {
    return send_line(&request, MHD_HTTP_FORBIDDEN, strange, NULL);
  }
  bool is_borne = has_token(server, &request);
  if (!is_borne && !has_cookie(server, &request)) {
    return send_line(&request, MHD_HTTP_FORBIDDEN, unknown, NULL);
  }
  if (strcmp(method, "GET") != 0 && strcmp(method, "HEAD") != 0) {
    return send_line(&request, MHD_HTTP_METHOD_NOT_ALLOWED, refused, NULL);
  }
  if (strcmp(path, "/") == 0 && request_value(&request, "token") != NULL && is_borne) {
    return send_cookie(server, &request);
  }
  struct answer answer = {.status = MHD_HTTP_NOT_FOUND,
                          .type = "text/plain; charset=utf-8",
                          .text = missing,
                          .length = strlen(missing),
                          .is_lasting = true};
  server->handler(server->argument, &request, &answer);
  if (answer.is_coming) return set_aside(server, connection);
  return send_answer(&request, &answer, NULL);
}

// ---------------------------------------------------------------------------------------------

static bool make_token(struct server *server)
{
  unsigned char bytes[SERVER_TOKEN_BYTES];
  if (getrandom(bytes, sizeof bytes, 0) != (ssize_t)sizeof bytes) return false;
  for (size_t i = 0; i < sizeof bytes; i++) {
    snprintf(server->token + 2 * i, 3, "%02x", bytes[i]);
  }
  return true;
}

bool server_open(struct server *server, uint16_t port, server_handler handler, void *argument)
{
  const struct sockaddr_in address = {
      .sin_family = AF_INET, .sin_port = htons(port), .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
  *server = (struct server){.handler = handler, .argument = argument};
  if (!make_token(server)) {
    complain("there are no random numbers: %s", strerror(errno));
    return false;
  }
  errno = 0;
  server->daemon = MHD_start_daemon(
      MHD_ALLOW_SUSPEND_RESUME, port, NULL, NULL, answer_request, server, MHD_OPTION_SOCK_ADDR,
      &address, MHD_OPTION_CONNECTION_LIMIT, SERVER_CONNECTIONS_MOST,
      MHD_OPTION_CONNECTION_MEMORY_LIMIT, (size_t)HEAD_BYTES_MOST, MHD_OPTION_CONNECTION_TIMEOUT,
      TIMEOUT_SECONDS, MHD_OPTION_STRICT_FOR_CLIENT, 1, MHD_OPTION_END);
  if (server->daemon == NULL) {
    complain("port %u of 127.0.0.1 can't be had: %s", port,
             errno != 0 ? strerror(errno) : "it is in use");
    return false;
  }
  const union MHD_DaemonInfo *info = MHD_get_daemon_info(server->daemon, MHD_DAEMON_INFO_BIND_PORT);
  server->port = info != NULL ? info->port : port;
  snprintf(server->cookie, sizeof server->cookie, "mend_%u", server->port);
  return true;
}

bool server_run(struct server *server, int milliseconds)
{
  return MHD_run_wait(server->daemon, milliseconds) == MHD_YES || errno == EINTR;
}

void server_go_on(struct server *server)
{
  while (server->waiting_count > 0) MHD_resume_connection(server->waiting[--server->waiting_count]);
}

void server_close(struct server *server)
{
  server_go_on(server);
  if (server->daemon != NULL) MHD_stop_daemon(server->daemon);
  server->daemon = NULL;
}
