// SPDX-License-Identifier: MIT
//
// Who has which heap: threads get one and leave it, what they leave is used again, and first-class
// heaps come and go.
#define _GNU_SOURCE 1
#include "child.h"
#include "own_heaps.h"

#include <pthread.h>

#include "base/options.h"
#include "core/chunk.h"
#include "core/large.h"
#include "core/metadata.h"
#include "core/registry.h"
#include "os/system.h"

enum { THREADS = 8, MANY = 1000 };

static void *start_once(void *unused)
{
  CHECK(registry_init());
  return unused;
}

static void check_start(void)
{
  threads_run(THREADS, start_once, NULL, 0);
  CHECK(registry_init() && registry_init());
  free_block(take(5));
}

static void several_threads_may_start_it_at_once(void **state)
{
  (void)state;
  child_check(check_start);  // in this process it has not been started yet
  assert_true(registry_init());
}

static void *use_own_heap(void *argument)
{
  struct heap **place = argument;
  CHECK(registry_own() == NULL);
  *place = registry_current();
  CHECK(*place != NULL && registry_own() == *place && registry_current() == *place);
  CHECK(heap_owner(*place) == os_thread_id());
  free_block(take(3));
  CHECK(atomic_load(&(*place)->is_taken));
  return NULL;
}

static void a_thread_has_a_heap_of_its_own_from_first_use(void **state)
{
  (void)state;
  struct heap *heaps[THREADS];
  struct heap *own = registry_current();
  assert_ptr_equal(own, registry_own());
  threads_run(THREADS, use_own_heap, heaps, sizeof heaps[0]);
  for (size_t i = 0; i < THREADS; i++) assert_ptr_not_equal(heaps[i], own);
}

static void count_heap(struct heap *heap, void *argument)
{
  (void)heap;
  ++*(size_t *)argument;
}

static size_t count_heaps(void)
{
  size_t count = 0;
  registry_each(count_heap, &count);
  return count;
}

static void whoever_is_inside_a_heap_already_does_not_enter_it(void **state)
{
  (void)state;
  struct heap *heap = registry_create();
  assert_true(registry_enter(heap));
  assert_false(registry_enter(heap));
  assert_false(heap_try_enter(heap));
  heap_leave(heap);
  assert_true(registry_enter(heap));
  heap_leave(heap);
  registry_destroy(heap);
}

static void heaps_of_ended_threads_are_used_again(void **state)
{
  (void)state;
  struct heap *heap;
  threads_run(1, use_own_heap, &heap, 0);
  size_t before = count_heaps();
  for (size_t i = 0; i < 100; i++) threads_run(1, use_own_heap, &heap, 0);
  assert_int_equal(count_heaps(), before);
}

static void what_an_ended_thread_leaves_lives_on(void **state)
{
  (void)state;
  static char *blocks[BLOCKS];
  threads_run(1, leave_blocks, blocks, 0);
  assert_true(count_pages() >= SIZE_CLASS_COUNT);
  check_and_free(blocks);
}

// Whether the pages that leave_blocks has filled with a class have room for one more.
static bool is_room_left(char **blocks, unsigned size_class)
{
  size_t count = BLOCKS / SIZE_CLASS_COUNT + (size_class < BLOCKS % SIZE_CLASS_COUNT);
  return count % page_first(page_at(blocks[size_class]))->capacity != 0;
}

static void pages_of_ended_threads_are_used_before_fresh_ones(void **state)
{
  (void)state;
  static char *blocks[BLOCKS];
  threads_run(1, leave_blocks, blocks, 0);
  size_t used = chunk_statistics().used_bytes;
  for (unsigned i = 0; i < SIZE_CLASS_COUNT; i++) {
    if (!is_room_left(blocks, i)) continue;
    void *block = take(i);
    assert_int_equal(chunk_statistics().used_bytes, used);
    free_block(block);
  }
  check_and_free(blocks);
}

static void *leave_many(void *argument)
{
  char **blocks = argument;
  for (size_t i = 0; i < MANY; i++) blocks[i] = take(44);
  return NULL;
}

// No more than a bin's worth keeps their pages from going back.
static void what_an_ended_thread_left_goes_back_as_it_is_freed(void **state)
{
  (void)state;
  static char *blocks[MANY];
  free_block(take(44));
  size_t used = chunk_statistics().used_bytes;
  threads_run(1, leave_many, blocks, 0);
  assert_true(chunk_statistics().used_bytes >= used + MANY * size_class_bytes(44) / 2);
  for (size_t i = 0; i < MANY; i++) free_block(blocks[i]);
  assert_true(chunk_statistics().used_bytes <= used + 2 * SLICE_BYTES);
}

static void *free_and_end(void *argument)
{
  char **blocks = argument;
  size_t held = 0;
  for (size_t i = 0; i < BLOCKS; i++) {
    free_block(take((unsigned)(i % SIZE_CLASS_COUNT)));
    free_block(blocks[i]);
  }
  for (unsigned i = 0; i < SIZE_CLASS_SMALL_COUNT; i++) {
    held += heap_bin(registry_own(), i)->first != NULL;
  }
  CHECK(held == SIZE_CLASS_SMALL_COUNT);
  CHECK(count_on_shelves(registry_own()) >= SIZE_CLASS_MEDIUM_COUNT);
  return NULL;
}

static void the_end_of_a_thread_gives_back_what_lies_in_its_bins_and_shelves(void **state)
{
  (void)state;
  static char *blocks[BLOCKS];
  leave_blocks(blocks);
  threads_run(1, free_and_end, blocks, 0);
  upkeep_collect(true);
  assert_int_equal(count_pages(), 0);
}

static void *alternate(void *argument)
{
  char **kept = argument;
  for (unsigned i = 0; i < SIZE_CLASS_COUNT; i++) {
    void *block = take(i);
    free_block(kept[i]);
    kept[i] = block;
  }
  return NULL;
}

static void threads_that_follow_each_other_do_not_grow_the_heap(void **state)
{
  (void)state;
  static char *kept[SIZE_CLASS_COUNT];
  for (unsigned i = 0; i < SIZE_CLASS_COUNT; i++) kept[i] = take(i);
  for (size_t i = 0; i < 20; i++) threads_run(1, alternate, kept, 0);
  size_t used = chunk_statistics().used_bytes;
  for (size_t i = 0; i < 100; i++) threads_run(1, alternate, kept, 0);
  assert_true(chunk_statistics().used_bytes <= used + 16 * SLICE_BYTES);
  for (unsigned i = 0; i < SIZE_CLASS_COUNT; i++) free_block(kept[i]);
}

// ---------------------------------------------------------------------------------------------
// The end of a thread.

static pthread_key_t late_key;

static void allocate_late(void *value)
{
  uintptr_t round = (uintptr_t)value;
  for (unsigned i = 0; i < SIZE_CLASS_COUNT; i += 7) {
    char *block = take(i);
    memset(block, 1, size_class_bytes(i));
    free_block(block);
  }
  if (round < 3) CHECK(pthread_setspecific(late_key, (void *)(round + 1)) == 0);
}

static void *end_late(void *unused)
{
  CHECK(pthread_setspecific(late_key, (void *)1) == 0);
  free_block(take(3));
  return unused;
}

static void destructors_may_still_allocate_and_free(void **state)
{
  (void)state;
  assert_int_equal(pthread_key_create(&late_key, allocate_late), 0);
  for (size_t i = 0; i < 20; i++) threads_run(4, end_late, NULL, 0);
  assert_int_equal(pthread_key_delete(late_key), 0);
}

// A thread that allocates for the first time in a destructor ends unseen: there are not as many
// rounds left as are counted.
static pthread_key_t first_key;
static pthread_barrier_t all_have_heaps;

static void allocate_first(void *count)
{
  CHECK(registry_own() == NULL);
  for (unsigned i = 0; i < SIZE_CLASS_COUNT; i += 7) free_block(take(i));
  if ((uintptr_t)count > 1) pthread_barrier_wait(&all_have_heaps);
}

static void *end_unseen(void *count)
{
  CHECK(pthread_setspecific(first_key, count) == 0);
  return NULL;
}

// Runs `count` threads that end so, all of which have their heaps at the same time.
static void run_unseen(size_t count)
{
  pthread_t threads[THREADS];
  CHECK(pthread_key_create(&first_key, allocate_first) == 0);
  CHECK(pthread_barrier_init(&all_have_heaps, NULL, (unsigned)count) == 0);
  for (size_t i = 0; i < count; i++) {
    CHECK(pthread_create(&threads[i], NULL, end_unseen, (void *)count) == 0);
  }
  for (size_t i = 0; i < count; i++) CHECK(pthread_join(threads[i], NULL) == 0);
  CHECK(pthread_barrier_destroy(&all_have_heaps) == 0);
  CHECK(pthread_key_delete(first_key) == 0);
}

static void count_taken(struct heap *heap, void *argument)
{
  bool is_threads = heap_owner(heap) != OWNER_SHARED && heap_owner(heap) != OWNER_NOBODY;
  *(size_t *)argument += is_threads && !heap->is_given_up;
}

// How many heaps have a thread.
static size_t count_threads(void)
{
  size_t count = 0;
  registry_each(count_taken, &count);
  return count;
}

// ThreadSanitizer has ended its view of such a thread when it is over.
static void skip_if_nobody_ends_unseen(void)
{
  if (HAS_THREAD_SANITIZER) skip();
}

static void threads_that_end_unseen_do_not_grow_the_heap(void **state)
{
  (void)state;
  skip_if_nobody_ends_unseen();
  (void)registry_current();
  run_unseen(1);
  size_t heaps = count_heaps();
  for (size_t i = 0; i < 100; i++) run_unseen(1);
  assert_true(count_heaps() <= heaps + 1);
  upkeep_collect(true);
  assert_int_equal(count_threads(), 1);
  assert_int_equal(count_pages(), 0);
}

static void what_they_leave_is_found_by_ticks_and_new_threads(void **state)
{
  (void)state;
  skip_if_nobody_ends_unseen();
  (void)registry_current();
  upkeep_collect(true);
  run_unseen(THREADS);
  assert_int_equal(count_threads(), 1 + THREADS);
  options.purge_delay = 0;
  for (size_t i = 0; i < 100 && count_threads() > 1; i++) {
    os_sleep_ms(10);
    upkeep_tick();
  }
  assert_int_equal(count_threads(), 1);
  run_unseen(THREADS);
  size_t heaps = count_heaps();
  for (size_t i = 0; i < 20; i++) run_unseen(THREADS);
  assert_true(count_heaps() <= heaps + 2 * THREADS);
}

static void *take_and_collect(void *unused)
{
  free_block(take(3));
  upkeep_collect(true);
  CHECK(count_threads() == 2);
  return unused;
}

static void check_threads_of_child(void)
{
  struct heap *own = registry_own();
  threads_run(1, take_and_collect, NULL, 0);
  CHECK(registry_own() == own && heap_owner(own) == os_thread_id());
  free_block(take(3));
}

// In the child of a fork the same thread has another number.
static void a_heap_with_a_living_thread_is_left_alone(void **state)
{
  (void)state;
  free_block(take(3));
  threads_run(1, take_and_collect, NULL, 0);
  if (!HAS_THREAD_SANITIZER) child_check(check_threads_of_child);
}

// As in a signal handler that interrupts a slow path.
static void a_thread_inside_its_heap_gets_the_common_one(void **state)
{
  (void)state;
  struct heap *own = registry_current();
  heap_enter(own);
  struct heap *common = registry_current();
  assert_non_null(common);
  assert_ptr_not_equal(common, own);
  assert_int_equal(heap_owner(common), OWNER_SHARED);
  void *block = heap_take(common, 9, NULL);
  heap_enter(common);
  assert_null(registry_current());
  heap_leave(common);
  heap_leave(own);
  assert_ptr_equal(registry_current(), own);
  free_block(block);
}

// ---------------------------------------------------------------------------------------------
// First-class heaps.

static void a_destroyed_heap_leaves_nothing_and_is_used_again(void **state)
{
  (void)state;
  struct heap *first = registry_create();
  assert_non_null(first);
  size_t heaps = count_heaps();
  for (size_t round = 0; round < 50; round++) {
    struct heap *heap = round == 0 ? first : registry_create();
    assert_ptr_equal(heap, first);
    assert_int_equal(heap_owner(heap), OWNER_SHARED);
    for (unsigned i = 0; i < SIZE_CLASS_COUNT; i++) assert_non_null(heap_take(heap, i, NULL));
    assert_non_null(large_allocate(heap, 300000, 16, NULL));
    assert_true(count_pages() >= SIZE_CLASS_COUNT);
    registry_destroy(heap);
    assert_int_equal(count_pages(), 0);
  }
  assert_int_equal(count_heaps(), heaps);
}

static void only_a_heap_of_the_users_is_first_class(void **state)
{
  (void)state;
  struct heap *heap = registry_create();
  struct heap *gone = registry_create();
  void *other = metadata_allocate(sizeof *heap);
  registry_destroy(gone);
  assert_true(registry_is_first_class(heap));
  assert_false(registry_is_first_class(gone));
  assert_false(registry_is_first_class(other));
  assert_false(registry_is_first_class((struct heap *)(void *)((char *)heap + 16)));
  assert_false(registry_is_first_class((struct heap *)(void *)&heap));
  assert_false(registry_is_first_class(NULL));
  assert_false(registry_is_first_class(registry_current()));
  metadata_free(other, sizeof *heap);
  registry_destroy(heap);
}

static void heaps_that_live_at_once_are_different(void **state)
{
  (void)state;
  struct heap *heaps[20];
  for (size_t i = 0; i < 20; i++) {
    heaps[i] = registry_create();
    for (size_t j = 0; j < i; j++) assert_ptr_not_equal(heaps[i], heaps[j]);
    assert_ptr_not_equal(heaps[i], registry_own());
  }
  for (size_t i = 0; i < 20; i++) registry_destroy(heaps[i]);
}

int main(void)
{
  static const struct CMUnitTest tests[] = {
      HEAPS_TEST(several_threads_may_start_it_at_once),
      HEAPS_TEST(a_thread_has_a_heap_of_its_own_from_first_use),
      HEAPS_TEST(whoever_is_inside_a_heap_already_does_not_enter_it),
      HEAPS_TEST(heaps_of_ended_threads_are_used_again),
      HEAPS_TEST(what_an_ended_thread_leaves_lives_on),
      HEAPS_TEST(pages_of_ended_threads_are_used_before_fresh_ones),
      HEAPS_TEST(what_an_ended_thread_left_goes_back_as_it_is_freed),
      HEAPS_TEST(the_end_of_a_thread_gives_back_what_lies_in_its_bins_and_shelves),
      HEAPS_TEST(threads_that_follow_each_other_do_not_grow_the_heap),
      HEAPS_TEST(destructors_may_still_allocate_and_free),
      HEAPS_TEST(threads_that_end_unseen_do_not_grow_the_heap),
      HEAPS_TEST(what_they_leave_is_found_by_ticks_and_new_threads),
      HEAPS_TEST(a_heap_with_a_living_thread_is_left_alone),
      HEAPS_TEST(a_thread_inside_its_heap_gets_the_common_one),
      HEAPS_TEST(a_destroyed_heap_leaves_nothing_and_is_used_again),
      HEAPS_TEST(only_a_heap_of_the_users_is_first_class),
      HEAPS_TEST(heaps_that_live_at_once_are_different),
  };
  return SUITE_RUN(tests);
}
