// SPDX-License-Identifier: MIT
//
// Question: what does a buffer cost that grows by realloc while it is filled?
//
// Model, by the second argument: "1.5" and "2" are vectors that grow by that factor (as those of
// most libraries do), 16 of them in turn, so that none always finds free space behind it, from 16
// bytes to 8 MiB; "add" is one buffer that grows by 1 MiB a step, up to 256 MiB at work scale 1 and
// 1 GiB from scale 3 on. New space is written in every os page (every cache line below 64 KiB), and
// what was written before is checked after each growth.
#include "common.h"

enum { VECTORS = 16, ROUNDS = 8, MIB = 1024 * 1024, VECTOR_MAX = 8 * MIB, FINE_BYTES = 65536 };

struct vector {
  unsigned char *bytes;
  size_t size;
};

static void vector_grow(struct vector *vector, size_t size)
{
  const size_t old = vector->size;
  unsigned char *bytes = realloc(vector->bytes, size);
  if (bytes == NULL) die("realloc returned NULL");
  opaque(bytes);
  if (old != 0 && bytes[old - 1] != block_tag(old)) die("realloc lost the last byte");
  for (size_t at = old; at < size && at < FINE_BYTES; at += CACHE_LINE) bytes[at] = 1;
  touch_pages(bytes, old, size);
  *vector = (struct vector){bytes, size};
}

static void vector_free(struct vector *vector)
{
  free(vector->bytes);
  *vector = (struct vector){0};
}

// Grows all vectors by half or by their whole size until they have reached the end.
static size_t grow_by_factor(size_t rounds, size_t halves)
{
  struct vector vectors[VECTORS] = {0};
  size_t ops = 0;
  for (size_t round = 0; round < rounds; round++) {
    for (size_t size = 16; size <= VECTOR_MAX; size += size / 2 * halves)
      for (size_t i = 0; i < VECTORS; i++, ops++) vector_grow(&vectors[i], size);
    for (size_t i = 0; i < VECTORS; i++) vector_free(&vectors[i]);
  }
  return ops;
}

static size_t grow_by_adding(size_t end)
{
  struct vector vector = {0};
  size_t ops = 0;
  for (size_t size = MIB; size <= end; size += MIB, ops++) vector_grow(&vector, size);
  vector_free(&vector);
  return ops;
}

int main(int argc, char **argv)
{
  const size_t scale = work_scale(argc, argv);
  const char *mode = argc > 2 ? argv[2] : "2";
  if (strcmp(mode, "1.5") == 0)
    return ops_report("realloc_growth_1.5", grow_by_factor(scale * ROUNDS, 1));
  if (strcmp(mode, "2") == 0)
    return ops_report("realloc_growth_2", grow_by_factor(scale * ROUNDS, 2));
  if (strcmp(mode, "add") != 0) die("the growth is 1.5, 2 or add");
  return ops_report("realloc_growth_add", grow_by_adding((scale < 3 ? 256 : 1024) * (size_t)MIB));
}
