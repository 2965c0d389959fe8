// SPDX-License-Identifier: MIT
//
// Names of C++ and Rust as people write them. The demangler is that of the system's C++ library,
// looked up when the first mangled name comes: the command is C and does not need it otherwise.
// Without one, names stay as they are.
#ifndef TOOLS_DEMANGLE_H
#define TOOLS_DEMANGLE_H

#include <stdbool.h>

// The readable form, to be freed; NULL if the name is not mangled or can't be undone.
char *demangle(const char *name);

// Whether a readable name is of a function of the C++ library: in std or __gnu_cxx. Of a function
// that is NULL it is not.
bool is_of_cpp_library(const char *function);

#endif
