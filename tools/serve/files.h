// SPDX-License-Identifier: MIT
//
// The files of tools/serve/, which the build makes a part of the command.
#ifndef TOOLS_SERVE_FILES_H
#define TOOLS_SERVE_FILES_H

#include <stddef.h>

struct serve_file {
  const char *path;  // "/serve.js"
  const char *type;
  const unsigned char *bytes;
  size_t length;
};

// NULL if there is none of this path.
const struct serve_file *serve_file_find(const char *path);

#endif
