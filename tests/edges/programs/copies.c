// SPDX-License-Identifier: MIT
//
// usage: copies LIBRARY...
//
// Loads each library, a copy of the prefixed one: all of them before any is used. Then the first
// one is loaded into some namespaces of its own. Each must give as much as the others, and keep off
// what they have given. Run by copies.sh.
#define _GNU_SOURCE 1
#include <dlfcn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define CHECK(condition) \
  ((condition) ? (void)0 : (fprintf(stderr, "line %d: %s\n", __LINE__, #condition), abort()))

enum { MOST = 16, NAMESPACES = 3, BLOCKS = 100, BLOCK_BYTES = 1 << 20 };

typedef void *(*allocate_function)(size_t size);

static allocate_function functions[MOST];
static unsigned char *blocks[MOST][BLOCKS];

static allocate_function function_of(void *library)
{
  allocate_function function = NULL;
  if (library == NULL) fprintf(stderr, "%s\n", dlerror());
  CHECK(library != NULL);
  void *address = dlsym(library, "mend_malloc");
  CHECK(address != NULL);
  memcpy(&function, &address, sizeof address);  // ISO C has no cast from object to function
  return function;
}

static void fill(size_t copy)
{
  for (size_t i = 0; i < BLOCKS; i++) {
    blocks[copy][i] = functions[copy](BLOCK_BYTES);
    if (blocks[copy][i] == NULL) fprintf(stderr, "copy %zu has given %zu blocks\n", copy, i);
    CHECK(blocks[copy][i] != NULL);
    memset(blocks[copy][i], (int)copy, 5000);
  }
}

int main(int argc, char **argv)
{
  size_t copies = 0;
  CHECK(argc > 1 && argc - 1 + NAMESPACES <= MOST);
  for (int i = 1; i < argc; i++) {
    functions[copies++] = function_of(dlopen(argv[i], RTLD_NOW | RTLD_LOCAL));
  }
#ifdef LM_ID_NEWLM
  for (int i = 0; i < NAMESPACES; i++) {
    functions[copies++] = function_of(dlmopen(LM_ID_NEWLM, argv[1], RTLD_NOW));
  }
#endif
  for (size_t i = 0; i < copies; i++) fill(i);
  for (size_t i = 0; i < copies; i++) {
    for (size_t j = 0; j < BLOCKS; j++) {
      CHECK(blocks[i][j][0] == i && memcmp(blocks[i][j], blocks[i][j] + 1, 4999) == 0);
    }
  }
  printf("%zu copies have given %d MiB each\n", copies, BLOCKS);
  return 0;
}
