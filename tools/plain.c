// SPDX-License-Identifier: MIT
#include "plain.h"

// How many of the next bytes are a control character; 0: none.
static int control_bytes(const char *text)
{
  unsigned char byte = (unsigned char)text[0];
  unsigned char next = (unsigned char)(byte != 0 ? text[1] : 0);
  if (byte == 0xc2 && next >= 0x80 && next < 0xa0) return 2;
  return byte < ' ' || byte == 0x7f;
}

void plain_make(char *text)
{
  while (*text != '\0') {
    int count = control_bytes(text);
    if (count == 0) text++;
    for (; count > 0; count--) *text++ = '?';
  }
}

void plain_make_name(char *name)
{
  for (; *name != '\0'; name++) {
    if (*name < ' ' || *name > '~' || *name == '"' || *name == '\\') *name = '?';
  }
}

void plain_write(FILE *stream, const char *text)
{
  while (*text != '\0') {
    int count = control_bytes(text);
    if (count == 0) fputc(*text++, stream);
    for (; count > 0; count--, text++) fputc('?', stream);
  }
}
