// SPDX-License-Identifier: MIT
//
// A module that is made up, for those who read .eh_frame: an ELF header, an index of functions,
// what they have in common, and one function whose program the test gives.
#ifndef TESTS_EH_IMAGE_H
#define TESTS_EH_IMAGE_H

#include <elf.h>
#include <string.h>

enum {
  EH_IMAGE_BYTES = 8192,
  EH_IMAGE_INDEX = 0x200,
  EH_IMAGE_COMMON = 0x400,
  EH_IMAGE_CODE = 0x1000,
  EH_IMAGE_CODE_BYTES = 0x800,
  EH_IMAGE_PROGRAM_MOST = 256,
};

struct eh_image_writer {
  unsigned char *bytes;  // of the image
  size_t at;
};

static inline void eh_image_put(struct eh_image_writer *writer, uint64_t value, size_t bytes)
{
  for (size_t i = 0; i < bytes; i++) writer->bytes[writer->at++] = (unsigned char)(value >> 8 * i);
}

static inline void eh_image_put_all(struct eh_image_writer *writer, const void *from, size_t bytes)
{
  memcpy(writer->bytes + writer->at, from, bytes);
  writer->at += bytes;
}

// An address in the image, in an encoding, as if the image lay at `base`.
static inline void eh_image_put_address(struct eh_image_writer *writer, unsigned encoding,
                                        uint64_t base, size_t place)
{
  static const unsigned char sizes[16] = {8, 0, 2, 4, 8, 0, 0, 0, 0, 0, 2, 4, 8, 0, 0, 0};
  uint64_t from = (encoding & 0x70) == 0x10   ? writer->at
                  : (encoding & 0x70) == 0x30 ? EH_IMAGE_INDEX
                                              : -base;
  eh_image_put(writer, place - from, sizes[encoding & 0x0f]);
}

static inline void eh_image_put_header(unsigned char *image)
{
  Elf64_Ehdr header = {.e_type = ET_DYN, .e_phoff = sizeof header, .e_phnum = 2};
  Elf64_Phdr parts[2] = {
      {.p_type = PT_LOAD, .p_memsz = EH_IMAGE_BYTES, .p_filesz = EH_IMAGE_BYTES},
      {.p_type = PT_GNU_EH_FRAME, .p_vaddr = EH_IMAGE_INDEX, .p_memsz = 0x100},
  };
  header.e_phentsize = sizeof parts[0];
  memcpy(header.e_ident, ELFMAG, SELFMAG);
  header.e_ident[EI_CLASS] = ELFCLASS64;
  memcpy(image, &header, sizeof header);
  memcpy(image + sizeof header, parts, sizeof parts);
}

static inline void eh_image_put_index(unsigned char *image, size_t function)
{
  struct eh_image_writer writer = {image, EH_IMAGE_INDEX};
  eh_image_put(&writer, 0x3b031b01, 4);
  eh_image_put(&writer, EH_IMAGE_COMMON - writer.at, 4);
  eh_image_put(&writer, 2, 4);
  eh_image_put(&writer, EH_IMAGE_CODE - EH_IMAGE_INDEX, 4);
  eh_image_put(&writer, function - EH_IMAGE_INDEX, 4);
  // Behind the function there is nothing that is described.
  eh_image_put(&writer, EH_IMAGE_CODE + EH_IMAGE_CODE_BYTES + 64 - EH_IMAGE_INDEX, 4);
  eh_image_put(&writer, function - EH_IMAGE_INDEX, 4);
}

// The caller's stack begins at the stack pointer + 8 at first; code counts by 1, data by -8.
static inline void eh_image_make(unsigned char *image, uint64_t base, unsigned encoding,
                                 const char *letters, const void *program, size_t program_bytes)
{
  struct eh_image_writer writer = {image, EH_IMAGE_COMMON + 4};
  memset(image, 0, EH_IMAGE_BYTES);
  eh_image_put_header(image);
  eh_image_put(&writer, 0, 4);
  eh_image_put(&writer, 1, 1);
  eh_image_put_all(&writer, letters, strlen(letters) + 1);
  eh_image_put_all(&writer, "\1\x78\x10", 3);
  if (letters[0] == 'z') {
    bool has_personality = strchr(letters, 'P') != NULL;
    eh_image_put(&writer, strlen(letters) - 1 + (has_personality ? 4 : 0), 1);
    for (const char *letter = letters + 1; *letter != '\0'; letter++) {
      eh_image_put(&writer, *letter == 'R' ? encoding : *letter == 'P' ? 0x9b : 0x1b, 1);
      if (*letter == 'P') eh_image_put(&writer, 0x12345678, 4);
    }
  }
  eh_image_put_all(&writer, "\x0c\7\x08\x90\1", 5);
  writer.at = (writer.at + 7) / 8 * 8;
  size_t function = writer.at;
  writer.at = EH_IMAGE_COMMON;
  eh_image_put(&writer, function - EH_IMAGE_COMMON - 4, 4);
  writer.at = function + 4;
  eh_image_put(&writer, writer.at - EH_IMAGE_COMMON, 4);
  eh_image_put_address(&writer, encoding, base, EH_IMAGE_CODE);
  struct eh_image_writer plain = writer;
  eh_image_put_address(&plain, encoding & 0x0f, 0, EH_IMAGE_CODE_BYTES);
  writer = plain;
  if (letters[0] == 'z') eh_image_put(&writer, 0, 1);
  eh_image_put_all(&writer, program, program_bytes);
  size_t end = writer.at;
  writer.at = function;
  eh_image_put(&writer, end - function - 4, 4);
  eh_image_put_index(image, function);
}

#endif
