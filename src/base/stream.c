// SPDX-License-Identifier: MIT
#include "base/stream.h"

#include <errno.h>
#include <string.h>

#include "base/output.h"

INTERNAL void stream_begin_function(struct stream *stream, stream_function function, void *argument)
{
  stream->function = function;
  stream->argument = argument;
  stream->descriptor = -1;
  stream->error = 0;
  stream->bytes = 0;
}

INTERNAL void stream_begin(struct stream *stream, int descriptor)
{
  stream_begin_function(stream, NULL, NULL);
  stream->descriptor = descriptor;
}

static bool hand_on(struct stream *stream)
{
  if (stream->function == NULL) {
    return output_write_to(stream->descriptor, stream->text, stream->bytes);
  }
  return stream->function(stream->argument, stream->text, stream->bytes);
}

static void flush(struct stream *stream)
{
  if (stream->bytes > 0 && stream->error == 0 && !hand_on(stream)) {
    stream->error = errno != 0 ? errno : EIO;
  }
  stream->bytes = 0;
}

INTERNAL void stream_bytes(struct stream *stream, const char *text, size_t bytes)
{
  while (bytes > 0) {
    size_t room = STREAM_BYTES - stream->bytes;
    size_t piece = bytes < room ? bytes : room;
    memcpy(stream->text + stream->bytes, text, piece);
    stream->bytes += piece;
    text += piece;
    bytes -= piece;
    if (stream->bytes == STREAM_BYTES) flush(stream);
  }
}

INTERNAL void stream_text(struct stream *stream, const char *text)
{
  stream_bytes(stream, text, strlen(text));
}

INTERNAL void stream_number(struct stream *stream, uint64_t number, unsigned width)
{
  char digits[64];
  struct format format = format_begin(digits, sizeof digits);
  format_number(&format, number, width);
  stream_bytes(stream, digits, (size_t)(format.at - digits));
}

INTERNAL void stream_hex(struct stream *stream, uint64_t number)
{
  char digits[24];
  struct format format = format_begin(digits, sizeof digits);
  format_hex(&format, number);
  stream_bytes(stream, digits, (size_t)(format.at - digits));
}

INTERNAL bool stream_end(struct stream *stream)
{
  flush(stream);
  return stream->error == 0;
}
