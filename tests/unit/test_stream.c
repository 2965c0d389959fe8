// SPDX-License-Identifier: MIT
//
// Text in pieces: all of it arrives, in order, and after a failure nothing does.
#define _GNU_SOURCE 1
#include "../support/suite.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/stream.h"

static struct {
  size_t bytes;
  size_t calls;
  size_t fails_at;  // the call that fails, from 1
  int error;
  char text[4 * STREAM_BYTES];
} taken;

static bool take(void *argument, const char *text, size_t bytes)
{
  CHECK(argument == &taken && bytes > 0 && bytes <= STREAM_BYTES);
  errno = taken.error;
  if (++taken.calls == taken.fails_at) return false;
  CHECK(taken.bytes + bytes <= sizeof taken.text);
  memcpy(taken.text + taken.bytes, text, bytes);
  taken.bytes += bytes;
  return true;
}

static void begin(struct stream *stream, size_t fails_at, int error)
{
  memset(&taken, 0, sizeof taken);
  taken.fails_at = fails_at;
  taken.error = error;
  stream_begin_function(stream, take, &taken);
}

static void what_is_written_arrives_once(void **state)
{
  (void)state;
  struct stream stream;
  begin(&stream, 0, 0);
  assert_true(stream_end(&stream));
  assert_int_equal(taken.calls, 0);
  begin(&stream, 0, 0);
  stream_text(&stream, "a ");
  stream_number(&stream, 42, 5);
  stream_text(&stream, " ");
  stream_hex(&stream, 255);
  stream_bytes(&stream, "xyz", 2);
  assert_int_equal(taken.calls, 0);
  assert_true(stream_end(&stream));
  assert_int_equal(taken.bytes, 14);
  assert_memory_equal(taken.text, "a    42 0xffxy", 14);
}

static void pieces_of_any_length(void **state)
{
  (void)state;
  static char text[3 * STREAM_BYTES];
  for (size_t i = 0; i < sizeof text; i++) text[i] = (char)('a' + i % 23);
  for (size_t piece = 1; piece <= sizeof text; piece += piece < 8 ? 1 : 509) {
    struct stream stream;
    begin(&stream, 0, 0);
    for (size_t at = 0; at < sizeof text; at += piece) {
      stream_bytes(&stream, text + at, at + piece <= sizeof text ? piece : sizeof text - at);
    }
    assert_true(stream_end(&stream));
    assert_int_equal(taken.bytes, sizeof text);
    assert_memory_equal(taken.text, text, sizeof text);
  }
}

static void a_failure_is_told_at_the_end(void **state)
{
  (void)state;
  static char text[3 * STREAM_BYTES];
  for (size_t call = 1; call <= 3; call++) {
    struct stream stream;
    begin(&stream, call, call == 2 ? 0 : ENOSPC);
    stream_bytes(&stream, text, sizeof text);
    stream_text(&stream, "more");
    assert_false(stream_end(&stream));
    assert_int_equal(stream.error, call == 2 ? EIO : ENOSPC);
    assert_int_equal(taken.calls, call);
  }
}

static void a_descriptor_is_written_to(void **state)
{
  (void)state;
  int ends[2];
  char text[16] = "";
  struct stream stream;
  assert_int_equal(pipe(ends), 0);
  stream_begin(&stream, ends[1]);
  stream_text(&stream, "through");
  assert_true(stream_end(&stream));
  assert_int_equal(read(ends[0], text, sizeof text), 7);
  assert_string_equal(text, "through");
  close(ends[0]);
  close(ends[1]);
  stream_begin(&stream, ends[1]);
  stream_text(&stream, "nowhere");
  assert_false(stream_end(&stream));
  assert_int_equal(stream.error, EBADF);
}

int main(void)
{
  static const struct CMUnitTest tests[] = {
      cmocka_unit_test(what_is_written_arrives_once),
      cmocka_unit_test(pieces_of_any_length),
      cmocka_unit_test(a_failure_is_told_at_the_end),
      cmocka_unit_test(a_descriptor_is_written_to),
  };
  return SUITE_RUN(tests);
}
