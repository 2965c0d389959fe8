// SPDX-License-Identifier: MIT
#include "core_file.h"

#include <errno.h>
#include <gelf.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <sys/procfs.h>
#include <unistd.h>

#include "command.h"
#include "target.h"

enum { SEGMENTS_MOST = 1 << 20, NOTE_MOST = 64 << 20 };

bool core_file_is(int file)
{
  Elf64_Ehdr header;
  return pread(file, &header, sizeof header, 0) == (ssize_t)sizeof header &&
         memcmp(header.e_ident, ELFMAG, SELFMAG) == 0 && header.e_type == ET_CORE;
}

// ---------------------------------------------------------------------------------------------
// Notes.

// The name of a process that the kernel has cut to what fits, and its number.
static void read_process(struct target *target, const char *note, size_t bytes)
{
  struct elf_prpsinfo process;
  if (bytes < sizeof process) return;
  memcpy(&process, note, sizeof process);
  target->process = process.pr_pid;
}

static uint64_t number_at(const char *note, size_t index)
{
  uint64_t number;
  memcpy(&number, note + index * sizeof number, sizeof number);
  return number;
}

// The files that were mapped: count, what offsets count in, three numbers a mapping, then their
// paths. The kernel counts in its pages, gdb (gcore) in bytes.
static bool read_files(struct target *target, const char *note, size_t bytes)
{
  if (bytes < 16) return true;
  uint64_t count = number_at(note, 0);
  uint64_t unit = number_at(note, 1);
  if (count > SEGMENTS_MOST || count > (bytes - 16) / 24) return true;
  if (unit != 1 && (unit < 4096 || unit > 1 << 20 || (unit & (unit - 1)) != 0)) return true;
  struct mapping *mappings = calloc(count + 1, sizeof *mappings);
  if (mappings == NULL) return false;
  if (unit != 1) target->page_bytes = unit;
  free(target->mappings);
  target->mappings = mappings;
  const char *path = note + 16 + count * 24;
  const char *end = note + bytes;
  for (uint64_t i = 0; i < count && path < end; i++) {
    size_t length = strnlen(path, (size_t)(end - path));
    mappings[i] = (struct mapping){.start = number_at(note, 2 + i * 3),
                                   .end = number_at(note, 3 + i * 3),
                                   .offset = number_at(note, 4 + i * 3) * unit,
                                   .is_readable = true,
                                   .path = strndup(path, length)};
    if (mappings[i].path == NULL) return false;
    target->mapping_count++;
    path += length + 1;
  }
  return true;
}

static bool read_note(struct target *target, const GElf_Nhdr *note, const char *content)
{
  switch (note->n_type) {
  case NT_PRPSINFO:
    read_process(target, content, note->n_descsz);
    return true;
  case NT_FILE:
    return target->mapping_count > 0 || read_files(target, content, note->n_descsz);
  default:
    return true;
  }
}

static bool read_notes(struct target *target, Elf *elf, const GElf_Phdr *header)
{
  if (header->p_filesz > NOTE_MOST || header->p_offset > INT64_MAX) return true;
  Elf_Data *data = elf_getdata_rawchunk(elf, (int64_t)header->p_offset, header->p_filesz,
                                        header->p_align == 8 ? ELF_T_NHDR8 : ELF_T_NHDR);
  size_t at = 0, name, content;
  GElf_Nhdr note;
  while (data != NULL && (at = gelf_getnote(data, at, &note, &name, &content)) > 0) {
    bool is_core = note.n_namesz == 5 && memcmp((char *)data->d_buf + name, "CORE", 5) == 0;
    if (is_core && !read_note(target, &note, (char *)data->d_buf + content)) return false;
  }
  return true;
}

// ---------------------------------------------------------------------------------------------
// Segments.

static int compare_segments(const void *left, const void *right)
{
  const struct segment *one = left, *other = right;
  return one->start < other->start ? -1 : one->start > other->start;
}

// Those that overlap others, or wrap, are nobody's.
static void drop_unsound(struct target *target)
{
  size_t kept = 0;
  uint64_t end = 0;
  for (size_t i = 0; i < target->segment_count; i++) {
    struct segment *segment = &target->segments[i];
    if (segment->start < end || segment->bytes > UINT64_MAX - segment->start) continue;
    if (segment->held_bytes > segment->bytes) segment->held_bytes = segment->bytes;
    end = segment->start + segment->bytes;
    target->segments[kept++] = *segment;
  }
  target->segment_count = kept;
}

static bool read_headers(struct target *target, Elf *elf)
{
  size_t count;
  if (elf_getphdrnum(elf, &count) != 0 || count > SEGMENTS_MOST) return false;
  target->segments = calloc(count + 1, sizeof *target->segments);
  if (target->segments == NULL) return false;
  for (size_t i = 0; i < count; i++) {
    GElf_Phdr header;
    if (gelf_getphdr(elf, (int)i, &header) == NULL) return false;
    if (header.p_type == PT_NOTE && !read_notes(target, elf, &header)) return false;
    if (header.p_type != PT_LOAD) continue;
    target->segments[target->segment_count++] =
        (struct segment){header.p_vaddr, header.p_memsz, header.p_filesz, header.p_offset};
  }
  qsort(target->segments, target->segment_count, sizeof *target->segments, compare_segments);
  drop_unsound(target);
  return target->segment_count > 0;
}

// The program is the file that is mapped first of all that are.
static void find_program(struct target *target)
{
  if (target->mapping_count == 0) return;
  char *program = strdup(target->mappings[0].path);
  if (program == NULL) return;
  free(target->program);
  target->program = program;
}

bool core_file_read(struct target *target)
{
  bool is_good = core_file_is(target->memory) && elf_version(EV_CURRENT) != EV_NONE;
  Elf *elf = is_good ? elf_begin(target->memory, ELF_C_READ, NULL) : NULL;
  is_good = elf != NULL && gelf_getclass(elf) == ELFCLASS64 && read_headers(target, elf);
  if (elf != NULL) elf_end(elf);
  if (is_good) {
    find_program(target);
  } else {
    complain("%s: this is no core file that can be read, or it is cut off", target->name);
  }
  return is_good;
}

// ---------------------------------------------------------------------------------------------

// The segment that holds an address; NULL if none does.
static const struct segment *find_segment(const struct target *target, uint64_t address)
{
  size_t low = 0, high = target->segment_count;
  while (low < high) {
    size_t middle = low + (high - low) / 2;
    if (target->segments[middle].start <= address) {
      low = middle + 1;
    } else {
      high = middle;
    }
  }
  if (low == 0) return NULL;
  const struct segment *segment = &target->segments[low - 1];
  return address - segment->start < segment->held_bytes ? segment : NULL;
}

size_t core_file_read_memory(const struct target *target, uint64_t address, char *buffer,
                             size_t bytes)
{
  size_t done = 0;
  while (done < bytes) {
    const struct segment *segment = find_segment(target, address + done);
    if (segment == NULL) break;
    uint64_t within = address + done - segment->start;
    uint64_t left = segment->held_bytes - within;
    size_t part = left < bytes - done ? (size_t)left : bytes - done;
    if (segment->offset > (uint64_t)INT64_MAX - within) break;
    ssize_t count = pread(target->memory, buffer + done, part, (off_t)(segment->offset + within));
    if (count < 0 && errno == EINTR) continue;
    if (count <= 0) break;
    done += (size_t)count;
  }
  return done;
}

uint64_t core_file_next(const struct target *target, uint64_t address)
{
  for (size_t i = 0; i < target->segment_count; i++) {
    const struct segment *segment = &target->segments[i];
    if (segment->held_bytes == 0 || address >= segment->start + segment->held_bytes) continue;
    return address > segment->start ? address : segment->start;
  }
  return UINT64_MAX;
}
