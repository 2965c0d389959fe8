// SPDX-License-Identifier: MIT
#include "track/track_file.h"

#include <errno.h>
#include <string.h>

#include "base/format.h"
#include "base/output.h"
#include "os/file.h"
#include "os/system.h"
#include "os/thread.h"
#include "track/site_table.h"
#include "track/thread_state.h"
#include "track/tracker.h"

enum { BUFFER_BYTES = 16 << 10, PATH_BYTES = 4096, LINE_BYTES = PATH_BYTES + 128 };

// The file that is being written; the lock's holder has it.
static struct {
  struct os_lock lock;
  int descriptor;
  int error;        // of the first write that went wrong; 0: none
  uint32_t serial;  // of the file, in this process: never 0
  size_t used;
  char buffer[BUFFER_BYTES];
  char input[LINE_BYTES];  // what is copied from /proc
} track_file;

// ---------------------------------------------------------------------------------------------
// The parts of a line.

static void flush_buffer(void)
{
  if (track_file.error == 0 &&
      !output_write_to(track_file.descriptor, track_file.buffer, track_file.used)) {
    track_file.error = errno != 0 ? errno : EIO;
  }
  track_file.used = 0;
}

static void put(const char *text, size_t bytes)
{
  if (bytes > BUFFER_BYTES - track_file.used) flush_buffer();
  memcpy(track_file.buffer + track_file.used, text, bytes);
  track_file.used += bytes;
}

static void put_escaped(char character)
{
  unsigned byte = (unsigned char)character;
  if (byte > ' ' && byte < 127 && byte != '\\') {
    put(&character, 1);
    return;
  }
  char octal[4] = {'\\', (char)('0' + (byte >> 6)), (char)('0' + (byte >> 3 & 7)),
                   (char)('0' + (byte & 7))};
  put(octal, sizeof octal);
}

INTERNAL void track_file_line(const char *word)
{
  put(word, strlen(word));
}

INTERNAL void track_file_number(uint64_t number)
{
  char digits[24];
  struct format format = format_begin(digits, sizeof digits);
  format_text(&format, " ");
  format_number(&format, number, 0);
  put(digits, (size_t)(format.at - digits));
}

INTERNAL void track_file_hex(uint64_t number)
{
  char digits[24];
  struct format format = format_begin(digits, sizeof digits);
  format_text(&format, " ");
  format_hex(&format, number);
  put(digits, (size_t)(format.at - digits));
}

INTERNAL void track_file_text(const char *text, size_t bytes)
{
  put(" ", 1);
  for (size_t i = 0; i < bytes; i++) put_escaped(text[i]);
  if (bytes == 0) put_escaped('\0');
}

INTERNAL void track_file_end_line(void)
{
  put("\n", 1);
}

// ---------------------------------------------------------------------------------------------
// The head.

static void write_word(const char *name, const char *value)
{
  track_file_line(name);
  track_file_text(value, strlen(value));
  track_file_end_line();
}

static void write_value(const char *name, uint64_t value)
{
  track_file_line(name);
  track_file_number(value);
  track_file_end_line();
}

static void write_program(void)
{
  size_t length = os_program_path(track_file.input, PATH_BYTES);
  track_file_line("program");
  track_file_text(track_file.input, length);
  track_file_end_line();
}

// The arguments, each of which ends with a zero.
static void write_command(void)
{
  int file = os_file_open("/proc/self/cmdline");
  if (file < 0) return;
  bool is_between = true;
  size_t got;
  track_file_line("command");
  while ((got = os_file_read(file, track_file.input, LINE_BYTES)) > 0) {
    for (size_t i = 0; i < got; i++) {
      char character = track_file.input[i];
      if (is_between) put(" ", 1);
      if (is_between && character == '\0') put_escaped('\0');
      is_between = character == '\0';
      if (!is_between) put_escaped(character);
    }
  }
  os_file_close(file);
  track_file_end_line();
}

static void write_time(void)
{
  uint64_t now_ns = os_clock_wall_ns();
  char digits[32];
  struct format format = format_begin(digits, sizeof digits);
  format_text(&format, " ");
  format_number(&format, now_ns / 1000000000, 0);
  format_text(&format, ".");
  uint64_t rest = now_ns % 1000000000;
  for (uint64_t unit = 100000000; unit > 0; unit /= 10) {
    format_number(&format, rest / unit % 10, 0);
  }
  track_file_line("time");
  put(digits, (size_t)(format.at - digits));
  track_file_end_line();
}

static void write_thread(uint32_t number, uint32_t kernel_number, const char *name, void *unused)
{
  (void)unused;
  track_file_line("thread");
  track_file_number(number);
  track_file_number(kernel_number);
  track_file_text(name, strlen(name));
  track_file_end_line();
}

static void write_description(const char *kind)
{
  static const char *const modes[] = {
      [TRACKER_OFF] = "off", [TRACKER_SAMPLED] = "sampled", [TRACKER_EXACT] = "exact"};
  write_value("mend-track", 1);
  write_word("kind", kind);
  write_value("pid", os_process_id());
  write_program();
  write_command();
  write_time();
  write_value("uptime_ms", tracker_clock_ms());
  write_word("mode", modes[tracker_mode()]);
  write_value("interval", tracker_interval_bytes());
  thread_state_each_thread(write_thread, NULL);
}

INTERNAL bool track_file_acquire(bool waits)
{
  bool is_mine = os_lock_is_mine(&track_file.lock);
  if (is_mine || (!waits && !os_lock_try(&track_file.lock))) {
    errno = EBUSY;
    return false;
  }
  if (waits) os_lock_acquire(&track_file.lock);
  return true;
}

INTERNAL void track_file_release(void)
{
  os_lock_release(&track_file.lock);
}

INTERNAL void track_file_open(int descriptor, const char *kind)
{
  track_file.descriptor = descriptor;
  track_file.error = 0;
  track_file.used = 0;
  if (++track_file.serial == 0) track_file.serial = 1;
  write_description(kind);
}

INTERNAL bool track_file_begin(int descriptor, const char *kind)
{
  if (!track_file_acquire(true)) return false;
  track_file_open(descriptor, kind);
  return true;
}

// ---------------------------------------------------------------------------------------------
// Stacks, mappings and the end.

INTERNAL void track_file_stack(uint32_t number)
{
  if (number == 0) return;
  struct site *site = site_of(number);
  if (site->written_in == track_file.serial) return;
  site->written_in = track_file.serial;
  track_file_line("stack");
  track_file_number(number);
  for (uint32_t i = 0; i < site->depth; i++) track_file_hex(site->addresses[i]);
  track_file_end_line();
}

// "START-END RIGHTS OFFSET DEVICE INODE   PATH": of a mapping that may be executed and has a path.
static void write_map(const char *line, size_t length)
{
  size_t at = 0, words = 0;
  while (at < length && words < 5) {
    if (line[at] == ' ') words++;
    at++;
  }
  size_t end = at;  // of what is before the path
  while (at < length && line[at] == ' ') at++;
  const char *rights = memchr(line, ' ', length);
  if (at == length || rights == NULL || length - (size_t)(rights - line) < 4) return;
  if (rights[3] != 'x') return;
  put("map ", 4);
  put(line, end > 0 ? end - 1 : 0);
  track_file_text(line + at, length - at);
  track_file_end_line();
}

static void write_maps(void)
{
  int file = os_file_open("/proc/self/maps");
  if (file < 0) return;
  size_t used = 0, got;
  while ((got = os_file_read(file, track_file.input + used, LINE_BYTES - used)) > 0) {
    used += got;
    char *start = track_file.input;
    char *end;
    while ((end = memchr(start, '\n', used)) != NULL) {
      write_map(start, (size_t)(end - start));
      used -= (size_t)(end + 1 - start);
      start = end + 1;
    }
    if (used == LINE_BYTES) used = 0;  // no line is so long
    memmove(track_file.input, start, used);
  }
  os_file_close(file);
}

INTERNAL bool track_file_end(void)
{
  write_maps();
  track_file_line("end");
  track_file_end_line();
  flush_buffer();
  int error = track_file.error;
  track_file_release();
  if (error != 0) errno = error;
  return error == 0;
}

INTERNAL void track_file_after_fork(void)
{
  (void)os_lock_take_from_strangers(&track_file.lock);
}
