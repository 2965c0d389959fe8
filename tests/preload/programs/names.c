// SPDX-License-Identifier: MIT
//
// Calls every name of the C library's malloc family that mend takes over, and checks that each
// block is mend's, wherever the name comes from: preloaded, linked, or static. Run by names.sh.
#define _GNU_SOURCE 1
#include <errno.h>
#include <malloc.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define CHECK(condition) \
  ((condition) ? (void)0 : (fprintf(stderr, "line %d: %s\n", __LINE__, #condition), abort()))

// Names that no header has, or has no more. Weak, because a program that is only preloaded is built
// without anything that defines them.
#pragma weak cfree
#pragma weak free_sized
#pragma weak free_aligned_sized
#pragma weak mend_owns
#pragma weak mend_is_redirected
void cfree(void *block);
void free_sized(void *block, size_t size);
void free_aligned_sized(void *block, size_t alignment, size_t size);
void *__libc_malloc(size_t size);
void *__libc_calloc(size_t count, size_t size);
void *__libc_realloc(void *block, size_t size);
void *__libc_memalign(size_t alignment, size_t size);
void *__libc_valloc(size_t size);
void *__libc_pvalloc(size_t size);
void __libc_free(void *block);

// What is asked of mend itself.
bool mend_owns(const void *pointer);
bool mend_is_redirected(void);

static void *const no_block = NULL;

static void *check(void *block, size_t size, size_t alignment)
{
  CHECK(block != NULL);
  CHECK(mend_owns(block));
  CHECK(((uintptr_t)block & (alignment - 1)) == 0);
  CHECK(malloc_usable_size(block) >= size);
  memset(block, 1, size);
  return block;
}

static void call_allocators(void)
{
  void *block = NULL;
  free(check(malloc(100), 100, 16));
  free(check(calloc(10, 10), 100, 16));
  free(check(realloc(no_block, 100), 100, 16));
  free(check(reallocarray(no_block, 10, 10), 100, 16));
  free(check(aligned_alloc(64, 128), 128, 64));
  free(check(memalign(256, 100), 100, 256));
  free(check(valloc(100), 100, 4096));
  free(check(pvalloc(100), 4096, 4096));
  CHECK(posix_memalign(&block, 128, 100) == 0);
  free(check(block, 100, 128));
  free(check(realloc(check(malloc(10), 10, 16), 100000), 100000, 16));
}

static void call_frees(void)
{
  cfree(check(malloc(100), 100, 16));
  free_sized(check(malloc(100), 100, 16), 100);
  free_aligned_sized(check(aligned_alloc(64, 128), 128, 64), 64, 128);
}

static void call_libc_names(void)
{
  __libc_free(check(__libc_malloc(100), 100, 16));
  __libc_free(check(__libc_calloc(10, 10), 100, 16));
  __libc_free(check(__libc_realloc(no_block, 100), 100, 16));
  __libc_free(check(__libc_memalign(256, 100), 100, 256));
  __libc_free(check(__libc_valloc(100), 100, 4096));
  __libc_free(check(__libc_pvalloc(100), 4096, 4096));
  free(check(__libc_malloc(100), 100, 16));  // both families mix
  __libc_free(check(malloc(100), 100, 16));
}

static void call_questions(void)
{
  size_t before = mallinfo2().uordblks + mallinfo2().hblkhd;
  void *block = check(malloc(50000), 50000, 16);
  CHECK(mallinfo2().uordblks + mallinfo2().hblkhd >= before + 50000);
  CHECK(mallopt(M_MMAP_THRESHOLD, 100000) == 1);
  CHECK(mallopt(4711, 0) == 0);
  CHECK(malloc_info(1, stdout) == EINVAL);
  char *text = NULL;
  size_t bytes = 0;
  FILE *stream = open_memstream(&text, &bytes);
  CHECK(stream != NULL && malloc_info(0, stream) == 0);
  fclose(stream);
  CHECK(strstr(text, "mend") != NULL);
  free(text);
  free(block);
  int trimmed = malloc_trim(0);
  CHECK(trimmed == 0 || trimmed == 1);
  malloc_stats();
}

// The C library's own allocations come from mend too.
static void call_library(void)
{
  char *text = strdup("text");
  free(check(text, 5, 16));
  CHECK(asprintf(&text, "%d", 12345) == 5);
  free(check(text, 6, 16));
  text = realpath("/", NULL);
  free(check(text, 2, 16));
}

static void failures_are_as_documented(void)
{
  volatile size_t huge = SIZE_MAX - 10;
  void *block = NULL;
  errno = 0;
  CHECK(malloc(huge) == NULL && errno == ENOMEM);
  errno = 0;
  CHECK(calloc(huge, 16) == NULL && errno == ENOMEM);
  errno = 0;
  CHECK(reallocarray(NULL, huge, 16) == NULL && errno == ENOMEM);
  errno = 0;
  CHECK(posix_memalign(&block, 3, 16) == EINVAL && errno == 0);
  CHECK(posix_memalign(&block, 64, huge) == ENOMEM);
}

int main(void)
{
  CHECK(mend_is_redirected());
  call_allocators();
  call_frees();
  call_libc_names();
  call_questions();
  call_library();
  failures_are_as_documented();
  puts("every name is mend's");
  return 0;
}
