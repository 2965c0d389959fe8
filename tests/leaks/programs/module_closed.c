// leaks: direct 1 block 40 bytes; indirect 1 block 16 bytes
// SPDX-License-Identifier: MIT
//
// A module has the only address in a variable, and is closed.
// module: module_keeps
// frames: elsewhere
#include <dlfcn.h>

#include "plant.h"

int main(int count, char **arguments)
{
  void *module = dlopen(arguments[count - 1], RTLD_NOW);
  if (module == NULL) abort();
  void (*keep)(void) = (void (*)(void))dlsym(module, "module_keep");
  keep();
  plant_wipe();
  return dlclose(module);
}
