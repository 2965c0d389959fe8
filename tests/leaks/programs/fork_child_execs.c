// leaks: direct 1 block 24 bytes
// SPDX-License-Identifier: MIT
// child: clean
//
// The child becomes another program, which is followed as well.
// memcheck: child not judged: it does not follow
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
  if (child == 0) {
    execl("/bin/true", "true", (char *)NULL);
    _exit(1);
  }
  waitpid(child, &status, 0);
  return status;
}
