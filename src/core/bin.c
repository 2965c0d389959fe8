// SPDX-License-Identifier: MIT
#include "core/bin.h"

#include <string.h>

INTERNAL const uint16_t bin_offset_of_units[SIZE_CLASS_SMALL_BYTES / 16 + 1] = {
    16,  16,  32,  48,  64,  80,  96,  112, 128, 144, 160, 176, 192, 208, 224, 240, 256, 272, 272,
    288, 288, 304, 304, 320, 320, 336, 336, 352, 352, 368, 368, 384, 384, 400, 400, 400, 400, 416,
    416, 416, 416, 432, 432, 432, 432, 448, 448, 448, 448, 464, 464, 464, 464, 480, 480, 480, 480,
    496, 496, 496, 496, 512, 512, 512, 512, 528, 528, 528, 528, 528, 528, 528, 528, 544, 544, 544,
    544, 544, 544, 544, 544, 560, 560, 560, 560, 560, 560, 560, 560, 576, 576, 576, 576, 576, 576,
    576, 576, 592, 592, 592, 592, 592, 592, 592, 592, 608, 608, 608, 608, 608, 608, 608, 608, 624,
    624, 624, 624, 624, 624, 624, 624, 640, 640, 640, 640, 640, 640, 640, 640, 656, 656, 656, 656,
    656, 656, 656, 656, 656, 656, 656, 656, 656, 656, 656, 656, 672, 672, 672, 672, 672, 672, 672,
    672, 672, 672, 672, 672, 672, 672, 672, 672, 688, 688, 688, 688, 688, 688, 688, 688, 688, 688,
    688, 688, 688, 688, 688, 688, 704, 704, 704, 704, 704, 704, 704, 704, 704, 704, 704, 704, 704,
    704, 704, 704, 720, 720, 720, 720, 720, 720, 720, 720, 720, 720, 720, 720, 720, 720, 720, 720,
    736, 736, 736, 736, 736, 736, 736, 736, 736, 736, 736, 736, 736, 736, 736, 736, 752, 752, 752,
    752, 752, 752, 752, 752, 752, 752, 752, 752, 752, 752, 752, 752, 768, 768, 768, 768, 768, 768,
    768, 768, 768, 768, 768, 768, 768, 768, 768, 768,
};

static_assert(sizeof(struct bin) == 16, "the table is written for that");
static_assert(TUNING_BIN_LEAST >= 2, "half of a bin stays, and half is room");

static uint32_t doubled(uint32_t limit, size_t most, size_t least)
{
  return (uint32_t)bits_larger(bits_smaller((size_t)limit * 2, most), least);
}

static uint32_t halved(uint32_t limit, size_t least)
{
  return (uint32_t)bits_larger(limit / 2, least);
}

// ---------------------------------------------------------------------------------------------

static void set_room(struct bin *bin, uint32_t room)
{
  counter_set(&bin->room, (int32_t)room);
}

// The limit of a bin that was found empty.
static uint32_t wider(uint32_t limit, size_t block_bytes)
{
  size_t most = bits_smaller(TUNING_BIN_BYTES / block_bytes, TUNING_BIN_MOST);
  return doubled(limit, most, TUNING_BIN_LEAST);
}

INTERNAL void bin_fill(struct bin *bin, struct block *first, size_t block_bytes)
{
  bin->first = first;
  bin->limit = wider(bin->limit, block_bytes);
  set_room(bin, bin->limit);
}

INTERNAL void bin_widen(struct bin *bin, size_t block_bytes)
{
  bin->limit = wider(bin->limit, block_bytes);
}

INTERNAL void bin_ration(struct bin *bin, struct block *first, uint32_t count)
{
  bin->first = first;
  bin->limit = count;
  set_room(bin, 0);
}

INTERNAL struct block *bin_empty(struct bin *bin)
{
  struct block *first = bin->first;
  bin->first = NULL;
  set_room(bin, 0);
  return first;
}

INTERNAL struct block *bin_relieve(struct bin *bin)
{
  // Taken out first: a signal handler that allocates must not find what is walked here.
  struct block *first = bin_empty(bin);
  if (first == NULL) {
    bin->limit = (uint32_t)bits_larger(bin->limit, TUNING_BIN_LEAST);
    set_room(bin, bin->limit);
    return NULL;
  }
  bin->limit = halved(bin->limit, TUNING_BIN_LEAST);
  uint32_t kept = bin->limit / 2;
  struct block *last = first;
  struct block *rest;
  for (uint32_t i = 1; (rest = block_next(last)) != NULL && i < kept; i++) last = rest;
  block_set_next(last, NULL);
  bin->first = first;
  set_room(bin, bin->limit - kept);
  return rest;
}

// ---------------------------------------------------------------------------------------------

INTERNAL void shelf_missed(struct shelf *shelf, size_t block_bytes)
{
  size_t most = bits_smaller(TUNING_SHELF_BYTES / block_bytes, TUNING_SHELF_BLOCKS);
  shelf->limit = doubled(shelf->limit, most, 1);
}

INTERNAL bool shelf_holds(const struct shelf *shelf, const void *block)
{
  for (uint32_t i = 0; i < shelf->count; i++) {
    if (shelf->blocks[i] == block) return true;
  }
  return false;
}

// A fork may copy the shelf, and a signal handler use it, between any two stores: blocks below
// `count` are there then, and no block is there twice.
static void set_count(struct shelf *shelf, uint32_t count)
{
  atomic_signal_fence(memory_order_seq_cst);
  shelf->count = count;
  atomic_signal_fence(memory_order_seq_cst);
}

INTERNAL uint32_t shelf_empty(struct shelf *shelf, uint32_t kept, void **returned)
{
  void *blocks[TUNING_SHELF_BLOCKS];
  uint32_t count = shelf->count;
  if (count <= kept) return 0;
  memcpy(blocks, shelf->blocks, count * sizeof *blocks);
  set_count(shelf, 0);
  memcpy(shelf->blocks, blocks + (count - kept), kept * sizeof *blocks);
  set_count(shelf, kept);
  memcpy(returned, blocks, (count - kept) * sizeof *blocks);
  return count - kept;
}

INTERNAL uint32_t shelf_put(struct shelf *shelf, void *block, void **returned)
{
  uint32_t count = 0;
  if (shelf->count >= shelf->limit) {
    shelf->limit = halved(shelf->limit, 1);
    count = shelf_empty(shelf, shelf->limit / 2, returned);
  }
  uint32_t place = shelf->count;
  shelf->blocks[place] = block;
  set_count(shelf, place + 1);
  return count;
}
