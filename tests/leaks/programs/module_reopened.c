// leaks: direct 20 blocks 800 bytes; indirect 20 blocks 320 bytes
// SPDX-License-Identifier: MIT
//
// Opened and closed again and again: each time it loses what it had.
// module: module_keeps
// frames: elsewhere
#include <dlfcn.h>

#include "plant.h"

static void once(const char *path)
{
  void *module = dlopen(path, RTLD_NOW);
  if (module == NULL) abort();
  void (*keep)(void) = (void (*)(void))dlsym(module, "module_keep");
  keep();
  plant_wipe();
  dlclose(module);
}

int main(int count, char **arguments)
{
  for (int i = 0; i < 20; i++) once(arguments[count - 1]);
  return 0;
}
