// SPDX-License-Identifier: MIT
//
// What the tracker is told, over a tracker of the test's own that keeps a table of live records:
// samples against the truth in counts and bytes, for every way of allocating and every order of
// freeing; that no free of a sample is missed, whoever frees; that twins come back; that exact
// tracking sees all; and what happens when modes change.
#define _GNU_SOURCE 1
#include "../support/suite.h"

#include <errno.h>
#include <pthread.h>
#include <string.h>

#include "api/tracking.h"
#include "core/heap.h"
#include "mend/mend.h"
#include "mend/numa.h"
#include "mend/track.h"
#include "track/tracker.h"

// ---------------------------------------------------------------------------------------------
// The tracker.

enum { SLOTS = 1 << 21, CLASSES = 128 };

struct record {
  void *block;
  size_t size;
  void *twin;
  enum block_kind kind;
  bool is_live;
};

static struct {
  pthread_mutex_t lock;
  struct record slots[SLOTS];
  size_t live;     // records of blocks in use
  size_t added;    // so far
  size_t removed;  // so far
  double count;    // what the samples stand for
  double bytes;    // and in bytes that were asked for
  double interval;
  bool refuses;
} table = {.lock = PTHREAD_MUTEX_INITIALIZER};

INTERNAL _Atomic(uint32_t) tracker_mode_now;

// 1 - exp(-x)
static double chance_of(double x)
{
  if (x > 50) return 1;
  double y = x / 1024;
  double none = 1 - y * (1 - y / 2 * (1 - y / 3 * (1 - y / 4 * (1 - y / 5))));
  for (int i = 0; i < 10; i++) none *= none;
  return 1 - none;
}

static struct record *find(const void *block)
{
  size_t at = ((uintptr_t)block >> 4) * UINT64_C(0x9e3779b97f4a7c15) >> 43;
  while (table.slots[at].block != NULL && table.slots[at].block != block) at = (at + 1) % SLOTS;
  return &table.slots[at];
}

INTERNAL bool tracker_start(enum tracker_mode mode, size_t interval_bytes)
{
  (void)mode;
  table.interval = (double)interval_bytes;
  return true;
}

INTERNAL void tracker_stop(void)
{
}

INTERNAL size_t tracker_interval_bytes(void)
{
  return (size_t)table.interval;
}

static void estimate(double block_bytes, double size)
{
  bool is_exact = sampling_mode() == SAMPLING_EXACT;
  double chance = is_exact ? 1 : chance_of(block_bytes / table.interval);
  table.count += 1 / chance;
  table.bytes += size / chance;
}

INTERNAL bool tracker_add(struct page *page, void *block, size_t size, void *twin,
                          enum block_kind kind)
{
  if (table.refuses) return false;
  pthread_mutex_lock(&table.lock);
  struct record *record = find(block);
  CHECK(!record->is_live);
  CHECK(page_is_tracked(page) && size <= page->block_bytes);
  CHECK(twin == NULL || page_around(twin)->size_class == page->size_class);
  *record = (struct record){block, size, twin, kind, true};
  table.live++;
  table.added++;
  estimate((double)page->block_bytes, (double)size);
  pthread_mutex_unlock(&table.lock);
  return true;
}

static struct tracker_block known_of(const struct record *record)
{
  return (struct tracker_block){.block = record->block,
                                .size = record->size,
                                .is_live = record->is_live,
                                .twin = record->twin,
                                .kind = record->kind};
}

INTERNAL bool tracker_remove(struct page *page, void *block, struct tracker_block *known)
{
  (void)page;
  pthread_mutex_lock(&table.lock);
  struct record *record = find(block);
  bool is_live = record->block == block && record->is_live;
  *known = known_of(record);
  record->is_live = false;
  if (is_live) table.live--;
  if (is_live) table.removed++;
  pthread_mutex_unlock(&table.lock);
  return is_live;
}

INTERNAL void tracker_withdraw(struct page *page, void *block)
{
  struct tracker_block known;
  CHECK(tracker_remove(page, block, &known));
}

INTERNAL void tracker_resize(struct page *page, void *block, size_t size)
{
  (void)page;
  pthread_mutex_lock(&table.lock);
  struct record *record = find(block);
  if (record->block == block && record->is_live) record->size = size;
  pthread_mutex_unlock(&table.lock);
}

INTERNAL bool tracker_look(struct page *page, const void *address, struct tracker_block *known)
{
  (void)page;
  pthread_mutex_lock(&table.lock);
  struct record *record = find(address);
  bool is_known = record->block == address;
  *known = known_of(record);
  pthread_mutex_unlock(&table.lock);
  return is_known;
}

INTERNAL bool tracker_look_past(const void *block, struct tracker_block *known)
{
  (void)block, (void)known;
  return false;
}

INTERNAL bool tracker_visit(struct page *page, tracker_visitor visitor, void *argument)
{
  for (size_t i = 0; i < SLOTS; i++) {
    struct record *record = &table.slots[i];
    if (!record->is_live || page_first(page_around(record->block)) != page) continue;
    struct tracker_block known = known_of(record);
    if (!visitor(&known, argument)) return false;
  }
  return true;
}

INTERNAL size_t tracker_interval_of(unsigned weight)
{
  (void)weight;
  return (size_t)table.interval;
}

INTERNAL uint64_t tracker_forgone(void)
{
  return 0;
}

INTERNAL void tracker_start_clock(void)
{
}

INTERNAL uint32_t tracker_clock_ms(void)
{
  return 0;
}

// ---------------------------------------------------------------------------------------------
// The truth.

static struct {
  double count;
  double bytes;
  double count_variance;
  double byte_variance;
} truth;

static size_t twins(void)
{
  size_t count = 0;
  for (unsigned i = 0; i < SIZE_CLASS_SMALL_COUNT; i++) count += atomic_load(&sampling.twins[i]);
  return count;
}

static void begin(size_t interval)
{
  memset(table.slots, 0, sizeof table.slots);
  table.live = table.added = table.removed = 0;
  table.count = table.bytes = 0;
  memset(&truth, 0, sizeof truth);
  assert_true(mend_profile_start(interval));
}

// A block was allocated for so many bytes.
static void *note(void *block, size_t size)
{
  CHECK(block != NULL);
  struct page *page = page_first(page_around(block));
  double chance = chance_of((double)page->block_bytes / table.interval);
  truth.count++;
  truth.bytes += (double)size;
  truth.count_variance += (1 - chance) / chance;
  truth.byte_variance += (1 - chance) / chance * (double)size * (double)size;
  return block;
}

static void *allocate_noted(size_t size)
{
  return note(mend_malloc(size), size);
}

// Ends a run in which everything has been freed: the samples stand for what there was.
static void end(void)
{
  double count_error = table.count - truth.count;
  double byte_error = table.bytes - truth.bytes;
  assert_true(count_error * count_error <= 36 * truth.count_variance + 1);
  assert_true(byte_error * byte_error <= 36 * truth.byte_variance + 1);
  assert_int_equal(table.live, 0);
  assert_int_equal(table.added, table.removed);
  assert_int_equal(twins(), 0);
  mend_profile_stop();
}

enum { BLOCKS = 20000, ROUNDS = 10 };

static void *blocks[BLOCKS];
static const size_t intervals[] = {1, 100, 2000, 30000};
static struct random random_numbers;

static size_t below(size_t limit)
{
  return random_below(&random_numbers, limit);
}

static size_t any_size(void)
{
  return below(10) == 0 ? below(4097) : below(200);
}

// ---------------------------------------------------------------------------------------------

static void one_block_again_and_again(void **state)
{
  (void)state;
  for (size_t i = 0; i < 4; i++) {
    begin(intervals[i]);
    for (size_t j = 0; j < 10 * BLOCKS; j++) mend_free(allocate_noted(1 + j % 64));
    end();
  }
}

static void last_in_first_out(void **state)
{
  (void)state;
  for (size_t i = 0; i < 4; i++) {
    begin(intervals[i]);
    for (size_t j = 0; j < ROUNDS; j++) {
      size_t count = below(BLOCKS);
      for (size_t k = 0; k < count; k++) blocks[k] = allocate_noted(any_size());
      for (size_t k = count; k > 0; k--) mend_free(blocks[k - 1]);
    }
    end();
  }
}

static void first_in_first_out(void **state)
{
  (void)state;
  for (size_t i = 0; i < 4; i++) {
    begin(intervals[i]);
    for (size_t j = 0; j < ROUNDS; j++) {
      size_t count = below(BLOCKS);
      for (size_t k = 0; k < count; k++) blocks[k] = allocate_noted(any_size());
      for (size_t k = 0; k < count; k++) mend_free(blocks[k]);
    }
    end();
  }
}

static void in_any_order(void **state)
{
  (void)state;
  for (size_t i = 0; i < 4; i++) {
    begin(intervals[i]);
    memset(blocks, 0, sizeof blocks);
    for (size_t j = 0; j < ROUNDS * BLOCKS; j++) {
      size_t at = below(BLOCKS / 10);
      mend_free(blocks[at]);
      blocks[at] = below(3) > 0 ? allocate_noted(any_size()) : NULL;
    }
    for (size_t j = 0; j < BLOCKS; j++) mend_free(blocks[j]);
    end();
  }
}

static void *one_of_any_sort(mend_heap *heap, size_t i)
{
  size_t size = below(100) == 0 ? below(300000) : any_size();
  switch (i % 7) {
  case 0:
    return note(mend_calloc(1, size), size);
  case 1:
    return note(mend_aligned_alloc((size_t)16 << below(8), size), size);
  case 2:
    return note(mend_heap_malloc(heap, size), size);
  case 3:
    return note(mend_malloc(size + 4096), size + 4096);
  case 4:
    return i % 70 != 4 ? note(mend_malloc(size), size)
                       : note(mend_malloc(size + 65536), size + 65536);
  case 5:
    return note(mend_zalloc(size), size);
  default:
    return note(mend_memalign(64, size), size);
  }
}

static void of_all_sorts(void **state)
{
  (void)state;
  mend_heap *heap = mend_heap_create();
  for (size_t i = 0; i < 4; i++) {
    begin(intervals[i]);
    for (size_t j = 0; j < ROUNDS; j++) {
      for (size_t k = 0; k < BLOCKS / 10; k++) blocks[k] = one_of_any_sort(heap, k);
      for (size_t k = BLOCKS / 10; k > 0; k--) mend_free(blocks[k - 1]);
    }
    end();
  }
  mend_heap_destroy(heap);
}

// A block that moves is another one; one that comes to hold another size where it is as well.
static void that_are_resized(void **state)
{
  (void)state;
  for (size_t i = 0; i < 4; i++) {
    begin(intervals[i]);
    for (size_t j = 0; j < ROUNDS * 50; j++) {
      size_t size = 1 + below(100);
      char *block = allocate_noted(size);
      while (size < 400000) {
        size += 1 + below(size);
        size_t held = page_first(page_around(block))->block_bytes;
        char *next = mend_realloc(block, size);
        assert_non_null(next);
        bool is_same = next == block && page_first(page_around(next))->block_bytes == held;
        if (!is_same) note(next, size);
        block = next;
      }
      mend_free(block);
    }
    // Resized in place the estimate of the bytes keeps the size that was asked for first.
    truth.byte_variance = 1e300;
    end();
  }
}

// ---------------------------------------------------------------------------------------------
// Exact tracking.

static void all_are_seen(void **state)
{
  (void)state;
  mend_heap *heap = mend_heap_create();
  for (size_t i = 0; i < 3; i++) {
    begin(MEND_PROFILE_EXACT);
    for (size_t j = 0; j < ROUNDS; j++) {
      size_t added = table.added, removed = table.removed;
      for (size_t k = 0; k < BLOCKS / 10; k++) blocks[k] = one_of_any_sort(heap, k);
      assert_int_equal(table.added, added + BLOCKS / 10);
      for (size_t k = BLOCKS / 10; k > 0; k--) mend_free(blocks[k - 1]);
      assert_int_equal(table.removed, removed + BLOCKS / 10);
    }
    truth.count_variance = truth.byte_variance = 0;
    end();
  }
  mend_heap_destroy(heap);
}

static void what_was_there_before_is_unknown_rather_than_wrong(void **state)
{
  (void)state;
  for (size_t i = 0; i < 2; i++) {
    for (size_t j = 0; j < BLOCKS; j++) blocks[j] = mend_malloc(any_size());
    begin(i == 0 ? MEND_PROFILE_EXACT : 1);
    for (size_t j = 0; j < BLOCKS; j += 2) mend_free(blocks[j]);
    assert_int_equal(table.removed, 0);
    for (size_t j = 0; j < BLOCKS; j += 2) blocks[j] = allocate_noted(any_size());
    assert_int_equal(table.live, BLOCKS / 2);
    for (size_t j = 0; j < BLOCKS; j++) mend_free(blocks[j]);
    truth.count_variance = truth.byte_variance = 1;
    end();
  }
}

// Samples are noticed, and twins come back, when they are freed after the end.
static void samples_outlive_the_mode(void **state)
{
  (void)state;
  begin(100);
  for (size_t j = 0; j < BLOCKS; j++) blocks[j] = allocate_noted(any_size());
  mend_profile_stop();
  size_t live = table.live;
  assert_true(live > 0 && twins() > 0);
  for (size_t j = 0; j < 100; j++) mend_free(mend_malloc(any_size()));
  assert_int_equal(table.live, live);
  for (size_t j = 0; j < BLOCKS; j++) mend_free(blocks[j]);
  end();
}

// Where nothing can be remembered the program has its blocks all the same.
static void without_memory_blocks_are_plain(void **state)
{
  (void)state;
  begin(1);
  table.refuses = true;
  for (size_t j = 0; j < BLOCKS; j++) blocks[j] = mend_malloc(any_size());
  for (size_t j = 0; j < BLOCKS; j++) mend_free(blocks[j]);
  table.refuses = false;
  assert_int_equal(table.added, 0);
  end();
}

static bool count_visible(void *block, size_t usable_size, void *sum)
{
  CHECK(usable_size > 0 &&
        !heap_page_has_samples(page_first(page_at(block))) == !find(block)->twin);
  *(size_t *)sum += 1;
  return true;
}

// Who visits the heap sees samples where their twins are, and no twins.
static void a_visitor_sees_samples_and_no_twins(void **state)
{
  (void)state;
  size_t before = 0, after = 0;
  assert_true(mend_heap_visit(NULL, count_visible, &before));
  begin(1);
  for (size_t j = 0; j < 1000; j++) blocks[j] = allocate_noted(1 + below(3000));
  assert_true(mend_heap_visit(NULL, count_visible, &after));
  assert_int_equal(after, before + 1000);
  for (size_t j = 0; j < 1000; j++) mend_free(blocks[j]);
  end();
}

static void a_heap_takes_its_records_along(void **state)
{
  (void)state;
  for (size_t i = 0; i < 2; i++) {
    begin(i == 0 ? MEND_PROFILE_EXACT : 1);
    mend_heap *heap = mend_heap_create();
    for (size_t j = 0; j < 100; j++) {
      size_t size = 1 + below(200000);
      note(mend_heap_malloc(heap, size), size);
    }
    assert_int_equal(table.live, 100);
    mend_heap_destroy(heap);
    truth.count_variance = truth.byte_variance = 1;
    end();
  }
}

// ---------------------------------------------------------------------------------------------
// Threads.

enum { THREADS = 4, RING = 1024 };

static struct {
  _Atomic(void *) slots[RING];
  _Atomic(bool) is_over;
} ring;

static void *consume(void *unused)
{
  (void)unused;
  for (;;) {
    bool was_over = atomic_load(&ring.is_over);
    bool found = false;
    for (size_t i = 0; i < RING; i++) {
      void *block = atomic_exchange(&ring.slots[i], NULL);
      found = found || block != NULL;
      mend_free(block);
    }
    if (was_over && !found) return NULL;
  }
}

static void freed_by_other_threads(void **state)
{
  (void)state;
  for (size_t i = 0; i < 4; i++) {
    begin(intervals[i]);
    pthread_t threads[THREADS];
    atomic_store(&ring.is_over, false);
    for (size_t j = 0; j < THREADS; j++) {
      assert_int_equal(pthread_create(&threads[j], NULL, consume, NULL), 0);
    }
    for (size_t j = 0; j < ROUNDS * BLOCKS; j++) {
      void *block = atomic_exchange(&ring.slots[j % RING], allocate_noted(any_size()));
      mend_free(block);
    }
    atomic_store(&ring.is_over, true);
    for (size_t j = 0; j < THREADS; j++) pthread_join(threads[j], NULL);
    end();
  }
}

int main(void)
{
  random_numbers.state = random_seed();
  static const struct CMUnitTest tests[] = {
      cmocka_unit_test(one_block_again_and_again),
      cmocka_unit_test(last_in_first_out),
      cmocka_unit_test(first_in_first_out),
      cmocka_unit_test(in_any_order),
      cmocka_unit_test(of_all_sorts),
      cmocka_unit_test(that_are_resized),
      cmocka_unit_test(all_are_seen),
      cmocka_unit_test(what_was_there_before_is_unknown_rather_than_wrong),
      cmocka_unit_test(samples_outlive_the_mode),
      cmocka_unit_test(without_memory_blocks_are_plain),
      cmocka_unit_test(a_visitor_sees_samples_and_no_twins),
      cmocka_unit_test(a_heap_takes_its_records_along),
      cmocka_unit_test(freed_by_other_threads),
  };
  return SUITE_RUN(tests);
}
