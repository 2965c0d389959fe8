// SPDX-License-Identifier: MIT
#include "target.h"

#include <ctype.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <sys/uio.h>
#include <unistd.h>

#include "command.h"
#include "core_file.h"
#include "module.h"
#include "process_image.h"
#include "text.h"

enum { MAPPINGS_MOST = 1 << 20, READ_MOST = 1 << 30, WORDS_MOST = 256 };

// ---------------------------------------------------------------------------------------------
// Mappings of a process.

static void free_mappings(struct target *target)
{
  for (size_t i = 0; i < target->mapping_count; i++) free(target->mappings[i].path);
  free(target->mappings);
  target->mappings = NULL;
  target->mapping_count = 0;
}

// A line of /proc/PID/maps. The path is a copy.
static bool parse_mapping(struct mapping *mapping, char *line)
{
  char rights[8];
  unsigned major, minor;
  int path = 0;
  line[strcspn(line, "\n")] = '\0';
  if (sscanf(line, "%" SCNx64 "-%" SCNx64 " %7s %" SCNx64 " %x:%x %" SCNu64 " %n", &mapping->start,
             &mapping->end, rights, &mapping->offset, &major, &minor, &mapping->inode, &path) < 7 ||
      mapping->end <= mapping->start) {
    return false;
  }
  mapping->is_readable = rights[0] == 'r';
  mapping->is_executable = rights[2] == 'x';
  mapping->path = strdup(path > 0 ? line + path : "");
  return mapping->path != NULL;
}

static bool read_mappings(struct target *target, FILE *file)
{
  char *line = NULL;
  size_t line_room = 0;
  size_t room = 0;
  bool is_good = true;
  while (is_good && target->mapping_count < MAPPINGS_MOST && getline(&line, &line_room, file) > 0) {
    if (target->mapping_count == room) {
      room = room == 0 ? 64 : room * 2;
      struct mapping *more = realloc(target->mappings, room * sizeof *more);
      if (more == NULL) break;
      target->mappings = more;
    }
    is_good = parse_mapping(&target->mappings[target->mapping_count], line);
    target->mapping_count += is_good;
  }
  free(line);
  return is_good;
}

bool target_refresh(struct target *target)
{
  char path[64];
  if (!target->is_live) return true;
  free_mappings(target);
  snprintf(path, sizeof path, "/proc/%d/maps", (int)target->process);
  FILE *file = fopen(path, "re");
  if (file == NULL) return false;
  bool is_good = read_mappings(target, file);
  fclose(file);
  if (!is_good) free_mappings(target);
  return is_good && target->mapping_count > 0;
}

uint64_t target_next_mapped(const struct target *target, uint64_t address)
{
  if (!target->is_live) return core_file_next(target, address);
  for (size_t i = 0; i < target->mapping_count; i++) {
    const struct mapping *mapping = &target->mappings[i];
    if (address >= mapping->end || !mapping->is_readable) continue;
    return address > mapping->start ? address : mapping->start;
  }
  return UINT64_MAX;
}

// ---------------------------------------------------------------------------------------------
// Opening and closing.

// A symbolic link of /proc as text; "" if it cannot be read.
static char *read_link(const char *path)
{
  char text[4096];
  ssize_t length = readlink(path, text, sizeof text - 1);
  text[length > 0 ? length : 0] = '\0';
  return strdup(text);
}

// What the kernel's refusal means.
static bool refuse_process(const struct target *target)
{
  char path[64];
  snprintf(path, sizeof path, "/proc/%d", (int)target->process);
  if (access(path, F_OK) != 0) {
    complain("there is no process %d", (int)target->process);
  } else if (errno == EACCES || errno == EPERM) {
    complain("%s may not be read: it is another user's, has more rights than you, or "
             "kernel.yama.ptrace_scope forbids it; root may",
             target->name);
  } else {
    complain("%s has no memory to read: it has ended, or is the kernel's own", target->name);
  }
  return false;
}

bool target_open_process(struct target *target, pid_t process)
{
  char path[64];
  *target = (struct target){.process = process, .is_live = true, .memory = -1};
  target->page_bytes = (uint64_t)sysconf(_SC_PAGESIZE);
  snprintf(path, sizeof path, "/proc/%d/exe", (int)process);
  target->program = read_link(path);
  if (asprintf(&target->name, "process %d", (int)process) < 0) target->name = NULL;
  if (target->name == NULL || target->program == NULL) {
    complain("out of memory");
    return false;
  }
  snprintf(path, sizeof path, "/proc/%d/mem", (int)process);
  target->memory = open(path, O_RDONLY | O_CLOEXEC);
  if (target->memory < 0) return refuse_process(target);
  errno = 0;
  return target_refresh(target) || refuse_process(target);
}

bool target_open_core(struct target *target, const char *path)
{
  *target = (struct target){.memory = -1, .page_bytes = 4096};
  target->name = strdup(path);
  target->program = strdup("");
  if (target->name == NULL || target->program == NULL) {
    complain("out of memory");
    return false;
  }
  target->memory = open(path, O_RDONLY | O_CLOEXEC);
  if (target->memory >= 0) return core_file_read(target);
  complain("%s: %s", path, strerror(errno));
  return false;
}

bool target_is_core(const char *path)
{
  int file = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
  if (file < 0) return false;
  bool is_core = core_file_is(file);
  close(file);
  return is_core;
}

void target_close(struct target *target)
{
  free_mappings(target);
  free(target->segments);
  free(target->name);
  free(target->program);
  if (target->memory >= 0) close(target->memory);
  *target = (struct target){.memory = -1};
}

// ---------------------------------------------------------------------------------------------
// Memory.

static size_t read_by_file(const struct target *target, uint64_t address, char *buffer,
                           size_t bytes)
{
  size_t done = 0;
  while (done < bytes && address + done <= INT64_MAX) {
    ssize_t count = pread(target->memory, buffer + done, bytes - done, (off_t)(address + done));
    if (count < 0 && errno == EINTR) continue;
    if (count <= 0) break;
    done += (size_t)count;
  }
  return done;
}

size_t target_read(const struct target *target, uint64_t address, void *buffer, size_t bytes)
{
  if (bytes > READ_MOST) bytes = READ_MOST;
  if (bytes == 0 || address > UINT64_MAX - bytes) return 0;
  if (!target->is_live) return core_file_read_memory(target, address, buffer, bytes);
  struct iovec here = {buffer, bytes};
  struct iovec there = {(void *)(uintptr_t)address, bytes};
  ssize_t count = process_vm_readv(target->process, &here, 1, &there, 1, 0);
  if (count >= 0) return (size_t)count;
  // Filters of system calls and old kernels: the file does the same, more slowly.
  return errno == EFAULT || errno == ESRCH ? 0 : read_by_file(target, address, buffer, bytes);
}

// Up to WORDS_MOST of them by one call; says how many were read before the first that cannot be.
static size_t read_words_at_once(const struct target *target, const uint64_t *addresses,
                                 uint64_t *words, size_t count)
{
  struct iovec there[WORDS_MOST];
  struct iovec here = {words, count * sizeof *words};
  for (size_t i = 0; i < count; i++) {
    there[i] = (struct iovec){(void *)(uintptr_t)addresses[i], sizeof *words};
  }
  ssize_t read = process_vm_readv(target->process, &here, 1, there, count, 0);
  return read > 0 ? (size_t)read / sizeof *words : 0;
}

void target_read_words(const struct target *target, const uint64_t *addresses, uint64_t *words,
                       bool *is_read, size_t count)
{
  for (size_t done = 0; done < count;) {
    size_t part = count - done < WORDS_MOST ? count - done : WORDS_MOST;
    size_t read =
        target->is_live ? read_words_at_once(target, addresses + done, words + done, part) : 0;
    for (size_t i = 0; i < read; i++) is_read[done++] = true;
    if (read == part) continue;
    // The one that stopped it, or all where there is no such call.
    is_read[done] = target_read(target, addresses[done], &words[done], 8) == 8;
    done++;
  }
}

bool target_is_there(const struct target *target)
{
  char byte;
  if (!target->is_live) return true;
  for (size_t i = 0; i < target->mapping_count; i++) {
    const struct mapping *mapping = &target->mappings[i];
    if (mapping->is_readable && mapping->path[0] == '/') {
      return target_read(target, mapping->start, &byte, 1) == 1;
    }
  }
  return false;
}

void target_complain_of_loss(const struct target *target)
{
  bool has_ended = !target->is_live || process_is_gone(target->process);
  complain("%s has %s", target->name, has_ended ? "ended" : "become another program");
}

// ---------------------------------------------------------------------------------------------
// Modules.

static bool is_same_file(int file, const struct mapping *mapping)
{
  struct stat status;
  if (fstat(file, &status) != 0 || !S_ISREG(status.st_mode)) return false;
  if (mapping->inode == 0) return true;
  // File systems that are made of others show other devices than the mappings.
  return status.st_ino == mapping->inode;
}

static int open_same(const char *path, const struct mapping *mapping)
{
  int file = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
  if (file >= 0 && !is_same_file(file, mapping)) {
    close(file);
    file = -1;
  }
  return file;
}

int target_open_module(const struct target *target, const struct mapping *mapping)
{
  char path[4096 + 64];
  if (!target->is_live) return open_same(mapping->path, mapping);
  // In the target's own view of the files, then by what is mapped, then what it was started from.
  snprintf(path, sizeof path, "/proc/%d/root%s", (int)target->process, mapping->path);
  int file = open_same(path, mapping);
  if (file < 0) file = open_same(mapping->path, mapping);
  if (file < 0) {
    snprintf(path, sizeof path, "/proc/%d/map_files/%" PRIx64 "-%" PRIx64, (int)target->process,
             mapping->start, mapping->end);
    file = open_same(path, mapping);
  }
  if (file < 0) {
    snprintf(path, sizeof path, "/proc/%d/exe", (int)target->process);
    file = open_same(path, mapping);
  }
  return file;
}

// The first mapping of each file that may be a module.
static bool begins_module(const struct target *target, size_t index)
{
  const struct mapping *mapping = &target->mappings[index];
  if (mapping->path[0] != '/') return false;
  return index == 0 || strcmp(mapping->path, target->mappings[index - 1].path) != 0;
}

// Modules that are more likely to have mend's symbols come first.
static bool is_likely(const struct target *target, const struct mapping *mapping)
{
  return strncmp(text_base_name(mapping->path), "libmend", 7) == 0 ||
         strcmp(mapping->path, target->program) == 0;
}

void target_each_symbol(const struct target *target, const char *symbol,
                        target_symbol_visitor visitor, void *argument)
{
  bool goes_on = true;
  for (int round = 0; round < 2 && goes_on; round++) {
    for (size_t i = 0; i < target->mapping_count && goes_on; i++) {
      const struct mapping *mapping = &target->mappings[i];
      if (!begins_module(target, i) || is_likely(target, mapping) != (round == 0)) continue;
      int file = target_open_module(target, mapping);
      if (file < 0) continue;
      uint64_t address;
      if (module_find_symbol(file, symbol, mapping, &address)) {
        goes_on = visitor(argument, address, mapping->path);
      }
      close(file);
    }
  }
}
