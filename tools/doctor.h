// SPDX-License-Identifier: MIT
//
// What `mend doctor` finds. Each file doctor_*.c looks at one side of a process and adds findings:
// a sentence that says what is so, and one that says what helps. The heap is looked at twice, some
// seconds apart, so that what grows or stands still can be told.
#ifndef TOOLS_DOCTOR_H
#define TOOLS_DOCTOR_H

#include <stdio.h>

#include "remote.h"

enum severity { SEVERITY_NOTE, SEVERITY_WARNING, SEVERITY_PROBLEM };

struct finding {
  enum severity severity;
  const char *code;  // a word for programs
  char *what;
  char *remedy;  // "" if there is none
};

// What was seen at one moment.
struct doctor_look {
  uint64_t nanoseconds;
  uint64_t resident_bytes;
  struct remote_totals totals;
  struct remote_counters counters;
  uint64_t class_bytes[REMOTE_CLASSES_MOST];  // live
};

struct doctor {
  struct target *target;
  struct remote *remote;  // NULL: there is no mend in the process
  bool is_redirected;     // malloc is mend's, for all that is known
  struct doctor_look first;
  struct doctor_look last;
  unsigned look_count;
  int profile;               // that of the first look, in a file; -1: there is none
  struct finding *findings;  // the gravest first
  size_t finding_count;
  size_t finding_room;
  size_t idle_settings;  // of the environment, that are none or are refused
};

// Puts a finding behind those that are as grave.
__attribute__((format(printf, 5, 6))) void doctor_find(struct doctor *doctor,
                                                       enum severity severity, const char *code,
                                                       const char *remedy, const char *format, ...);
void doctor_free(struct doctor *doctor);
// Takes a look; false if the process is gone. Once more it becomes the last one.
bool doctor_look(struct doctor *doctor);
// How long the last look was after the first.
double doctor_seconds(const struct doctor *doctor);
// After the first look: has who allocates what remembered, if the process samples that.
void doctor_watch_sites(struct doctor *doctor);

// The sides.
void doctor_judge_load(struct doctor *doctor);
void doctor_judge_variable(struct doctor *doctor, const char *variable);  // "NAME=value"
void doctor_count_settings(struct doctor *doctor);                        // after the last variable
void doctor_judge_heap(struct doctor *doctor);
void doctor_judge_pages(struct doctor *doctor);
void doctor_judge_growth(struct doctor *doctor);
void doctor_judge_threads(struct doctor *doctor);
void doctor_judge_system(struct doctor *doctor);
// The environment that a process was started with, to be freed; NULL if it cannot be read.
char *doctor_read_environment(const struct target *target, size_t *length);

void doctor_write(const struct doctor *doctor, FILE *stream);
void doctor_write_json(const struct doctor *doctor, FILE *stream);
// Whether there is more than notes.
bool doctor_has_trouble(const struct doctor *doctor);

#endif
