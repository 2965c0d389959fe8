// clean
// SPDX-License-Identifier: MIT
// child: leaks: direct 1 block 24 bytes
#include <sys/wait.h>
#include <unistd.h>

#include "plant.h"

static void lose(void)
{
  plant_use(malloc(24));
}

int main(void)
{
  int status = 0;
  pid_t child = fork();
  if (child == 0) {
    plant(lose);
    return 0;
  }
  waitpid(child, &status, 0);
  return 0;
}
