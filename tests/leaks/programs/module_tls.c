// clean
// SPDX-License-Identifier: MIT
//
// A thread-local variable of a module that came later has the only address: its memory is a block
// of the C library.
// module: module_keeps
#include <dlfcn.h>

#include "plant.h"

int main(int count, char **arguments)
{
  void *module = dlopen(arguments[count - 1], RTLD_NOW);
  if (module == NULL) abort();
  void (*keep)(void) = (void (*)(void))dlsym(module, "module_keep_local");
  keep();
  plant_wipe();
  return 0;
}
