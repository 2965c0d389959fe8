// SPDX-License-Identifier: MIT
#include "kernel_file.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

enum { LINE_MOST = 256 };

bool kernel_file_line(const char *path, char *line, size_t room)
{
  FILE *file = fopen(path, "re");
  bool is_read = file != NULL && fgets(line, (int)room, file) != NULL;
  if (file != NULL) fclose(file);
  if (!is_read) line[0] = '\0';
  line[strcspn(line, "\n")] = '\0';
  return is_read;
}

bool kernel_file_number(const char *path, uint64_t *number)
{
  char line[LINE_MOST];
  return kernel_file_line(path, line, sizeof line) && sscanf(line, "%" SCNu64, number) == 1;
}

bool kernel_file_entry(const char *path, const char *word, uint64_t *number)
{
  char line[LINE_MOST];
  bool is_found = false;
  FILE *file = fopen(path, "re");
  if (file == NULL) return false;
  while (!is_found && fgets(line, sizeof line, file) != NULL) {
    is_found = strncmp(line, word, strlen(word)) == 0 &&
               sscanf(line + strlen(word), " %" SCNu64, number) == 1;
  }
  fclose(file);
  return is_found;
}

bool kernel_file_huge_pages(enum huge_pages *huge_pages)
{
  char line[LINE_MOST];
  if (!kernel_file_line("/sys/kernel/mm/transparent_hugepage/enabled", line, sizeof line)) {
    return false;
  }
  *huge_pages = strstr(line, "[always]") != NULL  ? HUGE_PAGES_ALWAYS
                : strstr(line, "[never]") != NULL ? HUGE_PAGES_NEVER
                                                  : HUGE_PAGES_ASKED;
  return true;
}
