// SPDX-License-Identifier: MIT
//
// usage: dlopen_many LIBRARY...
//
// Opens each library, which is a copy of the prefixed one, uses it from several threads, and closes
// some again. Run by dlopen_many.sh.
#define _GNU_SOURCE 1
#include <dlfcn.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define CHECK(condition) \
  ((condition) ? (void)0 : (fprintf(stderr, "line %d: %s\n", __LINE__, #condition), abort()))

enum { THREADS = 4, BLOCKS = 300 };

struct library {
  void *handle;
  void *(*allocate)(size_t size);
  void *(*resize)(void *block, size_t size);
  void (*release)(void *block);
};

static void find_function(struct library *library, const char *name, void *function)
{
  void *address = dlsym(library->handle, name);
  CHECK(address != NULL);
  memcpy(function, &address, sizeof address);  // ISO C has no cast from object to function
}

static struct library open_library(const char *path)
{
  struct library library = {.handle = dlopen(path, RTLD_NOW | RTLD_LOCAL)};
  if (library.handle == NULL) fprintf(stderr, "%s\n", dlerror());
  CHECK(library.handle != NULL);
  find_function(&library, "mend_malloc", &library.allocate);
  find_function(&library, "mend_realloc", &library.resize);
  find_function(&library, "mend_free", &library.release);
  return library;
}

static void *use_library(void *argument)
{
  struct library *library = argument;
  unsigned char *blocks[BLOCKS];
  for (size_t i = 0; i < BLOCKS; i++) {
    blocks[i] = library->allocate(i + 1);
    CHECK(blocks[i] != NULL);
    memset(blocks[i], (int)i, i + 1);
    blocks[i] = library->resize(blocks[i], 4 * i + 4);
    CHECK(blocks[i] != NULL && blocks[i][i] == (unsigned char)i);
  }
  for (size_t i = 0; i < BLOCKS; i++) library->release(blocks[i]);
  return NULL;
}

static void use_from_threads(struct library *library)
{
  pthread_t threads[THREADS];
  for (size_t i = 0; i < THREADS; i++) {
    CHECK(pthread_create(&threads[i], NULL, use_library, library) == 0);
  }
  use_library(library);
  for (size_t i = 0; i < THREADS; i++) CHECK(pthread_join(threads[i], NULL) == 0);
}

int main(int argc, char **argv)
{
  for (int i = 1; i < argc; i++) {
    struct library library = open_library(argv[i]);
    use_from_threads(&library);
    if (i % 5 == 0) CHECK(dlclose(library.handle) == 0);
    use_from_threads(&library);  // it stays loaded: its threads' heaps are still needed
  }
  printf("%d libraries opened and used\n", argc - 1);
  return 0;
}
