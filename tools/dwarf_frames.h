// SPDX-License-Identifier: MIT
//
// The functions that an address of a file lies in, innermost first: those that were inlined there,
// then the one that was not. From debug information (DWARF) if there is any, else the one function
// of the symbol table, else a frame that knows nothing.
#ifndef TOOLS_DWARF_FRAMES_H
#define TOOLS_DWARF_FRAMES_H

#include <elfutils/libdwfl.h>

#include "symbols.h"

// Where the compilation units of a file lie, for compilers that leave no table of it. Made when it
// is first needed; begins as NULL.
struct dwarf_units;
void dwarf_units_free(struct dwarf_units *units);

// At least one frame, to be freed by dwarf_frames_free; NULL if there is no memory. `module` may be
// NULL. Names of files last as long as it does.
struct symbol_frame *dwarf_frames_find(Dwfl_Module *module, struct dwarf_units **units,
                                       uint64_t address, size_t *count);
void dwarf_frames_free(struct symbol_frame *frames, size_t count);

#endif
