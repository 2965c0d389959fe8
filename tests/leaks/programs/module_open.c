// clean
// SPDX-License-Identifier: MIT
//
// The same where the module stays open.
// module: module_keeps
#include <dlfcn.h>

#include "plant.h"

int main(int count, char **arguments)
{
  void *module = dlopen(arguments[count - 1], RTLD_NOW);
  if (module == NULL) abort();
  void (*keep)(void) = (void (*)(void))dlsym(module, "module_keep");
  keep();
  plant_wipe();
  return 0;
}
