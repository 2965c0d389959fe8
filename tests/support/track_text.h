// SPDX-License-Identifier: MIT
//
// Track files as tests read them (docs/track-file.md): the sites of a profile, each with its stack,
// and the values of other lines. For programs that do not replace malloc.
#ifndef TESTS_TRACK_TEXT_H
#define TESTS_TRACK_TEXT_H

#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "support.h"

struct track_sums {
  uint64_t live_samples, live_sampled_bytes, total_samples, total_sampled_bytes;
  uint64_t live_count, live_bytes, total_count, total_bytes;
  uint64_t sparse_bytes;
};
enum { TRACK_SUMS = sizeof(struct track_sums) / sizeof(uint64_t) };

struct track_text {
  char *text;  // the whole file; freed by track_free
  size_t bytes;
};

// Reads a file from its start; closes it.
static inline struct track_text track_read(int file)
{
  struct track_text track = {NULL, 0};
  size_t room = 0;
  ssize_t got;
  CHECK(file >= 0 && lseek(file, 0, SEEK_SET) == 0);
  do {
    if (room - track.bytes < 65536) {
      room = room * 2 + 65536;
      track.text = realloc(track.text, room + 1);
      CHECK(track.text != NULL);
    }
    got = read(file, track.text + track.bytes, room - track.bytes);
    CHECK(got >= 0);
    track.bytes += (size_t)got;
  } while (got > 0);
  track.text[track.bytes] = '\0';
  close(file);
  return track;
}

static inline void track_free(struct track_text *track)
{
  free(track->text);
}

// Whether the text is of a whole file.
static inline bool track_is_whole(const struct track_text *track)
{
  static const char head[] = "mend-track 1\nkind ", end[] = "\nend\n";
  return track->bytes > sizeof head + sizeof end &&
         strncmp(track->text, head, sizeof head - 1) == 0 &&
         strcmp(track->text + track->bytes - (sizeof end - 1), end) == 0;
}

// What follows a line's first word; NULL if there is no such line.
static inline const char *track_value(const struct track_text *track, const char *word)
{
  char start[32];
  snprintf(start, sizeof start, "\n%s ", word);
  const char *line = strstr(track->text, start);
  return line != NULL ? line + strlen(start) : NULL;
}

static inline bool track_has(const struct track_text *track, const char *word, const char *value)
{
  const char *found = track_value(track, word);
  return found != NULL && strncmp(found, value, strlen(value)) == 0 && found[strlen(value)] == '\n';
}

// Whether an address of a stack lies in a function, which has a page of 4 KiB for itself.
static inline bool track_is_in(const char *stack, uintptr_t function)
{
  for (const char *at = strstr(stack, " 0x"); at != NULL; at = strstr(at + 1, " 0x")) {
    if (memchr(stack, '\n', (size_t)(at - stack)) != NULL) return false;
    uintptr_t address = (uintptr_t)strtoull(at, NULL, 16);
    if (address > function && address - function < 4096) return true;
  }
  return false;
}

// The sums of all sites that have a function in their stack; of all sites if it is NULL.
static inline struct track_sums track_sums_of(const struct track_text *track, void *function)
{
  struct track_sums sums = {0};
  const char *at = track->text;
  while ((at = strstr(at, "\nsite ")) != NULL) {
    char stack[32];
    char *next;
    at += strlen("\nsite ");
    snprintf(stack, sizeof stack, "\nstack %llu ", strtoull(at, &next, 10));
    const char *line = strstr(track->text, stack);
    CHECK(line != NULL);
    if (function != NULL && !track_is_in(line + 1, (uintptr_t)function)) continue;
    for (size_t i = 0; i < TRACK_SUMS; i++) ((uint64_t *)&sums)[i] += strtoull(next, &next, 10);
    CHECK(*next == '\n');
  }
  return sums;
}

#endif
