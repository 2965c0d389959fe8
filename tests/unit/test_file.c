// SPDX-License-Identifier: MIT
//
// Files that are read and made.
#define _GNU_SOURCE 1
#include "../support/folder.h"
#include "../support/suite.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "os/file.h"

static char folder[] = "/tmp/mend-test-file-XXXXXX";
static char path[64];
static char other[64];

static int make_folder(void **state)
{
  (void)state;
  CHECK(folder_make(folder));
  snprintf(path, sizeof path, "%s/file", folder);
  snprintf(other, sizeof other, "%s/other", folder);
  return 0;
}

static int remove_folder(void **state)
{
  (void)state;
  return folder_remove();
}

static void what_is_written_can_be_read(void **state)
{
  (void)state;
  char text[16];
  int file = os_file_create(path);
  assert_true(file > STDERR_FILENO);
  assert_int_equal(fcntl(file, F_GETFD), FD_CLOEXEC);
  assert_int_equal(write(file, "0123456789", 10), 10);
  os_file_close(file);
  assert_int_equal(fcntl(file, F_GETFD), -1);
  errno = 4711;
  file = os_file_open(path);
  assert_true(file > STDERR_FILENO);
  assert_int_equal(fcntl(file, F_GETFD), FD_CLOEXEC);
  assert_int_equal(os_file_read(file, text, 4), 4);
  assert_int_equal(os_file_read(file, text + 4, sizeof text - 4), 6);
  assert_memory_equal(text, "0123456789", 10);
  assert_int_equal(os_file_read(file, text, sizeof text), 0);
  os_file_close(file);
  assert_int_equal(os_file_read(file, text, sizeof text), 0);
  assert_int_equal(errno, 4711);
}

static void a_new_file_is_empty_and_its_owners(void **state)
{
  (void)state;
  struct stat status;
  mode_t mask = umask(0);
  unlink(path);
  os_file_close(os_file_create(path));
  umask(mask);
  assert_int_equal(stat(path, &status), 0);
  assert_int_equal(status.st_mode & 0777, 0600);
  int file = os_file_create(path);
  assert_int_equal(write(file, "abc", 3), 3);
  os_file_close(file);
  os_file_close(os_file_create(path));
  assert_int_equal(stat(path, &status), 0);
  assert_int_equal(status.st_size, 0);
}

static void a_link_is_not_followed_but_below_dev(void **state)
{
  (void)state;
  os_file_close(os_file_create(path));
  assert_int_equal(symlink(path, other), 0);
  assert_int_equal(os_file_create(other), -1);
  assert_int_equal(errno, ELOOP);
  int file = os_file_create("/dev/null");
  assert_true(file >= 0);
  os_file_close(file);
  int copy = os_file_create("/dev/fd/2");  // a link
  if (copy >= 0) os_file_close(copy);
  assert_true(copy >= 0 || errno != ELOOP);
}

static void what_is_not_there_is_told(void **state)
{
  (void)state;
  char text[64];
  snprintf(text, sizeof text, "%s/none/none", folder);
  errno = 4711;
  assert_int_equal(os_file_open(text), -1);
  assert_int_equal(errno, 4711);
  assert_int_equal(os_file_create(text), -1);
  assert_int_equal(errno, ENOENT);
}

static void the_program_has_a_path(void **state)
{
  (void)state;
  char own[4096], cut[8];
  size_t length = os_program_path(own, sizeof own);
  assert_true(length > 8 && length < sizeof own && own[0] == '/');
  assert_int_equal(os_program_path(cut, sizeof cut), sizeof cut);
  assert_memory_equal(cut, own, sizeof cut);
}

int main(void)
{
  static const struct CMUnitTest tests[] = {
      cmocka_unit_test(what_is_written_can_be_read),
      cmocka_unit_test(a_new_file_is_empty_and_its_owners),
      cmocka_unit_test(a_link_is_not_followed_but_below_dev),
      cmocka_unit_test(what_is_not_there_is_told),
      cmocka_unit_test(the_program_has_a_path),
  };
  return cmocka_run_group_tests(tests, make_folder, remove_folder) == 0 ? TEST_PASS : TEST_FAIL;
}
