// SPDX-License-Identifier: MIT
//
// Whose heap is looked at: a process that runs, or the core file that one has left. What can be
// asked of either is the same: its memory, its mappings, and where a symbol of its modules is.
//
// Nothing of a target is trusted. A read gives what is there up to the first byte that is not;
// files of modules are read, not mapped, so that nobody can pull them away under the command.
#ifndef TOOLS_TARGET_H
#define TOOLS_TARGET_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

// A stretch of addresses that are mapped. Of a core file: that it holds, or names a file for.
struct mapping {
  uint64_t start;
  uint64_t end;
  uint64_t offset;  // into the file
  uint64_t inode;   // 0: none, or not known
  bool is_readable;
  bool is_executable;
  char *path;  // "" if it has none
};

struct segment;

struct target {
  pid_t process;             // its number; of a core file, the one it had
  bool is_live;              // a process, not a core file
  char *name;                // for people: "process 12", or the core file's path
  char *program;             // the path of what it runs; "" if that is not known
  uint64_t page_bytes;       // of the kernel
  int memory;                // its memory, or the core file
  struct mapping *mappings;  // by rising addresses
  size_t mapping_count;
  struct segment *segments;  // of a core file
  size_t segment_count;
};

// Opens a process by its number, or the core file of that path. False after a complaint. Either way
// target_close.
bool target_open_process(struct target *target, pid_t process);
bool target_open_core(struct target *target, const char *path);
void target_close(struct target *target);

// Whether the file is a core file, without a complaint.
bool target_is_core(const char *path);

// Reads memory: says how many bytes there are before the first that cannot be read.
size_t target_read(const struct target *target, uint64_t address, void *buffer, size_t bytes);
// Reads the 8 bytes at each of several addresses; is_read[i] says whether they could be read.
void target_read_words(const struct target *target, const uint64_t *addresses, uint64_t *words,
                       bool *is_read, size_t count);
// Whether the process is still there and may be read.
bool target_is_there(const struct target *target);
// Complains that it is not: it has ended, or become another program, with another memory.
void target_complain_of_loss(const struct target *target);
// Reads the mappings of a process anew. False if that cannot be done: then there are none.
bool target_refresh(struct target *target);
// The first mapped address from here on; UINT64_MAX if there is none.
uint64_t target_next_mapped(const struct target *target, uint64_t address);

// Calls the function with each address of a symbol, module after module; it returns false to end
// it. Modules whose files are gone are looked for by what the kernel keeps of them.
typedef bool (*target_symbol_visitor)(void *argument, uint64_t address, const char *path);
void target_each_symbol(const struct target *target, const char *symbol,
                        target_symbol_visitor visitor, void *argument);

// Opens a module's file, the one that is mapped and no other of that name if the kernel can tell;
// -1 if it is not to be had.
int target_open_module(const struct target *target, const struct mapping *mapping);

#endif
