// SPDX-License-Identifier: MIT
#include "track/site_table.h"

#include <string.h>

#include "base/fatal.h"
#include "track/tables.h"

#define BUCKET_SHIFT 16
#define BUCKET_COUNT ((size_t)1 << BUCKET_SHIFT)
#define UNIT_BYTES ((size_t)16)

// Numbers count units of memory; a site lies in one piece.
enum { SITE_PIECE_UNITS_SHIFT = 14, SITE_PIECE_UNITS = 1 << SITE_PIECE_UNITS_SHIFT };
#define SITE_PIECE_BYTES (SITE_PIECE_UNITS * UNIT_BYTES)
#ifdef MEND_STRESS
enum { SITE_PIECE_COUNT = 8 };  // 2 MiB
#else
enum { SITE_PIECE_COUNT = 512 };  // 128 MiB: some 400000 stacks
#endif

static struct {
  _Atomic(void *) buckets;                   // numbers of first sites
  _Atomic(void *) pieces[SITE_PIECE_COUNT];  // which are never given back
  _Atomic(uint32_t) used_units;
  _Atomic(uint64_t) lost;
} site_table = {.used_units = 1};  // no site has the number 0

INTERNAL bool site_table_start(void)
{
  return track_table_make(&site_table.buckets, BUCKET_COUNT * sizeof(uint32_t)) != NULL;
}

INTERNAL struct site *site_of(uint32_t number)
{
  char *piece = atomic_load_explicit(&site_table.pieces[number >> SITE_PIECE_UNITS_SHIFT],
                                     memory_order_relaxed);  // older than the number
  return (struct site *)(void *)(piece + number % SITE_PIECE_UNITS * UNIT_BYTES);
}

static _Atomic(uint32_t) *buckets_now(void)
{
  return atomic_load_explicit(&site_table.buckets, memory_order_acquire);  // see track_table_make
}

static _Atomic(uint32_t) *bucket_of(uint64_t hash)
{
  return &buckets_now()[hash >> (64 - BUCKET_SHIFT)];
}

// The site of a stack, looked for from one number on in its chain up to another; 0 if not there.
static uint32_t find_between(uint32_t number, uint32_t end, const uintptr_t *addresses,
                             size_t depth, uint64_t hash)
{
  while (number != end) {
    struct site *site = site_of(number);
    if (site->hash == hash && site->depth == depth &&
        memcmp(site->addresses, addresses, depth * sizeof *addresses) == 0) {
      return number;
    }
    number = site->next;
  }
  return 0;
}

// Memory for a site; 0 if there is none.
static uint32_t take_units(uint32_t count)
{
  uint32_t used = atomic_load_explicit(&site_table.used_units, memory_order_relaxed);
  uint32_t start;
  do {
    start = used;
    if (start % SITE_PIECE_UNITS + count > SITE_PIECE_UNITS)
      start += SITE_PIECE_UNITS - start % SITE_PIECE_UNITS;
    if (start >> SITE_PIECE_UNITS_SHIFT >= SITE_PIECE_COUNT) return 0;
    _Atomic(void *) *piece = &site_table.pieces[start >> SITE_PIECE_UNITS_SHIFT];
    if (track_table_make(piece, SITE_PIECE_BYTES) == NULL) return 0;
  } while (!atomic_compare_exchange_weak_explicit(&site_table.used_units, &used, start + count,
                                                  memory_order_relaxed, memory_order_relaxed));
  return start;
}

static uint32_t make_site(const uintptr_t *addresses, size_t depth, uint64_t hash)
{
  size_t bytes = sizeof(struct site) + depth * sizeof *addresses;
  uint32_t number = take_units((uint32_t)((bytes + UNIT_BYTES - 1) / UNIT_BYTES));
  if (number == 0) return 0;
  struct site *site = site_of(number);
  site->hash = hash;
  site->depth = (uint32_t)depth;
  memcpy(site->addresses, addresses, depth * sizeof *addresses);
  return number;
}

static uint64_t hash_of(const uintptr_t *addresses, size_t depth)
{
  uint64_t hash = depth;
  for (size_t i = 0; i < depth; i++) hash = (hash ^ addresses[i]) * UINT64_C(0x9e3779b97f4a7c15);
  return hash ^ hash >> 32;
}

INTERNAL uint32_t site_table_find(const uintptr_t *addresses, size_t depth)
{
  uint64_t hash = hash_of(addresses, depth);
  _Atomic(uint32_t) *bucket = bucket_of(hash);
  uint32_t first = atomic_load_explicit(bucket, memory_order_acquire);
  uint32_t number = find_between(first, 0, addresses, depth, hash);
  if (number != 0) return number;
  number = make_site(addresses, depth, hash);
  if (number == 0) {
    atomic_fetch_add_explicit(&site_table.lost, 1, memory_order_relaxed);
    return 0;
  }
  for (;;) {
    uint32_t before = first;
    site_of(number)->next = first;
    // release: who finds the site finds it complete
    if (atomic_compare_exchange_strong_explicit(bucket, &first, number, memory_order_acq_rel,
                                                memory_order_acquire)) {
      return number;
    }
    uint32_t other = find_between(first, before, addresses, depth, hash);
    if (other != 0) return other;  // ours is lost: that is rare
  }
}

static void add_to_sum(_Atomic(uint64_t) *sum, uint64_t value)
{
  atomic_fetch_add_explicit(sum, value, memory_order_relaxed);
}

INTERNAL void site_add_exact(uint32_t number, uint64_t count, uint64_t bytes)
{
  if (number == 0) return;
  struct site *site = site_of(number);
  add_to_sum(&site->exact_count, count);
  add_to_sum(&site->exact_bytes, bytes);
}

INTERNAL void site_add_sample(uint32_t number, const struct site_sums *sums)
{
  if (number == 0) return;
  struct site *site = site_of(number);
  add_to_sum(&site->sampled.samples, sums->samples);
  add_to_sum(&site->sampled.sampled_bytes, sums->sampled_bytes);
  add_to_sum(&site->sampled.count_parts, sums->count_parts);
  add_to_sum(&site->sampled.bytes, sums->bytes);
}

static uint64_t value_of(const _Atomic(uint64_t) *sum)
{
  return atomic_load_explicit(sum, memory_order_relaxed);
}

INTERNAL struct site_sums site_total(struct site *site)
{
  uint64_t count = value_of(&site->exact_count);
  uint64_t bytes = value_of(&site->exact_bytes);
  return (struct site_sums){
      .samples = count + value_of(&site->sampled.samples),
      .sampled_bytes = bytes + value_of(&site->sampled.sampled_bytes),
      .count_parts = (count << SITE_COUNT_SHIFT) + value_of(&site->sampled.count_parts),
      .bytes = bytes + value_of(&site->sampled.bytes),
  };
}

INTERNAL void site_table_each(void (*visit)(uint32_t number, struct site *site, void *argument),
                              void *argument)
{
  _Atomic(uint32_t) *buckets = buckets_now();
  for (size_t i = 0; buckets != NULL && i < BUCKET_COUNT; i++) {
    uint32_t number = atomic_load_explicit(&buckets[i], memory_order_acquire);
    while (number != 0) {
      struct site *site = site_of(number);
      visit(number, site, argument);
      number = site->next;
    }
  }
}

static void assert_site_valid(uint32_t number, struct site *site, void *unused)
{
  (void)unused;
  ASSERT(number < atomic_load(&site_table.used_units) && site->depth <= SITE_DEPTH);
  ASSERT(site->hash == hash_of(site->addresses, site->depth));
  // No stack is there twice.
  ASSERT(find_between(atomic_load(bucket_of(site->hash)), 0, site->addresses, site->depth,
                      site->hash) == number);
  (void)number, (void)site;
}

INTERNAL void site_table_assert_valid(void)
{
  site_table_each(assert_site_valid, NULL);
}

INTERNAL uint64_t site_table_lost(void)
{
  return value_of(&site_table.lost);
}
