// SPDX-License-Identifier: MIT
#include "progress.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "clock.h"

enum { BAR_WIDTH = 40, QUIET_MS = 1000, INTERVAL_MS = 100 };

struct progress progress_begin(const char *what)
{
  const char *terminal = getenv("TERM");
  bool is_able = terminal != NULL && strcmp(terminal, "dumb") != 0;
  return (struct progress){.what = what,
                           .started_ms = clock_ns(CLOCK_MONOTONIC) / NS_A_MS,
                           .is_on_terminal = is_able && isatty(STDERR_FILENO)};
}

void progress_show(struct progress *progress, double share)
{
  int64_t now = clock_ns(CLOCK_MONOTONIC) / NS_A_MS;
  if (!progress->is_on_terminal || now - progress->started_ms < QUIET_MS) return;
  if (now - progress->drawn_ms < INTERVAL_MS) return;
  int full = share <= 0 ? 0 : share >= 1 ? BAR_WIDTH : (int)(share * BAR_WIDTH);
  char bar[BAR_WIDTH + 1];
  memset(bar, '.', BAR_WIDTH);
  memset(bar, '#', (size_t)full);
  bar[BAR_WIDTH] = '\0';
  fprintf(stderr, "\r%s [%s] %3d %%\033[K", progress->what, bar, full * 100 / BAR_WIDTH);
  progress->drawn_ms = now;
}

void progress_end(struct progress *progress)
{
  if (progress->drawn_ms != 0) fputs("\r\033[K", stderr);
  progress->drawn_ms = 0;
}
