// SPDX-License-Identifier: MIT
//
// The table of handles by itself: which entries are handed out, with which generations, and what
// goes back to the kernel. The slots used here are no heap's.
#define _GNU_SOURCE 1
#include "child.h"
#include "handles.h"

enum { SLOT = HANDLE_SLOTS - 1, LEAVES = 8, MOST = LEAVES * 16384 };

static struct handle_table table;
static struct index_pool pool;

static uint32_t leaf_length(void)
{
  return (uint32_t)(os_page_bytes() / sizeof(uint32_t));
}

static int open_table(void **state)
{
  (void)state;
  CHECK(handle_table_open(&table, SLOT));
  index_pool_init(&pool, &table);
  return 0;
}

static int close_table(void **state)
{
  (void)state;
  return handle_table_close(&table) ? 0 : -1;
}

#define TABLE_TEST(function) cmocka_unit_test_setup_teardown(function, open_table, close_table)

static uint64_t take(struct index_pool *from)
{
  uint32_t index, generation;
  CHECK(index_pool_take(from, &index, &generation));
  CHECK(generation >= 1 && generation < ENTRY_GENERATION_MAX);
  atomic_store(handle_table_entry(&table, index),
               entry_make((void *)region.start, generation, ENTRY_LIVE));
  return handle_make(SLOT, index, generation);
}

static void give(struct index_pool *to, uint64_t handle)
{
  uint32_t generation = entry_generation(handle) + 1;
  entry_publish(handle_entry(handle), entry_make_free(0, generation));
  index_pool_give(to, handle_index(handle), generation);
}

static bool is_named(uint64_t handle)
{
  _Atomic(uint64_t) *entry = handle_entry(handle);
  return entry != NULL && entry_is_named(atomic_load(entry), handle);
}

static size_t sweep(struct index_pool *pools, size_t count)
{
  handle_table_detach(&table);
  for (size_t i = 0; i < count; i++) {
    uint32_t chains[2];
    index_pool_detach(&pools[i], chains);
    handle_table_sort(&table, chains[0]);
    handle_table_sort(&table, chains[1]);
  }
  size_t bytes = handle_table_sweep(&table);
  handle_table_assert_valid(&table);
  return bytes;
}

// ---------------------------------------------------------------------------------------------
// Taking and giving.

static void no_entry_is_handed_out_twice(void **state)
{
  (void)state;
  static bool is_out[MOST];
  uint32_t count = 3 * leaf_length() + 5;
  struct index_pool other;
  memset(is_out, 0, sizeof is_out);
  index_pool_init(&other, &table);
  for (uint32_t i = 0; i < count; i++) {
    uint32_t index = handle_index(take(i % 3 == 0 ? &other : &pool));
    assert_true(index < MOST && !is_out[index]);
    is_out[index] = true;
  }
  assert_true(table.space->count >= count && table.space->count <= count + 2 * leaf_length());
}

static void the_entry_given_back_last_is_next_with_the_next_generation(void **state)
{
  (void)state;
  uint64_t handles[10];
  for (uint32_t i = 1; i < leaf_length(); i++) (void)take(&pool);
  uint64_t handle = take(&pool);  // the leaf's last one: from now on those given back are used
  for (size_t i = 0; i < 5; i++) {
    give(&pool, handle);
    assert_false(is_named(handle));
    uint64_t next = take(&pool);
    assert_int_equal(next, handle + (UINT64_C(1) << ENTRY_GENERATION_SHIFT));
    assert_true(is_named(next) && !is_named(handle));
    handle = next;
  }
  for (size_t i = 0; i < 10; i++) handles[i] = take(&pool);
  for (uint32_t i = 10; i < leaf_length(); i++) (void)take(&pool);
  for (size_t i = 0; i < 10; i++) give(&pool, handles[i]);
  for (size_t i = 10; i-- > 0;)
    assert_int_equal(handle_index(take(&pool)), handle_index(handles[i]));
}

static void an_entry_whose_generations_are_used_up_is_never_used_again(void **state)
{
  (void)state;
  struct handle_table used_up = {.floor = 0};
  struct index_pool from;
  uint32_t index, next, generation;
  assert_true(handle_table_open(&used_up, SLOT - 1));
  index_pool_init(&from, &used_up);
  for (uint32_t i = 0; i < leaf_length(); i++) {
    assert_true(index_pool_take(&from, &index, &generation));
  }
  _Atomic(uint64_t) *entry = handle_table_entry(&used_up, index);
  atomic_store(entry, entry_make_free(0, ENTRY_GENERATION_MAX - 1));
  index_pool_give(&from, index, ENTRY_GENERATION_MAX - 1);
  assert_true(index_pool_take(&from, &next, &generation));
  assert_true(next == index && generation == ENTRY_GENERATION_MAX - 1);
  atomic_store(entry, entry_make_free(0, ENTRY_GENERATION_MAX));
  index_pool_give(&from, index, ENTRY_GENERATION_MAX);
  for (uint32_t i = 0; i < 2 * leaf_length(); i++) {
    assert_true(index_pool_take(&from, &next, &generation));
    assert_int_not_equal(next, index);
  }
  assert_false(handle_table_close(&used_up));  // nor is the slot
}

static void an_index_beyond_the_table_has_no_entry(void **state)
{
  (void)state;
  assert_null(handle_entry(handle_make(SLOT, 0, 1)));
  (void)take(&pool);
  uint32_t count = table.space->count;
  assert_int_equal(count, leaf_length());
  assert_non_null(handle_entry(handle_make(SLOT, count - 1, 1)));
  assert_false(is_named(handle_make(SLOT, count - 1, 0)));
  assert_null(handle_entry(handle_make(SLOT, count, 1)));
  assert_null(handle_entry(handle_make(SLOT, UINT32_MAX, 1)));
}

// ---------------------------------------------------------------------------------------------
// Giving back to the kernel.

static void only_leaves_without_a_live_entry_are_given_back(void **state)
{
  (void)state;
  static uint64_t handles[LEAVES * 16384];
  uint32_t length = leaf_length();
  for (uint32_t i = 0; i < 4 * length; i++) handles[i] = take(&pool);
  size_t bytes = handle_table_resident_bytes(&table);
  assert_int_equal(bytes, 4 * 3 * os_page_bytes());
  for (uint32_t i = 0; i < 4 * length; i++) {
    if (i != length) give(&pool, handles[i]);  // one of the second leaf stays
  }
  assert_int_equal(sweep(&pool, 1), 3 * 3 * os_page_bytes());
  assert_int_equal(handle_table_resident_entries(&table), length);
  assert_int_equal(handle_table_resident_bytes(&table), bytes / 4);
  assert_true(is_named(handles[length]));
  for (uint32_t i = 0; i < 4 * length; i++) assert_true(i == length || !is_named(handles[i]));
  assert_int_equal(atomic_load(handle_entry(handles[3 * length])), 0);
  assert_int_equal(sweep(&pool, 1), 0);
  for (uint32_t i = 1; i < 4 * length; i++) {
    uint64_t handle = take(&pool);
    assert_true(handle_index(handle) < 4 * length);  // the table does not grow
    assert_true(entry_generation(handle) > 1);
  }
  assert_int_equal(handle_table_resident_bytes(&table), bytes);
  for (uint32_t i = 0; i < 4 * length; i++) assert_true(i == length || !is_named(handles[i]));
}

// What one pool has got is used by another after a sweep, and the table does not grow.
static void after_a_sweep_free_entries_are_anybodys(void **state)
{
  (void)state;
  static uint64_t handles[4 * 16384];
  struct index_pool other;
  uint32_t length = leaf_length();
  index_pool_init(&other, &table);
  for (uint32_t i = 0; i < 4 * length; i++) handles[i] = take(&other);
  for (uint32_t i = 0; i < 4 * length; i++) {
    if (i % 8 != 0) give(&pool, handles[i]);
  }
  struct index_pool *pools[] = {&other, &pool};
  for (uint32_t round = 0; round < 2; round++) {  // the second finds what the first has left
    handle_table_detach(&table);
    for (size_t i = 0; i < 2; i++) {
      uint32_t chains[2];
      index_pool_detach(pools[i], chains);
      handle_table_sort(&table, chains[0]);
      handle_table_sort(&table, chains[1]);
    }
    assert_int_equal(handle_table_sweep(&table), 0);
    if (round == 0) assert_true(handle_index(take(&pool)) < length);  // the lowest leaf first
  }
  size_t bytes = handle_table_resident_bytes(&table);
  for (uint32_t i = 1; i < 4 * length / 8 * 7; i++) (void)take(&other);
  assert_int_equal(handle_table_resident_bytes(&table), bytes);
}

static void generations_go_on_after_a_leaf_was_given_back(void **state)
{
  (void)state;
  static uint64_t handles[16384];
  uint32_t length = leaf_length();
  for (uint32_t i = 0; i < length; i++) handles[i] = take(&pool);
  for (uint32_t round = 0; round < 7; round++) {  // one of them gets older than the others
    give(&pool, handles[3]);
    handles[3] = take(&pool);
    assert_int_equal(handle_index(handles[3]), 3);
  }
  uint64_t oldest = handles[3];
  for (uint32_t i = 0; i < length; i++) give(&pool, handles[i]);
  assert_true(sweep(&pool, 1) > 0);
  for (uint32_t i = 0; i < length; i++) {
    uint64_t handle = take(&pool);
    assert_true(entry_generation(handle) > entry_generation(oldest));
  }
  for (uint32_t i = 0; i < length; i++) assert_false(is_named(handles[i]));
}

static void a_leaf_that_a_pool_is_still_handing_out_stays(void **state)
{
  (void)state;
  uint64_t first = take(&pool);
  give(&pool, first);
  assert_int_equal(sweep(&pool, 1), 0);
  for (uint32_t i = 1; i < leaf_length(); i++) {
    assert_int_equal(entry_generation(take(&pool)), entry_generation(first));
  }
  assert_int_equal(handle_index(take(&pool)), handle_index(first));
}

static void after_a_close_every_handle_stays_stale(void **state)
{
  (void)state;
  static uint64_t handles[3 * 16384];
  uint32_t length = leaf_length();
  uint32_t highest = 0;
  for (size_t round = 0; round < 4; round++) {
    for (uint32_t i = 0; i < 2 * length + 3; i++) {
      handles[i] = take(&pool);
      assert_true(entry_generation(handles[i]) > highest);
    }
    for (uint32_t i = 0; i < round; i++) {
      give(&pool, handles[2 * length - 1]);
      handles[2 * length - 1] = take(&pool);
    }
    for (uint32_t i = 0; i < length; i++) give(&pool, handles[i]);
    if (round == 2) assert_true(sweep(&pool, 1) > 0);
    highest = entry_generation(handles[2 * length - 1]);
    assert_true(handle_table_close(&table));
    assert_int_equal(handle_table_resident_bytes(&table), 0);
    for (uint32_t i = 0; i < 2 * length + 3; i++) assert_null(handle_entry(handles[i]));
    assert_int_equal(open_table(NULL), 0);
    (void)take(&pool);
    for (uint32_t i = 0; i < 2 * length + 3; i++) assert_false(is_named(handles[i]));
    assert_int_equal(open_table(NULL), 0);
    assert_true(handle_table_close(&table) && open_table(NULL) == 0);
  }
}

// ---------------------------------------------------------------------------------------------
// No memory.

static void a_table_that_cannot_grow_refuses_and_goes_on(void **state)
{
  (void)state;
  struct os_range *const ranges[] = {&table.leaf_range, &table.info_range, &table.entry_range};
  const size_t *const committed[] = {&table.leaf_bytes, &table.info_bytes, &table.entry_bytes};
  uint64_t last = take(&pool);
  for (size_t i = 0; i < 3; i++) {
    uint32_t index, generation;
    size_t bytes = ranges[i]->bytes;
    ranges[i]->bytes = *committed[i];
    while (index_pool_take(&pool, &index, &generation)) last = handle_make(SLOT, index, generation);
    assert_int_equal(handle_index(last) + 1, table.space->count);
    assert_false(index_pool_take(&pool, &index, &generation));
    give(&pool, last);
    assert_int_equal(handle_index(take(&pool)), handle_index(last));
    assert_false(index_pool_take(&pool, &index, &generation));
    ranges[i]->bytes = bytes;
    last = take(&pool);
    assert_int_equal(handle_index(last) % leaf_length(), 0);
  }
}

// ---------------------------------------------------------------------------------------------
// At random, and by several threads.

enum { POOLS = 3, MODEL = 6000 };

static void a_handle_is_given_out_once_in_all_its_life(void **state)
{
  (void)state;
  static uint64_t out[MODEL];
  static uint32_t generations[MOST];  // the highest seen of each
  struct random random = {random_seed()};
  struct index_pool pools[POOLS];
  size_t count = 0;
  size_t swept = 0;
  memset(generations, 0, sizeof generations);
  for (size_t i = 0; i < POOLS; i++) index_pool_init(&pools[i], &table);
  for (size_t i = 0; i < test_scaled(400000); i++) {
    bool is_filling = i / 10000 % 2 == 0;
    bool takes = count == 0 || (count < MODEL && random_below(&random, 4) < (is_filling ? 3 : 1));
    struct index_pool *one = &pools[random_below(&random, POOLS)];
    if (takes) {
      uint64_t handle = take(one);
      uint32_t index = handle_index(handle);
      assert_true(index < MOST && entry_generation(handle) > generations[index]);
      generations[index] = entry_generation(handle);
      out[count++] = handle;
    } else {
      size_t which = random_below(&random, count);
      assert_true(is_named(out[which]));
      give(one, out[which]);
      out[which] = out[--count];
    }
    if (random_below(&random, 2000) == 0) swept += sweep(pools, POOLS);
  }
  for (size_t i = 0; i < count; i++) {
    assert_true(is_named(out[i]));
    give(&pools[0], out[i]);
  }
  swept += sweep(pools, POOLS);
  assert_true(swept > 0);
}

enum { GIVERS = 3, WINDOW = 256 };

static _Atomic(uint64_t) window[WINDOW];
static _Atomic(bool) is_over;

static void *give_from_window(void *unused)
{
  for (size_t i = 0; !atomic_load(&is_over); i = (i + 1) % WINDOW) {
    uint64_t handle = atomic_exchange(&window[i], 0);
    if (handle != 0) give(&pool, handle);
  }
  return unused;
}

static void entries_are_given_back_by_any_thread(void **state)
{
  (void)state;
  pthread_t threads[GIVERS];
  size_t lost = 0;
  atomic_store(&is_over, false);
  for (size_t i = 0; i < GIVERS; i++) {
    assert_int_equal(pthread_create(&threads[i], NULL, give_from_window, NULL), 0);
  }
  for (size_t i = 0; i < test_scaled(200000); i++) {
    uint64_t handle = take(&pool);
    assert_true(is_named(handle));
    uint64_t before = 0;
    if (!atomic_compare_exchange_strong(&window[i % WINDOW], &before, handle)) give(&pool, handle);
    if (i % 1000 == 0) (void)sweep(&pool, 1);
  }
  atomic_store(&is_over, true);
  for (size_t i = 0; i < GIVERS; i++) assert_int_equal(pthread_join(threads[i], NULL), 0);
  for (size_t i = 0; i < WINDOW; i++) {
    if (window[i] != 0) give(&pool, window[i]);
  }
  (void)sweep(&pool, 1);
  uint32_t count = table.space->count;
  for (uint32_t i = 0; i < count; i++) {
    lost += entry_state(atomic_load(handle_table_entry(&table, i))) == ENTRY_LIVE;
  }
  assert_int_equal(lost, 0);
  for (uint32_t i = 0; i < count; i++) (void)take(&pool);
  assert_int_equal(table.space->count, count);  // none was lost
}

static int start(void **state)
{
  (void)state;
  init_once();
  return handle_start() && handle_heap_default() != NULL ? 0 : -1;
}

int main(void)
{
  static const struct CMUnitTest tests[] = {
      TABLE_TEST(no_entry_is_handed_out_twice),
      TABLE_TEST(the_entry_given_back_last_is_next_with_the_next_generation),
      TABLE_TEST(an_entry_whose_generations_are_used_up_is_never_used_again),
      TABLE_TEST(an_index_beyond_the_table_has_no_entry),
      TABLE_TEST(only_leaves_without_a_live_entry_are_given_back),
      TABLE_TEST(after_a_sweep_free_entries_are_anybodys),
      TABLE_TEST(generations_go_on_after_a_leaf_was_given_back),
      TABLE_TEST(a_leaf_that_a_pool_is_still_handing_out_stays),
      TABLE_TEST(after_a_close_every_handle_stays_stale),
      TABLE_TEST(a_table_that_cannot_grow_refuses_and_goes_on),
      TABLE_TEST(a_handle_is_given_out_once_in_all_its_life),
      TABLE_TEST(entries_are_given_back_by_any_thread),
  };
  return cmocka_run_group_tests(tests, start, NULL) == 0 ? TEST_PASS : TEST_FAIL;
}
