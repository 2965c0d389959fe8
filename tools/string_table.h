// SPDX-License-Identifier: MIT
//
// Strings that a file names by their numbers: each once, in the order of strcmp. All are added,
// then they are ordered; only then do they have numbers. The texts themselves must last as long.
#ifndef TOOLS_STRING_TABLE_H
#define TOOLS_STRING_TABLE_H

#include <stdbool.h>
#include <stddef.h>

struct string_table {
  const char **texts;
  size_t count;
};

// Room for so many texts. False if there is no memory. Either way string_table_free.
bool string_table_make(struct string_table *table, size_t most);
void string_table_free(struct string_table *table);
void string_table_add(struct string_table *table, const char *text);
void string_table_order(struct string_table *table);
// The number, from 0, of a text that was added.
size_t string_table_number(const struct string_table *table, const char *text);

#endif
