// clean
// SPDX-License-Identifier: MIT
// child: clean
//
// What the parent holds the child holds, too, and its copies are its own.
#include <sys/wait.h>
#include <unistd.h>

#include "plant.h"

static struct node *kept;

static void keep(void)
{
  kept = plant_node();
  kept->next = plant_node();
}

int main(void)
{
  int status = 0;
  plant(keep);
  pid_t child = fork();
  if (child == 0) {
    free(kept->next);
    free(kept);
    kept = plant_node();
    return 0;
  }
  waitpid(child, &status, 0);
  return status;
}
