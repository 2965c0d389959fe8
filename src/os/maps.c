// SPDX-License-Identifier: MIT
#include "os/maps.h"

#include <errno.h>
#include <fcntl.h>

#include "os/direct.h"

// Reads hexadecimal digits and one character that must follow them.
static uint64_t read_hex(const char **text, char end)
{
  uint64_t value = 0;
  for (;; (*text)++) {
    char c = **text;
    if (c >= '0' && c <= '9') {
      value = value << 4 | (uint64_t)(c - '0');
    } else if (c >= 'a' && c <= 'f') {
      value = value << 4 | (uint64_t)(c - 'a' + 10);
    } else {
      break;
    }
  }
  if (**text == end) (*text)++;
  return value;
}

// Past a word and the spaces behind it.
static void skip_word(const char **text)
{
  while (**text != ' ' && **text != '\0') (*text)++;
  while (**text == ' ') (*text)++;
}

// "START-END RIGHTS OFFSET DEVICE INODE   PATH"
static struct os_map parse_map(const char *line)
{
  struct os_map map = {0};
  map.start = (uintptr_t)read_hex(&line, '-');
  map.end = (uintptr_t)read_hex(&line, ' ');
  if (line[0] != '\0' && line[1] != '\0' && line[2] != '\0') {
    map.is_readable = line[0] == 'r';
    map.is_writable = line[1] == 'w';
    map.is_code = line[2] == 'x';
    map.is_shared = line[3] == 's';
  }
  skip_word(&line);
  map.offset = read_hex(&line, ' ');
  map.file = line;
  skip_word(&line);
  skip_word(&line);
  map.path = line;
  return map;
}

// Takes in some text; false if the visitor has seen enough.
static bool take_text(struct os_maps_reader *reader, size_t bytes,
                      bool (*visit)(const struct os_map *, void *), void *argument)
{
  for (size_t i = 0; i < bytes; i++) {
    if (reader->chunk[i] != '\n') {
      if (reader->length < sizeof reader->line - 1) {
        reader->line[reader->length++] = reader->chunk[i];
      }
      continue;
    }
    reader->line[reader->length] = '\0';
    reader->length = 0;
    struct os_map map = parse_map(reader->line);
    if (!visit(&map, argument)) return false;
  }
  return true;
}

INTERNAL bool os_maps_each(struct os_maps_reader *reader,
                           bool (*visit)(const struct os_map *map, void *argument), void *argument)
{
  int saved_errno = errno;
  int file = os_direct_open("/proc/self/maps", O_RDONLY | O_CLOEXEC, 0);
  bool is_told = false;
  reader->length = 0;
  while (file >= 0) {
    ssize_t got = os_direct_read(file, reader->chunk, sizeof reader->chunk);
    if (got < 0 && errno == EINTR) continue;
    if (got < 0) is_told = false;
    if (got <= 0) break;
    is_told = true;
    if (!take_text(reader, (size_t)got, visit, argument)) break;
  }
  if (file >= 0) os_direct_close(file);
  errno = saved_errno;
  return is_told;
}
