// SPDX-License-Identifier: MIT
//
// A buffer that uses what it was given: it asks for a size, learns how much it got, grows in place
// where it can, and moves where it cannot.
//
// Build: cc first_steps.c -o first_steps $(pkg-config --cflags --libs mend-core)
// Run:   ./first_steps
#include <errno.h>
#include <mend/mend.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

int main(void)
{
  size_t capacity;
  char *text = mend_malloc_at_least(1000, &capacity);
  if (text == NULL) return 1;
  strcpy(text, "all of the block may be used");
  printf("asked for 1000 bytes, got %zu\n", capacity);

  // mend_expand never moves the block; mend_realloc does if it must.
  if (mend_expand(text, 5000) == NULL) {
    char *moved = mend_realloc(text, 5000);
    if (moved == NULL) return 1;
    text = moved;
  }
  printf("\"%s\", now in %zu bytes\n", text, mend_malloc_usable_size(text));

  // A request that no machine can serve fails, and leaves the old block alone.
  volatile size_t count = SIZE_MAX / 2;  // hidden from the compiler, which would complain
  if (mend_reallocarray(text, count, 4) == NULL && errno == ENOMEM) puts("refused");
  printf("still there: %s\n", text);
  mend_free(text);
  return 0;
}
