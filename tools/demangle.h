// SPDX-License-Identifier: MIT
//
// Names of C++ and Rust as people write them. The demangler is that of the system's C++ library,
// looked up when the first mangled name comes: the command is C and does not need it otherwise.
// Without one, names stay as they are.
#ifndef TOOLS_DEMANGLE_H
#define TOOLS_DEMANGLE_H

// The readable form, to be freed; NULL if the name is not mangled or can't be undone.
char *demangle(const char *name);

#endif
