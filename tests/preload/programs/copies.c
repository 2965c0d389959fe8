// SPDX-License-Identifier: MIT
//
// Calls the copying functions that libmend-secure.so takes over. Run by copies.sh:
//   copies fine            calls that stay within their blocks, in threads and a child as well
//   copies KIND FUNCTION   one that does not: KIND is overflow, overread or freed
//   copies list            the functions
#define _GNU_SOURCE 1
#include <pthread.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>
#include <wchar.h>

#define CHECK(condition) \
  ((condition) ? (void)0 : (fprintf(stderr, "line %d: %s\n", __LINE__, #condition), abort()))

// What a compiler calls with _FORTIFY_SOURCE.
void *__memcpy_chk(void *to, const void *from, size_t count, size_t limit);
void *__memset_chk(void *to, int byte, size_t count, size_t limit);
char *__strcpy_chk(char *to, const char *from, size_t limit);
char *__strncat_chk(char *to, const char *from, size_t count, size_t limit);

// The functions, in one form: from `from`, which is a text of `bytes` with its end, to `to`, which
// is an empty text.
typedef void function(void *to, const void *from, size_t bytes);

static void call_memcpy(void *to, const void *from, size_t bytes)
{
  CHECK(memcpy(to, from, bytes) == to);
}

static void call_memmove(void *to, const void *from, size_t bytes)
{
  CHECK(memmove(to, from, bytes) == to);
}

static void call_mempcpy(void *to, const void *from, size_t bytes)
{
  CHECK(mempcpy(to, from, bytes) == (char *)to + bytes);
}

static void call_memccpy(void *to, const void *from, size_t bytes)
{
  CHECK(memccpy(to, from, '!', bytes) == NULL);
}

static void call_bcopy(void *to, const void *from, size_t bytes)
{
  bcopy(from, to, bytes);
}

static void call_strcpy(void *to, const void *from, size_t bytes)
{
  (void)bytes;
  CHECK(strcpy(to, from) == to);
}

static void call_stpcpy(void *to, const void *from, size_t bytes)
{
  CHECK(stpcpy(to, from) == (char *)to + bytes - 1);
}

static void call_strncpy(void *to, const void *from, size_t bytes)
{
  CHECK(strncpy(to, from, bytes) == to);
}

static void call_stpncpy(void *to, const void *from, size_t bytes)
{
  CHECK(stpncpy(to, from, bytes) == (char *)to + bytes - 1);
}

static void call_strcat(void *to, const void *from, size_t bytes)
{
  (void)bytes;
  CHECK(strcat(to, from) == to);
}

static void call_strncat(void *to, const void *from, size_t bytes)
{
  CHECK(strncat(to, from, bytes) == to);
}

static void call_wmemcpy(void *to, const void *from, size_t bytes)
{
  CHECK(wmemcpy(to, from, bytes / sizeof(wchar_t)) == to);
}

static void call_wmemmove(void *to, const void *from, size_t bytes)
{
  CHECK(wmemmove(to, from, bytes / sizeof(wchar_t)) == to);
}

static void call_memcpy_chk(void *to, const void *from, size_t bytes)
{
  CHECK(__memcpy_chk(to, from, bytes, SIZE_MAX) == to);
}

static void call_strcpy_chk(void *to, const void *from, size_t bytes)
{
  (void)bytes;
  CHECK(__strcpy_chk(to, from, SIZE_MAX) == to);
}

static void call_strncat_chk(void *to, const void *from, size_t bytes)
{
  CHECK(__strncat_chk(to, from, bytes, SIZE_MAX) == to);
}

static void call_memset(void *to, const void *from, size_t bytes)
{
  CHECK(memset(to, *(const char *)from, bytes) == to);
}

static void call_bzero(void *to, const void *from, size_t bytes)
{
  (void)from;
  bzero(to, bytes);
}

static void call_explicit_bzero(void *to, const void *from, size_t bytes)
{
  (void)from;
  explicit_bzero(to, bytes);
}

static void call_wmemset(void *to, const void *from, size_t bytes)
{
  (void)from;
  CHECK(wmemset(to, L'a', bytes / sizeof(wchar_t)) == to);
}

static void call_memset_chk(void *to, const void *from, size_t bytes)
{
  (void)from;
  CHECK(__memset_chk(to, 'a', bytes, SIZE_MAX) == to);
}

static const struct {
  const char *name;  // in the message
  function *call;
  bool reads;
} functions[] = {
    {"memcpy", call_memcpy, true},
    {"memmove", call_memmove, true},
    {"mempcpy", call_mempcpy, true},
    {"memccpy", call_memccpy, true},
    {"bcopy", call_bcopy, true},
    {"strcpy", call_strcpy, true},
    {"stpcpy", call_stpcpy, true},
    {"strncpy", call_strncpy, true},
    {"stpncpy", call_stpncpy, true},
    {"strcat", call_strcat, true},
    {"strncat", call_strncat, true},
    {"wmemcpy", call_wmemcpy, true},
    {"wmemmove", call_wmemmove, true},
    {"__memcpy_chk", call_memcpy_chk, true},
    {"__strcpy_chk", call_strcpy_chk, true},
    {"__strncat_chk", call_strncat_chk, true},
    {"memset", call_memset, false},
    {"bzero", call_bzero, false},
    {"explicit_bzero", call_explicit_bzero, false},
    {"wmemset", call_wmemset, false},
    {"__memset_chk", call_memset_chk, false},
};
#define FUNCTION_COUNT (sizeof functions / sizeof functions[0])

// A text of `bytes` characters with its end, if `ended`.
static char *text_fill(char *text, size_t bytes, bool ended)
{
  for (size_t i = 0; i < bytes; i++) text[i] = 'a';
  if (ended) text[bytes - 1] = '\0';
  return text;
}

// ---- Calls that stay within their blocks ----

static char global[4096], empty[4096];  // one text, and nothing

static void copy_into(char *to, size_t bytes)
{
  char local[4096];
  char *block = text_fill(malloc(bytes), bytes, true);
  const char *sources[] = {block, text_fill(local, bytes, true), global + sizeof global - bytes};
  for (size_t source = 0; source < 3; source++) {
    for (size_t i = 0; i < FUNCTION_COUNT; i++) {
      *to = '\0';
      functions[i].call(to, sources[source], bytes);
    }
  }
  functions[0].call(empty, block, 0);
  functions[0].call(to + bytes, block + bytes, 0);
  free(block);
}

static void *copy_everywhere(void *unused)
{
  static const size_t sizes[] = {4, 16, 64, 256, 1024, 4096};
  char local[4096];
  for (size_t i = 0; i < sizeof sizes / sizeof sizes[0]; i++) {
    size_t bytes = sizes[i];
    char *block = malloc(bytes);
    char *larger = malloc(3 * bytes);
    char *mapped = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    CHECK(block != NULL && larger != NULL && mapped != MAP_FAILED);
    copy_into(block, bytes);
    copy_into(larger + bytes, bytes);
    copy_into(local, bytes);
    copy_into(mapped, bytes);
    munmap(mapped, 4096);
    free(larger);
    // What the allocator itself copies and fills is not the program's.
    for (size_t size = bytes; size < bytes * 1000; size *= 2) block = realloc(block, size);
    block = realloc(block, bytes);
    free(block);
    free(calloc(bytes, 7));
  }
  return unused;
}

static void stay_within(void)
{
  pthread_t threads[4];
  text_fill(global, sizeof global, true);
  for (int i = 0; i < 4; i++) CHECK(pthread_create(&threads[i], NULL, copy_everywhere, NULL) == 0);
  copy_everywhere(NULL);
  pid_t child = fork();
  int status = 0;
  if (child == 0) {
    copy_everywhere(NULL);
    _exit(0);
  }
  CHECK(waitpid(child, &status, 0) == child && status == 0);
  for (int i = 0; i < 4; i++) CHECK(pthread_join(threads[i], NULL) == 0);
}

// ---- Calls that do not ----

#define SIZE 64
#define LARGE ((size_t)1 << 20)

static void leave(const char *kind, function *call)
{
  char local[LARGE / 256] = "";
  char other[LARGE / 256];
  if (strcmp(kind, "overflow") == 0) {
    char *block = malloc(SIZE);
    *block = '\0';
    call(block, text_fill(local, SIZE + 4, true), SIZE + 4);
  } else if (strcmp(kind, "overread") == 0) {
    other[0] = '\0';
    call(other, text_fill(malloc(SIZE), SIZE, false), SIZE + 4);
  } else {
    char *block = calloc(1, SIZE);  // a large one is inaccessible
    free(block);
    call(block, text_fill(local, SIZE, true), SIZE);
  }
}

int main(int count, char **words)
{
  const char *mode = count > 1 ? words[1] : "fine";
  if (strcmp(mode, "fine") == 0) {
    stay_within();
    puts("every copy is done");
    return 0;
  }
  for (size_t i = 0; i < FUNCTION_COUNT; i++) {
    if (strcmp(mode, "list") == 0)
      printf("%s %s\n", functions[i].name, functions[i].reads ? "reads" : "fills");
    else if (count > 2 && strcmp(words[2], functions[i].name) == 0)
      leave(mode, functions[i].call);
  }
  return 0;
}
