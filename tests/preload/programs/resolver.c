// SPDX-License-Identifier: MIT
//
// A library whose function is chosen while the loader relocates it: that is before it relocates a
// preloaded one, whose copies the choice needs. Linked by copies.sh.
#include <stddef.h>
#include <string.h>

static int yes(void)
{
  return 1;
}

static int no(void)
{
  return 0;
}

// Each name that works before the library behind it has been relocated.
static int (*choose(void))(void)
{
  char text[64];
  char moved[64];
  memset(text, 0, sizeof text);
  strcpy(text, "chosen");
  strcat(text, " early");
  memcpy(moved, text, sizeof text);
  memmove(moved + 1, moved, 20);
  return moved[0] == 'c' && moved[12] == 'y' && moved[13] == '\0' ? yes : no;
}

static int answer(void) __attribute__((ifunc("choose")));
// Its address as data: the choice can't wait for the first call.
static int (*volatile const chosen)(void) = answer;

int resolver_works(void);

int resolver_works(void)
{
  return chosen();
}
