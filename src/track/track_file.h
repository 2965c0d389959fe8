// SPDX-License-Identifier: MIT
//
// The text of track files, whose format docs/track-file.md tells: the head, stacks, maps and the
// end, and the parts that a line is made of. What each kind of file has besides is for others to
// write (profile.c, and who looks for leaks).
//
// One file is written at a time, through one fixed buffer, without allocating. Errors are kept
// until the end: what comes after the first one is not written.
#ifndef TRACK_TRACK_FILE_H
#define TRACK_TRACK_FILE_H

#include "base/internal.h"

// Makes the calling thread the one that writes. `waits`: for another thread that does. False, and
// errno is EBUSY, if there is another, or (always) below a signal handler that has interrupted this
// thread while it wrote one.
INTERNAL bool track_file_acquire(bool waits);
// Without writing one.
INTERNAL void track_file_release(void);
// The one that writes begins a file of a kind with its head.
INTERNAL void track_file_open(int descriptor, const char *kind);
// Both, waiting.
INTERNAL bool track_file_begin(int descriptor, const char *kind);
// Writes the mappings and the end, and releases it. False, and errno is that of the first write
// that went wrong.
INTERNAL bool track_file_end(void);

// A line: its first word, its values, its end.
INTERNAL void track_file_line(const char *word);
INTERNAL void track_file_number(uint64_t number);
INTERNAL void track_file_hex(uint64_t number);
INTERNAL void track_file_text(const char *text, size_t bytes);
INTERNAL void track_file_end_line(void);
// The line of a stack, unless this file has it already. Between two lines.
INTERNAL void track_file_stack(uint32_t number);

// In the child of a fork: another thread's file is none of ours.
INTERNAL void track_file_after_fork(void);

#endif
