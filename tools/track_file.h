// SPDX-License-Identifier: MIT
//
// A track file in memory: what the library has written about allocations, a profile, a leak check
// or a misuse (docs/track-file.md). What track_read accepts is sound: every stack that is named is
// there, no number of a stack stands for two, ranges are not empty, the file has its end. Lines of
// words that this version does not know are skipped, and so are words behind those it knows.
// Arguments and names may hold any character. Memory is at most a few times the file's size, and
// that has a limit.
#ifndef TOOLS_TRACK_FILE_H
#define TOOLS_TRACK_FILE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum track_kind { TRACK_PROFILE, TRACK_LEAKS, TRACK_MISUSE };
enum track_mode { TRACK_OFF, TRACK_SAMPLED, TRACK_EXACT };
extern const char *const track_mode_names[3];

// Stands for a thread that the file says nothing of.
#define TRACK_NO_THREAD UINT32_MAX

struct track_thread {
  uint32_t number;  // in the file; 0 is known to nobody
  uint64_t kernel_id;
  const char *name;  // perhaps empty
};

struct track_stack {
  uint64_t number;     // in the file
  size_t first_frame;  // among all frames: see track_frames
  size_t frame_count;  // may be 0: nothing is known of the stack, as of number 0
};

// In all of these `stack` is an index of `stacks`, and `thread` one of `threads`.

struct track_site {
  size_t stack;
  // Raw sums over the samples; the bytes are those that were asked for.
  uint64_t live_samples, live_sampled_bytes;
  uint64_t total_samples, total_sampled_bytes;
  // Estimates of the truth without bias; in exact mode they are the raw sums.
  uint64_t live_count, live_bytes;
  uint64_t total_count, total_bytes;
  uint64_t sparse_bytes;  // free but resident bytes in pages that the site's live blocks keep
};

enum { TRACK_WORD_MOST = 24 };

struct track_leak {
  char kind[TRACK_WORD_MOST];  // direct, indirect, cycle, handle, ...
  size_t stack;
  uint32_t thread;  // of the first block; TRACK_NO_THREAD if unknown
  uint64_t count, bytes;
  uint64_t first_ms, last_ms;  // allocated, since the program's start
};

struct track_reached {
  size_t stack;
  uint64_t count, bytes;
};

struct track_block {
  char kind[TRACK_WORD_MOST];
  size_t stack;
  uint64_t address, bytes;
};

// What belongs to a misuse: the call itself, the allocation, the first free.
struct track_call {
  char kind[TRACK_WORD_MOST];  // called, allocated, freed
  size_t stack;
  uint64_t kernel_thread;  // 0: not known
};
enum { TRACK_CALLS_MOST = 8 };

struct track_map {
  uint64_t start, end;
  uint64_t offset;  // in the file
  uint64_t inode;
  bool is_executable;
  const char *path;  // as the kernel has it: "[vdso]" and names that end in " (deleted)" as well
};

struct track_file {
  const char *path;
  enum track_kind kind;
  uint64_t pid;
  const char *program;     // path of its executable; "" if unknown
  const char **arguments;  // the command, ended by NULL
  size_t argument_count;
  uint64_t time_seconds;  // of the wall clock, when it was written
  uint32_t time_nanoseconds;
  uint64_t uptime_ms;    // of the process, then
  enum track_mode mode;  // TRACK_EXACT: every allocation is in it
  uint64_t interval;     // mean bytes between two samples; 0 in exact mode

  uint64_t lost_stacks, lost_blocks;  // for want of memory

  struct track_thread *threads;  // ordered by number
  size_t thread_count;
  struct track_stack *stacks;  // ordered by number
  size_t stack_count;
  uint64_t *frames;
  size_t frame_count;
  struct track_site *sites;
  size_t site_count;
  struct track_leak *leaks;
  size_t leak_count;
  struct track_reached *reached;
  size_t reached_count;
  struct track_block *blocks;
  size_t block_count;
  uint64_t strays;     // blocks that are neither in use nor on a list of free ones
  const char *misuse;  // what was done: "double free"; "" if nothing was
  uint64_t misuse_address;
  struct track_call calls[TRACK_CALLS_MOST];
  size_t call_count;
  struct track_map *maps;  // ordered by address
  size_t map_count;

  struct track_text *texts;  // what the strings above lie in
};

// Reads a file, or stdin for "-". False after a line on stderr. Either way track_free. The path
// must last as long as the file.
bool track_read(struct track_file *file, const char *path);
void track_free(struct track_file *file);

// Return addresses, innermost first. The call is just before: address - 1 lies in it.
const uint64_t *track_frames(const struct track_file *file, size_t stack);

#endif
