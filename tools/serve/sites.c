// SPDX-License-Identifier: MIT
#include "serve/sites.h"

#include <stdlib.h>
#include <string.h>

struct sites {
  pid_t process;
};

struct sites *sites_open(pid_t process)
{
  struct sites *sites = calloc(1, sizeof *sites);
  if (sites != NULL) sites->process = process;
  return sites;
}

void sites_close(struct sites *sites)
{
  free(sites);
}

char *sites_json(struct sites *sites, size_t *length)
{
  (void)sites;
  char *text = strdup("{\"reason\":\"the process does not answer\"}\n");
  *length = text != NULL ? strlen(text) : 0;
  return text;
}

char *sites_pprof(struct sites *sites, size_t *length, const char **reason)
{
  (void)sites;
  (void)length;
  *reason = "the process does not answer";
  return NULL;
}
