// SPDX-License-Identifier: MIT
//
// A heap of handles is fragmented and mended: a million objects of 16 to 512 bytes, say, of which
// nine of ten are freed at random; a snapshot of the heap, one call of mend_defragment, a second
// snapshot. Beside it lie a few blocks that cannot move, and some of the objects are pinned.
//
// usage: mending OBJECTS BEFORE AFTER      the snapshots go to these files
//
// After each snapshot it writes a line of JSON and waits for a line on stdin, so that another
// process can look at its memory meanwhile. What is its own, the table of handles, lies in shared
// memory: what is anonymous and private is mend's. At the end every object is checked.
#include <fcntl.h>
#include <mend/handle.h>
#include <mend/stats.h>

#include "../../bench/common.h"

enum { SIZE_LEAST = 16, SIZE_MOST = 512, KEPT = 10, PINNED = 12, BLOCKS = 400 };

static mend_handle *objects;
static size_t object_count;
static struct random random_numbers;

static void make_objects(void)
{
  for (size_t i = 0; i < object_count; i++) {
    size_t size = random_between(&random_numbers, SIZE_LEAST, SIZE_MOST);
    objects[i] = mend_handle_alloc(size);
    mend_scope_enter();
    (void)block_mark(mend_resolve(objects[i]), size);
    mend_scope_leave();
  }
}

static void free_most(void)
{
  size_t pinned = 0;
  for (size_t i = 0; i < object_count; i++) {
    if (random_below(&random_numbers, KEPT) != 0) {
      if (mend_handle_free(objects[i]) != MEND_OK) die("a free");
      objects[i] = MEND_HANDLE_NULL;
    } else if (i >= pinned * (object_count / PINNED) && pinned < PINNED) {
      if (mend_pin(objects[i]) == NULL) die("a pin");
      pinned++;
    }
  }
}

static void make_blocks(void)
{
  for (size_t i = 0; i < BLOCKS; i++) {
    size_t size = random_between(&random_numbers, BLOCK_MIN, 16000);
    (void)block_mark(mend_malloc(size), size);
  }
  size_t large = (size_t)2 << 20;
  touch_pages(mend_malloc(large), 0, large);
}

static void check_objects(void)
{
  for (size_t i = 0; i < object_count; i++) {
    if (mend_handle_is_null(objects[i])) continue;
    mend_scope_enter();
    const void *object = mend_resolve(objects[i]);
    if (object == NULL || block_size(object) != mend_handle_size(objects[i])) die("an object");
    block_check(object);
    mend_scope_leave();
  }
}

static void write_map(const char *path, const struct mend_defrag_report *report)
{
  int file = open(path, O_WRONLY | O_CREAT | O_TRUNC, 0666);
  if (file < 0 || !mend_heap_map_write(file, report) || close(file) != 0) die(path);
}

static void write_shares(const char *name, const struct mend_fragmentation *now)
{
  line_write(",\"%s\":{\"external\":%.6f,\"heap\":%.6f,\"all_in\":%.6f,\"objects\":%zu,"
             "\"resident_bytes\":%zu}",
             name, now->external, now->heap, now->all_in, now->objects, now->resident_bytes);
}

// Ends the line and waits for the judge; without one stdin is at its end.
static void judge_look(void)
{
  char answer;
  line_write("}\n");
  if (read(STDIN_FILENO, &answer, 1) < 0) die("read");
}

int main(int count, char **arguments)
{
  long number = count == 4 ? strtol(arguments[1], NULL, 10) : 0;
  if (number < PINNED) die("usage: mending OBJECTS BEFORE AFTER");
  object_count = (size_t)number;
  objects = table_map(object_count * sizeof *objects);
  random_numbers = random_seeded(2024);
  make_blocks();
  make_objects();
  free_most();
  write_map(arguments[2], NULL);
  line_write("{\"stage\":\"sparse\",\"pid\":%ld", (long)getpid());
  judge_look();

  struct mend_defrag_report report = {.bytes = sizeof report};
  enum mend_status status = mend_defragment(&report);
  write_map(arguments[3], &report);
  check_objects();
  line_write("{\"stage\":\"mended\",\"status\":\"%s\",\"nanoseconds\":%llu,\"objects_moved\":%zu,"
             "\"bytes_moved\":%zu,\"pages_emptied\":%zu,\"bytes_freed\":%zu,\"vetoed\":%zu,"
             "\"pinned\":%zu",
             mend_status_text(status), (unsigned long long)report.nanoseconds, report.objects_moved,
             report.bytes_moved, report.pages_emptied, report.bytes_freed, report.vetoed,
             report.pinned);
  write_shares("before", &report.before);
  write_shares("after", &report.after);
  judge_look();
  return 0;
}
