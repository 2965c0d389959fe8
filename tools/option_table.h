// SPDX-License-Identifier: MIT
//
// The library's options as the command knows them: a copy of the library's own table, made by the
// build, so that the two cannot differ; and what the environment says of them, read as the library
// reads it: MEND_CONF="name:value,..." first, MEND_NAME=value wins, names in either case, an empty
// value is as none.
#ifndef TOOLS_OPTION_TABLE_H
#define TOOLS_OPTION_TABLE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum option_kind { BOOL, NUMBER, SIZE, OS_PAGE, TIME, TEXT };

struct option_row {
  const char *name;
  enum option_kind kind;
  uint64_t initial;  // TEXT: 0, as the two limits
  uint64_t minimum;
  uint64_t maximum;
  const char *meaning;
};

extern const struct option_row option_rows[];
extern const size_t option_count;

enum { OPTION_TEXT_MOST = 48, OPTION_RANGE_MOST = 128 };

// The option of this name, in either case; NULL if there is none.
const struct option_row *option_find(const char *name, size_t length);

// What is wrong with a value: "" if nothing is. Else *value is the number it stands for, unless the
// row is a TEXT.
const char *option_read(const struct option_row *row, const char *text, size_t length,
                        uint64_t *value);

// A number as an option may be written: "500ms", "64k", "on".
void option_write(char text[static OPTION_TEXT_MOST], const struct option_row *row, uint64_t value);

// What an option may be: "on or off", "0 to 4", "any size".
void option_write_range(char text[static OPTION_RANGE_MOST], const struct option_row *row);

// Where and how the environment sets an option.
struct option_setting {
  const char *variable;  // "MEND_CONF", or "MEND_" and the name as it is written there
  size_t variable_length;
  const char *value;
  size_t length;
};

// Whether the environment sets the option, by an entry that the library accepts.
bool option_setting(const struct option_row *row, struct option_setting *setting);

#endif
