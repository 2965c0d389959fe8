// SPDX-License-Identifier: MIT
//
// A line of a track file, word by word: numbers, and texts in which \ooo stands for any character.
// Each function takes the next word or words, and returns false after a complaint if they are not
// there or no good.
#ifndef TOOLS_TRACK_WORDS_H
#define TOOLS_TRACK_WORDS_H

#include "lines.h"

// Texts lie one behind another in chunks, which are freed together.
struct track_text;

struct track_words {
  struct lines lines;
  char *rest;                // of the line, behind the words that have been taken
  struct track_text *texts;  // all that were kept
};

#define words_refuse(words, ...) lines_refuse(&(words)->lines, __VA_ARGS__)

// `what` is what the number is, for the complaint.
bool words_number(struct track_words *words, const char *what, uint64_t *number);

struct words_field {
  const char *what;
  uint64_t *number;
};
bool words_numbers(struct track_words *words, const struct words_field *fields, size_t count);

// A text; "" at the end of the line, and for \000. It lasts until track_texts_free.
bool words_text(struct track_words *words, const char **text);

// A word of small letters and lines below, shorter than `room`.
bool words_name(struct track_words *words, const char *what, char *name, size_t room);

void track_texts_free(struct track_text *texts);

#endif
