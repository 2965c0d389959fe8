// SPDX-License-Identifier: MIT
//
// The clock, the environment and descriptors that programs do not know of.
#define _GNU_SOURCE 1
#include "child.h"

#include <fcntl.h>
#include <sys/mman.h>
#include <sys/time.h>
#include <time.h>

#include "os/system.h"

static uint64_t precise_ms(void)
{
  struct timespec now;
  CHECK(clock_gettime(CLOCK_MONOTONIC, &now) == 0);
  return (uint64_t)now.tv_sec * 1000 + (uint64_t)now.tv_nsec / 1000000;
}

// How far the coarse clock may lag, in whole milliseconds.
static uint32_t coarseness_ms(void)
{
  struct timespec step;
  CHECK(clock_getres(CLOCK_MONOTONIC_COARSE, &step) == 0);
  return (uint32_t)(step.tv_nsec / 1000000) + 1;
}

static void the_clock_never_goes_back(void **state)
{
  (void)state;
  uint32_t last = os_clock_ms();
  for (unsigned i = 0; i < 200000; i++) {
    uint32_t now = os_clock_ms();
    assert_true(now - last < 60000);
    last = now;
  }
}

static void the_clock_counts_milliseconds(void **state)
{
  (void)state;
  uint32_t before = os_clock_ms();
  uint64_t precise_before = precise_ms();
  os_sleep_ms(60);
  uint32_t coarse = os_clock_ms() - before;
  uint64_t precise = precise_ms() - precise_before;
  assert_true(coarse + coarseness_ms() >= 60);
  assert_true(coarse <= precise + 2 * coarseness_ms());
}

static uint64_t precise_ns(void)
{
  struct timespec now;
  CHECK(clock_gettime(CLOCK_MONOTONIC, &now) == 0);
  return (uint64_t)now.tv_sec * 1000000000 + (uint64_t)now.tv_nsec;
}

static void the_exact_clock_is_the_kernels(void **state)
{
  (void)state;
  for (unsigned i = 0; i < 1000; i++) {
    uint64_t before = precise_ns();
    uint64_t now = os_clock_ns();
    assert_true(before <= now && now <= precise_ns());
  }
}

static void a_short_sleep_is_as_long_as_was_asked(void **state)
{
  static const uint32_t lengths_us[] = {0, 1, 999, 20000, 1000000 + 1000};
  (void)state;
  for (size_t i = 0; i < sizeof lengths_us / sizeof lengths_us[0]; i++) {
    uint64_t before = precise_ns();
    os_sleep_us(lengths_us[i]);
    assert_true(precise_ns() - before >= (uint64_t)lengths_us[i] * 1000);
  }
}

static void ignore_signal(int signal_number)
{
  (void)signal_number;
}

static void a_sleep_goes_on_after_a_signal(void **state)
{
  (void)state;
  struct sigaction action = {.sa_handler = ignore_signal};
  struct itimerval often = {{0, 2000}, {0, 2000}};
  struct itimerval never = {{0, 0}, {0, 0}};
  assert_int_equal(sigaction(SIGALRM, &action, NULL), 0);
  assert_int_equal(setitimer(ITIMER_REAL, &often, NULL), 0);
  uint64_t before = precise_ms();
  os_sleep_ms(50);
  uint64_t after = precise_ms();
  setitimer(ITIMER_REAL, &never, NULL);
  assert_true(after - before >= 49);
}

static size_t parents_id;

static void be_another_process(void)
{
  CHECK(os_process_id() != parents_id);
  CHECK(os_process_id() == (size_t)getpid());
}

static void a_child_has_a_number_of_its_own(void **state)
{
  (void)state;
  parents_id = os_process_id();
  assert_int_equal(parents_id, getpid());
  child_check(be_another_process);
}

static void an_ordinary_process_shows_its_environment(void **state)
{
  (void)state;
  assert_ptr_equal(os_environment(), environ);
}

static void no_two_times_the_same_entropy_is_given(void **state)
{
  enum { TIMES = 100, BYTES = 300 };  // of more than 256 bytes the kernel may give a part
  static uint8_t given[TIMES][BYTES];
  (void)state;
  for (size_t i = 0; i < TIMES; i++) os_entropy(given[i], BYTES);
  for (size_t i = 0; i < TIMES; i++) {
    for (size_t j = 0; j < i; j++) {
      assert_memory_not_equal(given[i], given[j], 16);
      assert_memory_not_equal(given[i] + BYTES - 16, given[j] + BYTES - 16, 16);
    }
  }
}

static void only_as_much_entropy_is_written_as_was_asked_for(void **state)
{
  (void)state;
  for (size_t count = 0; count < 40; count++) {
    uint8_t bytes[42] = {0};
    os_entropy(bytes + 1, count);
    assert_int_equal(bytes[0], 0);
    assert_int_equal(bytes[count + 1], 0);
  }
}

static void a_copy_outlives_its_original_out_of_programs_reach(void **state)
{
  (void)state;
  char got[4] = "";
  int pipes[2];
  assert_int_equal(pipe(pipes), 0);
  int copy = os_duplicate_descriptor(pipes[1]);
  assert_true(copy >= 512);
  assert_int_equal(fcntl(copy, F_GETFD) & FD_CLOEXEC, FD_CLOEXEC);
  close(pipes[1]);
  assert_int_equal(write(copy, "yes", 3), 3);
  assert_int_equal(read(pipes[0], got, sizeof got), 3);
  assert_memory_equal(got, "yes", 3);
  close(copy);
  close(pipes[0]);
}

static void check_few_descriptors(void)
{
  CHECK(setrlimit(RLIMIT_NOFILE, &(struct rlimit){64, 64}) == 0);
  int copy = os_duplicate_descriptor(STDERR_FILENO);
  CHECK(copy >= 3 && copy < 64);
  CHECK((fcntl(copy, F_GETFD) & FD_CLOEXEC) != 0);
}

static void where_few_descriptors_are_allowed_any_will_do(void **state)
{
  (void)state;
  if (test_is_in_valgrind()) skip();  // which refuses the limit
  child_check(check_few_descriptors);
}

static void of_a_closed_descriptor_there_is_no_copy(void **state)
{
  (void)state;
  assert_int_equal(os_duplicate_descriptor(400), -1);
}

// In a child, where nothing else comes and goes.
static void touch_and_return(void)
{
  enum { BYTES = 32 << 20 };
  struct os_resident before = os_resident();
  char *memory = mmap(NULL, BYTES, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  CHECK(memory != MAP_FAILED);
  memset(memory, 1, BYTES);
  struct os_resident with = os_resident();
  CHECK(munmap(memory, BYTES) == 0);
  struct os_resident after = os_resident();
  CHECK(before.now_bytes > 0 && before.now_bytes <= before.most_bytes);
  CHECK(with.now_bytes >= before.now_bytes + BYTES / 8 * 7);
  CHECK(with.most_bytes >= with.now_bytes - BYTES / 8);
  CHECK(after.now_bytes + BYTES / 8 * 7 <= with.now_bytes);
  CHECK(after.most_bytes + BYTES / 8 >= with.most_bytes);  // the kernel counts in batches
}

static void resident_memory_is_what_was_touched(void **state)
{
  (void)state;
  if (os_resident().now_bytes == 0) skip();  // there is no /proc, or an emulator's
  child_check(touch_and_return);
}

int main(void)
{
  static const struct CMUnitTest tests[] = {
      cmocka_unit_test(the_clock_never_goes_back),
      cmocka_unit_test(the_clock_counts_milliseconds),
      cmocka_unit_test(the_exact_clock_is_the_kernels),
      cmocka_unit_test(a_short_sleep_is_as_long_as_was_asked),
      cmocka_unit_test(a_sleep_goes_on_after_a_signal),
      cmocka_unit_test(a_child_has_a_number_of_its_own),
      cmocka_unit_test(an_ordinary_process_shows_its_environment),
      cmocka_unit_test(no_two_times_the_same_entropy_is_given),
      cmocka_unit_test(only_as_much_entropy_is_written_as_was_asked_for),
      cmocka_unit_test(a_copy_outlives_its_original_out_of_programs_reach),
      cmocka_unit_test(where_few_descriptors_are_allowed_any_will_do),
      cmocka_unit_test(of_a_closed_descriptor_there_is_no_copy),
      cmocka_unit_test(resident_memory_is_what_was_touched),
  };
  return SUITE_RUN(tests);
}
