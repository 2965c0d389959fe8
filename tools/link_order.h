// SPDX-License-Identifier: MIT
//
// How a program was put together when it started: whether it has a dynamic linker at all, which
// module's definition of a name that has given to all others, and what the kernel told it.
#ifndef TOOLS_LINK_ORDER_H
#define TOOLS_LINK_ORDER_H

#include "target.h"

struct link_facts {
  bool is_known;     // whether the rest was found out
  bool is_static;    // no dynamic linker
  bool is_secure;    // it has more rights than its caller: the linker ignores LD_PRELOAD
  char *definer;     // the path of the module whose definition of the name is used; NULL: none has
  uint64_t address;  // of that definition
};

// Of a process that runs. link_facts_free.
struct link_facts link_facts_find(const struct target *target, const char *symbol);
void link_facts_free(struct link_facts *facts);

#endif
