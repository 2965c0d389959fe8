// SPDX-License-Identifier: MIT
//
// The heap as text: each line against what the test itself holds and what the library's figures
// say; descriptors that fail or stand still; and the walk while others change everything.
#define _GNU_SOURCE 1
#include "handles.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <sys/ioctl.h>

#include "../support/map_text.h"
#include "mend/mend.h"
#include "stats/stats.h"

static void the_figures_are_those_of_the_public_structs(void **state)
{
  (void)state;
  make_sparse(100, 3);
  void *block = mend_malloc(3 * MIB);
  struct mend_stats stats = {.bytes = sizeof stats};
  assert_true(mend_stats_get(&stats));
  struct mend_fragmentation now = fragmentation_of(NULL);
  map_take(NULL);
  assert_int_equal(map_figure("pid"), getpid());
  assert_int_equal(map_figure("slice_bytes"), SLICE_BYTES);
  assert_int_equal(map_figure("os_page_bytes"), os_page_bytes());
  assert_true(map_figure("process_resident_bytes") > 0);
  assert_int_equal(map_figure("stats.live_bytes"), stats.live_bytes);
  assert_int_equal(map_figure("stats.free_bytes"), stats.free_bytes);
  assert_int_equal(map_figure("stats.retained_bytes"), stats.retained_bytes);
  assert_int_equal(map_figure("stats.uncarved_bytes"), stats.uncarved_bytes);
  assert_int_equal(map_figure("stats.committed_bytes"), stats.committed_bytes);
  assert_int_equal(map_figure("stats.metadata_bytes"), stats.metadata_bytes);
  assert_int_equal(map_figure("stats.large_bytes"), stats.large_bytes);
  assert_int_equal(map_figure("stats.large_count"), stats.large_count);
  assert_int_equal(map_figure("stats.page_count"), stats.page_count);
  assert_int_equal(map_figure("stats.heap_count"), stats.heap_count);
  assert_int_equal(map_figure("stats.purged_bytes"), stats.purged_bytes);
  assert_int_equal(map_figure("stats.os_call_count"), stats.os_call_count);
  assert_int_equal(map_figure("stats.mapping_count"), stats.mapping_count);
  assert_int_equal(map_figure("stats.rest_bytes"), stats.rest_bytes);
  assert_int_equal(map_figure("stats.unused_bytes"), stats.unused_bytes);
  assert_int_equal(map_figure("fragmentation.objects"), now.objects);
  assert_int_equal(map_figure("fragmentation.object_bytes"), now.object_bytes);
  assert_int_equal(map_figure("fragmentation.block_bytes"), now.block_bytes);
  assert_int_equal(map_figure("fragmentation.free_bytes"), now.free_bytes);
  assert_int_equal(map_figure("fragmentation.rest_bytes"), now.rest_bytes);
  assert_int_equal(map_figure("fragmentation.cached_bytes"), now.cached_bytes);
  assert_int_equal(map_figure("fragmentation.resident_bytes"), now.resident_bytes);
  assert_int_equal(map_figure("fragmentation.metadata_bytes"), now.metadata_bytes);
  assert_int_equal(map_figure("fragmentation.table_bytes"), now.table_bytes);
  assert_int_equal(map_figure("fragmentation.dead_entries"), now.dead_entries);
  mend_free(block);
}

static bool is_near(double a, double b)
{
  return a - b < 6e-7 && b - a < 6e-7;
}

static void shares_have_six_places(void **state)
{
  (void)state;
  make_sparse(500, 7);
  struct mend_fragmentation now = fragmentation_of(NULL);
  map_take(NULL);
  assert_true(is_near(map_share("fragmentation.external"), now.external));
  assert_true(is_near(map_share("fragmentation.heap"), now.heap));
  assert_true(is_near(map_share("fragmentation.all_in"), now.all_in));
  const char *text = map_find("fragmentation.external");
  assert_int_equal(strcspn(text, "\n"), 8);
  struct mend_defrag_report report = {.bytes = sizeof report};
  report.before.external = 1;
  report.before.heap = 0.0000014;
  report.before.all_in = 0.9999996;
  map_take(&report);
  assert_memory_equal(map_find("report.before.external"), "1.000000\n", 9);
  assert_memory_equal(map_find("report.before.heap"), "0.000001\n", 9);
  assert_memory_equal(map_find("report.before.all_in"), "1.000000\n", 9);
  assert_memory_equal(map_find("report.after.external"), "0.000000\n", 9);
}

// What the pages' lines add up to is what the library's figures say.
static void assert_pages_add_up(void)
{
  struct map_sum pages = map_sum("", "");
  struct map_sum large = map_sum("large", "");
  struct map_sum free_runs = map_sum("free", "");
  assert_int_equal(pages.pages, map_figure("stats.page_count"));
  assert_int_equal(large.pages, map_figure("stats.large_count"));
  assert_int_equal(large.block_bytes, map_figure("stats.large_bytes"));
  assert_int_equal(large.bytes - large.block_bytes, map_figure("stats.rest_bytes"));
  assert_int_equal(free_runs.resident_bytes, map_figure("stats.retained_bytes"));
  assert_int_equal(pages.bytes + large.bytes + free_runs.resident_bytes +
                       map_figure("stats.unused_bytes"),
                   map_figure("stats.committed_bytes"));
  // What is kept ready counts as used here.
  assert_true(pages.block_bytes >= map_figure("stats.live_bytes") - large.block_bytes);
}

static void assert_objects_add_up(void)
{
  struct map_sum objects = map_sum("", "handles:");
  struct map_sum still = map_sum("", "still:");
  struct map_sum large = map_sum("large", "still:");
  assert_int_equal(objects.used + still.used + large.used, map_figure("fragmentation.objects"));
  assert_int_equal(objects.block_bytes + still.block_bytes + large.block_bytes,
                   map_figure("fragmentation.block_bytes"));
  assert_int_equal(objects.resident_bytes + still.resident_bytes + large.resident_bytes,
                   map_figure("fragmentation.resident_bytes"));
}

static void the_pages_add_up_to_the_figures(void **state)
{
  (void)state;
  static void *blocks[300];
  struct random random = {random_seed()};
  for (size_t i = 0; i < 300; i++) blocks[i] = mend_malloc(random_size(&random, 300000));
  (void)make_object(MIB);
  (void)object_allocate(heap, 16, 50, MEND_ALLOC_PINNED, 0);
  for (size_t round = 0; round < 6; round++) {
    make_sparse(random_size(&random, 20000), 1 + random_below(&random, 9));
    for (size_t i = round; i < 300; i += 7) {
      mend_free(blocks[i]);
      blocks[i] = mend_malloc(random_size(&random, 300000));
    }
    if (round % 2 == 1) mend_collect(round == 5);
    map_take(NULL);
    assert_pages_add_up();
    assert_objects_add_up();
  }
  for (size_t i = 0; i < 300; i++) mend_free(blocks[i]);
}

static void a_page_says_what_it_holds(void **state)
{
  (void)state;
  uint64_t handles[10];
  for (size_t i = 0; i < 10; i++) handles[i] = make_object(1000);
  assert_int_equal(object_free(handles[3], false), MEND_OK);
  map_take(NULL);
  const struct map_line *page = map_page_of(place_of(handles[0]));
  assert_non_null(page);
  assert_string_equal(page->kind, "bitmap");
  assert_int_equal(page->block_bytes, 1024);
  assert_string_equal(page->state, "-");
  if (!TEST_IS_WASTEFUL) {
    assert_int_equal(page->capacity, 64);
    assert_int_equal(page->carved, 10);
    assert_int_equal(page->used, 9);
    assert_true(page->resident_bytes >= bits_align_up(10 * 1024, os_page_bytes()));
  }
  void *large = mend_malloc(200000);
  map_take(NULL);
  page = map_page_of(large);
  assert_int_equal(page->start, (uintptr_t)large);
  assert_string_equal(page->kind, "large");
  assert_string_equal(page->owner, "-");
  assert_true(page->block_bytes >= 200000 && page->resident_bytes == page->block_bytes);
  mend_free(large);
  map_take(NULL);
  page = map_page_of(large);
  assert_true(page == NULL || strcmp(page->kind, "large") != 0);
}

static const char *owner_of(const void *block)
{
  map_take(NULL);
  const struct map_line *page = map_page_of(block);
  CHECK(page != NULL);
  return page->owner;
}

static void *allocate_one(void *argument)
{
  *(void **)argument = mend_malloc(300);
  char wanted[32];
  snprintf(wanted, sizeof wanted, "thread:%u", os_thread_number());
  CHECK(strcmp(owner_of(*(void **)argument), wanted) == 0);
  return NULL;
}

static void owners_are_named(void **state)
{
  (void)state;
  char wanted[32];
  snprintf(wanted, sizeof wanted, "handles:%u", heap->slot);
  assert_string_equal(owner_of(place_of(make_object(100))), wanted);
  snprintf(wanted, sizeof wanted, "still:%u", heap->slot);
  uint64_t still = object_allocate(heap, 16, 100, MEND_ALLOC_PINNED, 0);
  assert_string_equal(owner_of(place_of(still)), wanted);
  assert_string_equal(owner_of(place_of(make_object(MIB))), wanted);
  mend_heap *first_class = mend_heap_create();
  snprintf(wanted, sizeof wanted, "heap:0x%" PRIxPTR, (uintptr_t)first_class);
  assert_string_equal(owner_of(mend_heap_malloc(first_class, 100)), wanted);
  assert_string_equal(owner_of(mend_heap_malloc(first_class, MIB)), wanted);
  mend_heap_destroy(first_class);
  void *block;
  threads_run(1, allocate_one, &block, 0);
  assert_string_equal(owner_of(block), "common");
  mend_free(block);
}

static void closed_pages_are_told(void **state)
{
  (void)state;
  struct mend_defrag_report report = {.bytes = sizeof report};
  make_sparse(200, 10);
  map_take(NULL);
  assert_int_equal(map_sum("", "").closed, 0);
  os_lock_acquire(&heap->mover_lock);
  CHECK(mover_begin(heap, &report));
  map_take(NULL);
  mover_end(heap, &report);
  os_lock_release(&heap->mover_lock);
  assert_true(map_sum("", "handles:").closed > 0);
  assert_int_equal(map_sum("", "handles:").closed, map_sum("", "").closed);
  map_take(NULL);
  assert_int_equal(map_sum("", "").closed, 0);
}

static bool has_pin(uint64_t handle)
{
  for (size_t i = 0; i < map.pin_count; i++) {
    if (map.pins[i] == (uintptr_t)place_of(handle)) return true;
  }
  return false;
}

static void pinned_objects_have_a_line_each(void **state)
{
  (void)state;
  enum mend_status status;
  uint64_t handles[20];
  struct handle_heap *other = handle_heap_create();
  for (size_t i = 0; i < 20; i++) handles[i] = make_object(100 + 100 * i);
  uint64_t elsewhere = object_allocate(other, 16, 100, 0, 0);
  map_take(NULL);
  assert_int_equal(map.pin_count, 0);
  for (size_t i = 0; i < 20; i += 4) assert_non_null(object_pin(handles[i], &status));
  assert_non_null(object_pin(handles[0], &status));  // twice
  assert_non_null(object_pin(elsewhere, &status));
  map_take(NULL);
  assert_int_equal(map.pin_count, 6);
  for (size_t i = 0; i < 20; i++) assert_true(has_pin(handles[i]) == (i % 4 == 0));
  assert_true(has_pin(elsewhere));
  assert_int_equal(object_unpin(handles[4]), MEND_OK);
  assert_int_equal(object_free(handles[8], false), MEND_OK);
  map_take(NULL);
  assert_int_equal(map.pin_count, 4);
  assert_true(has_pin(handles[0]) && !has_pin(handles[4]) && has_pin(elsewhere));
  handle_heap_destroy(other);
  map_take(NULL);
  assert_int_equal(map.pin_count, 3);
}

static void the_report_is_written_field_by_field(void **state)
{
  (void)state;
  struct mend_defrag_report report = {
      .bytes = sizeof report,
      .objects_moved = 1,
      .bytes_moved = 2,
      .pages_examined = 3,
      .pages_emptied = 4,
      .bytes_freed = 5,
      .table_freed = 6,
      .vetoed = 7,
      .pinned = 8,
      .nanoseconds = UINT64_MAX,
      .grace_ns = 10,
      .return_ns = 11,
      .blocker_count = 2,
      .blockers = {{12, 34, NULL, true}, {56, UINT64_MAX, NULL, false}},
      .before = {.objects = 20, .external = 0.5},
      .after = {.objects = 21, .dead_entries = 22, .all_in = 0.25},
  };
  map_take(&report);
  assert_int_equal(map_figure("report.objects_moved"), 1);
  assert_int_equal(map_figure("report.bytes_moved"), 2);
  assert_int_equal(map_figure("report.pages_examined"), 3);
  assert_int_equal(map_figure("report.pages_emptied"), 4);
  assert_int_equal(map_figure("report.bytes_freed"), 5);
  assert_int_equal(map_figure("report.table_freed"), 6);
  assert_int_equal(map_figure("report.vetoed"), 7);
  assert_int_equal(map_figure("report.pinned"), 8);
  assert_true(map_figure("report.nanoseconds") == UINT64_MAX);
  assert_int_equal(map_figure("report.grace_ns"), 10);
  assert_int_equal(map_figure("report.return_ns"), 11);
  assert_non_null(strstr(map.text, "\nreport.blocker 12 34 implicit\n"));
  assert_non_null(strstr(map.text, "\nreport.blocker 56 18446744073709551615 explicit\n"));
  assert_int_equal(map_figure("report.before.objects"), 20);
  assert_int_equal(map_figure("report.after.objects"), 21);
  assert_int_equal(map_figure("report.after.dead_entries"), 22);
  assert_memory_equal(map_find("report.before.external"), "0.500000\n", 9);
  assert_memory_equal(map_find("report.after.all_in"), "0.250000\n", 9);
  map_take(NULL);
  assert_null(strstr(map.text, "report."));
}

static void what_cannot_be_written_is_told(void **state)
{
  (void)state;
  int pipes[2];
  make_sparse(100, 2);
  errno = EILSEQ;
  int file = map_open();
  assert_true(mend_heap_map_write(file, NULL));
  assert_int_equal(errno, EILSEQ);
  close(file);
  assert_false(mend_heap_map_write(-1, NULL));
  assert_int_equal(errno, EBADF);
  struct mend_defrag_report report = {.bytes = sizeof report - 1};
  assert_false(mend_heap_map_write(-1, &report));
  assert_int_equal(errno, EINVAL);
  assert_int_equal(pipe(pipes), 0);
  close(pipes[0]);
  signal(SIGPIPE, SIG_IGN);
  assert_false(mend_heap_map_write(pipes[1], NULL));
  assert_int_equal(errno, EPIPE);
  close(pipes[1]);
  file = open("/dev/full", O_WRONLY);
  if (file < 0) return;
  assert_false(mend_heap_map_write(file, NULL));
  assert_int_equal(errno, ENOSPC);
  close(file);
}

static void it_changes_nothing(void **state)
{
  (void)state;
  make_sparse(3000, 4);
  map_take(NULL);
  struct mend_stats before = stats_collect(NULL);
  struct mend_fragmentation now = fragmentation_of(NULL);
  map_take(NULL);
  map_take(NULL);
  struct mend_stats after = stats_collect(NULL);
  assert_memory_equal(&before, &after, sizeof before);
  struct mend_fragmentation then = fragmentation_of(NULL);
  assert_memory_equal(&now, &then, sizeof now);
}

// ---------------------------------------------------------------------------------------------
// Others at work.

static void *write_to(void *argument)
{
  CHECK(mend_heap_map_write(*(int *)argument, NULL));
  CHECK(close(*(int *)argument) == 0);
  return NULL;
}

// How much the pipe holds already; whoever writes to it stands still when that grows no more.
static void wait_until_full(int reader)
{
  int held = -1;
  int before;
  do {
    before = held;
    os_sleep_ms(20);
    CHECK(ioctl(reader, FIONREAD, &held) == 0);
  } while (held != before || held == 0);
}

static void nobody_waits_for_a_reader_that_stands_still(void **state)
{
  (void)state;
  enum { BLOCKS = 3000 };
  int pipes[2];
  pthread_t writer;
  static void *blocks[BLOCKS];
  struct mend_defrag_report report = {.bytes = sizeof report};
  for (size_t i = 0; i < BLOCKS; i++) blocks[i] = mend_malloc(70000);  // a line each
  assert_int_equal(pipe(pipes), 0);
  assert_int_equal(pthread_create(&writer, NULL, write_to, &pipes[1]), 0);
  wait_until_full(pipes[0]);
  make_sparse(300, 5);
  assert_int_equal(run_pass(&report, 1000000000), MEND_OK);
  for (size_t i = 0; i < BLOCKS; i += 2) mend_free(blocks[i]);
  mend_collect(true);
  map_take(NULL);  // another one
  for (size_t i = 1; i < BLOCKS; i += 2) mend_free(blocks[i]);
  size_t length = 0;
  for (ssize_t got; (got = read(pipes[0], map.text + length, 4096)) > 0;) length += (size_t)got;
  map.text[length] = '\0';
  assert_int_equal(pthread_join(writer, NULL), 0);
  close(pipes[0]);
  map_parse();
}

static _Atomic(bool) is_over;

static void *churn(void *argument)
{
  enum { SLOTS = 200 };
  struct random random = {(uintptr_t)argument};
  void *blocks[SLOTS] = {NULL};
  uint64_t objects[SLOTS] = {0};
  enum mend_status status;
  while (!atomic_load(&is_over)) {
    size_t at = random_below(&random, SLOTS);
    mend_free(blocks[at]);
    blocks[at] = mend_malloc(random_size(&random, 200000));
    if (objects[at] != 0) CHECK(object_free(objects[at], false) == MEND_OK);
    objects[at] = object_allocate(heap, 16, random_size(&random, 5000), 0, 0);
    if (random_below(&random, 20) == 0) CHECK(object_pin(objects[at], &status) != NULL);
  }
  for (size_t i = 0; i < SLOTS; i++) mend_free(blocks[i]);
  return NULL;
}

static void *move_all_the_time(void *unused)
{
  struct mend_defrag_report report = {.bytes = sizeof report};
  while (!atomic_load(&is_over)) (void)defrag_step(NULL, NULL, &report);
  return unused;
}

static void *make_and_end_heaps(void *unused)
{
  while (!atomic_load(&is_over)) {
    mend_heap *blocks = mend_heap_create();
    struct handle_heap *objects = handle_heap_create();
    for (size_t i = 1; i < 50; i++) {
      CHECK(mend_heap_malloc(blocks, i * 300) != NULL);
      CHECK(object_allocate(objects, 16, i * 300, 0, 0) != 0);
    }
    mend_heap_destroy(blocks);
    handle_heap_destroy(objects);
  }
  return unused;
}

static void maps_are_sound_whatever_others_do(void **state)
{
  (void)state;
  pthread_t threads[4];
  static char seeds[2];
  atomic_store(&is_over, false);
  for (size_t i = 0; i < 2; i++) {
    assert_int_equal(pthread_create(&threads[i], NULL, churn, &seeds[i]), 0);
  }
  assert_int_equal(pthread_create(&threads[2], NULL, move_all_the_time, NULL), 0);
  assert_int_equal(pthread_create(&threads[3], NULL, make_and_end_heaps, NULL), 0);
  for (size_t i = 0; i < test_scaled(100); i++) map_take(NULL);
  atomic_store(&is_over, true);
  for (size_t i = 0; i < 4; i++) assert_int_equal(pthread_join(threads[i], NULL), 0);
  mend_collect(true);
  map_take(NULL);
  assert_objects_add_up();
}

int main(void)
{
  static const struct CMUnitTest tests[] = {
      HANDLES_TEST(the_figures_are_those_of_the_public_structs),
      HANDLES_TEST(shares_have_six_places),
      HANDLES_TEST(the_pages_add_up_to_the_figures),
      HANDLES_TEST(a_page_says_what_it_holds),
      HANDLES_TEST(owners_are_named),
      HANDLES_TEST(closed_pages_are_told),
      HANDLES_TEST(pinned_objects_have_a_line_each),
      HANDLES_TEST(the_report_is_written_field_by_field),
      HANDLES_TEST(what_cannot_be_written_is_told),
      HANDLES_TEST(it_changes_nothing),
      HANDLES_TEST(nobody_waits_for_a_reader_that_stands_still),
      HANDLES_TEST(maps_are_sound_whatever_others_do),
  };
  return SUITE_RUN(tests);
}
