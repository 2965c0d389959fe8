// leaks: direct 1 block 24 bytes
// SPDX-License-Identifier: MIT
// child: leaks: direct 1 block 24 bytes
//
// The child has the parent's lost block, too: it is lost in both.
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
  plant(lose);
  pid_t child = fork();
  if (child != 0) waitpid(child, &status, 0);
  return 0;
}
