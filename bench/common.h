// SPDX-License-Identifier: MIT
//
// What every benchmark program here shares: fixed work scaled by one argument, blocks that are
// really written and really checked, tables outside the heap, and one line of JSON at the end.
//
// A block is marked when it is taken (its size in the first four bytes, a tag in the last byte, a
// word in each os page between them) and the mark is checked before it is given back, so the work
// can be neither skipped by the compiler nor done wrongly by the allocator without being noticed.
//
// Nothing here knows which allocator it runs on. It is C++, too.
#ifndef BENCH_COMMON_H
#define BENCH_COMMON_H

#include <stdbool.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <time.h>
#include <unistd.h>

#include "random.h"

enum { CACHE_LINE = 64, OS_PAGE = 4096, BLOCK_MIN = 8 };

__attribute__((noreturn)) static inline void die(const char *what)
{
  fprintf(stderr, "benchmark failed: %s\n", what);
  exit(1);
}

// Makes the compiler forget what it knows about a block, so that a pair of malloc and free stays.
static inline void *opaque(void *block)
{
  __asm__ volatile("" : "+r"(block) : : "memory");
  return block;
}

// ---- blocks ----

static inline unsigned char block_tag(size_t size)
{
  return (unsigned char)(size * 31 + 7);
}

// Writes one word in each os page of [from, size), as a user does who fills a large block.
static inline void touch_pages(void *block, size_t from, size_t size)
{
  volatile unsigned char *bytes = (volatile unsigned char *)block;
  for (size_t at = from; at < size; at += OS_PAGE) bytes[at] = (unsigned char)(at >> 12);
  if (size > from) bytes[size - 1] = block_tag(size);
}

// Writes the mark into a block of at least BLOCK_MIN and less than 4 GiB bytes.
static inline void *block_mark(void *block, size_t size)
{
  if (block == NULL) die("an allocation returned NULL");
  const uint32_t head = (uint32_t)size;
  memcpy(block, &head, sizeof head);
  ((unsigned char *)block)[size - 1] = block_tag(size);
  return opaque(block);
}

// Takes a block and fills it: the mark, and a word in each of its os pages.
static inline void *block_new(size_t size)
{
  void *block = block_mark(malloc(size), size);
  if (size > OS_PAGE) touch_pages(block, OS_PAGE, size);
  return block;
}

static inline size_t block_size(const void *block)
{
  uint32_t head;
  memcpy(&head, block, sizeof head);
  return head;
}

static inline void block_check(const void *block)
{
  const size_t size = block_size(block);
  if (((const unsigned char *)block)[size - 1] != block_tag(size)) die("a block was overwritten");
}

// Checks and frees; NULL is an empty slot.
static inline void block_end(void *block)
{
  if (block == NULL) return;
  block_check(opaque(block));
  free(block);
}

// ---- memory that is not the heap ----

static inline void *table_map(size_t bytes)
{
  void *table = mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
  if (table == MAP_FAILED) die("mmap of a table");
  return table;
}

// ---- work, clocks and the last line ----

// The work scale: the first argument, 1 (short) if there is none.
static inline size_t work_scale(int argument_count, char **arguments)
{
  if (argument_count < 2) return 1;
  const long scale = strtol(arguments[1], NULL, 10);
  if (scale < 1 || scale > 1000) die("the work scale is a number from 1 to 1000");
  return (size_t)scale;
}

static inline double clock_seconds(clockid_t clock)
{
  struct timespec now;
  clock_gettime(clock, &now);
  return (double)now.tv_sec + (double)now.tv_nsec * 1e-9;
}

// Writes one line to stdout without allocating.
__attribute__((format(printf, 1, 2))) static inline void line_write(const char *format, ...)
{
  char line[1024];
  va_list values;
  va_start(values, format);
  const int length = vsnprintf(line, sizeof line, format, values);
  va_end(values);
  if (length <= 0 || write(STDOUT_FILENO, line, (size_t)length) != length) die("write");
}

// How many allocations the program made: the runner divides by the time it measured.
static inline int ops_report(const char *program, size_t ops)
{
  line_write("{\"program\":\"%s\",\"ops\":%zu}\n", program, ops);
  return 0;
}

#endif
