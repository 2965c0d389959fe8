// SPDX-License-Identifier: MIT
//
// Text of any length, put together in a small buffer and handed on whenever that is full: to a
// descriptor, or to a function. After the first failure nothing more is handed on, and the stream
// says so at its end. Nothing here allocates or locks, so whoever holds a lock collects first and
// writes afterwards.
#ifndef BASE_STREAM_H
#define BASE_STREAM_H

#include "base/format.h"

enum { STREAM_BYTES = 2048 };

// Takes some text; false, with errno saying why, if it could not.
typedef bool (*stream_function)(void *argument, const char *text, size_t bytes);

struct stream {
  stream_function function;  // NULL: to the descriptor
  void *argument;
  int descriptor;
  int error;     // errno of the first failure; 0: there was none
  size_t bytes;  // in `text`
  char text[STREAM_BYTES];
};

INTERNAL void stream_begin(struct stream *stream, int descriptor);
INTERNAL void stream_begin_function(struct stream *stream, stream_function function,
                                    void *argument);
INTERNAL void stream_bytes(struct stream *stream, const char *text, size_t bytes);
INTERNAL void stream_text(struct stream *stream, const char *text);
// As format_number and format_hex have them.
INTERNAL void stream_number(struct stream *stream, uint64_t number, unsigned width);
INTERNAL void stream_hex(struct stream *stream, uint64_t number);
// Hands on what is left. True if all has been taken.
INTERNAL bool stream_end(struct stream *stream);

#endif
