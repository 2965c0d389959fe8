// SPDX-License-Identifier: MIT
//
// A program that keeps a cache for as long as there is room. When an allocation is about to fail,
// here for the limit of MEND_LIMIT, the hook drops the cache and the allocation succeeds.
//
// Build: cc out_of_memory.c -o out_of_memory $(pkg-config --cflags --libs mend-core)
// Run:   MEND_LIMIT=64m ./out_of_memory
#include <mend/mend.h>
#include <stdio.h>

#define MIB ((size_t)1 << 20)

static void *cache;

static bool drop_cache(size_t size, void *argument)
{
  int *drops = argument;
  if (cache == NULL) return false;  // nothing left to give: the allocation fails
  printf("%zu MiB do not fit: the cache goes\n", size / MIB);
  mend_free(cache);
  cache = NULL;
  ++*drops;
  return true;
}

int main(void)
{
  int drops = 0;
  mend_set_out_of_memory(drop_cache, &drops);
  cache = mend_malloc(40 * MIB);
  void *wanted = mend_malloc(40 * MIB);
  if (wanted == NULL) return 1;
  printf("got 40 MiB after %d drop\n", drops);
  void *too_much = mend_malloc(40 * MIB);
  printf("40 MiB more: %s\n", too_much == NULL ? "refused" : "got them");
  mend_free(too_much);
  mend_free(wanted);
  return drops == 1 && too_much == NULL ? 0 : 1;
}
