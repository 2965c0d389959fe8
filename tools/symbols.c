// SPDX-License-Identifier: MIT
#include "symbols.h"

#include <elfutils/libdwfl.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "command.h"
#include "demangle.h"
#include "dwarf_frames.h"
#include "module.h"
#include "plain.h"
#include "text.h"

struct module {
  struct symbol_module public;
  Dwfl_Module *dwfl;  // NULL: the file can't be read
  uint64_t bias;      // of its addresses; without the file, to what is an offset in it
  struct dwarf_units *units;
};

struct symbols {
  const struct track_file *file;
  Dwfl *dwfl;
  struct module *modules;  // ordered by address
  struct symbol_module *public_modules;
  size_t module_count;
  struct symbol **table;  // by hash of the address; a power of two of places
  size_t symbol_count, place_count;
};

// ---------------------------------------------------------------------------------------------
// Modules.

static bool find_bias(int descriptor, const struct track_map *map, uint64_t *bias)
{
  Elf *elf = elf_begin(descriptor, ELF_C_READ_MMAP, NULL);
  bool is_found = elf != NULL && elf_kind(elf) == ELF_K_ELF &&
                  module_bias(elf, map->start, map->offset, true, bias);
  elf_end(elf);
  return is_found;
}

// Files are opened as they are now. One that has changed since would give names that are wrong.
static int open_file(const struct track_file *file, const char *path)
{
  // A pipe must not be waited for.
  int descriptor = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
  struct stat state;
  if (descriptor < 0 || fstat(descriptor, &state) != 0 || !S_ISREG(state.st_mode)) {
    if (descriptor >= 0) close(descriptor);
    return -1;
  }
  if (file->time_seconds != 0 && (uint64_t)state.st_ctime > file->time_seconds) {
    complain("%s has changed since %s was written: names of functions in it may be wrong", path,
             file->path);
  }
  return descriptor;
}

static void read_build_id(struct module *module)
{
  const unsigned char *bits;
  GElf_Addr address;
  int length = dwfl_module_build_id(module->dwfl, &bits, &address);
  if (length <= 0 || (size_t)length > sizeof module->public.build_id) return;
  memcpy(module->public.build_id, bits, (size_t)length);
  module->public.build_id_length = (size_t)length;
}

// libdwfl knows modules by name and place, and drops one that comes twice: so the name is a number.
static Dwfl_Module *report(Dwfl *dwfl, const struct track_map *map, int descriptor, uint64_t bias)
{
  char name[24];
  snprintf(name, sizeof name, "%" PRIx64, map->start);
  return dwfl_report_elf(dwfl, name, map->path, descriptor, bias, true);
}

// Gives a module its file.
static void open_module(struct symbols *symbols, struct module *module, const struct track_map *map)
{
  module->bias = map->start - map->offset;
  if (map->path[0] != '/') return;
  int descriptor = open_file(symbols->file, map->path);
  if (descriptor < 0) return;
  uint64_t bias;
  if (find_bias(descriptor, map, &bias)) {
    module->bias = bias;
    module->dwfl = report(symbols->dwfl, map, descriptor, bias);
  }
  if (module->dwfl == NULL) {
    close(descriptor);
  } else {
    read_build_id(module);
  }
}

static bool continues(const struct module *module, const struct track_map *map)
{
  const struct symbol_module *before = &module->public;
  return before->end == map->start && strcmp(before->path, map->path) == 0 &&
         before->offset + (before->end - before->start) == map->offset;
}

// Whether a mapping is one more piece of the file that a module is of, in the same image: code that
// lies behind data, or of which a page in between has lost its right to run.
static bool shares_image(const struct module *module, const struct track_map *map)
{
  GElf_Addr bias;
  if (module->dwfl == NULL || strcmp(module->public.path, map->path) != 0) return false;
  Elf *elf = dwfl_module_getelf(module->dwfl, &bias);
  return elf != NULL && module_has_at(elf, module->bias, map->start, map->offset);
}

static void add_module(struct symbols *symbols, const struct track_map *map)
{
  struct module *last =
      symbols->module_count > 0 ? &symbols->modules[symbols->module_count - 1] : NULL;
  if (last != NULL && continues(last, map)) {
    last->public.end = map->end;
    return;
  }
  if (last != NULL && map->start < last->public.end) return;  // they overlap: no process is so
  struct module *module = &symbols->modules[symbols->module_count++];
  const char *name = text_base_name(map->path);
  module->public = (struct symbol_module){
      .path = map->path,
      .name = name,
      .start = map->start,
      .end = map->end,
      .offset = map->offset,
      .is_ours = strncmp(name, "libmend", 7) == 0 && strstr(name, ".so") != NULL,
  };
  for (size_t i = symbols->module_count - 1; i > 0 && module->dwfl == NULL; i--) {
    struct module *other = &symbols->modules[i - 1];
    if (!shares_image(other, map)) continue;
    module->dwfl = other->dwfl;
    module->bias = other->bias;
  }
  if (module->dwfl == NULL) open_module(symbols, module, map);
}

static int look_for_symbols(Dwfl_Module *dwfl)
{
  GElf_Addr bias;
  // That of the debug information, if there is any, else of the dynamic linker.
  (void)dwfl_module_getdwarf(dwfl, &bias);
  return dwfl_module_getsymtab(dwfl);
}

static bool read_modules(struct symbols *symbols)
{
  const struct track_file *file = symbols->file;
  symbols->modules = calloc(file->map_count + 1, sizeof *symbols->modules);
  symbols->public_modules = calloc(file->map_count + 1, sizeof *symbols->public_modules);
  if (symbols->modules == NULL || symbols->public_modules == NULL) return false;
  dwfl_report_begin(symbols->dwfl);
  for (size_t i = 0; i < file->map_count; i++) {
    const struct track_map *map = &file->maps[i];
    if (map->is_executable && map->path[0] != '\0') add_module(symbols, map);
  }
  dwfl_report_end(symbols->dwfl, NULL, NULL);
  for (size_t i = 0; i < symbols->module_count; i++) {
    struct module *module = &symbols->modules[i];
    module->public.has_symbols = module->dwfl != NULL && look_for_symbols(module->dwfl) > 1;
    symbols->public_modules[i] = module->public;
  }
  return true;
}

struct symbols *symbols_open(const struct track_file *file)
{
  static char *debug_path = NULL;  // the usual places
  static const Dwfl_Callbacks callbacks = {
      .find_elf = dwfl_build_id_find_elf,
      .find_debuginfo = dwfl_standard_find_debuginfo,
      .debuginfo_path = &debug_path,
  };
  elf_version(EV_CURRENT);
  struct symbols *symbols = calloc(1, sizeof *symbols);
  if (symbols != NULL) {
    symbols->file = file;
    symbols->dwfl = dwfl_begin(&callbacks);
    if (symbols->dwfl != NULL && read_modules(symbols)) return symbols;
    symbols_close(symbols);
  }
  complain("out of memory for the names of functions");
  return NULL;
}

static void free_symbol(struct symbol *symbol)
{
  if (symbol == NULL) return;
  dwarf_frames_free(symbol->frames, symbol->frame_count);
  free(symbol);
}

void symbols_close(struct symbols *symbols)
{
  if (symbols == NULL) return;
  for (size_t i = 0; i < symbols->place_count; i++) free_symbol(symbols->table[i]);
  for (size_t i = 0; i < symbols->module_count; i++) dwarf_units_free(symbols->modules[i].units);
  free(symbols->table);
  free(symbols->modules);
  free(symbols->public_modules);
  if (symbols->dwfl != NULL) dwfl_end(symbols->dwfl);
  free(symbols);
}

const struct symbol_module *symbols_modules(const struct symbols *symbols, size_t *count)
{
  *count = symbols->module_count;
  return symbols->public_modules;
}

// ---------------------------------------------------------------------------------------------
// Addresses.

static size_t find_module(const struct symbols *symbols, uint64_t address)
{
  size_t low = 0;
  size_t high = symbols->module_count;
  while (low < high) {
    size_t middle = low + (high - low) / 2;
    if (symbols->modules[middle].public.end <= address) {
      low = middle + 1;
    } else {
      high = middle;
    }
  }
  bool is_in = low < symbols->module_count && symbols->modules[low].public.start <= address;
  return is_in ? low : symbols->module_count;
}

static uint64_t identify(const struct symbol *symbol)
{
  uint64_t identity = UINT64_C(0xcbf29ce484222325);
  if (symbol->module == NULL) return identity ^ symbol->address;
  for (const char *at = symbol->module->path; *at != '\0'; at++) {
    identity = (identity ^ (unsigned char)*at) * UINT64_C(0x100000001b3);
  }
  return (identity ^ symbol->offset) * UINT64_C(0x9e3779b97f4a7c15);
}

static struct symbol *make_symbol(struct symbols *symbols, uint64_t return_address)
{
  struct symbol *symbol = calloc(1, sizeof *symbol);
  if (symbol == NULL) return NULL;
  uint64_t address = return_address - (return_address != 0);
  *symbol = (struct symbol){.address = return_address, .offset = address};
  size_t index = find_module(symbols, address);
  Dwfl_Module *dwfl = NULL;
  struct dwarf_units *none = NULL;
  struct dwarf_units **units = &none;
  if (index < symbols->module_count) {
    struct module *module = &symbols->modules[index];
    symbol->module = &symbols->public_modules[index];
    symbol->offset = address - module->bias;
    dwfl = module->dwfl;
    units = &module->units;
  }
  symbol->identity = identify(symbol);
  symbol->frames = dwarf_frames_find(dwfl, units, address, &symbol->frame_count);
  if (symbol->frames != NULL) return symbol;
  free(symbol);
  return NULL;
}

static size_t hash(uint64_t address)
{
  return (size_t)((address * UINT64_C(0x9e3779b97f4a7c15)) >> 32);
}

static struct symbol **find_place(struct symbol **table, size_t places, uint64_t address)
{
  size_t at = hash(address) & (places - 1);
  while (table[at] != NULL && table[at]->address != address) at = (at + 1) & (places - 1);
  return &table[at];
}

static bool make_room(struct symbols *symbols)
{
  if (symbols->symbol_count * 2 < symbols->place_count) return true;
  size_t places = symbols->place_count == 0 ? 256 : symbols->place_count * 2;
  struct symbol **table = calloc(places, sizeof(struct symbol *));
  if (table == NULL) return false;
  for (size_t i = 0; i < symbols->place_count; i++) {
    struct symbol *symbol = symbols->table[i];
    if (symbol != NULL) *find_place(table, places, symbol->address) = symbol;
  }
  free(symbols->table);
  symbols->table = table;
  symbols->place_count = places;
  return true;
}

const struct symbol *symbols_find(struct symbols *symbols, uint64_t return_address)
{
  static struct symbol_frame unknown_frame;  // never written
  static const struct symbol unknown = {.frames = &unknown_frame, .frame_count = 1};
  if (!make_room(symbols)) return &unknown;
  struct symbol **place = find_place(symbols->table, symbols->place_count, return_address);
  if (*place == NULL) {
    *place = make_symbol(symbols, return_address);
    if (*place == NULL) return &unknown;
    symbols->symbol_count++;
  }
  return *place;
}

bool symbols_is_outermost(const struct symbols *symbols, uint64_t return_address)
{
  uint64_t address = return_address - (return_address != 0);
  size_t index = find_module(symbols, address);
  Dwarf_Addr bias;
  Dwarf_Frame *frame = NULL;
  bool is_signal;
  if (index == symbols->module_count || symbols->modules[index].dwfl == NULL) return false;
  Dwarf_CFI *rules = dwfl_module_eh_cfi(symbols->modules[index].dwfl, &bias);
  if (rules == NULL || dwarf_cfi_addrframe(rules, address - bias, &frame) != 0) return false;
  int column = dwarf_frame_info(frame, NULL, NULL, &is_signal);
  Dwarf_Op memory[3];
  Dwarf_Op *where = NULL;
  size_t steps = 1;
  // Undefined: no steps, though there is a place for them.
  bool is_known = column >= 0 && dwarf_frame_register(frame, column, memory, &where, &steps) == 0;
  free(frame);
  return is_known && steps == 0 && where == memory;
}

// ---------------------------------------------------------------------------------------------

void symbols_name(char text[static SYMBOL_TEXT_MOST], const struct symbol *symbol, size_t index)
{
  const struct symbol_frame *frame = &symbol->frames[index];
  if (frame->function != NULL) {
    snprintf(text, SYMBOL_TEXT_MOST, "%s", frame->function);
  } else if (symbol->module != NULL) {
    snprintf(text, SYMBOL_TEXT_MOST, "%s+0x%" PRIx64, symbol->module->name, symbol->offset);
  } else {
    snprintf(text, SYMBOL_TEXT_MOST, "0x%" PRIx64, symbol->address);
  }
  plain_make(text);
}

void symbols_describe(char text[static SYMBOL_TEXT_MOST], const struct symbol *symbol, size_t index)
{
  const struct symbol_frame *frame = &symbol->frames[index];
  symbols_name(text, symbol, index);
  size_t length = strlen(text);
  if (frame->function == NULL) return;
  if (frame->file != NULL) {
    snprintf(text + length, SYMBOL_TEXT_MOST - length, " (%s:%" PRIu32 ")",
             text_base_name(frame->file), frame->line);
  } else if (symbol->module != NULL) {
    snprintf(text + length, SYMBOL_TEXT_MOST - length, " (%s)", symbol->module->name);
  }
  plain_make(text);
}

size_t symbols_own_frames(struct symbols *symbols, const struct track_file *file, size_t stack)
{
  const uint64_t *frames = track_frames(file, stack);
  size_t count = 0;
  while (count < file->stacks[stack].frame_count) {
    const struct symbol *symbol = symbols_find(symbols, frames[count]);
    if (symbol->module == NULL || !symbol->module->is_ours) break;
    count++;
  }
  return count;
}
