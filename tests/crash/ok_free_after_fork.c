// expect: success
// SPDX-License-Identifier: MIT
#define _GNU_SOURCE 1
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

#include "../support/support.h"

int main(void)
{
  char *blocks[20];
  for (size_t i = 0; i < 20; i++) CHECK((blocks[i] = malloc((size_t)16 << i)) != NULL);
  pid_t child = fork();
  CHECK(child >= 0);
  for (size_t i = 0; i < 20; i++) free(blocks[i]);  // both processes have them
  if (child == 0) _exit(0);
  int status = 0;
  CHECK(waitpid(child, &status, 0) == child && status == 0);
  return 0;
}
