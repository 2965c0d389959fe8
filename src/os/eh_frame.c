// SPDX-License-Identifier: MIT
#include "os/eh_frame.h"

#include <elf.h>
#include <string.h>

#include "os/frame_program.h"

enum {
  PROGRAM_HEADERS_MOST = 128,
  RETURN_COLUMN = 16,  // the number of the column
  WORD = 8,
};

#define MODULE_BYTES_MOST ((uintptr_t)1 << 40)

// ---------------------------------------------------------------------------------------------
// From a module to what is said of a function.

struct image {
  uintptr_t low, high;  // its memory
  uintptr_t index;      // of the functions: .eh_frame_hdr
  uintptr_t index_end;  // 0: it has none
};

static bool read_at(uintptr_t address, void *copy, size_t bytes)
{
  struct os_reader reader = os_reader_of(address, address + bytes);
  for (size_t i = 0; i < bytes; i += WORD) {
    uint64_t word = os_reader_take(&reader, WORD);
    memcpy((char *)copy + i, &word, WORD);
  }
  return !reader.has_failed;
}

static_assert(sizeof(Elf64_Ehdr) % WORD == 0 && sizeof(Elf64_Phdr) % WORD == 0, "read by words");

static bool read_header(uintptr_t module, Elf64_Ehdr *header)
{
  return read_at(module, header, sizeof *header) && memcmp(header->e_ident, ELFMAG, SELFMAG) == 0 &&
         header->e_ident[EI_CLASS] == ELFCLASS64 && header->e_phentsize == sizeof(Elf64_Phdr) &&
         header->e_phnum <= PROGRAM_HEADERS_MOST && header->e_phoff < MODULE_BYTES_MOST;
}

// A file's first part is mapped at the module's address; the others are as far from there as in it.
static bool find_image(uintptr_t module, struct image *image)
{
  Elf64_Ehdr header;
  Elf64_Phdr part;
  bool has_base = false;
  uintptr_t base = 0;
  if (!read_header(module, &header)) return false;
  *image = (struct image){.low = module};
  for (size_t i = 0; i < header.e_phnum; i++) {
    if (!read_at(module + header.e_phoff + i * sizeof part, &part, sizeof part)) return false;
    if (part.p_type == PT_LOAD && !has_base) {
      base = module - (part.p_vaddr - part.p_offset);
      has_base = true;
    }
    uintptr_t start = base + part.p_vaddr;
    if (part.p_type == PT_LOAD && start + part.p_memsz > image->high) {
      image->high = start + part.p_memsz;
    } else if (part.p_type == PT_GNU_EH_FRAME) {
      image->index = start;
      image->index_end = start + part.p_memsz;
    }
  }
  return image->high > module && image->high - module < MODULE_BYTES_MOST &&
         image->index >= module && image->index < image->index_end &&
         image->index_end <= image->high;
}

// The last function of the index that does not begin behind an address: where it is described.
static uintptr_t search_index(struct os_reader *reader, unsigned form, size_t count, uintptr_t data,
                              uintptr_t address)
{
  size_t width = (form & 7) == 3 ? 4 : 8;
  struct os_reader entry = *reader;
  uintptr_t table = reader->at;
  uintptr_t found = 0;
  size_t low = 0, high = count;
  if (count > (reader->end - table) / (2 * width)) return 0;
  while (low < high && !entry.has_failed) {
    size_t middle = (low + high) / 2;
    entry.at = table + middle * 2 * width;
    uintptr_t start = data + (uintptr_t)os_reader_form(&entry, form);
    if (start > address) {
      high = middle;
    } else {
      found = data + (uintptr_t)os_reader_form(&entry, form);
      low = middle + 1;
    }
  }
  return entry.has_failed ? 0 : found;
}

static uintptr_t find_function(const struct image *image, uintptr_t address)
{
  struct os_reader reader = os_reader_of(image->index, image->index_end);
  unsigned version = (unsigned)os_reader_take(&reader, 1);
  unsigned frame_encoding = (unsigned)os_reader_take(&reader, 1);
  unsigned count_encoding = (unsigned)os_reader_take(&reader, 1);
  unsigned table_encoding = (unsigned)os_reader_take(&reader, 1);
  if (version != 1 || count_encoding == OS_ENCODED_ABSENT) return 0;
  if (frame_encoding != OS_ENCODED_ABSENT) {
    (void)os_reader_address(&reader, frame_encoding & (unsigned)~OS_ENCODED_INDIRECT, image->index);
  }
  size_t count = (size_t)os_reader_address(&reader, count_encoding, image->index);
  unsigned form = table_encoding & OS_ENCODED_FORM;
  bool is_fixed = form == 0x3 || form == 0xb || form == 0x4 || form == 0xc || form == 0;
  unsigned base = table_encoding & (unsigned)~OS_ENCODED_FORM;
  if (!is_fixed || (base != 0 && base != 0x30) || reader.has_failed) return 0;
  return search_index(&reader, form, count, base != 0 ? image->index : 0, address);
}

// ---------------------------------------------------------------------------------------------
// What is said of a function.

// Past an entry's length; the reader ends where the entry does. False if it does not lie within.
static bool enter_entry(struct os_reader *reader, bool *is_wide)
{
  uint64_t length = os_reader_take(reader, 4);
  *is_wide = length == UINT32_MAX;
  if (*is_wide) length = os_reader_take(reader, 8);
  if (length == 0 || length > reader->end - reader->at || reader->has_failed) return false;
  reader->end = reader->at + length;
  return true;
}

// Letters, each of which stands for something that follows.
static void read_augmentation(struct os_reader *reader, const char *letters,
                              struct os_frame_common *common)
{
  if (letters[0] == '\0') return;
  if (letters[0] != 'z') {
    (void)os_reader_fail(reader);
    return;
  }
  common->has_length = true;
  uint64_t length = os_reader_number(reader);
  uintptr_t program = reader->at + length;
  if (length > reader->end - reader->at) (void)os_reader_fail(reader);
  for (size_t i = 1; letters[i] != '\0' && !reader->has_failed; i++) {
    if (letters[i] == 'R') {
      common->encoding = (unsigned)os_reader_take(reader, 1);
    } else if (letters[i] == 'S') {
      common->is_signal = true;
    } else if (letters[i] == 'L') {
      (void)os_reader_take(reader, 1);
    } else if (letters[i] == 'P') {
      unsigned form = (unsigned)os_reader_take(reader, 1);
      if (form != OS_ENCODED_ABSENT) (void)os_reader_form(reader, form & OS_ENCODED_FORM);
    } else {
      break;  // and whatever follows: it is known where all of that ends
    }
  }
  if (!reader->has_failed) reader->at = program;
}

static bool read_common(const struct image *image, uintptr_t at, struct os_frame_common *common)
{
  enum { LETTERS = 8 };
  struct os_reader reader = os_reader_of(at, image->high);
  char letters[LETTERS] = {0};
  bool is_wide;
  *common = (struct os_frame_common){0};
  if (at < image->low || !enter_entry(&reader, &is_wide)) return false;
  if (os_reader_take(&reader, is_wide ? 8 : 4) != 0) return false;  // a function's
  uint64_t version = os_reader_take(&reader, 1);
  if (version != 1 && version != 3) return false;
  for (size_t i = 0; (letters[i] = (char)os_reader_take(&reader, 1)) != '\0'; i++) {
    if (i == LETTERS - 1) return false;
  }
  common->code_step = os_reader_number(&reader);
  common->data_step = os_reader_signed(&reader);
  uint64_t column = version == 1 ? os_reader_take(&reader, 1) : os_reader_number(&reader);
  read_augmentation(&reader, letters, common);
  common->program = reader;
  return !reader.has_failed && column == RETURN_COLUMN;
}

// The entry of a function, if that contains the address.
static bool read_function(const struct image *image, uintptr_t at, uintptr_t address,
                          struct os_frame_common *common, struct os_reader *reader,
                          uintptr_t *start)
{
  bool is_wide;
  *reader = os_reader_of(at, image->high);
  if (at < image->low || at >= image->high || !enter_entry(reader, &is_wide)) return false;
  uintptr_t here = reader->at;
  uint64_t distance = os_reader_take(reader, is_wide ? 8 : 4);
  if (distance == 0 || distance > here - image->low) return false;
  if (!read_common(image, here - distance, common)) return false;
  *start = os_reader_address(reader, common->encoding, 0);
  uint64_t bytes = os_reader_form(reader, common->encoding & OS_ENCODED_FORM);
  if (common->has_length) os_reader_skip(reader, os_reader_number(reader));
  return !reader->has_failed && address - *start < bytes;
}

INTERNAL struct os_unwind_rule os_eh_frame_rule(uintptr_t module, uintptr_t address)
{
  const struct os_unwind_rule none = {.kind = OS_UNWIND_NONE, .saved = OS_UNWIND_LOST};
  struct image image;
  struct os_frame_common common;
  struct os_reader program;
  uintptr_t start;
  if (!find_image(module, &image)) return none;
  uintptr_t entry = find_function(&image, address);
  if (!read_function(&image, entry, address, &common, &program, &start)) return none;
  return os_frame_program_run(&common, program, address - start);
}
