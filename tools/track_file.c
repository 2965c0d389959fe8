// SPDX-License-Identifier: MIT
#include "track_file.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "lines.h"

#define FORMAT_VERSION 1

enum {
  LINE_MOST = 1 << 18,  // a stack of 10,000 frames
  FRAMES_MOST = 10000,  // of a stack
  TEXT_CHUNK = 1 << 16,
};

const char *const track_mode_names[3] = {"off", "sampled", "exact"};

// A file of this size is no track file.
static const uint64_t bytes_most = UINT64_C(1) << 30;

// Strings lie one behind another in chunks, which are freed together.
struct track_text {
  struct track_text *next;
  size_t used, room;
  char bytes[];
};

struct reader {
  struct track_file *file;
  struct lines lines;
  char *rest;  // of the line, behind the words that have been read
  size_t thread_room, stack_room, frame_room, site_room, leak_room, reached_room, block_room,
      map_room;
  bool has_kind, has_pid, has_mode, has_ended;
};

// ---------------------------------------------------------------------------------------------
// Parts of a line. Each complains if it is not there, and returns false.

#define refuse(...) lines_refuse(&reader->lines, __VA_ARGS__)

static bool read_number(struct reader *reader, const char *what, uint64_t *number)
{
  const char *word = lines_word(&reader->rest);
  if (word == NULL) return refuse("%s is missing", what);
  if (lines_number(word, number)) return true;
  return refuse("%s is a number, not '%.32s'", what, word);
}

struct field {
  const char *name;
  uint64_t *number;
};

static bool read_numbers(struct reader *reader, const struct field *fields, size_t count)
{
  for (size_t i = 0; i < count; i++) {
    if (!read_number(reader, fields[i].name, fields[i].number)) return false;
  }
  return true;
}

#define read_fields(reader, ...) \
  read_numbers(reader, (const struct field[]){__VA_ARGS__}, \
               sizeof(struct field[]){__VA_ARGS__} / sizeof(struct field))

static bool is_octal(const char *text)
{
  for (size_t i = 0; i < 3; i++) {
    if (text[i] < '0' || text[i] > '7') return false;
  }
  return text[0] <= '3';
}

// Undoes \ooo, in place; \000 stands for no text at all.
static void unescape(char *text)
{
  char *to = text;
  while (*text != '\0') {
    if (*text == '\\' && is_octal(text + 1)) {
      *to++ = (char)((text[1] - '0') * 64 + (text[2] - '0') * 8 + (text[3] - '0'));
      text += 4;
    } else {
      *to++ = *text++;
    }
  }
  *to = '\0';
}

// A copy that lasts as long as the file; NULL after a complaint.
static char *keep_text(struct reader *reader, const char *text)
{
  size_t length = strlen(text) + 1;
  struct track_text *chunk = reader->file->texts;
  if (chunk == NULL || chunk->room - chunk->used < length) {
    size_t room = length > TEXT_CHUNK ? length : TEXT_CHUNK;
    chunk = malloc(sizeof *chunk + room);
    if (chunk == NULL) {
      (void)refuse("out of memory");
      return NULL;
    }
    *chunk = (struct track_text){.next = reader->file->texts, .room = room};
    reader->file->texts = chunk;
  }
  char *copy = memcpy(chunk->bytes + chunk->used, text, length);
  chunk->used += length;
  return copy;
}

// Text is one word. At the end of a line it is empty.
static bool read_text(struct reader *reader, const char **text)
{
  char *word = lines_word(&reader->rest);
  if (word != NULL) unescape(word);
  *text = keep_text(reader, word != NULL ? word : "");
  return *text != NULL;
}

static bool read_kind_word(struct reader *reader, char kind[static TRACK_WORD_MOST])
{
  const char *word = lines_word(&reader->rest);
  if (word == NULL || strlen(word) >= TRACK_WORD_MOST ||
      word[strspn(word, "abcdefghijklmnopqrstuvwxyz_")] != '\0') {
    return refuse("the kind of a leak is a word of small letters");
  }
  strcpy(kind, word);
  return true;
}

// Makes room for one more element of an array of the file, and points to it.
#define add_element(reader, array, count, room) \
  add_to(reader, (void **)&(reader)->file->array, (reader)->file->count, &(reader)->room, \
         sizeof *(reader)->file->array)

static bool add_to(struct reader *reader, void **array, size_t count, size_t *room, size_t bytes)
{
  void *larger = lines_grow(&reader->lines, *array, count, room, bytes);
  if (larger != NULL) *array = larger;
  return larger != NULL;
}

// ---------------------------------------------------------------------------------------------
// The head of the file.

static bool read_kind(struct reader *reader)
{
  const char *word = lines_word(&reader->rest);
  reader->has_kind = true;
  if (word != NULL && strcmp(word, "profile") == 0) {
    reader->file->kind = TRACK_PROFILE;
    return true;
  }
  reader->file->kind = TRACK_LEAKS;
  if (word != NULL && strcmp(word, "leaks") == 0) return true;
  return refuse("the kind is 'profile' or 'leaks'");
}

static bool read_mode(struct reader *reader)
{
  const char *word = lines_word(&reader->rest);
  reader->has_mode = true;
  for (size_t i = 0; word != NULL && i < 3; i++) {
    if (strcmp(word, track_mode_names[i]) != 0) continue;
    reader->file->mode = (enum track_mode)i;
    return true;
  }
  return refuse("the mode is 'sampled', 'exact' or 'off'");
}

static bool read_pid(struct reader *reader)
{
  reader->has_pid = true;
  return read_number(reader, "the process", &reader->file->pid);
}

static bool read_program(struct reader *reader)
{
  return read_text(reader, &reader->file->program);
}

static bool read_command(struct reader *reader)
{
  struct track_file *file = reader->file;
  if (file->arguments != NULL) return refuse("a second command");
  size_t words = 1;
  for (const char *at = reader->rest; *at != '\0'; at++) words += *at == ' ';
  file->arguments = calloc(words + 1, sizeof *file->arguments);
  if (file->arguments == NULL) return refuse("out of memory");
  char *word;
  while ((word = lines_word(&reader->rest)) != NULL) {
    unescape(word);
    char *copy = keep_text(reader, word);
    if (copy == NULL) return false;
    file->arguments[file->argument_count++] = copy;
  }
  return true;
}

// Seconds, perhaps with a point and up to nine digits.
static bool read_time(struct reader *reader)
{
  char *word = lines_word(&reader->rest);
  if (word == NULL) return refuse("the time is missing");
  char *point = strchr(word, '.');
  uint64_t nanoseconds = 0;
  if (point != NULL) {
    char digits[10] = "000000000";
    size_t length = strlen(point + 1);
    if (length > 9) return refuse("the time has more than nine decimals");
    memcpy(digits, point + 1, length);
    *point = '\0';
    if (!lines_number(digits, &nanoseconds)) return refuse("the time is no number");
  }
  reader->file->time_nanoseconds = (uint32_t)nanoseconds;
  if (lines_number(word, &reader->file->time_seconds)) return true;
  return refuse("the time is no number");
}

static bool read_uptime(struct reader *reader)
{
  return read_number(reader, "the uptime", &reader->file->uptime_ms);
}

static bool read_interval(struct reader *reader)
{
  return read_number(reader, "the interval", &reader->file->interval);
}

// ---------------------------------------------------------------------------------------------
// Records.

static bool read_thread(struct reader *reader)
{
  struct track_file *file = reader->file;
  uint64_t number;
  struct track_thread thread = {0};
  if (!read_fields(reader, {"the thread's number", &number}, {"its id", &thread.kernel_id}) ||
      !read_text(reader, &thread.name)) {
    return false;
  }
  if (number >= TRACK_NO_THREAD) return refuse("the thread's number is too large");
  thread.number = (uint32_t)number;
  if (!add_element(reader, threads, thread_count, thread_room)) return false;
  file->threads[file->thread_count++] = thread;
  return true;
}

static bool read_stack(struct reader *reader)
{
  struct track_file *file = reader->file;
  struct track_stack stack = {.first_frame = file->frame_count};
  if (!read_number(reader, "the stack's number", &stack.number)) return false;
  char *word;
  while ((word = lines_word(&reader->rest)) != NULL) {
    uint64_t address;
    if (!lines_number(word, &address)) return refuse("'%.32s' is no address", word);
    if (stack.frame_count == FRAMES_MOST) return refuse("a stack of too many frames");
    if (!add_element(reader, frames, frame_count, frame_room)) return false;
    file->frames[file->frame_count++] = address;
    stack.frame_count++;
  }
  if (!add_element(reader, stacks, stack_count, stack_room)) return false;
  file->stacks[file->stack_count++] = stack;
  return true;
}

// Until all stacks are known, `stack` of a record is the number in the file.
static bool read_stack_number(struct reader *reader, size_t *stack)
{
  uint64_t number;
  if (!read_number(reader, "the stack", &number)) return false;
  *stack = (size_t)number;
  return true;
}

static bool read_site(struct reader *reader)
{
  struct track_file *file = reader->file;
  struct track_site site;
  if (reader->has_kind && file->kind != TRACK_PROFILE) return refuse("a site among leaks");
  if (!read_stack_number(reader, &site.stack) ||
      !read_fields(
          reader, {"the number of live samples", &site.live_samples},
          {"the bytes of live samples", &site.live_sampled_bytes},
          {"the number of samples", &site.total_samples},
          {"the bytes of samples", &site.total_sampled_bytes},
          {"the number of live blocks", &site.live_count}, {"the live bytes", &site.live_bytes},
          {"the number of blocks", &site.total_count}, {"the bytes in total", &site.total_bytes},
          {"the sparse bytes", &site.sparse_bytes})) {
    return false;
  }
  if (!add_element(reader, sites, site_count, site_room)) return false;
  file->sites[file->site_count++] = site;
  return true;
}

static bool read_leak(struct reader *reader)
{
  struct track_file *file = reader->file;
  struct track_leak leak;
  uint64_t thread;
  if (!read_kind_word(reader, leak.kind) || !read_stack_number(reader, &leak.stack) ||
      !read_fields(reader, {"the thread", &thread}, {"the number of blocks", &leak.count},
                   {"the bytes", &leak.bytes}, {"the first time", &leak.first_ms},
                   {"the last time", &leak.last_ms})) {
    return false;
  }
  leak.thread = thread < TRACK_NO_THREAD ? (uint32_t)thread : TRACK_NO_THREAD;
  if (!add_element(reader, leaks, leak_count, leak_room)) return false;
  file->leaks[file->leak_count++] = leak;
  return true;
}

static bool read_reached(struct reader *reader)
{
  struct track_file *file = reader->file;
  struct track_reached reached;
  if (!read_stack_number(reader, &reached.stack) ||
      !read_fields(reader, {"the number of blocks", &reached.count},
                   {"the bytes", &reached.bytes}) ||
      !add_element(reader, reached, reached_count, reached_room)) {
    return false;
  }
  file->reached[file->reached_count++] = reached;
  return true;
}

static bool read_block(struct reader *reader)
{
  struct track_file *file = reader->file;
  struct track_block block;
  if (!read_kind_word(reader, block.kind) || !read_stack_number(reader, &block.stack) ||
      !read_fields(reader, {"the address", &block.address}, {"the bytes", &block.bytes}) ||
      !add_element(reader, blocks, block_count, block_room)) {
    return false;
  }
  file->blocks[file->block_count++] = block;
  return true;
}

static bool read_range(struct track_map *map, char *word)
{
  char *end;
  map->start = strtoull(word, &end, 16);
  if (*end != '-') return false;
  map->end = strtoull(end + 1, &end, 16);
  return *end == '\0' && map->start < map->end;
}

// As in /proc/self/maps: START-END rwxp OFFSET DEVICE INODE PATH, hexadecimal but for the inode.
static bool read_map(struct reader *reader)
{
  struct track_file *file = reader->file;
  struct track_map map = {0};
  char *range = lines_word(&reader->rest);
  const char *rights = lines_word(&reader->rest);
  const char *offset = lines_word(&reader->rest);
  const char *device = lines_word(&reader->rest);
  const char *inode = lines_word(&reader->rest);
  if (inode == NULL || !read_range(&map, range)) return refuse("this is no mapping");
  char *end;
  map.offset = strtoull(offset, &end, 16);
  if (*end != '\0' || strchr(device, ':') == NULL || !lines_number(inode, &map.inode)) {
    return refuse("this is no mapping");
  }
  map.is_executable = strlen(rights) == 4 && rights[2] == 'x';
  if (!read_text(reader, &map.path) || !add_element(reader, maps, map_count, map_room)) {
    return false;
  }
  file->maps[file->map_count++] = map;
  return true;
}

static bool read_lost(struct reader *reader)
{
  struct track_file *file = reader->file;
  return read_fields(reader, {"the stacks that were lost", &file->lost_stacks},
                     {"the blocks that were lost", &file->lost_blocks});
}

static bool read_end(struct reader *reader)
{
  reader->has_ended = true;
  return true;
}

// ---------------------------------------------------------------------------------------------
// The whole.

static bool read_line(struct reader *reader)
{
  static const struct {
    const char *word;
    bool (*read)(struct reader *);
  } records[] = {
      {"site", read_site},        {"stack", read_stack},     {"leak", read_leak},
      {"map", read_map},          {"reached", read_reached}, {"block", read_block},
      {"thread", read_thread},    {"kind", read_kind},       {"pid", read_pid},
      {"program", read_program},  {"command", read_command}, {"time", read_time},
      {"uptime_ms", read_uptime}, {"mode", read_mode},       {"interval", read_interval},
      {"lost", read_lost},        {"end", read_end},
  };
  reader->rest = reader->lines.text;
  const char *word = lines_word(&reader->rest);
  if (word == NULL) return true;
  for (size_t i = 0; i < sizeof records / sizeof records[0]; i++) {
    if (strcmp(word, records[i].word) == 0) return records[i].read(reader);
  }
  return true;  // of a later version
}

static bool read_first(struct reader *reader)
{
  uint64_t version;
  enum line line = lines_next(&reader->lines);
  if (line == LINE_BAD) return false;
  reader->rest = reader->lines.text;
  const char *word = line == LINE_READ ? lines_word(&reader->rest) : NULL;
  const char *number = word != NULL ? lines_word(&reader->rest) : NULL;
  if (number == NULL || strcmp(word, "mend-track") != 0 || !lines_number(number, &version)) {
    return refuse("this is no track file: it does not begin with 'mend-track 1'");
  }
  if (version == FORMAT_VERSION) return true;
  return refuse("a track file of version %" PRIu64 "; this command reads version %d", version,
                FORMAT_VERSION);
}

static bool read_lines(struct reader *reader)
{
  if (!read_first(reader)) return false;
  enum line line;
  while ((line = lines_next(&reader->lines)) == LINE_READ) {
    if (reader->has_ended) return refuse("there is more behind the end");
    if (reader->lines.bytes > bytes_most) return refuse("the file is too large");
    if (!read_line(reader)) return false;
  }
  if (line == LINE_BAD) return false;
  if (!reader->has_ended) return refuse("the file is cut off: it has no end line");
  if (reader->has_kind && reader->has_pid && reader->has_mode) return true;
  return refuse("the file does not say its kind, process and mode");
}

static int compare_stacks(const void *first, const void *second)
{
  const struct track_stack *one = first;
  const struct track_stack *two = second;
  return (one->number > two->number) - (one->number < two->number);
}

static int compare_maps(const void *first, const void *second)
{
  const struct track_map *one = first;
  const struct track_map *two = second;
  return (one->start > two->start) - (one->start < two->start);
}

static bool order_stacks(struct reader *reader)
{
  struct track_file *file = reader->file;
  bool has_unknown = false;
  for (size_t i = 0; i < file->stack_count; i++) has_unknown |= file->stacks[i].number == 0;
  if (!has_unknown) {  // the one that is not known needs no line
    if (!add_element(reader, stacks, stack_count, stack_room)) return false;
    file->stacks[file->stack_count++] = (struct track_stack){0};
  }
  qsort(file->stacks, file->stack_count, sizeof *file->stacks, compare_stacks);
  for (size_t i = 1; i < file->stack_count; i++) {
    if (file->stacks[i].number == file->stacks[i - 1].number) {
      return refuse("stack %" PRIu64 " is there twice", file->stacks[i].number);
    }
  }
  return true;
}

// From a stack's number to its index.
static bool find_stack(struct reader *reader, size_t *stack)
{
  const struct track_file *file = reader->file;
  const struct track_stack wanted = {.number = *stack};
  const struct track_stack *found =
      bsearch(&wanted, file->stacks, file->stack_count, sizeof wanted, compare_stacks);
  if (found == NULL) return refuse("there is no stack %zu", *stack);
  *stack = (size_t)(found - file->stacks);
  return true;
}

static int compare_threads(const void *first, const void *second)
{
  const struct track_thread *one = first;
  const struct track_thread *two = second;
  return (one->number > two->number) - (one->number < two->number);
}

// From a thread's number to its index.
static void find_thread(const struct track_file *file, uint32_t *thread)
{
  const struct track_thread wanted = {.number = *thread};
  const struct track_thread *found = NULL;
  if (file->thread_count > 0) {
    found = bsearch(&wanted, file->threads, file->thread_count, sizeof wanted, compare_threads);
  }
  *thread = found != NULL ? (uint32_t)(found - file->threads) : TRACK_NO_THREAD;
}

static bool resolve(struct reader *reader)
{
  struct track_file *file = reader->file;
  bool is_sound = order_stacks(reader);
  if (file->thread_count > 0) {
    qsort(file->threads, file->thread_count, sizeof *file->threads, compare_threads);
  }
  for (size_t i = 0; is_sound && i < file->site_count; i++) {
    is_sound = find_stack(reader, &file->sites[i].stack);
  }
  for (size_t i = 0; is_sound && i < file->leak_count; i++) {
    is_sound = find_stack(reader, &file->leaks[i].stack);
    find_thread(file, &file->leaks[i].thread);
  }
  for (size_t i = 0; is_sound && i < file->reached_count; i++) {
    is_sound = find_stack(reader, &file->reached[i].stack);
  }
  for (size_t i = 0; is_sound && i < file->block_count; i++) {
    is_sound = find_stack(reader, &file->blocks[i].stack);
  }
  if (file->map_count > 0) {
    qsort(file->maps, file->map_count, sizeof *file->maps, compare_maps);
  }
  return is_sound;
}

bool track_read(struct track_file *file, const char *path)
{
  *file = (struct track_file){.program = ""};
  struct reader reader = {.file = file};
  bool is_read = lines_open(&reader.lines, path, "a track file", LINE_MOST);
  file->path = reader.lines.path;
  reader.lines.is_ascii = true;
  is_read = is_read && read_lines(&reader) && resolve(&reader);
  lines_close(&reader.lines);
  return is_read;
}

void track_free(struct track_file *file)
{
  free(file->arguments);
  free(file->threads);
  free(file->stacks);
  free(file->frames);
  free(file->sites);
  free(file->leaks);
  free(file->reached);
  free(file->blocks);
  free(file->maps);
  while (file->texts != NULL) {
    struct track_text *next = file->texts->next;
    free(file->texts);
    file->texts = next;
  }
}

const uint64_t *track_frames(const struct track_file *file, size_t stack)
{
  if (file->frame_count == 0) return NULL;
  return file->frames + file->stacks[stack].first_frame;
}
