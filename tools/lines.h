// SPDX-License-Identifier: MIT
//
// A text file that is read line by line, by readers that trust nothing in it: a line has a greatest
// length, holds no control characters, and what is wrong with it is said with its number. Words are
// what stands between blanks.
#ifndef TOOLS_LINES_H
#define TOOLS_LINES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

struct lines {
  const char *path;  // for what is said
  const char *what;  // the file should be: "a heap map"
  FILE *file;
  uint64_t number;  // of the line, from 1
  uint64_t bytes;   // read so far
  char *text;       // the line, without its end
  size_t room;      // of the text: the greatest length and two more
  bool is_ascii;    // bytes above 126 are refused, too
};

enum line { LINE_READ, LINE_NONE, LINE_BAD };

// Opens a file, or stdin for "-", for lines of at most `most` bytes. False after a complaint.
// Either way lines_close. The path must last as long.
bool lines_open(struct lines *lines, const char *path, const char *what, size_t most);
void lines_close(struct lines *lines);

// Reads the next line into `text`. LINE_BAD after a complaint.
enum line lines_next(struct lines *lines);

// Says what is wrong with the line; returns false.
__attribute__((format(printf, 2, 3))) bool lines_refuse(const struct lines *lines,
                                                        const char *format, ...);

// The next word from *rest on, which moves behind it; NULL at the end. The text is cut there.
char *lines_word(char **rest);

// A number without a sign, decimal or after 0x hexadecimal.
bool lines_number(const char *word, uint64_t *number);
bool lines_count(const char *word, uint32_t *number);
// Hexadecimal without 0x.
bool lines_hex(const char *word, uint64_t *number);

// Room for one more element of `bytes`; NULL, after a complaint, if there is no memory.
void *lines_grow(const struct lines *lines, void *array, size_t count, size_t *room, size_t bytes);

#endif
