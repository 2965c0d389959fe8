// SPDX-License-Identifier: MIT
#include "profile_formats.h"

#include <string.h>
#include <zlib.h>

#include "command.h"

enum {
  WINDOW_GZIP = 15 + 16,  // the largest window, with a gzip head
  MEMORY_USUAL = 8,
  PIECE = 1 << 16
};

bool gzip_write(FILE *stream, const void *bytes, size_t length)
{
  unsigned char piece[PIECE];
  z_stream state = {.next_in = (z_const Bytef *)(uintptr_t)bytes};
  int result = deflateInit2(&state, Z_DEFAULT_COMPRESSION, Z_DEFLATED, WINDOW_GZIP, MEMORY_USUAL,
                            Z_DEFAULT_STRATEGY);
  bool is_good = result == Z_OK;
  while (is_good && result != Z_STREAM_END) {
    // zlib counts in 32 bits.
    uInt now = length > UINT32_MAX / 2 ? UINT32_MAX / 2 : (uInt)length;
    if (state.avail_in == 0) {
      state.avail_in = now;
      length -= now;
    }
    state.next_out = piece;
    state.avail_out = sizeof piece;
    result = deflate(&state, length == 0 ? Z_FINISH : Z_NO_FLUSH);
    size_t made = sizeof piece - state.avail_out;
    is_good = result != Z_STREAM_ERROR && fwrite(piece, 1, made, stream) == made;
  }
  deflateEnd(&state);
  if (!is_good) complain("the output could not be compressed or written");
  return is_good;
}
