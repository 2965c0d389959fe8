// SPDX-License-Identifier: MIT
//
// The process's mappings: what this program maps is told, with its file and the place in it.
#define _GNU_SOURCE 1
#include "child.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/stat.h>

#include "os/maps.h"

static struct os_maps_reader reader;

struct sought {
  uintptr_t address;
  size_t count;  // of mappings seen
  bool is_found;
  bool is_code;
  uintptr_t start;
  uintptr_t end;
  uint64_t offset;
  char path[400];
};

static bool seek(const struct os_map *map, void *argument)
{
  struct sought *sought = argument;
  sought->count++;
  CHECK(map->start < map->end);
  if (sought->address < map->start || sought->address >= map->end) return true;
  sought->is_found = true;
  sought->is_code = map->is_code;
  sought->start = map->start;
  sought->end = map->end;
  sought->offset = map->offset;
  snprintf(sought->path, sizeof sought->path, "%s", map->path);
  return true;
}

static struct sought found_at(const void *address)
{
  struct sought sought = {.address = (uintptr_t)address};
  errno = 4711;
  CHECK(os_maps_each(&reader, seek, &sought));
  CHECK(errno == 4711 && sought.count > 3);
  return sought;
}

static void a_file_is_told_with_its_name_and_the_place_in_it(void **state)
{
  (void)state;
  char name[] = "/tmp/mend-test-maps-XXXXXX";
  size_t page = (size_t)sysconf(_SC_PAGESIZE);
  int file = mkstemp(name);
  assert_true(file >= 0);
  assert_int_equal(ftruncate(file, (off_t)(4 * page)), 0);
  char *memory = mmap(NULL, 2 * page, PROT_READ, MAP_PRIVATE, file, (off_t)(2 * page));
  assert_true(memory != MAP_FAILED);
  struct sought sought = found_at(memory + page);
  assert_int_equal(unlink(name), 0);
  assert_true(sought.is_found);
  assert_string_equal(sought.path, name);
  assert_int_equal(sought.start, (uintptr_t)memory);
  assert_int_equal(sought.end, (uintptr_t)memory + 2 * page);
  assert_int_equal(sought.offset, 2 * page);
  assert_int_equal(munmap(memory, 2 * page), 0);
  close(file);
}

static void a_very_long_name_is_cut_off(void **state)
{
  (void)state;
  char name[512];
  size_t page = (size_t)sysconf(_SC_PAGESIZE);
  size_t length = (size_t)snprintf(name, sizeof name, "/tmp/mend-test-maps-%d/", getpid());
  assert_int_equal(mkdir(name, 0700), 0);
  memset(name + length, 'x', 250);
  name[length + 250] = '\0';
  int file = open(name, O_RDWR | O_CREAT, 0600);
  assert_true(file >= 0);
  assert_int_equal(ftruncate(file, (off_t)page), 0);
  char *memory = mmap(NULL, page, PROT_READ, MAP_PRIVATE, file, 0);
  assert_true(memory != MAP_FAILED);
  struct sought sought = found_at(memory);
  assert_true(sought.is_found);
  assert_int_equal(strncmp(sought.path, name, strlen(sought.path)), 0);
  assert_true(strlen(sought.path) > 200 && strlen(sought.path) < strlen(name));
  assert_int_equal(munmap(memory, page), 0);
  assert_int_equal(unlink(name), 0);
  name[length] = '\0';
  assert_int_equal(rmdir(name), 0);
  close(file);
}

static void code_is_told_from_data(void **state)
{
  (void)state;
  assert_true(found_at((const void *)(uintptr_t)seek).is_code);
  assert_true(found_at((const void *)(uintptr_t)open).is_code);
  assert_false(found_at(&reader).is_code);
  assert_false(found_at(&state).is_code);
}

static void memory_of_no_file_has_no_name(void **state)
{
  (void)state;
  size_t page = (size_t)sysconf(_SC_PAGESIZE);
  char *memory = mmap(NULL, page, PROT_READ, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
  assert_true(memory != MAP_FAILED);
  memory = mmap(memory, page, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0);
  assert_true(memory != MAP_FAILED);
  struct sought sought = found_at(memory);
  assert_true(sought.is_found);
  assert_string_equal(sought.path, "");
  assert_int_equal(sought.offset, 0);
  assert_int_equal(munmap(memory, page), 0);
  assert_false(found_at(memory).is_found);
}

static bool see_two(const struct os_map *map, void *argument)
{
  (void)map;
  return ++*(size_t *)argument < 2;
}

static void a_visitor_may_have_seen_enough(void **state)
{
  (void)state;
  size_t seen = 0;
  assert_true(os_maps_each(&reader, see_two, &seen));
  assert_int_equal(seen, 2);
}

static void look_without_descriptors(void)
{
  size_t seen = 0;
  CHECK(setrlimit(RLIMIT_NOFILE, &(struct rlimit){0, 0}) == 0);
  CHECK(!os_maps_each(&reader, see_two, &seen));
  CHECK(seen == 0);
}

static void where_nothing_can_be_opened_nothing_is_told(void **state)
{
  (void)state;
  if (test_is_in_valgrind()) skip();  // which refuses the limit
  child_check(look_without_descriptors);
}

int main(void)
{
  static const struct CMUnitTest tests[] = {
      cmocka_unit_test(a_file_is_told_with_its_name_and_the_place_in_it),
      cmocka_unit_test(a_very_long_name_is_cut_off),
      cmocka_unit_test(code_is_told_from_data),
      cmocka_unit_test(memory_of_no_file_has_no_name),
      cmocka_unit_test(a_visitor_may_have_seen_enough),
      cmocka_unit_test(where_nothing_can_be_opened_nothing_is_told),
  };
  if (access("/proc/self/maps", R_OK) != 0) return test_cannot_run("there is no /proc");
  return SUITE_RUN(tests);
}
