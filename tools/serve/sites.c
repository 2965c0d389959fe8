// SPDX-License-Identifier: MIT
#include "serve/sites.h"

#include <errno.h>
#include <inttypes.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "command.h"
#include "json_text.h"
#include "profile_formats.h"
#include "serve/flame.h"

// A profile is asked for again when it is older than this; who needs a first one waits for it.
enum { FRESH_SECONDS = 4, WAIT_SECONDS = 5 };

// What the thread has made of an answer.
struct found {
  char *json;
  size_t json_length;
  char *pprof;  // NULL: there is none
  size_t pprof_length;
  char why[CONTROL_WHY_MOST];
};

struct sites {
  pid_t process;
  pthread_t thread;
  pthread_mutex_t lock;  // of all below
  pthread_cond_t changed;
  bool is_wanted;
  bool is_ending;
  uint64_t made_count;
  time_t made_at;
  struct found found;
};

static time_t now(void)
{
  struct timespec time;
  clock_gettime(CLOCK_MONOTONIC, &time);
  return time.tv_sec;
}

// ---------------------------------------------------------------------------------------------
// The thread.

static bool write_found(struct found *found, const struct track_file *file,
                        const struct profile *profile)
{
  FILE *json = open_memstream(&found->json, &found->json_length);
  bool is_good = json != NULL;
  if (is_good) {
    uint64_t interval = file->mode == TRACK_EXACT ? 0 : file->interval;
    fprintf(json, "{\"interval\":%" PRIu64 ",\"profile\":", interval);
    is_good = flame_write(profile, json);
    fputs("}\n", json);
    is_good = fclose(json) == 0 && is_good;
  }
  FILE *pprof = open_memstream(&found->pprof, &found->pprof_length);
  if (pprof == NULL) return false;
  is_good = profile_write_pprof(profile, pprof) && is_good;
  return fclose(pprof) == 0 && is_good;
}

// The answer is a track file, in memory.
static bool read_answer(struct found *found, int answer)
{
  struct track_file file;
  struct profile profile = {0};
  char path[32];
  snprintf(path, sizeof path, "/proc/self/fd/%d", answer);
  const char *why = "its profile could not be read";
  bool is_good = track_read(&file, path);
  if (is_good && file.mode == TRACK_OFF) {
    why = "the process does not sample its allocations: start it with MEND_PROFILE=1";
    is_good = false;
  }
  is_good = is_good && profile_make(&profile, &file, NULL, BY_LIVE) &&
            write_found(found, &file, &profile);
  profile_free(&profile);
  track_free(&file);
  if (!is_good) snprintf(found->why, sizeof found->why, "%s", why);
  return is_good;
}

static void write_reason(struct found *found)
{
  FILE *json = open_memstream(&found->json, &found->json_length);
  if (json == NULL) return;
  fputs("{\"reason\":", json);
  json_write_text(json, found->why, strlen(found->why));
  fputs("}\n", json);
  if (fclose(json) != 0) found->json_length = 0;
}

static void free_found(struct found *found)
{
  free(found->json);
  free(found->pprof);
  *found = (struct found){0};
}

static struct found ask(pid_t process)
{
  struct found found = {0};
  int answer = control_try(process, "profile", found.why);
  bool is_good = answer >= 0 && read_answer(&found, answer);
  if (answer >= 0) close(answer);
  if (is_good) return found;
  free(found.json);
  free(found.pprof);
  found.json = found.pprof = NULL;
  write_reason(&found);
  return found;
}

static void *work(void *argument)
{
  struct sites *sites = argument;
  pthread_mutex_lock(&sites->lock);
  while (!sites->is_ending) {
    if (!sites->is_wanted) {
      pthread_cond_wait(&sites->changed, &sites->lock);
      continue;
    }
    pthread_mutex_unlock(&sites->lock);
    struct found found = ask(sites->process);
    pthread_mutex_lock(&sites->lock);
    free_found(&sites->found);
    sites->found = found;
    sites->made_at = now();
    sites->made_count++;
    sites->is_wanted = false;
    pthread_cond_broadcast(&sites->changed);
  }
  pthread_mutex_unlock(&sites->lock);
  return NULL;
}

// ---------------------------------------------------------------------------------------------

struct sites *sites_open(pid_t process)
{
  struct sites *sites = calloc(1, sizeof *sites);
  pthread_condattr_t attributes;
  if (sites == NULL) {
    complain("out of memory");
    return NULL;
  }
  sites->process = process;
  sites->is_wanted = true;  // so that the first visitor has one
  pthread_mutex_init(&sites->lock, NULL);
  pthread_condattr_init(&attributes);
  pthread_condattr_setclock(&attributes, CLOCK_MONOTONIC);
  pthread_cond_init(&sites->changed, &attributes);
  pthread_condattr_destroy(&attributes);
  int error = pthread_create(&sites->thread, NULL, work, sites);
  if (error == 0) return sites;
  complain("a thread could not be started: %s", strerror(error));
  free(sites);
  return NULL;
}

void sites_close(struct sites *sites)
{
  if (sites == NULL) return;
  pthread_mutex_lock(&sites->lock);
  sites->is_ending = true;
  pthread_cond_broadcast(&sites->changed);
  pthread_mutex_unlock(&sites->lock);
  pthread_join(sites->thread, NULL);
  free_found(&sites->found);
  pthread_cond_destroy(&sites->changed);
  pthread_mutex_destroy(&sites->lock);
  free(sites);
}

// Inside the lock.
static void want(struct sites *sites)
{
  if (sites->made_count > 0 && now() - sites->made_at < FRESH_SECONDS) return;
  sites->is_wanted = true;
  pthread_cond_broadcast(&sites->changed);
}

static char *copy(const char *text, size_t length)
{
  char *copied = text != NULL ? malloc(length) : NULL;
  if (copied != NULL) memcpy(copied, text, length);
  return copied;
}

char *sites_json(struct sites *sites, size_t *length)
{
  static const char pending[] = "{\"reason\":\"asking the process for a profile\"}\n";
  pthread_mutex_lock(&sites->lock);
  want(sites);
  bool is_there = sites->made_count > 0;
  *length = is_there ? sites->found.json_length : strlen(pending);
  char *text = copy(is_there ? sites->found.json : pending, *length);
  pthread_mutex_unlock(&sites->lock);
  return text;
}

char *sites_pprof(struct sites *sites, size_t *length, char why[static CONTROL_WHY_MOST])
{
  struct timespec end;
  clock_gettime(CLOCK_MONOTONIC, &end);
  end.tv_sec += WAIT_SECONDS;
  pthread_mutex_lock(&sites->lock);
  want(sites);
  while (sites->is_wanted) {
    if (pthread_cond_timedwait(&sites->changed, &sites->lock, &end) == ETIMEDOUT) break;
  }
  *length = sites->found.pprof_length;
  char *text = copy(sites->found.pprof, *length);
  snprintf(why, CONTROL_WHY_MOST, "%s", sites->found.why);
  pthread_mutex_unlock(&sites->lock);
  return text;
}
