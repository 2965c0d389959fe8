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

// How far the module lies from where it was linked for.
static bool find_bias(Elf *elf, const struct mapping *mapping, uint64_t page_bytes, uint64_t *bias)
{
  size_t count;
  if (elf_getphdrnum(elf, &count) != 0) return false;
  for (size_t i = 0; i < count; i++) {
    GElf_Phdr header;
    if (gelf_getphdr(elf, (int)i, &header) == NULL || header.p_type != PT_LOAD) continue;
    uint64_t within = header.p_offset % page_bytes;
    if (header.p_offset - within != mapping->offset) continue;
    *bias = mapping->start - (header.p_vaddr - within);
    return true;
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

static bool find(int file, const char *symbol, const struct mapping *mapping, uint64_t page_bytes,
                 bool exports_only, uint64_t *address)
{
  Elf *elf = begin(file);
  if (elf == NULL) return false;
  uint64_t bias = 0, value = 0;
  bool is_found = find_bias(elf, mapping, page_bytes, &bias) &&
                  (find_in_tables(elf, SHT_DYNSYM, symbol, &value) ||
                   (!exports_only && find_in_tables(elf, SHT_SYMTAB, symbol, &value)));
  elf_end(elf);
  *address = bias + value;
  return is_found;
}

bool module_find_symbol(int file, const char *symbol, const struct mapping *mapping,
                        uint64_t page_bytes, uint64_t *address)
{
  return find(file, symbol, mapping, page_bytes, false, address);
}

bool module_find_export(int file, const char *symbol, const struct mapping *mapping,
                        uint64_t page_bytes, uint64_t *address)
{
  return find(file, symbol, mapping, page_bytes, true, address);
}
