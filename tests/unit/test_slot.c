// SPDX-License-Identifier: MIT
//
// Records and ends of blocks: every slack, every byte behind a block, each false claim, and races
// of two threads that free one block.
//
// linked with: mend_units_hardened
#define _GNU_SOURCE 1
#include "child.h"

#include <pthread.h>
#include <sched.h>

#include "core/large.h"
#include "core/registry.h"
#include "mend/mend.h"
#include "os/sealed.h"
#include "secure/slot.h"

static const struct block_claim any = {.kind = KIND_ANY};

// A block that is in no one's use, and its page.
static char *take(size_t block_bytes, struct page **page)
{
  struct heap *heap = registry_current();
  char *block = heap_take(heap, size_class_of(block_bytes), NULL);
  CHECK(block != NULL);
  *page = page_first(page_at(block));
  return block;
}

static void put(struct page *page, char *block)
{
  heap_put_medium(NULL, page, block, page_block_index(page, block));
}

static const size_t classes[] = {16, 48, 64, 256, 1024, 20480};
enum { CLASS_COUNT = sizeof classes / sizeof classes[0] };

static void the_size_is_known_at_every_slack(void **state)
{
  (void)state;
  for (size_t i = 0; i < CLASS_COUNT; i++) {
    struct page *page;
    char *block = take(classes[i], &page);
    size_t step = classes[i] > 2000 ? 97 : 1;
    for (size_t size = 0; size + SLOT_CANARY_BYTES <= page->block_bytes; size += step) {
      slot_open(page, block, size, KIND_MALLOC, 16, false);
      assert_true(slot_is_live(page, block));
      assert_int_equal(slot_size(page, block), size);
      assert_int_equal(slot_checked_size(page, block), size);
      assert_int_equal(slot_kind(page, block), KIND_MALLOC);
      memset(block, 0xff, size);
      assert_true(slot_close(page, block, &any));
      assert_false(slot_is_live(page, block));
      assert_true(is_zero(block, page->block_bytes));
    }
    put(page, block);
  }
}

// Each byte behind what was asked for counts.
static void each_byte_behind_a_block_is_watched(void **state)
{
  (void)state;
  for (size_t i = 0; i < CLASS_COUNT - 1; i++) {
    struct page *page;
    char *block = take(classes[i], &page);
    size_t step = classes[i] > 100 ? 41 : 1;
    for (size_t size = 0; size + SLOT_CANARY_BYTES <= page->block_bytes; size += step) {
      slot_open(page, block, size, KIND_MALLOC, 16, false);
      for (size_t at = size; at < page->block_bytes; at++) {
        block[at] ^= 1;
        assert_false(slot_is_end_intact(page, block, size));
        block[at] ^= 1;
        assert_true(slot_is_end_intact(page, block, size));
      }
      if (size > 0) block[size - 1] ^= 1;
      assert_true(slot_is_end_intact(page, block, size));
      assert_true(slot_close(page, block, &any));
    }
    put(page, block);
  }
}

static void a_canary_has_no_zero_byte_and_is_of_its_place(void **state)
{
  (void)state;
  struct page *page;
  char *block = take(64, &page);
  for (size_t i = 0; i < 200; i++) {
    uint64_t canary = slot_canary(page, block + i * 8);
    for (unsigned j = 0; j < 8; j++) assert_int_not_equal(canary >> j * 8 & 0xff, 0);
    assert_true(canary != slot_canary(page, block + i * 8 + 8));
  }
  put(page, block);
}

// ---------------------------------------------------------------------------------------------
// Claims.

static struct block_claim claimed;
static enum block_kind made_as;
static size_t made_aligned;

static void open_and_close(void)
{
  struct page *page;
  char *block = take(256, &page);
  slot_open(page, block, 100, made_as, made_aligned, false);
  CHECK(slot_close(page, block, &claimed));
}

static void check_claim(enum block_kind kind, size_t alignment, struct block_claim claim,
                        const char *message)
{
  made_as = kind;
  made_aligned = alignment;
  claimed = claim;
  if (message == NULL) {
    child_check(open_and_close);
  } else {
    child_check_abort(open_and_close, message);
  }
}

static void alignments_of_any_size_are_known(void **state)
{
  (void)state;
  for (unsigned bits = 5; bits < 40; bits++) {
    size_t alignment = (size_t)1 << bits;
    struct block_claim claim = {.kind = KIND_NEW, .alignment = alignment};
    check_claim(KIND_NEW, alignment, claim, NULL);
    claim.alignment = alignment * 2;
    check_claim(KIND_NEW, alignment, claim, "mend: free with a wrong alignment: ");
  }
}

static void false_claims_are_told_and_true_ones_are_not(void **state)
{
  (void)state;
  static const enum block_kind kinds[] = {KIND_MALLOC, KIND_NEW, KIND_NEW_ARRAY};
  static const char kind_message[] = "mend: free of a block of another kind: ";
  for (size_t i = 0; i < 3; i++) {
    for (size_t j = 0; j < 3; j++) {
      struct block_claim claim = {.kind = kinds[j]};
      check_claim(kinds[i], 16, claim, i == j ? NULL : kind_message);
    }
    check_claim(kinds[i], 16, (struct block_claim){.kind = kinds[i], .has_size = true, .size = 100},
                NULL);
    check_claim(kinds[i], 16, (struct block_claim){.kind = kinds[i], .has_size = true, .size = 99},
                "mend: free with a wrong size: ");
    check_claim(kinds[i], 16, (struct block_claim){.kind = kinds[i], .has_size = true, .size = 101},
                "mend: free with a wrong size: ");
    check_claim(kinds[i], 64, (struct block_claim){.kind = kinds[i], .alignment = 64}, NULL);
    check_claim(kinds[i], 64, (struct block_claim){.kind = kinds[i], .alignment = 32},
                "mend: free with a wrong alignment: ");
  }
  check_claim(KIND_MALLOC, 64, (struct block_claim){.kind = KIND_MALLOC}, NULL);
  check_claim(KIND_NEW, 64, (struct block_claim){.kind = KIND_NEW},
              "mend: free with a wrong alignment: ");
}

// ---------------------------------------------------------------------------------------------

static void close_twice(void)
{
  struct page *page;
  char *block = take(64, &page);
  slot_open(page, block, 40, KIND_MALLOC, 16, false);
  CHECK(slot_close(page, block, &any));
  (void)slot_close(page, block, &any);
}

static void close_unused(void)
{
  struct page *page;
  char *block = take(64, &page);
  (void)slot_close(page, block, &any);
}

static void open_twice(void)
{
  struct page *page;
  char *block = take(64, &page);
  slot_open(page, block, 40, KIND_MALLOC, 16, false);
  slot_open(page, block, 40, KIND_MALLOC, 16, false);
}

static void write_before(void)
{
  struct page *page;
  char *block = take(64, &page);
  slot_open(page, block, 40, KIND_MALLOC, 16, false);
  block[-1] ^= 1;
  (void)slot_close(page, block, &any);
}

static void write_behind(void)
{
  struct page *page;
  char *block = take(64, &page);
  slot_open(page, block, 41, KIND_MALLOC, 16, false);
  block[41] = 0;
  (void)slot_close(page, block, &any);
}

static void what_is_wrong_is_told(void **state)
{
  (void)state;
  child_check_abort(close_twice, "mend: double free: ");
  child_check_abort(close_unused, "mend: free of memory that is not in use: ");
  child_check_abort(open_twice, "mend: corrupted metadata: ");
  child_check_abort(write_before, "mend: underflow of a block: ");
  child_check_abort(write_behind, "mend: overflow of a block: ");
}

// ---------------------------------------------------------------------------------------------
// What is around a block that is freed. In children: the slots are nobody's.

static unsigned level;
static size_t swept_bytes;  // of each block
static int damaged;         // so many blocks further on
static size_t damaged_at;

static void close_beside_damage(void)
{
  enum { PLACE = 20, SIZE = 8 };
  struct page *page;
  (void)take(swept_bytes, &page);
  char *block = page_start(page) + PLACE * page->block_bytes;
  char *beside = block + damaged * (ptrdiff_t)page->block_bytes;
  CHECK(os_sealed_open());
  options.harden = level;
  os_sealed_close();
  slot_open(page, block, SIZE, KIND_MALLOC, 16, false);
  slot_open(page, beside, SIZE, KIND_MALLOC, 16, false);
  beside[damaged_at] ^= 1;
  (void)slot_close(page, block, &any);
}

static void check_beside(unsigned at_level, size_t block_bytes, int distance, size_t at,
                         const char *message)
{
  level = at_level;
  swept_bytes = block_bytes;
  damaged = distance;
  damaged_at = at;
  if (message != NULL) {
    child_check_abort(close_beside_damage, message);
  } else {
    child_check(close_beside_damage);
  }
}

static void neighbours_are_looked_at(void **state)
{
  (void)state;
  if (TUNING_PAGE_BLOCKS < 64) skip();  // there are none so far away
  static const char overflow[] = "mend: overflow of a block: ";
  static const char underflow[] = "mend: underflow of a block: ";
  check_beside(2, 64, -1, 63, underflow);
  check_beside(2, 64, -1, 20, NULL);
  check_beside(2, 64, 1, 63, NULL);
  check_beside(3, 64, -1, 20, underflow);
  check_beside(3, 64, 1, 20, overflow);
  check_beside(3, 64, 2, 20, overflow);
  check_beside(3, 64, 3, 20, NULL);
  check_beside(3, 16, 5, 15, overflow);
  check_beside(3, 16, -5, 15, underflow);
  check_beside(3, 16, 6, 15, NULL);
  check_beside(1, 64, -1, 63, NULL);
}

static void close_a_changed_large_block(void)
{
  char *block = mend_malloc(3 * MIB);
  struct page *page = large_around(page_around(block));
  CHECK(page != NULL);
  policy_of(page)->size--;
  (void)slot_close(page, block, &any);
}

static void resize_a_block_of_new(void)
{
  struct page *page;
  char *block = take(64, &page);
  slot_open(page, block, 40, KIND_NEW, 16, false);
  slot_resize(page, block, 20);
  CHECK(slot_kind(page, block) == KIND_NEW && slot_is_live(page, block));
  CHECK(!slot_hold(page, block));
}

static void open_what_was_written_to(void)
{
  struct page *page;
  level = 3;
  CHECK(os_sealed_open());
  options.harden = level;
  os_sealed_close();
  char *block = take(64, &page);
  block[17] = 1;
  slot_open(page, block, 40, KIND_MALLOC, 16, false);
}

static void measure_a_damaged_block(void)
{
  struct page *page;
  char *block = take(64, &page);
  slot_open(page, block, 40, KIND_MALLOC, 16, false);
  block[40] ^= 1;
  (void)slot_checked_size(page, block);
}

static void changes_are_told_wherever_they_are_looked_for(void **state)
{
  (void)state;
  child_check_abort(close_a_changed_large_block, "mend: corrupted metadata: ");
  child_check_abort(resize_a_block_of_new, "mend: realloc of a block of another kind: ");
  child_check_abort(open_what_was_written_to, "mend: write to freed memory: ");
  child_check_abort(measure_a_damaged_block, "mend: overflow of a block: ");
}

static void the_block_around_an_address_is_found(void **state)
{
  (void)state;
  struct page *page, *found;
  char *block = take(64, &page);
  for (size_t i = 0; i < 64; i++) assert_ptr_equal(slot_block_around(block + i, &found), block);
  assert_ptr_equal(found, page);
  assert_null(slot_block_around(page_start(page), &found));
  assert_null(slot_block_around(page_start(page) + page->capacity * 64, &found));
  put(page, block);
}

static void resizing_moves_the_end_and_wipes_what_it_leaves(void **state)
{
  (void)state;
  struct page *page;
  char *block = take(256, &page);
  slot_open(page, block, 200, KIND_MALLOC, 16, false);
  memset(block, 7, 200);
  for (size_t size = 200; size > 0; size -= 25) {
    slot_resize(page, block, size);
    assert_int_equal(slot_checked_size(page, block), size);
    assert_true(slot_is_end_intact(page, block, size));
    for (size_t i = 0; i < size; i++) assert_int_equal(block[i], 7);
  }
  slot_resize(page, block, 248);
  assert_true(is_zero(block + 33, 248 - 33));
  assert_true(slot_close(page, block, &any));
  put(page, block);
}

// ---------------------------------------------------------------------------------------------
// Races. In a child that is not to stop at a report.

enum { RACES = 2000 };

static struct {
  _Atomic(uint32_t) arrived;
  struct page *page;
  char *block;
  _Atomic(uint32_t) wins;
} race;

// Spins, so that both go on at the same time.
static void meet(void)
{
  uint32_t before = atomic_fetch_add(&race.arrived, 1);
  for (uint32_t spins = 0; atomic_load(&race.arrived) < (before | 1) + 1; spins++) {
    if (spins > 10000) sched_yield();
  }
}

static void *close_racing(void *unused)
{
  for (size_t i = test_scaled(RACES); i > 0; i--) {
    meet();
    if (slot_close(race.page, race.block, &any)) atomic_fetch_add(&race.wins, 1);
    meet();
  }
  return unused;
}

static void one_of_two_wins(void)
{
  pthread_t thread;
  CHECK(os_sealed_open());
  options.on_misuse = 2;
  os_sealed_close();
  race.block = take(64, &race.page);
  CHECK(pthread_create(&thread, NULL, close_racing, NULL) == 0);
  for (size_t i = test_scaled(RACES); i > 0; i--) {
    slot_open(race.page, race.block, 40, KIND_MALLOC, 16, false);
    atomic_store(&race.wins, 0);
    meet();
    if (slot_close(race.page, race.block, &any)) atomic_fetch_add(&race.wins, 1);
    meet();
    CHECK(atomic_load(&race.wins) == 1);
  }
  CHECK(pthread_join(thread, NULL) == 0);
}

static void of_two_threads_that_free_one_is_told(void **state)
{
  (void)state;
  struct ending ending = child_run(one_of_two_wins);
  if (ending.exit_code != 0)
    fprintf(stderr, "signal %d: %.300s\n", ending.signal_number, ending.text);
  assert_int_equal(ending.exit_code, 0);
  assert_non_null(strstr(ending.text, "mend: double free: "));
}

enum { MANY = 2000 };

static struct page *shared_page;
static char *neighbours[2];

// Looks at its neighbour's end all the time, while that comes and goes.
static void *come_and_go(void *place)
{
  char *block = place;
  for (size_t i = test_scaled(RACES * 10); i > 0; i--) {
    slot_open(shared_page, block, 40, KIND_MALLOC, 16, false);
    memset(block, 1, 40);
    CHECK(slot_close(shared_page, block, &any));
  }
  return NULL;
}

static void neighbours_do_not_disturb_each_other(void **state)
{
  (void)state;
  pthread_t threads[2];
  static char *taken[MANY];
  size_t count = 0;
  neighbours[1] = NULL;
  while (neighbours[1] == NULL && count < MANY) {
    taken[count++] = take(64, &shared_page);
    for (size_t i = 0; i + 1 < count; i++) {
      if (taken[i] == taken[count - 1] + 64) neighbours[1] = taken[i];
    }
    neighbours[0] = taken[count - 1];
  }
  assert_non_null(neighbours[1]);
  for (size_t i = 0; i < 2; i++) {
    CHECK(pthread_create(&threads[i], NULL, come_and_go, neighbours[i]) == 0);
  }
  for (size_t i = 0; i < 2; i++) CHECK(pthread_join(threads[i], NULL) == 0);
  for (size_t i = 0; i < count; i++) put(page_first(page_at(taken[i])), taken[i]);
}

int main(void)
{
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(the_size_is_known_at_every_slack),
      cmocka_unit_test(each_byte_behind_a_block_is_watched),
      cmocka_unit_test(a_canary_has_no_zero_byte_and_is_of_its_place),
      cmocka_unit_test(false_claims_are_told_and_true_ones_are_not),
      cmocka_unit_test(alignments_of_any_size_are_known),
      cmocka_unit_test(what_is_wrong_is_told),
      cmocka_unit_test(neighbours_are_looked_at),
      cmocka_unit_test(changes_are_told_wherever_they_are_looked_for),
      cmocka_unit_test(the_block_around_an_address_is_found),
      cmocka_unit_test(resizing_moves_the_end_and_wipes_what_it_leaves),
      cmocka_unit_test(of_two_threads_that_free_one_is_told),
      cmocka_unit_test(neighbours_do_not_disturb_each_other),
  };
  return SUITE_RUN(tests);
}
