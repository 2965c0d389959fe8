// SPDX-License-Identifier: MIT
//
// Where randomness comes from when the kernel refuses: getrandom, which an old kernel lacks, a
// sandbox forbids and which has nothing to give right after the machine's start; then /dev/urandom,
// which a container may lack; then what can be had without asking.
#define _GNU_SOURCE 1
#include "../support/suite.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "os/direct.h"

static long kernel_syscall(long number, void *bytes, size_t count, unsigned flags);
static int kernel_open(const char *path, int flags, unsigned mode);
static ssize_t kernel_read(int file, void *bytes, size_t count);
static int kernel_close(int file);

#define syscall kernel_syscall
#define os_direct_open kernel_open
#define os_direct_read kernel_read
#define os_direct_close kernel_close
#include "os/system.c"
#undef syscall
#undef os_direct_open
#undef os_direct_read
#undef os_direct_close

enum { DEVICE = 1000, BY_CALL = 0xca, BY_DEVICE = 0xde };

// What the kernel says; an error, or 0 for none.
static struct {
  int call_error;
  int open_error;
  int read_error;
  bool device_ends;     // after 10 bytes
  size_t most_bytes;    // at a time
  unsigned interrupts;  // every so many-th call; 0: none
  unsigned calls;
  unsigned read_bytes;
  int open_files;
} kernel;

static bool is_interrupted(void)
{
  if (kernel.interrupts == 0 || ++kernel.calls % kernel.interrupts != 0) return false;
  errno = EINTR;
  return true;
}

static long give(void *bytes, size_t count, int value)
{
  if (count > kernel.most_bytes) count = kernel.most_bytes;
  memset(bytes, value, count);
  return (long)count;
}

static long kernel_syscall(long number, void *bytes, size_t count, unsigned flags)
{
  CHECK(number == SYS_getrandom && flags == GRND_NONBLOCK);
  errno = kernel.call_error;
  if (errno != 0 || is_interrupted()) return -1;
  return give(bytes, count, BY_CALL);
}

static int kernel_open(const char *path, int flags, unsigned mode)
{
  if (strcmp(path, "/dev/urandom") != 0) return open(path, flags, mode);
  CHECK((flags & O_CLOEXEC) != 0);
  errno = kernel.open_error;
  if (errno != 0) return -1;
  kernel.open_files++;
  return DEVICE;
}

static ssize_t kernel_read(int file, void *bytes, size_t count)
{
  if (file != DEVICE) return read(file, bytes, count);
  errno = kernel.read_error;
  if (errno != 0 || is_interrupted()) return -1;
  if (kernel.device_ends && kernel.read_bytes >= 10) return 0;
  ssize_t got = give(bytes, count, BY_DEVICE);
  kernel.read_bytes += (unsigned)got;
  return got;
}

static int kernel_close(int file)
{
  if (file != DEVICE) return close(file);
  kernel.open_files--;
  return 0;
}

static void reset(void)
{
  memset(&kernel, 0, sizeof kernel);
  kernel.most_bytes = 7;
  kernel.interrupts = 3;
}

static void check_all_are(int value)
{
  uint8_t bytes[300] = {0};
  os_entropy(bytes, sizeof bytes);
  for (size_t i = 0; i < sizeof bytes; i++) assert_int_equal(bytes[i], value);
  assert_int_equal(kernel.open_files, 0);
}

static void first_the_kernel_is_asked(void **state)
{
  (void)state;
  reset();
  kernel.open_error = ENOENT;
  check_all_are(BY_CALL);
}

static void where_it_refuses_the_device_is_read(void **state)
{
  static const int errors[] = {ENOSYS, EPERM, EAGAIN, EFAULT};
  (void)state;
  for (size_t i = 0; i < sizeof errors / sizeof errors[0]; i++) {
    reset();
    kernel.call_error = errors[i];
    check_all_are(BY_DEVICE);
  }
}

static uint64_t guessed(void)
{
  uint64_t words[2] = {0, 0};
  os_entropy(words, sizeof words);
  CHECK(kernel.open_files == 0);
  CHECK(words[0] != words[1] && words[0] != 0 && words[1] != 0);
  return words[0];
}

static void check_guesses(void)
{
  uint64_t first = guessed();
  uint64_t last = first;
  for (unsigned i = 0; i < 1000; i++) {
    uint64_t next = guessed();
    assert_true(next != last && next != first);
    last = next;
  }
}

static void where_there_is_nothing_each_call_gives_something_else(void **state)
{
  (void)state;
  reset();
  kernel.call_error = ENOSYS;
  kernel.open_error = ENOENT;
  check_guesses();
  reset();
  kernel.call_error = EPERM;
  kernel.read_error = EPERM;
  check_guesses();
  reset();
  kernel.call_error = EPERM;
  kernel.device_ends = true;
  check_guesses();
}

static void a_child_guesses_otherwise_than_its_parent(void **state)
{
  (void)state;
  uint64_t theirs = 0;
  int pipes[2];
  reset();
  kernel.call_error = kernel.open_error = EPERM;
  assert_int_equal(pipe(pipes), 0);
  pid_t child = test_fork();
  uint64_t ours = guessed();
  if (child == 0) _exit(write(pipes[1], &ours, sizeof ours) == sizeof ours ? 0 : 1);
  assert_int_equal(read(pipes[0], &theirs, sizeof theirs), sizeof theirs);
  assert_int_equal(waitpid(child, NULL, 0), child);
  assert_true(ours != theirs);
  close(pipes[0]);
  close(pipes[1]);
}

// Of what the C library keeps secret nothing may show.
static void what_the_kernel_gave_at_the_start_is_not_handed_out(void **state)
{
  (void)state;
  uint64_t given[2];
  uint64_t words[4];
  const void *random = (const void *)getauxval(AT_RANDOM);
  if (random == NULL) skip();
  memcpy(given, random, sizeof given);
  reset();
  kernel.call_error = kernel.open_error = EPERM;
  os_entropy(words, sizeof words);
  for (unsigned i = 0; i < 4; i++) assert_true(words[i] != given[0] && words[i] != given[1]);
}

int main(void)
{
  static const struct CMUnitTest tests[] = {
      cmocka_unit_test(first_the_kernel_is_asked),
      cmocka_unit_test(where_it_refuses_the_device_is_read),
      cmocka_unit_test(where_there_is_nothing_each_call_gives_something_else),
      cmocka_unit_test(a_child_guesses_otherwise_than_its_parent),
      cmocka_unit_test(what_the_kernel_gave_at_the_start_is_not_handed_out),
  };
  return SUITE_RUN(tests);
}
