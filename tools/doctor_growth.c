// SPDX-License-Identifier: MIT
//
// Growth from the first look to the last: by how much, in blocks of which size, and, of a process
// that samples its allocations and answers the command, who allocated it.
#include <inttypes.h>
#include <unistd.h>

#include "control.h"
#include "doctor.h"
#include "figures.h"
#include "profile.h"

#define GROWTH_LEAST ((uint64_t)2 << 20)

enum { SITE_TEXT_MOST = 2 * SYMBOL_TEXT_MOST + 128, CLASS_TEXT_MOST = 96 };

static int ask_for_profile(const struct doctor *doctor)
{
  char why[CONTROL_WHY_MOST];
  pid_t process = doctor->target->process;
  if (doctor->last.counters.tracking_mode == MEND_ROOT_TRACKS_NOTHING) return -1;
  return control_answers(process) ? control_try(process, "profile", -1, why) : -1;
}

void doctor_watch_sites(struct doctor *doctor)
{
  doctor->profile = ask_for_profile(doctor);
}

static bool read_profile(struct track_file *file, char path[static 32], int descriptor)
{
  snprintf(path, 32, "/dev/fd/%d", descriptor);
  return track_read(file, path) && file->kind == TRACK_PROFILE;
}

// " 87 % of what was sampled of it is by load (main.c:12), called from main (main.c:40)."; "" if
// nobody knows.
static void write_site(char text[static SITE_TEXT_MOST], const struct profile *profile)
{
  char names[2][SYMBOL_TEXT_MOST];
  double all = (double)profile->totals[VALUE_LIVE_BYTES];
  const struct profile_row *row = profile->row_count > 0 ? &profile->rows[0] : NULL;
  double bytes = row != NULL ? (double)row->values[VALUE_LIVE_BYTES] : 0;
  if (bytes <= 0 || row->depth == 0) return;
  symbols_describe(names[0], row->stack[0], 0);
  if (row->depth > 1) symbols_describe(names[1], row->stack[1], 0);
  snprintf(text, SITE_TEXT_MOST, " %.0f %% of what was sampled of it is by %s%s%s.",
           all > bytes ? 100 * bytes / all : 100, names[0], row->depth > 1 ? ", called from " : "",
           row->depth > 1 ? names[1] : "");
}

static void find_site(char text[static SITE_TEXT_MOST], const struct doctor *doctor)
{
  char paths[2][32];
  struct track_file old = {0}, now = {0};
  struct profile profile = {0};
  int descriptor = doctor->profile >= 0 ? ask_for_profile(doctor) : -1;
  text[0] = '\0';
  if (descriptor >= 0 && read_profile(&old, paths[0], doctor->profile) &&
      read_profile(&now, paths[1], descriptor) && profile_make(&profile, &now, &old, BY_LIVE)) {
    write_site(text, &profile);
  }
  profile_free(&profile);
  track_free(&now);
  track_free(&old);
  if (descriptor >= 0) close(descriptor);
}

// The class that grew most; large blocks are one.
static void find_class(char text[static CLASS_TEXT_MOST], const struct doctor *doctor)
{
  const struct doctor_look *first = &doctor->first, *last = &doctor->last;
  int64_t most = (int64_t)(last->totals.large_bytes - first->totals.large_bytes);
  size_t found = REMOTE_CLASSES_MOST;
  for (size_t i = 0; i < REMOTE_CLASSES_MOST; i++) {
    int64_t growth = (int64_t)(last->class_bytes[i] - first->class_bytes[i]);
    if (growth <= most) continue;
    most = growth;
    found = i;
  }
  text[0] = '\0';
  if (most <= 0) return;
  if (found == REMOTE_CLASSES_MOST) {
    snprintf(text, CLASS_TEXT_MOST, ", mostly in large blocks");
  } else {
    snprintf(text, CLASS_TEXT_MOST, ", mostly in blocks of %" PRIu64 " bytes",
             doctor->remote->classes[found].block_bytes);
  }
}

static const char *what_helps(const struct doctor *doctor, bool is_site_known)
{
  if ((doctor->remote->root.flags & MEND_ROOT_IS_HARDENED) != 0) {
    return "libmend-secure takes no profiles: run it with libmend.so and MEND_PROFILE=1 "
           "MEND_CONTROL=1 "
           "to learn who allocates what grows. With MEND_CONTROL=1 `mend leaks PID` says here, "
           "too, "
           "whether it is lost.";
  }
  if (is_site_known) {
    return "`mend profile --for 30 PID` names all who allocate what grows, and `mend leaks PID` "
           "says whether it is lost.";
  }
  if (control_answers(doctor->target->process)) {
    return "`mend profile --for 30 PID` names who allocates what grows, and `mend leaks PID` "
           "whether it is lost.";
  }
  return "If it goes on so, start it with MEND_PROFILE=1 MEND_CONTROL=1: then `mend profile --for "
         "30 PID` names who allocates what grows, and `mend leaks PID` whether it is lost.";
}

void doctor_judge_growth(struct doctor *doctor)
{
  uint64_t before = doctor->first.totals.live_bytes;
  uint64_t now = doctor->last.totals.live_bytes;
  double seconds = doctor_seconds(doctor);
  char texts[2][FIGURE_TEXT_MOST], in_class[CLASS_TEXT_MOST], site[SITE_TEXT_MOST];
  if (now <= before || seconds < 0.5) return;
  if (now - before < GROWTH_LEAST || now - before < now / 50) return;
  find_class(in_class, doctor);
  find_site(site, doctor);
  doctor_find(doctor, SEVERITY_WARNING, "growing", what_helps(doctor, site[0] != '\0'),
              "What is live grew by %s within %.1f seconds, to %s%s.%s",
              figure_bytes(texts[0], now - before), seconds, figure_bytes(texts[1], now), in_class,
              site);
}
