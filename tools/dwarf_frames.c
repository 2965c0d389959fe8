// SPDX-License-Identifier: MIT
#include "dwarf_frames.h"

#include <dwarf.h>
#include <elfutils/libdw.h>
#include <stdlib.h>
#include <string.h>

#include "demangle.h"

enum { FRAMES_MOST = 64 };

struct unit {
  Dwarf_Addr start, end;
  Dwarf_Off offset;  // of its entry
};

struct dwarf_units {
  size_t count, room;
  struct unit *units;  // ordered by start
};

// ---------------------------------------------------------------------------------------------
// Compilation units. Compilers differ: gcc leaves a table of their ranges (aranges), clang does
// not.

void dwarf_units_free(struct dwarf_units *units)
{
  if (units == NULL) return;
  free(units->units);
  free(units);
}

static void add_unit(struct dwarf_units *units, Dwarf_Addr start, Dwarf_Addr end, Dwarf_Off offset)
{
  if (units->count == units->room) {
    size_t room = units->room == 0 ? 64 : units->room * 2;
    struct unit *larger = realloc(units->units, room * sizeof *larger);
    if (larger == NULL) return;
    units->units = larger;
    units->room = room;
  }
  units->units[units->count++] = (struct unit){start, end, offset};
}

static int compare_units(const void *first, const void *second)
{
  const struct unit *one = first;
  const struct unit *two = second;
  return (one->start > two->start) - (one->start < two->start);
}

static struct dwarf_units *read_units(Dwfl_Module *module)
{
  struct dwarf_units *units = calloc(1, sizeof *units);
  Dwarf_Addr bias;
  Dwarf_Die *die = NULL;
  while (units != NULL && (die = dwfl_module_nextcu(module, die, &bias)) != NULL) {
    Dwarf_Addr base, start, end;
    ptrdiff_t next = 0;
    while ((next = dwarf_ranges(die, next, &base, &start, &end)) > 0) {
      add_unit(units, start, end, dwarf_dieoffset(die));
    }
  }
  if (units != NULL && units->count > 0) {
    qsort(units->units, units->count, sizeof *units->units, compare_units);
  }
  return units;
}

// The entry of the unit that holds an address; false if none is known.
static bool find_in_units(Dwfl_Module *module, const struct dwarf_units *units, uint64_t address,
                          Dwarf_Die *die, Dwarf_Addr *bias)
{
  Dwarf *dwarf = dwfl_module_getdwarf(module, bias);
  if (dwarf == NULL || units == NULL) return false;
  size_t low = 0;
  size_t high = units->count;
  while (low < high) {
    size_t middle = low + (high - low) / 2;
    if (units->units[middle].start <= address - *bias) {
      low = middle + 1;
    } else {
      high = middle;
    }
  }
  if (low == 0 || units->units[low - 1].end <= address - *bias) return false;
  return dwarf_offdie(dwarf, units->units[low - 1].offset, die) != NULL;
}

static bool find_unit(Dwfl_Module *module, struct dwarf_units **units, uint64_t address,
                      Dwarf_Die *die, Dwarf_Addr *bias)
{
  Dwarf_Die *found = dwfl_module_addrdie(module, address, bias);
  if (found != NULL) {
    *die = *found;
    return true;
  }
  if (*units == NULL) *units = read_units(module);
  return find_in_units(module, *units, address, die, bias);
}

// ---------------------------------------------------------------------------------------------
// Names.

static void set_name(struct symbol_frame *frame, const char *symbol)
{
  if (symbol == NULL || *symbol == '\0') return;
  char *readable = demangle(symbol);
  frame->symbol = strdup(symbol);
  frame->function = readable != NULL ? readable : strdup(symbol);
}

// As the linker knows the function of an entry, or else as its source does.
static const char *name_of(Dwarf_Die *die)
{
  Dwarf_Attribute attribute;
  Dwarf_Attribute *found = dwarf_attr_integrate(die, DW_AT_linkage_name, &attribute);
  if (found == NULL) found = dwarf_attr_integrate(die, DW_AT_MIPS_linkage_name, &attribute);
  const char *name = found != NULL ? dwarf_formstring(found) : NULL;
  return name != NULL ? name : dwarf_diename(die);
}

static void set_line(struct symbol_frame *frame, Dwarf_Die *unit, Dwarf_Addr address)
{
  Dwarf_Line *line = dwarf_getsrc_die(unit, address);
  int number;
  if (line == NULL || dwarf_lineno(line, &number) != 0) return;
  frame->file = dwarf_linesrc(line, NULL, NULL);
  frame->line = frame->file != NULL && number > 0 ? (uint32_t)number : 0;
}

// Where the function that an entry stands for was called, into `frame`, its caller's.
static void set_call(struct symbol_frame *frame, Dwarf_Die *unit, Dwarf_Die *die)
{
  Dwarf_Attribute attribute;
  Dwarf_Word file, line;
  Dwarf_Files *files;
  size_t count;
  if (dwarf_formudata(dwarf_attr(die, DW_AT_call_file, &attribute), &file) != 0 ||
      dwarf_formudata(dwarf_attr(die, DW_AT_call_line, &attribute), &line) != 0 ||
      dwarf_getsrcfiles(unit, &files, &count) != 0) {
    return;
  }
  frame->file = dwarf_filesrc(files, file, NULL, NULL);
  frame->line = frame->file != NULL ? (uint32_t)line : 0;
}

// ---------------------------------------------------------------------------------------------

// Frames from debug information; how many.
static size_t read_scopes(struct symbol_frame *frames, Dwarf_Die *unit, Dwarf_Addr address)
{
  Dwarf_Die *scopes = NULL;
  int found = dwarf_getscopes(unit, address, &scopes);
  Dwarf_Die *inner = NULL;
  // Entries that hold the innermost one, in the function where they were inlined.
  int depth = found > 0 ? dwarf_getscopes_die(&scopes[0], &inner) : 0;
  size_t count = 0;
  set_line(&frames[0], unit, address);
  for (int i = 0; i < depth && count + 1 < FRAMES_MOST; i++) {
    int tag = dwarf_tag(&inner[i]);
    if (tag != DW_TAG_subprogram && tag != DW_TAG_inlined_subroutine) continue;
    set_name(&frames[count], name_of(&inner[i]));
    frames[count].is_inlined = tag == DW_TAG_inlined_subroutine;
    count++;
    if (tag == DW_TAG_subprogram) break;
    set_call(&frames[count], unit, &inner[i]);
  }
  free(inner);
  free(scopes);
  return count;
}

static size_t read_frames(struct symbol_frame *frames, Dwfl_Module *module,
                          struct dwarf_units **units, uint64_t address)
{
  Dwarf_Die unit;
  Dwarf_Addr bias;
  size_t count = 0;
  if (find_unit(module, units, address, &unit, &bias)) {
    count = read_scopes(frames, &unit, address - bias);
  }
  if (count > 0 && !frames[count - 1].is_inlined && frames[count - 1].function != NULL) {
    return count;
  }
  // The scopes stop short of a function: the symbol table has its name.
  GElf_Off offset;
  GElf_Sym symbol;
  const char *name = dwfl_module_addrinfo(module, address, &offset, &symbol, NULL, NULL, NULL);
  if (count > 0 && !frames[count - 1].is_inlined) count--;
  set_name(&frames[count], name);
  return count + 1;
}

static void free_names(struct symbol_frame *frames, size_t count)
{
  for (size_t i = 0; i < count; i++) {
    free(frames[i].function);
    free(frames[i].symbol);
  }
}

struct symbol_frame *dwarf_frames_find(Dwfl_Module *module, struct dwarf_units **units,
                                       uint64_t address, size_t *count)
{
  struct symbol_frame frames[FRAMES_MOST + 1] = {0};
  *count = module != NULL ? read_frames(frames, module, units, address) : 1;
  struct symbol_frame *copy = malloc(*count * sizeof *copy);
  if (copy != NULL) return memcpy(copy, frames, *count * sizeof *copy);
  free_names(frames, *count);
  return NULL;
}

void dwarf_frames_free(struct symbol_frame *frames, size_t count)
{
  free_names(frames, count);
  free(frames);
}
