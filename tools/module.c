// SPDX-License-Identifier: MIT
#include "module.h"

#include <gelf.h>
#include <string.h>

#include "target.h"

static Elf *begin(int file)
{
  if (elf_version(EV_CURRENT) == EV_NONE) return NULL;
  Elf *elf = elf_begin(file, ELF_C_READ, NULL);
  if (elf == NULL) return NULL;
  bool is_ours = elf_kind(elf) == ELF_K_ELF && gelf_getclass(elf) == ELFCLASS64;
  if (is_ours) return elf;
  elf_end(elf);
  return NULL;
}

// ---------------------------------------------------------------------------------------------

// Reads a part of the file that is loaded; false if the offset is not in it. The mapping begins at
// the start of an os page, the part may begin later.
static bool read_part(Elf *elf, size_t index, uint64_t offset, GElf_Phdr *part)
{
  if (gelf_getphdr(elf, (int)index, part) == NULL || part->p_type != PT_LOAD) return false;
  uint64_t page = part->p_align != 0 ? part->p_align : 1;
  return offset < part->p_offset + part->p_filesz && offset + page > part->p_offset;
}

bool module_bias(Elf *elf, uint64_t start, uint64_t offset, bool is_code, uint64_t *bias)
{
  size_t count;
  if (elf_getphdrnum(elf, &count) != 0) return false;
  for (size_t i = 0; i < count; i++) {
    GElf_Phdr part;
    if (!read_part(elf, i, offset, &part) || (is_code && (part.p_flags & PF_X) == 0)) continue;
    *bias = start - (part.p_vaddr + (offset - part.p_offset));
    return true;
  }
  return false;
}

bool module_has_at(Elf *elf, uint64_t bias, uint64_t start, uint64_t offset)
{
  size_t count;
  if (elf_getphdrnum(elf, &count) != 0) return false;
  for (size_t i = 0; i < count; i++) {
    GElf_Phdr part;
    if (!read_part(elf, i, offset, &part)) continue;
    if (start - bias == part.p_vaddr + (offset - part.p_offset)) return true;
  }
  return false;
}

static bool find_in_table(Elf *elf, Elf_Scn *section, const GElf_Shdr *header, const char *symbol,
                          uint64_t *value)
{
  Elf_Data *data = elf_getdata(section, NULL);
  if (data == NULL || header->sh_entsize == 0) return false;
  size_t count = data->d_size / header->sh_entsize;
  for (size_t i = 1; i < count && i <= INT32_MAX; i++) {
    GElf_Sym found;
    if (gelf_getsym(data, (int)i, &found) == NULL) return false;
    if (found.st_shndx == SHN_UNDEF || found.st_value == 0) continue;
    const char *name = elf_strptr(elf, header->sh_link, found.st_name);
    if (name == NULL || strcmp(name, symbol) != 0) continue;
    *value = found.st_value;
    return true;
  }
  return false;
}

static bool find_in_tables(Elf *elf, uint32_t type, const char *symbol, uint64_t *value)
{
  Elf_Scn *section = NULL;
  while ((section = elf_nextscn(elf, section)) != NULL) {
    GElf_Shdr header;
    if (gelf_getshdr(section, &header) == NULL || header.sh_type != type) continue;
    if (find_in_table(elf, section, &header, symbol, value)) return true;
  }
  return false;
}

static bool find(int file, const char *symbol, const struct mapping *mapping, bool exports_only,
                 uint64_t *address)
{
  Elf *elf = begin(file);
  if (elf == NULL) return false;
  uint64_t bias = 0, value = 0;
  bool is_found = module_bias(elf, mapping->start, mapping->offset, false, &bias) &&
                  (find_in_tables(elf, SHT_DYNSYM, symbol, &value) ||
                   (!exports_only && find_in_tables(elf, SHT_SYMTAB, symbol, &value)));
  elf_end(elf);
  *address = bias + value;
  return is_found;
}

bool module_find_symbol(int file, const char *symbol, const struct mapping *mapping,
                        uint64_t *address)
{
  return find(file, symbol, mapping, false, address);
}

bool module_find_export(int file, const char *symbol, const struct mapping *mapping,
                        uint64_t *address)
{
  return find(file, symbol, mapping, true, address);
}
