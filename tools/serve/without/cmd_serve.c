// SPDX-License-Identifier: MIT
//
// `mend serve` of a build without libmicrohttpd.
#include "command.h"

int command_serve(int count, char **arguments)
{
  (void)count;
  (void)arguments;
  complain("this build has no `mend serve`: it needs libmicrohttpd (libmicrohttpd-dev)");
  return END_BAD_INPUT;
}
