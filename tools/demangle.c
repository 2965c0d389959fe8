// SPDX-License-Identifier: MIT
#include "demangle.h"

#include <dlfcn.h>
#include <stdbool.h>
#include <stddef.h>
#include <string.h>

// Of the C++ ABI: `buffer` and `length` may be NULL, `status` is 0 if all went well.
typedef char *demangler(const char *mangled, char *buffer, size_t *length, int *status);

// Names beyond this are of templates that nobody reads, and take the demangler long.
enum { NAME_MOST = 4096 };

static demangler *find_demangler(void)
{
  static const char *const libraries[] = {"libstdc++.so.6", "libc++abi.so.1"};
  static bool is_looked_for;
  static demangler *found;
  for (size_t i = 0; i < 2 && !is_looked_for && found == NULL; i++) {
    void *library = dlopen(libraries[i], RTLD_NOW | RTLD_LOCAL);
    void *function = library != NULL ? dlsym(library, "__cxa_demangle") : NULL;
    memcpy(&found, &function, sizeof found);  // ISO C has no cast for it
  }
  is_looked_for = true;
  return found;
}

// Rust's older scheme looks like C++ with a hash at the end: "::h" and 16 hexadecimal digits.
static void cut_rust_hash(char *name)
{
  size_t length = strlen(name);
  if (length <= 19) return;
  char *tail = name + length - 19;
  if (memcmp(tail, "::h", 3) == 0 && strspn(tail + 3, "0123456789abcdef") == 16) *tail = '\0';
}

char *demangle(const char *name)
{
  if (strncmp(name, "_Z", 2) != 0 || strlen(name) > NAME_MOST) return NULL;
  demangler *function = find_demangler();
  if (function == NULL) return NULL;
  int status = 0;
  char *readable = function(name, NULL, NULL, &status);
  if (readable != NULL) cut_rust_hash(readable);
  return readable;
}

// Where the name itself begins, behind what the function returns: behind the last blank that is in
// no brackets, and before the parameters.
static const char *skip_return_type(const char *function)
{
  const char *start = function;
  size_t depth = 0;
  for (const char *at = function; *at != '\0' && (*at != '(' || depth > 0); at++) {
    depth += *at == '<';
    depth -= *at == '>' && depth > 0;
    if (*at == ' ' && depth == 0) start = at + 1;
  }
  return start;
}

bool is_of_cpp_library(const char *function)
{
  if (function == NULL) return false;
  const char *name = skip_return_type(function);
  return strncmp(name, "std::", 5) == 0 || strncmp(name, "__gnu_cxx::", 11) == 0;
}
