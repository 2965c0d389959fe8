// SPDX-License-Identifier: MIT
//
// What the file of a program or a shared library says of its symbols.
#ifndef TOOLS_MODULE_H
#define TOOLS_MODULE_H

#include <stdbool.h>
#include <stdint.h>

struct mapping;

// Where a defined symbol lies in a process that has mapped the file: by the symbols for the dynamic
// linker, or those for debuggers. `mapping` is the file's first.
bool module_find_symbol(int file, const char *symbol, const struct mapping *mapping,
                        uint64_t page_bytes, uint64_t *address);
// The same by the symbols for the dynamic linker alone.
bool module_find_export(int file, const char *symbol, const struct mapping *mapping,
                        uint64_t page_bytes, uint64_t *address);

#endif
