// SPDX-License-Identifier: MIT
//
// Question: how fast and how compact is the heap of a web server, bursts of blocks per request
// that are freed together, often by another thread?
//
// Model: the request pool life of Wilson et al., "Dynamic storage allocation: a survey" (IWMM 1995,
// the "ramps, peaks and plateaus" of section 2.4) and the hand-over between threads of Larson and
// Krishnan (ISMM 1998) and Berger et al. (ASPLOS 2000). Two threads. Each in turn accepts a request
// (a connection buffer of 4 KiB and 40 parsed headers and nodes of 16 to 320 bytes), hands it
// to the other thread, and serves one it was handed: 20 more blocks (template parts, 32 to 1024
// bytes) and a body of 1 to 16 KiB; then the whole request is freed by its server. Every
// fourth request replaces one of 60,000 sessions (a record and an attribute), every sixteenth one
// of 4,000 cached pages of 2 to 32 KiB: the plateau under the peaks.
#include "pattern.h"
#include "ring.h"

enum { PARSED = 40, PARTS = 20, BUFFER = 4096, SESSIONS = 60000, PAGES = 4000 };
enum { REQUESTS = 250000, BACKLOG = 32, REQUEST_OPS = 1 + 1 + PARSED + PARTS + 1 };

struct request {
  uint32_t size;  // block_mark's word: a request is a marked block
  uint32_t parsed_count;
  void *buffer;
  void *parsed[PARSED];
  uint64_t tag;  // holds block_mark's last byte
};

struct server {
  struct random random;
  size_t requests;
  struct ring *out, *in;
  size_t ops;
  size_t served;
  void **sessions;  // two blocks each
  void **pages;
};

static void request_accept(struct server *server)
{
  struct request *request = block_new(sizeof *request);
  request->buffer = block_new(BUFFER);
  request->parsed_count = PARSED;
  for (size_t i = 0; i < PARSED; i++) {
    const uint32_t low = (uint32_t)16 << random_below(&server->random, 4);
    request->parsed[i] = block_new(low + random_below(&server->random, low));
  }
  server->ops += 2 + PARSED;
  while (!ring_push(server->out, request)) sched_yield();
  ring_publish(server->out);
}

static void block_replace(struct server *server, void **slot, uint32_t low, uint32_t high)
{
  block_end(*slot);
  *slot = block_new(random_between(&server->random, low, high));
  server->ops++;
}

static void state_update(struct server *server)
{
  if (server->served % 4 == 0) {
    void **session = &server->sessions[2 * random_below(&server->random, SESSIONS)];
    block_replace(server, &session[0], 64, 512);
    block_replace(server, &session[1], 16, 128);
  }
  if (server->served % 16 == 0)
    block_replace(server, &server->pages[random_below(&server->random, PAGES)], 2048, 32768);
}

static void request_serve(struct server *server, struct request *request)
{
  void *parts[PARTS];
  for (size_t i = 0; i < PARTS; i++)
    parts[i] = block_new(random_between(&server->random, 32, 1024));
  void *body = block_new(random_between(&server->random, 1024, 16384));
  server->ops += PARTS + 1;
  server->served++;
  state_update(server);
  for (size_t i = 0; i < PARTS; i++) block_end(parts[i]);
  block_end(body);
  for (size_t i = 0; i < request->parsed_count; i++) block_end(request->parsed[i]);
  block_end(request->buffer);
  block_end(request);
}

static bool request_serve_next(struct server *server)
{
  void *request;
  if (!ring_pop(server->in, &request)) return false;
  request_serve(server, request);
  return true;
}

static void state_fill(struct server *server)
{
  for (size_t i = 0; i < SESSIONS; i++) {
    block_replace(server, &server->sessions[2 * i], 64, 512);
    block_replace(server, &server->sessions[2 * i + 1], 16, 128);
  }
  for (size_t i = 0; i < PAGES; i++) block_replace(server, &server->pages[i], 2048, 32768);
}

// Stays at most BACKLOG requests ahead of what it has served, so that the two threads keep step.
static size_t server_load(void *worker)
{
  struct server *server = worker;
  state_fill(server);
  for (size_t i = 0; i < server->requests; i++) {
    request_accept(server);
    while (i >= server->served + BACKLOG)
      if (!request_serve_next(server)) sched_yield();
  }
  while (server->served < server->requests)
    if (!request_serve_next(server)) sched_yield();
  return server->ops;
}

static void server_live(void *worker, struct live *live)
{
  const struct server *server = worker;
  for (size_t i = 0; i < 2 * SESSIONS; i++) live_add_block(live, server->sessions[i]);
  for (size_t i = 0; i < PAGES; i++) live_add_block(live, server->pages[i]);
}

static void server_end(void *worker)
{
  const struct server *server = worker;
  for (size_t i = 0; i < 2 * SESSIONS; i++) block_end(server->sessions[i]);
  for (size_t i = 0; i < PAGES; i++) block_end(server->pages[i]);
}

int main(int argc, char **argv)
{
  const struct pattern pattern = {server_load, server_live, server_end};
  struct ring *rings = table_map(WORKERS * sizeof *rings);
  struct server servers[WORKERS];
  for (size_t i = 0; i < WORKERS; i++)
    servers[i] = (struct server){.random = random_seeded(i),
                                 .requests = work_scale(argc, argv) * REQUESTS,
                                 .out = &rings[i],
                                 .in = &rings[1 - i],
                                 .sessions = table_map(2 * SESSIONS * sizeof(void *)),
                                 .pages = table_map(PAGES * sizeof(void *))};
  return pattern_run(&pattern, servers, sizeof *servers);
}
