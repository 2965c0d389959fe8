// SPDX-License-Identifier: MIT
#include "track_folder.h"

#include <dirent.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "command.h"
#include "text.h"

bool track_folder_make(struct track_folder *folder)
{
  *folder = (struct track_folder){0};
  const char *parent = getenv("TMPDIR");
  if (parent == NULL || *parent != '/') parent = "/tmp";
  int length = snprintf(folder->path, sizeof folder->path, "%s/mend-XXXXXX", parent);
  if (length < 0 || (size_t)length >= sizeof folder->path) errno = ENAMETOOLONG;
  if (length < 0 || (size_t)length >= sizeof folder->path || mkdtemp(folder->path) == NULL) {
    complain("no folder can be made in %s: %s", parent, strerror(errno));
    *folder->path = '\0';
    return false;
  }
  snprintf(folder->pattern, sizeof folder->pattern, "%s/%%p", folder->path);
  return true;
}

static int compare_numbers(const void *first, const void *second)
{
  long left = strtol(text_base_name(*(char *const *)first), NULL, 10);
  long right = strtol(text_base_name(*(char *const *)second), NULL, 10);
  return (left > right) - (left < right);
}

static const char digits[] = "0123456789";

// The names of track files are the numbers of processes; `rest` is what is behind the number.

static bool is_of_the_end(const char *rest)
{
  return *rest == '\0';
}

// Those that were written before the end have a point and another number.
static bool is_of_any_time(const char *rest)
{
  return *rest == '\0' ||
         (*rest == '.' && rest[1] != '\0' && rest[1 + strspn(rest + 1, digits)] == '\0');
}

static bool is_of_a_misuse(const char *rest)
{
  return strcmp(rest, ".misuse") == 0;
}

static void add_file(struct track_folder *folder, const char *name)
{
  char **files = reallocarray(folder->files, folder->count + 1, sizeof *files);
  if (files != NULL) folder->files = files;
  if (files == NULL || asprintf(&files[folder->count], "%s/%s", folder->path, name) < 0) {
    complain("out of memory for the names of files");
  } else {
    folder->count++;
  }
}

static bool move_to_front(struct track_folder *folder, pid_t first)
{
  for (size_t i = 0; i < folder->count; i++) {
    char *file = folder->files[i];
    if (strtol(text_base_name(file), NULL, 10) != first) continue;
    memmove(&folder->files[1], &folder->files[0], i * sizeof(char *));
    folder->files[0] = file;
    return true;
  }
  return false;
}

static void forget_files(struct track_folder *folder)
{
  for (size_t i = 0; i < folder->count; i++) free(folder->files[i]);
  free(folder->files);
  folder->files = NULL;
  folder->count = 0;
}

static void list(struct track_folder *folder, bool (*is_wanted)(const char *rest))
{
  forget_files(folder);
  DIR *directory = opendir(folder->path);
  if (directory == NULL) return;
  const struct dirent *entry;
  while ((entry = readdir(directory)) != NULL) {
    size_t length = strspn(entry->d_name, digits);
    if (length > 0 && is_wanted(entry->d_name + length)) add_file(folder, entry->d_name);
  }
  closedir(directory);
  if (folder->count > 0) qsort(folder->files, folder->count, sizeof(char *), compare_numbers);
}

bool track_folder_list(struct track_folder *folder, pid_t first)
{
  list(folder, is_of_the_end);
  return move_to_front(folder, first);
}

static bool is_whole(const char *path)
{
  static const char end[] = "\nend\n";
  char last[sizeof end] = "";
  FILE *file = fopen(path, "re");
  if (file == NULL) return false;
  bool is_read = fseek(file, 1 - (long)sizeof end, SEEK_END) == 0 &&
                 fread(last, 1, sizeof end - 1, file) == sizeof end - 1;
  fclose(file);
  return is_read && strcmp(last, end) == 0;
}

static void list_whole(struct track_folder *folder, bool (*is_wanted)(const char *rest))
{
  list(folder, is_wanted);
  size_t kept = 0;
  for (size_t i = 0; i < folder->count; i++) {
    if (is_whole(folder->files[i])) {
      folder->files[kept++] = folder->files[i];
    } else {
      free(folder->files[i]);
    }
  }
  folder->count = kept;
}

void track_folder_list_all(struct track_folder *folder)
{
  list_whole(folder, is_of_any_time);
}

void track_folder_list_misuses(struct track_folder *folder)
{
  list_whole(folder, is_of_a_misuse);
}

static void remove_files(const char *path)
{
  DIR *directory = opendir(path);
  if (directory == NULL) return;
  const struct dirent *entry;
  while ((entry = readdir(directory)) != NULL) {
    (void)unlinkat(dirfd(directory), entry->d_name, 0);  // not "." and "..", which are folders
  }
  closedir(directory);
}

void track_folder_remove(struct track_folder *folder)
{
  if (*folder->path != '\0') {
    remove_files(folder->path);
    if (rmdir(folder->path) != 0) complain("%s: %s", folder->path, strerror(errno));
  }
  forget_files(folder);
  *folder = (struct track_folder){0};
}
