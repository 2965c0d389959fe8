// SPDX-License-Identifier: MIT
#include "profile_source.h"

#include <errno.h>
#include <inttypes.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "command.h"
#include "control.h"
#include "progress.h"

enum { STEP_MS = 50, NUMBER_MOST = 32 };

// A program that is run writes profiles as it grows by this, so that one is from near its peak.
#define GROWTH "4m"

bool profile_source_file(struct profile_source *source, const char *path)
{
  *source = (struct profile_source){.descriptor = -1};
  int length = snprintf(source->path, sizeof source->path, "%s", path);
  if (length >= 0 && (size_t)length < sizeof source->path) return true;
  complain("%s: %s", path, strerror(ENAMETOOLONG));
  return false;
}

void profile_source_close(struct profile_source *source)
{
  if (source->descriptor >= 0) close(source->descriptor);
  source->descriptor = -1;
}

bool profile_source_read(const struct profile_source *source, struct track_file *file)
{
  if (!track_read(file, source->path)) return false;
  if (source->name[0] != '\0') file->path = source->name;
  if (file->kind == TRACK_PROFILE) return true;
  complain("%s is no profile but a leak report: `mend leaks` shows it", file->path);
  return false;
}

// ---------------------------------------------------------------------------------------------
// A running process.

bool profile_source_ask(struct profile_source *source, pid_t pid)
{
  *source = (struct profile_source){.descriptor = control_ask(pid, "profile")};
  snprintf(source->path, sizeof source->path, "/dev/fd/%d", source->descriptor);
  snprintf(source->name, sizeof source->name, "process %ld", (long)pid);
  return source->descriptor >= 0;
}

// Whether the process remembers who allocates; false also after a complaint.
static bool is_profiling(const struct profile_source *source, bool *is_read)
{
  struct track_file file;
  *is_read = profile_source_read(source, &file);
  bool is_on = *is_read && file.mode != TRACK_OFF;
  track_free(&file);
  return is_on;
}

static bool order(pid_t pid, const char *request)
{
  int answer = control_ask(pid, request);
  if (answer >= 0) close(answer);
  return answer >= 0;
}

static volatile sig_atomic_t is_interrupted;

static void note_interrupt(int signal)
{
  (void)signal;
  is_interrupted = 1;
}

// Until the time is over, or somebody has enough of it, or the process is gone.
static void wait_seconds(pid_t pid, double seconds)
{
  struct sigaction before, action = {.sa_handler = note_interrupt};
  sigaction(SIGINT, &action, &before);
  struct progress progress = progress_begin("watching; ^C ends it");
  uint64_t steps = (uint64_t)(seconds * 1000 / STEP_MS);
  for (uint64_t i = 0; i < steps && !is_interrupted && (kill(pid, 0) == 0 || errno == EPERM); i++) {
    const struct timespec step = {.tv_nsec = STEP_MS * 1000000L};
    nanosleep(&step, NULL);
    progress_show(&progress, (double)i / (double)steps);
  }
  progress_end(&progress);
  sigaction(SIGINT, &before, NULL);
}

bool profile_source_watch(struct profile_source *old, struct profile_source *new, pid_t pid,
                          uint64_t interval, double seconds)
{
  bool is_good;
  char start[NUMBER_MOST];
  new->descriptor = -1;
  if (!profile_source_ask(old, pid)) return false;
  bool was_on = is_profiling(old, &is_good);
  bool is_ours = false;
  if (is_good && !was_on) {
    profile_source_close(old);
    snprintf(start, sizeof start, "profile start %" PRIu64, interval);
    is_ours = order(pid, start);
    is_good = is_ours && profile_source_ask(old, pid);
  }
  if (is_good) wait_seconds(pid, seconds);
  is_good = is_good && profile_source_ask(new, pid);
  // Whatever went wrong, it ends what has begun here.
  return (!is_ours || order(pid, "profile stop")) && is_good;
}

// ---------------------------------------------------------------------------------------------
// A program.

// How much of what is asked for a track file has; false if it is no good.
static bool sum_file(const char *path, enum profile_by by, uint64_t *sum)
{
  struct track_file file;
  *sum = 0;
  bool is_good = track_read(&file, path) && file.kind == TRACK_PROFILE;
  for (size_t i = 0; i < file.site_count; i++) {
    const struct track_site *site = &file.sites[i];
    uint64_t bytes = by == BY_LIVE    ? site->live_bytes
                     : by == BY_TOTAL ? site->total_bytes
                                      : site->sparse_bytes;
    if (__builtin_add_overflow(*sum, bytes, sum)) *sum = UINT64_MAX;
  }
  track_free(&file);
  return is_good;
}

// The file that has most of it; NULL if there is none.
static const char *find_largest(const struct track_folder *folder, enum profile_by by)
{
  const char *found = NULL;
  uint64_t largest = 0;
  for (size_t i = 0; i < folder->count; i++) {
    uint64_t sum;
    if (!sum_file(folder->files[i], by, &sum)) continue;
    if (found == NULL || sum > largest) found = folder->files[i];
    if (sum > largest) largest = sum;
  }
  return found;
}

bool profile_source_run(struct profile_source *source, struct launch *launch,
                        struct track_folder *folder, uint64_t interval, enum profile_by by)
{
  char bytes[NUMBER_MOST];
  *source = (struct profile_source){.descriptor = -1};
  if (!track_folder_make(folder)) return false;
  snprintf(bytes, sizeof bytes, "%" PRIu64, interval);
  const struct launch_setting settings[] = {{"MEND_PROFILE", "1"},
                                            {"MEND_TRACK_FILE", folder->pattern},
                                            {"MEND_PROFILE_GROWTH", GROWTH},
                                            {"MEND_PROFILE_INTERVAL", bytes}};
  launch->settings = settings;
  launch->setting_count = interval != 0 ? 4 : 3;
  bool is_run = launch_run(launch);
  launch->settings = NULL;
  if (!is_run) return false;
  track_folder_list_all(folder);
  const char *path = find_largest(folder, by);
  if (path != NULL) return profile_source_file(source, path);
  complain("%s has left no profile: it was killed early, or mend was not in it",
           launch->arguments[0]);
  return false;
}
