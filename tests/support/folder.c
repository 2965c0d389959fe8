// SPDX-License-Identifier: MIT
#define _GNU_SOURCE 1
#include "folder.h"

#include <dirent.h>
#include <fcntl.h>
#include <stdlib.h>
#include <unistd.h>

static const char *folder;
static pid_t maker;  // its copies and children have no folder

bool folder_make(char *name)
{
  if (mkdtemp(name) == NULL) return false;
  folder = name;
  maker = getpid();
  return true;
}

int folder_remove(void)
{
  if (folder == NULL || maker != getpid()) return 0;
  DIR *files = opendir(folder);
  if (files == NULL) return -1;
  struct dirent *file;
  while ((file = readdir(files)) != NULL) (void)unlinkat(dirfd(files), file->d_name, 0);
  closedir(files);
  int result = rmdir(folder);
  folder = NULL;
  return result;
}
