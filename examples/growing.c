// SPDX-License-Identifier: MIT
//
// A server that grows, for `mend profile` to tell why: docs/profile.md goes through it. It knows
// nothing of mend. Each request has a page, which is freed, and a session, which nobody drops.
// Before that it has filled a cache and thrown all but every 8th entry away: the others keep the
// pages.
//
// usage: growing [REQUESTS [MICROSECONDS BETWEEN TWO]]
//
// Build: cc -g growing.c -o growing
// Run:   ./growing 1000
#define _GNU_SOURCE 1
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { SESSIONS = 100000, ENTRIES = 80000 };

static char *sessions[SESSIONS];
static char *entries[ENTRIES];

static char *copy(const char *text, size_t size)
{
  char *block = malloc(size);
  if (block == NULL) abort();
  snprintf(block, size, "%s", text);
  return block;
}

static char *open_session(const char *user)
{
  return copy(user, 2000);
}

static char *render_page(const char *user)
{
  return copy(user, 20000);
}

static void fill_cache(void)
{
  for (int i = 0; i < ENTRIES; i++) entries[i] = copy("an entry", 250);
}

static void empty_cache(void)
{
  for (int i = 0; i < ENTRIES; i++) {
    if (i % 8 != 0) free(entries[i]);
  }
}

static void serve(int request)
{
  char user[32];
  snprintf(user, sizeof user, "user %d", request);
  char *page = render_page(user);
  sessions[request % SESSIONS] = open_session(user);
  free(page);
}

int main(int count, char **arguments)
{
  int requests = count > 1 ? atoi(arguments[1]) : 20000;
  useconds_t pause = count > 2 ? (useconds_t)atoi(arguments[2]) : 0;
  fill_cache();
  empty_cache();
  for (int i = 0; i < requests; i++) {
    serve(i);
    if (pause > 0) usleep(pause);
  }
  return 0;
}
