// SPDX-License-Identifier: MIT
//
// What the file of a program or a shared library says of its symbols.
#ifndef TOOLS_MODULE_H
#define TOOLS_MODULE_H

#include <gelf.h>
#include <stdbool.h>
#include <stdint.h>

struct mapping;

// How far a module that is mapped lies from where it was linked for. `start` and `offset` are those
// of a mapping of the file: its first, or `is_code` one of its code. False if none of the file's
// parts is mapped like that.
bool module_bias(Elf *elf, uint64_t start, uint64_t offset, bool is_code, uint64_t *bias);
// Whether a mapping is a part of the file, where a module that lies so far from there has it.
bool module_has_at(Elf *elf, uint64_t bias, uint64_t start, uint64_t offset);

// Where a defined symbol lies in a process that has mapped the file: by the symbols for the dynamic
// linker, or those for debuggers. `mapping` is the file's first.
bool module_find_symbol(int file, const char *symbol, const struct mapping *mapping,
                        uint64_t *address);
// The same by the symbols for the dynamic linker alone.
bool module_find_export(int file, const char *symbol, const struct mapping *mapping,
                        uint64_t *address);

#endif
