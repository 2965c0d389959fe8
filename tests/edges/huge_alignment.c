// SPDX-License-Identifier: MIT
//
// Alignments far beyond 2 MiB: each power of two is kept or refused with ENOMEM, costs no more
// resident memory than the block, and leaves nothing behind when the block is freed. Checkers that
// are told of blocks note of every byte that an alignment skips that it is nobody's: for them the
// alignments are smaller.
#include <errno.h>
#include <stdio.h>

#include "../support/resident.h"
#include "../support/workout.h"
#include "mend/stats.h"

static size_t try_alignment(size_t alignment, size_t bytes)
{
  errno = 0;
  unsigned char *block = mend_aligned_alloc(alignment, bytes);
  if (block == NULL) {
    CHECK(errno == ENOMEM);
    return 0;
  }
  CHECK(is_aligned(block, alignment));
  CHECK(mend_malloc_usable_size(block) >= bytes);
  block[0] = 1;
  block[bytes - 1] = 2;
  mend_free(block);
  return 1;
}

static size_t committed_bytes(void)
{
  struct mend_stats stats = {.bytes = sizeof stats};
  CHECK(mend_stats_get(&stats));
  return stats.committed_bytes;
}

int main(void)
{
  size_t most = TEST_IS_ANNOTATED ? 256 * MIB : SIZE_MAX / 2 + 1;
  resident_start();
  mend_free(mend_malloc(1));
  size_t before = resident_bytes();
  for (size_t alignment = 4 * MIB; alignment != 0 && alignment <= most; alignment *= 2) {
    size_t kept = try_alignment(alignment, 1) + try_alignment(alignment, 5 * MIB);
    if (alignment <= 4 * GIB) CHECK(kept == 2);
  }
  size_t committed = committed_bytes();
  for (size_t i = 0; i < test_scaled(300); i++) {
    try_alignment(64 * MIB, 100000);
    try_alignment(most < GIB ? most : GIB, 10);
  }
  // The hardened build keeps the addresses of large blocks for a while, up to 16 GiB of them.
  CHECK(committed_bytes() <= committed + (TEST_IS_HARDENED ? 16 * GIB : 64 * MIB));
  resident_check_growth("after all alignments", before, 8 * MIB);
  workout_run(1, 1000);
  return TEST_PASS;
}
