// SPDX-License-Identifier: MIT
//
// What `mend check` looks at, and how it tells: a line for each thing, that all is well, that
// something is less than it could be, or that it is wrong.
#ifndef TOOLS_CHECK_H
#define TOOLS_CHECK_H

#include <stdbool.h>

enum verdict { FINE, WARN, WRONG };

// Prints the line, and remembers what is WRONG.
__attribute__((format(printf, 3, 4))) void check_tell(enum verdict verdict, const char *what,
                                                      const char *format, ...);

// What the kernel offers and forbids: asks, and changes nothing.
void check_kernel(void);
// That this process runs on the library of this path, and that it works.
void check_inside(const char *library);

#endif
