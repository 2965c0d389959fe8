// clean
// SPDX-License-Identifier: MIT
//
// The module's destructor frees what it has.
// module: module_keeps
#include <dlfcn.h>

#include "plant.h"

int main(int count, char **arguments)
{
  void *module = dlopen(arguments[count - 1], RTLD_NOW);
  if (module == NULL) abort();
  void (*keep)(void) = (void (*)(void))dlsym(module, "module_keep_until_closed");
  keep();
  plant_wipe();
  return dlclose(module);
}
