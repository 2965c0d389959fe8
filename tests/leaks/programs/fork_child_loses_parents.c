// clean
// SPDX-License-Identifier: MIT
// child: leaks: direct 1 block 24 bytes
//
// The child forgets a block that the parent had allocated.
#include <sys/wait.h>
#include <unistd.h>

#include "plant.h"

static void *kept;

static void keep(void)
{
  kept = malloc(24);
}

int main(void)
{
  int status = 0;
  plant(keep);
  pid_t child = fork();
  if (child == 0) {
    kept = NULL;
    plant_wipe();
    return 0;
  }
  waitpid(child, &status, 0);
  return 0;
}
