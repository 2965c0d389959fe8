// SPDX-License-Identifier: MIT
#include "serve/sites.h"

#include <errno.h>
#include <inttypes.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/stat.h>
#include <unistd.h>

#include "clock.h"
#include "command.h"
#include "json_text.h"
#include "profile_formats.h"
#include "serve/flame.h"

// A profile is asked for again when it is older than this; who needs a new one waits so long.
enum { FRESH_SECONDS = 4, WAIT_SECONDS = 5 };

struct text {
  char *bytes;  // NULL: there is none
  size_t length;
};

// Why there is nothing at first.
#define ASKING "the process is being asked"

// What the thread has made of the answers.
struct found {
  struct text tree;  // JSON
  struct text pprof;
  struct text stats;           // JSON
  char why[CONTROL_WHY_MOST];  // there is no profile
};

struct sites {
  pid_t process;
  pthread_t thread;
  int end;               // can be read when it is over
  pthread_mutex_t lock;  // of all below
  pthread_cond_t changed;
  bool is_wanted;
  int64_t wanted_at;  // since when
  bool is_ending;
  uint64_t made_count;
  int64_t made_at;
  struct found found;
};

static int64_t now(void)
{
  return clock_ns(CLOCK_MONOTONIC) / NS_A_SECOND;
}

// ---------------------------------------------------------------------------------------------
// The thread.

static bool write_tree(struct text *text, const struct track_file *file,
                       const struct profile *profile)
{
  FILE *stream = open_memstream(&text->bytes, &text->length);
  if (stream == NULL) return false;
  uint64_t interval = file->mode == TRACK_EXACT ? 0 : file->interval;
  fprintf(stream, "{\"interval\":%" PRIu64 ",\"profile\":", interval);
  bool is_good = flame_write(profile, stream);
  fputs("}\n", stream);
  return fclose(stream) == 0 && is_good;
}

static bool write_pprof(struct text *text, const struct profile *profile)
{
  FILE *stream = open_memstream(&text->bytes, &text->length);
  if (stream == NULL) return false;
  bool is_good = profile_write_pprof(profile, stream);
  return fclose(stream) == 0 && is_good;
}

static void free_text(struct text *text)
{
  free(text->bytes);
  *text = (struct text){0};
}

static struct text reason_text(const char *why)
{
  struct text text = {0};
  FILE *stream = open_memstream(&text.bytes, &text.length);
  if (stream == NULL) return text;
  fputs("{\"reason\":", stream);
  json_write_string(stream, why);
  fputs("}\n", stream);
  if (fclose(stream) != 0) free_text(&text);
  return text;
}

// The answer is a track file, in memory.
static bool read_profile(struct found *found, int answer)
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
            write_tree(&found->tree, &file, &profile) && write_pprof(&found->pprof, &profile);
  profile_free(&profile);
  track_free(&file);
  if (!is_good) snprintf(found->why, sizeof found->why, "%s", why);
  return is_good;
}

static void ask_profile(struct found *found, const struct sites *sites)
{
  int answer = control_try(sites->process, "profile", sites->end, found->why);
  bool is_good = answer >= 0 && read_profile(found, answer);
  if (answer >= 0) close(answer);
  if (is_good) return;
  free_text(&found->pprof);
  free_text(&found->tree);
  found->tree = reason_text(found->why);
}

static struct text read_text(int file)
{
  struct text text = {0};
  struct stat state;
  if (fstat(file, &state) != 0 || state.st_size <= 0) return text;
  text = (struct text){malloc((size_t)state.st_size), (size_t)state.st_size};
  if (text.bytes == NULL || pread(file, text.bytes, text.length, 0) != state.st_size) {
    free_text(&text);
  }
  return text;
}

static struct text ask_stats(const struct sites *sites)
{
  char why[CONTROL_WHY_MOST] = "out of memory";
  struct text text = {0};
  int answer = control_try(sites->process, "stats json", sites->end, why);
  if (answer >= 0) {
    text = read_text(answer);
    close(answer);
  }
  return text.bytes != NULL ? text : reason_text(why);
}

static void free_found(struct found *found)
{
  free_text(&found->tree);
  free_text(&found->pprof);
  free_text(&found->stats);
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
    struct found found = {.stats = ask_stats(sites)};
    ask_profile(&found, sites);
    pthread_mutex_lock(&sites->lock);
    free_found(&sites->found);
    sites->found = found;
    sites->made_at = now();
    sites->made_count++;
    sites->is_wanted = false;
  }
  pthread_mutex_unlock(&sites->lock);
  return NULL;
}

// ---------------------------------------------------------------------------------------------

// Inside the lock, where there are others.
static void want(struct sites *sites)
{
  if (sites->is_wanted) return;
  if (sites->made_count > 0 && now() - sites->made_at < FRESH_SECONDS) return;
  sites->is_wanted = true;
  sites->wanted_at = now();
  pthread_cond_signal(&sites->changed);
}

struct sites *sites_open(pid_t process)
{
  struct sites *sites = calloc(1, sizeof *sites);
  if (sites == NULL) {
    complain("out of memory");
    return NULL;
  }
  *sites = (struct sites){.process = process, .found.why = ASKING};
  pthread_mutex_init(&sites->lock, NULL);
  pthread_cond_init(&sites->changed, NULL);
  want(sites);  // so that the first visitor has one
  sites->end = eventfd(0, EFD_CLOEXEC);
  int error = sites->end >= 0 ? pthread_create(&sites->thread, NULL, work, sites) : errno;
  if (error == 0) return sites;
  complain("a thread could not be started: %s", strerror(error));
  if (sites->end >= 0) close(sites->end);
  free(sites);
  return NULL;
}

void sites_close(struct sites *sites)
{
  if (sites == NULL) return;
  pthread_mutex_lock(&sites->lock);
  sites->is_ending = true;
  pthread_cond_signal(&sites->changed);
  pthread_mutex_unlock(&sites->lock);
  eventfd_write(sites->end, 1);
  pthread_join(sites->thread, NULL);
  close(sites->end);
  free_found(&sites->found);
  pthread_cond_destroy(&sites->changed);
  pthread_mutex_destroy(&sites->lock);
  free(sites);
}

static char *copy(const struct text *text, size_t *length)
{
  char *copied = text->bytes != NULL ? malloc(text->length) : NULL;
  if (copied != NULL) memcpy(copied, text->bytes, text->length);
  *length = text->length;
  return copied;
}

// What there is now, be it old.
static char *copy_now(struct sites *sites, const struct text *text, size_t *length)
{
  static char pending[] = "{\"reason\":\"" ASKING "\",\"is_pending\":true}\n";
  const struct text none = {pending, strlen(pending)};
  pthread_mutex_lock(&sites->lock);
  want(sites);
  char *copied = copy(sites->made_count > 0 ? text : &none, length);
  pthread_mutex_unlock(&sites->lock);
  return copied;
}

char *sites_json(struct sites *sites, size_t *length)
{
  return copy_now(sites, &sites->found.tree, length);
}

char *sites_stats(struct sites *sites, size_t *length)
{
  return copy_now(sites, &sites->found.stats, length);
}

char *sites_pprof(struct sites *sites, size_t *length, char why[static CONTROL_WHY_MOST])
{
  pthread_mutex_lock(&sites->lock);
  char *text = copy(&sites->found.pprof, length);
  snprintf(why, CONTROL_WHY_MOST, "%s", sites->found.why);
  pthread_mutex_unlock(&sites->lock);
  return text;
}

bool sites_are_coming(struct sites *sites)
{
  pthread_mutex_lock(&sites->lock);
  want(sites);
  bool are_coming = sites->is_wanted && now() - sites->wanted_at < WAIT_SECONDS;
  pthread_mutex_unlock(&sites->lock);
  return are_coming;
}
