// SPDX-License-Identifier: MIT
#include "string_table.h"

#include <stdlib.h>
#include <string.h>

bool string_table_make(struct string_table *table, size_t most)
{
  *table = (struct string_table){.texts = calloc(most + 1, sizeof *table->texts)};
  return table->texts != NULL;
}

void string_table_free(struct string_table *table)
{
  free(table->texts);
  *table = (struct string_table){0};
}

void string_table_add(struct string_table *table, const char *text)
{
  table->texts[table->count++] = text;
}

static int compare_texts(const void *first, const void *second)
{
  return strcmp(*(const char *const *)first, *(const char *const *)second);
}

void string_table_order(struct string_table *table)
{
  size_t kept = 0;
  qsort(table->texts, table->count, sizeof *table->texts, compare_texts);
  for (size_t i = 0; i < table->count; i++) {
    if (kept > 0 && strcmp(table->texts[i], table->texts[kept - 1]) == 0) continue;
    table->texts[kept++] = table->texts[i];
  }
  table->count = kept;
}

size_t string_table_number(const struct string_table *table, const char *text)
{
  const char **found = bsearch(&text, table->texts, table->count, sizeof text, compare_texts);
  return (size_t)(found - table->texts);
}
