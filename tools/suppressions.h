// SPDX-License-Identifier: MIT
//
// Leaks that are known and not to be told of, from files as LeakSanitizer reads them:
//
//     # a comment
//     leak:function, file or module
//
// A pattern holds for a leak if it is found in the name of a function, of a source file or of a
// module of any frame of its stack. `*` stands for anything; `^` at the start and `$` at the end
// bind the pattern there. Suppressions of other kinds (race:, ...) are for other tools.
#ifndef TOOLS_SUPPRESSIONS_H
#define TOOLS_SUPPRESSIONS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "symbols.h"

struct suppression {
  char *pattern;
  uint64_t blocks, bytes;  // that it has suppressed
};

struct suppressions {
  struct suppression *rows;
  size_t count;
};

// Adds what a file says, "-" being stdin. False after a complaint.
bool suppressions_read(struct suppressions *suppressions, const char *path);
void suppressions_free(struct suppressions *suppressions);

// The first that holds for a stack, or NULL.
struct suppression *suppressions_find(const struct suppressions *suppressions,
                                      struct symbols *symbols, const struct track_file *file,
                                      size_t stack);

#endif
