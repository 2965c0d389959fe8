// SPDX-License-Identifier: MIT
#include "track_file.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "track_resolve.h"
#include "track_words.h"

#define FORMAT_VERSION 1

enum {
  LINE_MOST = 1 << 18,  // a stack of 10,000 frames
  FRAMES_MOST = 10000   // of a stack
};

const char *const track_mode_names[3] = {"off", "sampled", "exact"};

// A file of this size is no track file.
static const uint64_t bytes_most = UINT64_C(1) << 30;

struct reader {
  struct track_file *file;
  struct track_words words;
  size_t thread_room, stack_room, frame_room, site_room, leak_room, reached_room, block_room,
      map_room;
  bool has_kind, has_pid, has_mode, has_ended;
};

#define refuse(...) words_refuse(&reader->words, __VA_ARGS__)

#define read_fields(reader, ...) \
  words_numbers(&(reader)->words, (const struct words_field[]){__VA_ARGS__}, \
                sizeof(struct words_field[]){__VA_ARGS__} / sizeof(struct words_field))

static char *next_word(struct reader *reader)
{
  return lines_word(&reader->words.rest);
}

// Room for one more element of an array; NULL after a complaint.
static void *grow(struct reader *reader, void *array, size_t count, size_t *room, size_t bytes)
{
  return lines_grow(&reader->words.lines, array, count, room, bytes);
}

// ---------------------------------------------------------------------------------------------
// The head of the file.

static bool read_kind(struct reader *reader)
{
  static const char *const kinds[] = {
      [TRACK_PROFILE] = "profile", [TRACK_LEAKS] = "leaks", [TRACK_MISUSE] = "misuse"};
  const char *word = next_word(reader);
  reader->has_kind = true;
  for (size_t i = 0; word != NULL && i < sizeof kinds / sizeof kinds[0]; i++) {
    if (strcmp(word, kinds[i]) != 0) continue;
    reader->file->kind = (enum track_kind)i;
    return true;
  }
  return refuse("the kind is 'profile', 'leaks' or 'misuse'");
}

static bool read_mode(struct reader *reader)
{
  const char *word = next_word(reader);
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
  return words_number(&reader->words, "the process", &reader->file->pid);
}

static bool read_program(struct reader *reader)
{
  return words_text(&reader->words, &reader->file->program);
}

static bool read_command(struct reader *reader)
{
  struct track_file *file = reader->file;
  if (file->arguments != NULL) return refuse("a second command");
  size_t most = 2;
  for (const char *at = reader->words.rest; *at != '\0'; at++) most += *at == ' ';
  file->arguments = calloc(most, sizeof *file->arguments);
  if (file->arguments == NULL) return refuse("out of memory");
  while (reader->words.rest[strspn(reader->words.rest, " ")] != '\0') {
    if (!words_text(&reader->words, &file->arguments[file->argument_count])) return false;
    file->argument_count++;
  }
  return true;
}

// Seconds, perhaps with a point and up to nine digits.
static bool read_time(struct reader *reader)
{
  char *word = next_word(reader);
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
  return words_number(&reader->words, "the uptime", &reader->file->uptime_ms);
}

static bool read_interval(struct reader *reader)
{
  return words_number(&reader->words, "the interval", &reader->file->interval);
}

// ---------------------------------------------------------------------------------------------
// Records.

static bool read_thread(struct reader *reader)
{
  struct track_file *file = reader->file;
  uint64_t number;
  struct track_thread thread = {0};
  if (!read_fields(reader, {"the thread's number", &number}, {"its id", &thread.kernel_id}) ||
      !words_text(&reader->words, &thread.name)) {
    return false;
  }
  if (number >= TRACK_NO_THREAD) return refuse("the thread's number is too large");
  thread.number = (uint32_t)number;
  struct track_thread *threads =
      grow(reader, file->threads, file->thread_count, &reader->thread_room, sizeof thread);
  if (threads == NULL) return false;
  file->threads = threads;
  threads[file->thread_count++] = thread;
  return true;
}

static bool add_stack(struct reader *reader, const struct track_stack *stack)
{
  struct track_file *file = reader->file;
  struct track_stack *stacks =
      grow(reader, file->stacks, file->stack_count, &reader->stack_room, sizeof *stack);
  if (stacks == NULL) return false;
  file->stacks = stacks;
  stacks[file->stack_count++] = *stack;
  return true;
}

static bool read_stack(struct reader *reader)
{
  struct track_file *file = reader->file;
  struct track_stack stack = {.first_frame = file->frame_count};
  if (!words_number(&reader->words, "the stack's number", &stack.number)) return false;
  char *word;
  while ((word = next_word(reader)) != NULL) {
    uint64_t address;
    if (!lines_number(word, &address)) return refuse("'%.32s' is no address", word);
    if (stack.frame_count == FRAMES_MOST) return refuse("a stack of too many frames");
    uint64_t *frames =
        grow(reader, file->frames, file->frame_count, &reader->frame_room, sizeof *frames);
    if (frames == NULL) return false;
    file->frames = frames;
    frames[file->frame_count++] = address;
    stack.frame_count++;
  }
  return add_stack(reader, &stack);
}

// Until all stacks are known, `stack` of a record is the number in the file.
static bool read_stack_number(struct reader *reader, size_t *stack)
{
  uint64_t number;
  if (!words_number(&reader->words, "the stack", &number)) return false;
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
  struct track_site *sites =
      grow(reader, file->sites, file->site_count, &reader->site_room, sizeof site);
  if (sites == NULL) return false;
  file->sites = sites;
  sites[file->site_count++] = site;
  return true;
}

static bool read_leak(struct reader *reader)
{
  struct track_file *file = reader->file;
  struct track_leak leak;
  uint64_t thread;
  if (!words_name(&reader->words, "a leak's kind", leak.kind, sizeof leak.kind) ||
      !read_stack_number(reader, &leak.stack) ||
      !read_fields(reader, {"the thread", &thread}, {"the number of blocks", &leak.count},
                   {"the bytes", &leak.bytes}, {"the first time", &leak.first_ms},
                   {"the last time", &leak.last_ms})) {
    return false;
  }
  if (leak.count == 0) return refuse("a leak of no blocks");
  leak.thread = thread < TRACK_NO_THREAD ? (uint32_t)thread : TRACK_NO_THREAD;
  struct track_leak *leaks =
      grow(reader, file->leaks, file->leak_count, &reader->leak_room, sizeof leak);
  if (leaks == NULL) return false;
  file->leaks = leaks;
  leaks[file->leak_count++] = leak;
  return true;
}

static bool read_reached(struct reader *reader)
{
  struct track_file *file = reader->file;
  struct track_reached reached;
  if (!read_stack_number(reader, &reached.stack) ||
      !read_fields(reader, {"the number of blocks", &reached.count},
                   {"the bytes", &reached.bytes})) {
    return false;
  }
  struct track_reached *all =
      grow(reader, file->reached, file->reached_count, &reader->reached_room, sizeof reached);
  if (all == NULL) return false;
  file->reached = all;
  all[file->reached_count++] = reached;
  return true;
}

static bool read_block(struct reader *reader)
{
  struct track_file *file = reader->file;
  struct track_block block;
  if (!words_name(&reader->words, "a leak's kind", block.kind, sizeof block.kind) ||
      !read_stack_number(reader, &block.stack) ||
      !read_fields(reader, {"the address", &block.address}, {"the bytes", &block.bytes})) {
    return false;
  }
  struct track_block *blocks =
      grow(reader, file->blocks, file->block_count, &reader->block_room, sizeof block);
  if (blocks == NULL) return false;
  file->blocks = blocks;
  blocks[file->block_count++] = block;
  return true;
}

static bool read_misuse(struct reader *reader)
{
  return words_text(&reader->words, &reader->file->misuse) &&
         words_number(&reader->words, "the address", &reader->file->misuse_address);
}

static bool read_call(struct reader *reader)
{
  struct track_file *file = reader->file;
  struct track_call *call = &file->calls[file->call_count];
  if (file->call_count == TRACK_CALLS_MOST) return refuse("more calls than a misuse has");
  file->call_count++;
  return words_name(&reader->words, "a call's kind", call->kind, sizeof call->kind) &&
         read_stack_number(reader, &call->stack) &&
         words_number(&reader->words, "the thread", &call->kernel_thread);
}

static bool read_range(struct track_map *map, char *word)
{
  char *between = strchr(word, '-');
  if (between == NULL) return false;
  *between = '\0';
  return lines_hex(word, &map->start) && lines_hex(between + 1, &map->end) && map->start < map->end;
}

// As in /proc/self/maps: START-END rwxp OFFSET DEVICE INODE PATH, hexadecimal but for the inode.
static bool read_map(struct reader *reader)
{
  struct track_file *file = reader->file;
  struct track_map map = {0};
  char *range = next_word(reader);
  const char *rights = next_word(reader);
  const char *offset = next_word(reader);
  const char *device = next_word(reader);
  const char *inode = next_word(reader);
  if (inode == NULL || !read_range(&map, range)) return refuse("this is no mapping");
  if (!lines_hex(offset, &map.offset) || strchr(device, ':') == NULL ||
      !lines_number(inode, &map.inode)) {
    return refuse("this is no mapping");
  }
  map.is_executable = strlen(rights) == 4 && rights[2] == 'x';
  if (!words_text(&reader->words, &map.path)) return false;
  struct track_map *maps = grow(reader, file->maps, file->map_count, &reader->map_room, sizeof map);
  if (maps == NULL) return false;
  file->maps = maps;
  maps[file->map_count++] = map;
  return true;
}

static bool read_lost(struct reader *reader)
{
  struct track_file *file = reader->file;
  return read_fields(reader, {"the stacks that were lost", &file->lost_stacks},
                     {"the blocks that were lost", &file->lost_blocks});
}

static bool read_strays(struct reader *reader)
{
  return words_number(&reader->words, "the number of strays", &reader->file->strays);
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
      {"lost", read_lost},        {"misuse", read_misuse},   {"call", read_call},
      {"strays", read_strays},    {"end", read_end},
  };
  reader->words.rest = reader->words.lines.text;
  const char *word = next_word(reader);
  if (word == NULL) return true;
  for (size_t i = 0; i < sizeof records / sizeof records[0]; i++) {
    if (strcmp(word, records[i].word) == 0) return records[i].read(reader);
  }
  return true;  // of a later version
}

static bool read_first(struct reader *reader)
{
  uint64_t version;
  enum line line = lines_next(&reader->words.lines);
  if (line == LINE_BAD) return false;
  reader->words.rest = reader->words.lines.text;
  const char *word = line == LINE_READ ? next_word(reader) : NULL;
  const char *number = word != NULL ? next_word(reader) : NULL;
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
  while ((line = lines_next(&reader->words.lines)) == LINE_READ) {
    if (reader->has_ended) return refuse("there is more behind the end");
    if (reader->words.lines.bytes > bytes_most) return refuse("the file is too large");
    if (!read_line(reader)) return false;
  }
  if (line == LINE_BAD) return false;
  if (!reader->has_ended) return refuse("the file is cut off: it has no end line");
  if (reader->has_kind && reader->has_pid && reader->has_mode) return true;
  return refuse("the file does not say its kind, process and mode");
}

// The one that is not known needs no line.
static bool add_unknown_stack(struct reader *reader)
{
  const struct track_file *file = reader->file;
  for (size_t i = 0; i < file->stack_count; i++) {
    if (file->stacks[i].number == 0) return true;
  }
  return add_stack(reader, &(struct track_stack){0});
}

bool track_read(struct track_file *file, const char *path)
{
  *file = (struct track_file){.program = "", .misuse = ""};
  struct reader reader = {.file = file};
  bool is_read = lines_open(&reader.words.lines, path, "a track file", LINE_MOST);
  file->path = reader.words.lines.path;
  reader.words.lines.is_ascii = true;
  is_read = is_read && read_lines(&reader) && add_unknown_stack(&reader) &&
            track_resolve(file, &reader.words);
  lines_close(&reader.words.lines);
  file->texts = reader.words.texts;
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
  track_texts_free(file->texts);
}

const uint64_t *track_frames(const struct track_file *file, size_t stack)
{
  if (file->frame_count == 0) return NULL;
  return file->frames + file->stacks[stack].first_frame;
}
