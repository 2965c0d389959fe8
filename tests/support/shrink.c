// SPDX-License-Identifier: MIT
//
// See shrink.h. The part that is left out starts as half of the sequence and is halved whenever a
// whole round over the sequence has found nothing more to leave out.
#include "shrink.h"

#include <stdlib.h>
#include <string.h>

#include "support.h"

// Tries without the `length` numbers from `start` on. Returns how many were left out: all or none.
static size_t leave_out(size_t *numbers, size_t count, size_t start, size_t length, size_t *rest,
                        shrink_fails fails)
{
  memcpy(rest, numbers, start * sizeof *rest);
  memcpy(rest + start, numbers + start + length, (count - start - length) * sizeof *rest);
  if (!fails(rest, count - length)) return 0;
  memcpy(numbers, rest, (count - length) * sizeof *rest);
  return length;
}

size_t shrink(size_t *numbers, size_t count, shrink_fails fails)
{
  size_t *rest = malloc((count + 1) * sizeof *rest);
  CHECK(rest != NULL);
  for (size_t length = count / 2 + 1; length > 0;) {
    size_t before = count;
    for (size_t start = 0; start < count;) {
      size_t part = length < count - start ? length : count - start;
      size_t gone = leave_out(numbers, count, start, part, rest, fails);
      count -= gone;
      if (gone == 0) start += part;
    }
    if (length > 1) {
      length = (length + 1) / 2;
    } else if (count == before) {
      break;
    }
  }
  free(rest);
  return count;
}
