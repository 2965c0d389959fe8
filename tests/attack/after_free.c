// SPDX-License-Identifier: MIT
//
// P2 and P5: a block is written to or read after its free, so that an address of the attacker's
// choice is handed out, or that secrets and addresses are told.
#define _GNU_SOURCE 1
#include <sys/mman.h>

#include "cases.h"

const char *const write_ways[] = {"pointers",        "ones",     "first_8", "first_1",
                                  "freed_elsewhere", "in_child", NULL};
const char *const read_ways[] = {"free", "freed_elsewhere", "realloc", "delete", NULL};
const char *const touch_ways[] = {"read_first",  "read_middle", "read_last",
                                  "write_first", "write_last",  NULL};
const char *const scan_ways[] = {"freed", "live", NULL};

enum { COUNT = 300, SCANNED = 2000, DECOY_BYTES = 1 << 16, SECRET = 0x5ec2e7 };

static char *blocks[SCANNED];

static size_t count_for(size_t size, size_t most)
{
  size_t count = 16 * MIB / size;
  return count < most ? count : most;
}

static void free_it(void *block)
{
  free(block);
}

static uintptr_t *make_decoy(void)
{
  uintptr_t *decoy =
      mmap(NULL, DECOY_BYTES, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  CHECK(decoy != MAP_FAILED);
  for (size_t i = 0; i < DECOY_BYTES / sizeof *decoy; i++) {
    decoy[i] = i % 2 == 0 ? (uintptr_t)&decoy[256] : 0x41;
  }
  oracle_forbid(decoy, DECOY_BYTES);
  return decoy;
}

static void write_pointers(char *block, size_t size, const uintptr_t *decoy)
{
  const void *address = &decoy[256];
  for (size_t i = 0; i + sizeof address <= size; i += sizeof address) {
    memcpy(opaque(block + i), &address, sizeof address);
  }
}

void run_write_after_free(const struct attack *attack)
{
  const uintptr_t *decoy = make_decoy();
  size_t size = attack->size, count = count_for(size, COUNT);
  for (size_t i = 0; i < count; i++) blocks[i] = source_allocate(BY_MALLOC, size);
  for (size_t i = 0; i < count; i++) {
    if (attack_way_is(attack, "freed_elsewhere")) {
      attack_in_thread(free_it, blocks[i]);
    } else {
      free(blocks[i]);
    }
  }
  if (attack_way_is(attack, "in_child")) attack_continue_in_fork();
  attack_access();
  for (size_t i = 0; i < count; i++) {
    if (attack_way_is(attack, "ones")) {
      memset(opaque(blocks[i]), 0xff, size);
    } else if (attack_way_is(attack, "first_1")) {
      *(volatile char *)blocks[i] = 'A';
    } else {
      write_pointers(blocks[i], attack_way_is(attack, "first_8") ? 8 : size, decoy);
    }
  }
  oracle_judge(size);
}

static void fill_secret(void *block, size_t size)
{
  pattern_fill(block, size, SECRET);
}

// Whether any whole word of the secret is left where the block was.
static bool holds_secret(const char *block, size_t size)
{
  static char now[65536], secret[65536];
  CHECK(size <= sizeof now);
  if (!oracle_read(block, now, size)) return false;
  fill_secret(secret, size);
  for (size_t i = 0; i + 8 <= size; i += 8) {
    if (memcmp(now + i, secret + i, 8) == 0) return true;
  }
  return false;
}

void run_read_after_free(const struct attack *attack)
{
  size_t size = attack->size;
  bool is_new = attack_way_is(attack, "delete");
  char *block = source_allocate(is_new ? BY_NEW : BY_MALLOC, size);
  void *barrier = source_allocate(BY_MALLOC, size);
  fill_secret(block, size);
  if (attack_way_is(attack, "realloc")) {
    void *moved = opaque(realloc(block, 16 * size + 70000));
    if (moved == block) attack_cannot("realloc has not moved the block");
  } else if (attack_way_is(attack, "freed_elsewhere")) {
    attack_in_thread(free_it, block);
  } else {
    source_release(is_new ? BY_NEW : BY_MALLOC, block);
  }
  attack_after();
  if (holds_secret(block, size)) attack_worked("what was in the block can be read");
  free(barrier);
}

void run_touch_after_free(const struct attack *attack)
{
  const char *way = attack->threat->ways[attack->way];
  volatile char *block = source_allocate(BY_MALLOC, attack->size);
  size_t at = strstr(way, "first") != NULL ? 0 : attack->size - 1;
  if (strstr(way, "middle") != NULL) at = attack->size / 2;
  block[at] = 'a';
  free((void *)(uintptr_t)block);
  attack_access();
  if (strstr(way, "read") != NULL) {
    (void)block[at];
  } else {
    block[at] = 'A';
  }
  oracle_judge(attack->size);
}

// Whether the word is the address of something.
static bool is_address(uintptr_t word)
{
  char byte;
  return word >= 65536 && oracle_read((void *)word, &byte, 1);
}

static void scan(const char *from, size_t bytes)
{
  uintptr_t word;
  from = (const char *)((uintptr_t)from & ~(sizeof word - 1));
  for (size_t i = 0; i + sizeof word <= bytes; i += sizeof word) {
    if (oracle_read(from + i, &word, sizeof word) && is_address(word)) {
      attack_worked("an address lies in or between the blocks");
    }
  }
}

// The program leaves nothing but zeros in its blocks; what else is there, is the allocator's.
void run_scan_for_pointers(const struct attack *attack)
{
  size_t size = attack->size, count = count_for(size, SCANNED);
  for (size_t i = 0; i < count; i++) {
    blocks[i] = source_allocate(BY_MALLOC, size);
    memset(blocks[i], 0, size);
  }
  for (size_t i = 0; i < count; i++) {
    if (attack_way_is(attack, "freed") && i % 3 != 0) free(blocks[i]);
  }
  attack_after();
  size_t scanned = size < 4096 ? size : 4096;
  for (size_t i = 0; i < count; i += size < 1000 ? 1 : 8) {
    scan(blocks[i] - 32, scanned + 64);
    if (size > scanned) scan(blocks[i] + size - scanned, scanned + 32);
  }
}
