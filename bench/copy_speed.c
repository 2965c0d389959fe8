// SPDX-License-Identifier: MIT
//
// Question: how fast does this machine copy memory? What a pass of the defragmenter is held
// against.
//
//   copy_speed SIZE...     prints GB/s (bytes copied, not bytes read and written): of one memcpy of
//                          256 MiB, and of memcpy of blocks of each size between random places of
//                          two areas of 256 MiB, none touched shortly before. Best of three.
#include "common.h"

enum { AREA = 256 << 20, ATTEMPTS = 3 };

static unsigned char *area_map(void)
{
  unsigned char *area =
      mmap(NULL, AREA, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  if (area == MAP_FAILED) die("mmap of an area");
  memset(area, 1, AREA);
  return area;
}

static void order_shuffle(uint32_t *order, uint32_t count, struct random *random)
{
  for (uint32_t i = 0; i < count; i++) order[i] = i;
  for (uint32_t i = count; i-- > 1;) {
    const uint32_t other = random_below(random, i + 1);
    const uint32_t swapped = order[i];
    order[i] = order[other];
    order[other] = swapped;
  }
}

// Copies the whole area in blocks of `size`, each from a random place to another.
static double blocks_copy(unsigned char *to, const unsigned char *from, size_t size)
{
  const uint32_t count = (uint32_t)(AREA / size);
  uint32_t *source = table_map(count * sizeof *source);
  uint32_t *target = table_map(count * sizeof *target);
  struct random random = random_seeded(size);
  order_shuffle(source, count, &random);
  order_shuffle(target, count, &random);
  const double start = clock_seconds(CLOCK_MONOTONIC);
  for (uint32_t i = 0; i < count; i++)
    memcpy(opaque(to + target[i] * size), from + source[i] * size, size);
  const double seconds = clock_seconds(CLOCK_MONOTONIC) - start;
  munmap(source, count * sizeof *source);
  munmap(target, count * sizeof *target);
  return (double)(count * size) / seconds / 1e9;
}

static double speed_of(unsigned char *to, const unsigned char *from, size_t size)
{
  double best = 0;
  for (int i = 0; i < ATTEMPTS; i++) {
    const double speed = blocks_copy(to, from, size);
    if (speed > best) best = speed;
  }
  return best;
}

int main(int argc, char **argv)
{
  unsigned char *from = area_map(), *to = area_map();
  line_write("{\"large\":%.3f", speed_of(to, from, AREA));
  for (int i = 1; i < argc; i++) {
    const size_t size = strtoul(argv[i], NULL, 10);
    if (size == 0 || size > AREA) die("a size is from 1 byte to 256 MiB");
    line_write(",\"%zu\":%.3f", size, speed_of(to, from, size));
  }
  line_write("}\n");
  return 0;
}
