// SPDX-License-Identifier: MIT
//
// The options: one table (options.def), read once at the start from MEND_CONF="name:value,..." and
// then from MEND_NAME=value, which wins. After that they do not change. An empty value is as none.
// A bad value is one line of warning, which shows it as it was written; an unknown option one that
// shows its name, but not its value, which may be another's secret. Both are otherwise ignored:
// configuration never ends a program.
#ifndef BASE_OPTIONS_H
#define BASE_OPTIONS_H

#include "base/internal.h"
#include "base/sealed.h"

enum { OPTIONS_TEXT_BYTES = 8192 };

struct options {
#define OPTION(name, kind, initial, minimum, maximum, meaning) uint64_t name;
#include "base/options.def"
#undef OPTION
  size_t text_used;
  char texts[OPTIONS_TEXT_BYTES];  // what options of the kind TEXT are set to
} SEALED_PAGES;

INTERNAL_DATA struct options options SEALED;

// Reads the options out of an environment: a NULL-terminated array of "NAME=value". No os page is
// smaller than kernel_page_bytes.
INTERNAL void options_read(char *const *environment, size_t kernel_page_bytes);
// The value of an option of the kind TEXT, terminated; `otherwise` if it is not set.
static inline const char *options_text(uint64_t value, const char *otherwise)
{
  return value != 0 ? (const char *)(uintptr_t)value : otherwise;
}
// Sets one option by an entry "name=value" with that separator and the name in either case. Returns
// false, having said so in a line that begins with `prefix` and the entry (if there is no such
// option, its name), if that is no good.
INTERNAL bool options_set(const char *prefix, const char *entry, size_t length, char separator);
// Writes every option with its value and meaning, a line each; values as they may be written.
INTERNAL void options_print(void);
// The same to a descriptor; false, with errno, if it cannot be written.
INTERNAL bool options_write(int descriptor);

#endif
