// SPDX-License-Identifier: MIT
//
// Question: what does a call of memcpy, memset and strcpy take, where an allocator has a hand in
// it? mend's hardened library leads these names through itself, and checks them from level 3 on.
//
//   copies     prints one line of JSON: ns a call, the best of some attempts, by function and size;
//              "local" is memcpy between arrays that are not blocks. All of it stays in the cache.
#include "common.h"

enum { BLOCKS = 64, CALLS = 1 << 16, ATTEMPTS = 21 };

static const size_t sizes[] = {1, 16, 128, 1024, 4096};

static void *blocks_to[BLOCKS], *blocks_from[BLOCKS];

// By pointers, so that the compiler makes nothing else of a call.
static void *(*volatile call_memcpy)(void *, const void *, size_t) = memcpy;
static void *(*volatile call_memset)(void *, int, size_t) = memset;
static char *(*volatile call_strcpy)(char *, const char *) = strcpy;

static void calls_memcpy(size_t size)
{
  for (unsigned i = 0; i < CALLS; i++)
    call_memcpy(blocks_to[i % BLOCKS], blocks_from[i * 7 % BLOCKS], size);
}

static void calls_memset(size_t size)
{
  for (unsigned i = 0; i < CALLS; i++) call_memset(blocks_to[i % BLOCKS], 1, size);
}

static void calls_strcpy(size_t size)
{
  (void)size;
  for (unsigned i = 0; i < CALLS; i++)
    call_strcpy(blocks_to[i % BLOCKS], blocks_from[i * 7 % BLOCKS]);
}

static void calls_local(size_t size)
{
  char to[4096], from[4096];
  memset(opaque(from), 1, sizeof from);
  for (unsigned i = 0; i < CALLS; i++) call_memcpy(opaque(to), from, size);
}

static double best_of(void (*calls)(size_t), size_t size)
{
  double best = 1e9;
  for (int i = 0; i < ATTEMPTS; i++) {
    const double start = clock_seconds(CLOCK_THREAD_CPUTIME_ID);
    calls(size);
    const double ns = (clock_seconds(CLOCK_THREAD_CPUTIME_ID) - start) * 1e9 / CALLS;
    if (ns < best) best = ns;
  }
  return best;
}

static void blocks_make(size_t size)
{
  for (int i = 0; i < BLOCKS; i++) {
    blocks_to[i] = calloc(1, size);
    char *from = blocks_from[i] = malloc(size);
    if (blocks_to[i] == NULL || from == NULL) die("an allocation returned NULL");
    memset(from, 'a', size);
    from[size - 1] = '\0';
  }
}

static void blocks_free(void)
{
  for (int i = 0; i < BLOCKS; i++) {
    free(blocks_to[i]);
    free(blocks_from[i]);
  }
}

int main(void)
{
  static const struct {
    const char *name;
    void (*calls)(size_t size);
  } functions[] = {{"memcpy", calls_memcpy},
                   {"memset", calls_memset},
                   {"strcpy", calls_strcpy},
                   {"local", calls_local}};
  for (size_t s = 0; s < sizeof sizes / sizeof sizes[0]; s++) {
    blocks_make(sizes[s]);
    for (size_t f = 0; f < sizeof functions / sizeof functions[0]; f++)
      printf("%s\"%s, %zu bytes\": %.2f", s + f == 0 ? "{" : ", ", functions[f].name, sizes[s],
             best_of(functions[f].calls, sizes[s]));
    blocks_free();
  }
  puts("}");
  return 0;
}
