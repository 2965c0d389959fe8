// SPDX-License-Identifier: MIT
//
// Copies of memory that are checked: what they do is what the C library's do, and what leaves a
// block by one byte is told before a byte has been touched.
#include "bounds.h"

#include <strings.h>
#include <unistd.h>

#include "base/options.h"

// Functions that copy `bytes` from one block to the other, by names of three forms.
#define COPY_BYTES 24

static void *move_back(void *to, const void *from, size_t count)
{
  mend_bounds_bcopy(from, to, count);
  return to;
}

static void *copy_up_to(void *to, const void *from, size_t count)
{
  void *end = mend_bounds_memccpy(to, from, '!', count);
  CHECK(end == NULL);
  return to;
}

static void *copy_wide(void *to, const void *from, size_t count)
{
  return mend_bounds_wmemcpy(to, from, count / sizeof(wchar_t));
}

static void *move_wide(void *to, const void *from, size_t count)
{
  return mend_bounds_wmemmove(to, from, count / sizeof(wchar_t));
}

static const struct copier {
  const char *name;
  void *(*call)(void *to, const void *from, size_t bytes);
  size_t returned;  // how far behind `to` what it returns is
} copiers[] = {
    {"memcpy", mend_bounds_memcpy, 0},
    {"memmove", mend_bounds_memmove, 0},
    {"mempcpy", mend_bounds_mempcpy, COPY_BYTES},
    {"bcopy", move_back, 0},
    {"memccpy", copy_up_to, 0},
    {"wmemcpy", copy_wide, 0},
    {"wmemmove", move_wide, 0},
};

static void *fill_bzero(void *to, size_t bytes)
{
  mend_bounds_bzero(to, bytes);
  return to;
}

static void *fill_explicitly(void *to, size_t bytes)
{
  mend_bounds_explicit_bzero(to, bytes);
  return to;
}

static void *fill_zero(void *to, size_t bytes)
{
  return mend_bounds_memset(to, 0, bytes);
}

static void *fill_wide(void *to, size_t bytes)
{
  return mend_bounds_wmemset(to, 0, bytes / sizeof(wchar_t));
}

static const struct filler {
  const char *name;
  void *(*call)(void *to, size_t bytes);
} fillers[] = {
    {"memset", fill_zero},
    {"bzero", fill_bzero},
    {"explicit_bzero", fill_explicitly},
    {"wmemset", fill_wide},
};

#define COUNT_OF(array) (sizeof(array) / sizeof(array)[0])

// Of the place written to, [from, to) of the block holds `expected`, the rest is as it was.
static void check_written(size_t bytes, const char *expected)
{
  for (size_t i = 0; i < PLACE_BYTES; i++) {
    bool is_inside = i >= BLOCK_OFFSET && i < BLOCK_OFFSET + bytes;
    CHECK(to_place.bytes[i] == (is_inside ? expected[i - BLOCK_OFFSET] : UNTOUCHED));
  }
}

static void copy_exactly(void)
{
  for (size_t i = 0; i < COUNT_OF(copiers); i++) {
    places_set(COPY_BYTES, COPY_BYTES);
    for (int byte = 0; byte < COPY_BYTES; byte++) from_block[byte] = (char)('a' + byte);
    CHECK(copiers[i].call(to_block, from_block, COPY_BYTES) == to_block + copiers[i].returned);
    check_written(COPY_BYTES, from_block);
  }
}

static void fill_exactly(void)
{
  static const char zeros[COPY_BYTES];
  for (size_t i = 0; i < COUNT_OF(fillers); i++) {
    places_set(COPY_BYTES, 0);
    CHECK(fillers[i].call(to_block, COPY_BYTES) == to_block);
    check_written(COPY_BYTES, zeros);
  }
  places_set(3, 0);
  CHECK(mend_bounds_memset(to_block, 0x1ff, 3) == to_block);
  check_written(3, "\xff\xff\xff");
}

static void overlap(void)
{
  for (int distance = -9; distance <= 9; distance++) {
    char expected[PLACE_BYTES];
    places_set(PLACE_BYTES - BLOCK_OFFSET, 0);
    for (int i = 0; i < 64; i++) to_block[i] = (char)i;
    memcpy(expected, to_place.bytes, PLACE_BYTES);
    char *source = to_block + 20;
    memmove(expected + BLOCK_OFFSET + 20 + distance, expected + BLOCK_OFFSET + 20, 16);
    CHECK(mend_bounds_memmove(source + distance, source, 16) == source + distance);
    CHECK(memcmp(to_place.bytes, expected, PLACE_BYTES) == 0);
  }
}

static void stop_at_a_byte(void)
{
  places_set(4, 4);
  memcpy(from_block, "abcd", 4);
  // Neither is as long as the count says, and need not be.
  CHECK(mend_bounds_memccpy(to_block, from_block, 'd', 1000) == to_block + 4);
  check_written(4, "abcd");
  places_set(2, 4);
  memcpy(from_block, "abcd", 4);
  CHECK(mend_bounds_memccpy(to_block, from_block, 'b', 4) == to_block + 2);
  check_written(2, "ab");
}

static void copy_nothing(void)
{
  places_set(8, 8);
  // One past the end, where the next block may begin, and nowhere.
  (void)mend_bounds_memcpy(to_block + 8, from_block + 8, 0);
  (void)mend_bounds_memset(NULL, 0, 0);
  CHECK(mend_bounds_memccpy(to_block + 8, from_block + 8, 'a', 0) == NULL);
  from_place.is_freed = to_place.is_freed = true;
  (void)mend_bounds_memmove(to_block, from_block, 0);
  check_written(0, "");
}

static void what_fits_is_copied_as_by_the_c_library(void **state)
{
  (void)state;
  in_all_states(copy_exactly);
  in_all_states(fill_exactly);
  in_all_states(overlap);
  in_all_states(stop_at_a_byte);
  in_all_states(copy_nothing);
}

static void memory_that_is_not_a_block_is_copied_unseen(void **state)
{
  (void)state;
  char local[PLACE_BYTES];
  play_start(true, true);
  places_set(8, 8);
  memset(local, 'x', sizeof local);
  (void)mend_bounds_memcpy(local, from_block, 8);
  (void)mend_bounds_memcpy(to_block, local, 8);
  (void)mend_bounds_memset(local, 0, sizeof local);
  assert_int_equal(local[sizeof local - 1], 0);
}

// ---- What is told ----

static struct {
  const struct copier *copier;
  const struct filler *filler;
  size_t bytes;
  size_t to_offset;
} call;

static void make_call(void)
{
  if (call.copier != NULL)
    (void)call.copier->call(to_block + call.to_offset, from_block, call.bytes);
  else
    (void)call.filler->call(to_block + call.to_offset, call.bytes);
}

// The call in a child: it must be told as `kind` by `name`, with the address.
static void check_told(const char *kind, const char *name, const void *address)
{
  char line[100];
  snprintf(line, sizeof line, "mend: %s by %s: %p\n", kind, name, address);
  child_check_abort(make_call, line);
}

static void a_copy_that_leaves_a_block_is_told(void **state)
{
  (void)state;
  play_start(true, true);
  call.bytes = COPY_BYTES;
  for (size_t i = 0; i < COUNT_OF(copiers); i++) {
    const char *name = copiers[i].name;
    call.copier = &copiers[i];
    places_set(COPY_BYTES - 1, COPY_BYTES);
    check_told("overflow", name, to_block);
    places_set(COPY_BYTES, COPY_BYTES - 1);
    check_told("overread", name, from_block);
    places_set(COPY_BYTES, COPY_BYTES);
    call.to_offset = 4;  // from inside the block
    check_told("overflow", name, to_block + 4);
    call.to_offset = COPY_BYTES;  // behind it
    check_told("overflow", name, to_block + COPY_BYTES);
    call.to_offset = 0;
    to_place.is_freed = true;
    check_told("use of freed memory", name, to_block);
    to_place.is_freed = false;
    from_place.is_freed = true;
    check_told("use of freed memory", name, from_block);
  }
  call.copier = NULL;
}

static void a_fill_that_leaves_a_block_is_told(void **state)
{
  (void)state;
  play_start(true, true);
  call.bytes = COPY_BYTES;
  for (size_t i = 0; i < COUNT_OF(fillers); i++) {
    call.filler = &fillers[i];
    places_set(COPY_BYTES - 1, 0);
    check_told("overflow", fillers[i].name, to_block);
    to_place.is_freed = true;
    check_told("use of freed memory", fillers[i].name, to_block);
  }
}

static void copy_all_of_memory(void)
{
  // As many bytes as the block has, if the product wraps.
  (void)mend_bounds_wmemcpy((wchar_t *)(void *)to_block, (wchar_t *)(void *)from_block,
                            SIZE_MAX / sizeof(wchar_t) + 1 + COPY_BYTES / sizeof(wchar_t));
}

static void a_size_that_wraps_is_told(void **state)
{
  (void)state;
  play_start(true, true);
  places_set(COPY_BYTES, COPY_BYTES);
  child_check_abort(copy_all_of_memory, "mend: overflow by wmemcpy: ");
}

static void nothing_is_told_without_checks(void **state)
{
  (void)state;
  play_start(true, false);
  places_set(COPY_BYTES - 1, COPY_BYTES - 1);
  for (size_t i = 0; i < COUNT_OF(copiers); i++)
    (void)copiers[i].call(to_block, from_block, COPY_BYTES);
  for (size_t i = 0; i < COUNT_OF(fillers); i++) (void)fillers[i].call(to_block, COPY_BYTES);
}

#ifdef __GLIBC__
static void exceed_a_limit(void)
{
  play_start(true, false);
  (void)mend_bounds___memcpy_chk(to_block, from_block, 9, 8);
}

static void fortified_names_keep_their_own_limit(void **state)
{
  (void)state;
  play_start(true, true);
  places_set(8, 8);
  assert_ptr_equal(mend_bounds___memcpy_chk(to_block, from_block, 8, 8), to_block);
  assert_ptr_equal(mend_bounds___memmove_chk(to_block, from_block, 8, 8), to_block);
  assert_ptr_equal(mend_bounds___mempcpy_chk(to_block, from_block, 8, 8), to_block + 8);
  assert_ptr_equal(mend_bounds___memset_chk(to_block, 1, 8, SIZE_MAX), to_block);
  assert_int_equal(to_block[7], 1);
  struct ending ending = child_run(exceed_a_limit);
  assert_int_equal(ending.signal_number, SIGABRT);
}
#endif

// ---- The table ----

static void the_level_decides(void **state)
{
  (void)state;
  for (options.harden = 0; options.harden <= 4; options.harden++)
    assert_int_equal(mend_bounds_wanted(), options.harden >= 3);
}

static void write_into_the_table(void)
{
  signal(SIGSEGV, SIG_DFL);  // cmocka's handler would go on with the next test
  mend_bounds_seal();
  CHECK(write(STDERR_FILENO, "sealed", 6) == 6);
  mend_bounds.bytes[0] = 1;
}

static void a_sealed_table_cannot_be_written(void **state)
{
  (void)state;
  struct ending ending = child_run(write_into_the_table);
  assert_int_equal(strncmp(ending.text, "sealed", 6), 0);  // an emulator says more
  assert_int_equal(ending.signal_number, SIGSEGV);
}

int main(void)
{
  static const struct CMUnitTest tests[] = {
      cmocka_unit_test(what_fits_is_copied_as_by_the_c_library),
      cmocka_unit_test(memory_that_is_not_a_block_is_copied_unseen),
      cmocka_unit_test(a_copy_that_leaves_a_block_is_told),
      cmocka_unit_test(a_fill_that_leaves_a_block_is_told),
      cmocka_unit_test(a_size_that_wraps_is_told),
      cmocka_unit_test(nothing_is_told_without_checks),
#ifdef __GLIBC__
      cmocka_unit_test(fortified_names_keep_their_own_limit),
#endif
      cmocka_unit_test(the_level_decides),
      cmocka_unit_test(a_sealed_table_cannot_be_written),
  };
  return SUITE_RUN(tests);
}
