// SPDX-License-Identifier: MIT
//
// The options: one table (options.def), read once at the start from MEND_CONF="name:value,..." and
// then from MEND_NAME=value, which wins. After that they do not change. A bad or unknown option is
// one line of warning and otherwise ignored: configuration never ends a program.
#ifndef BASE_OPTIONS_H
#define BASE_OPTIONS_H

#include "base/internal.h"

struct options {
#define OPTION(name, kind, initial, minimum, maximum, meaning) uint64_t name;
#include "base/options.def"
#undef OPTION
};

INTERNAL_DATA struct options options;

// Reads the options out of an environment: a NULL-terminated array of "NAME=value".
INTERNAL void options_read(char *const *environment);
// Sets one option by its name, in either case. Returns false, having said so, if there is no such
// option or the value is bad.
INTERNAL bool options_set(const char *name, size_t name_length, const char *value,
                          size_t value_length);
// Writes every option with its value and meaning, a line each.
INTERNAL void options_print(void);

#endif
