// SPDX-License-Identifier: MIT
//
// Copies of strings that are checked: each against the C library's function of that name, and one
// character too many in the source, the destination and its terminator.
#include "bounds.h"

#define TEXT_CHARACTERS 7

// A function of either form, for bytes or for wide characters; `count` where it takes one.
struct text_call {
  const char *name;
  char *(*whole)(char *to, const char *from);
  char *(*part)(char *to, const char *from, size_t count);
  wchar_t *(*wide_whole)(wchar_t *to, const wchar_t *from);
  wchar_t *(*wide_part)(wchar_t *to, const wchar_t *from, size_t count);
};

static const struct text_call own[] = {
    {.name = "strcpy", .whole = mend_bounds_strcpy},
    {.name = "stpcpy", .whole = mend_bounds_stpcpy},
    {.name = "strcat", .whole = mend_bounds_strcat},
    {.name = "strncpy", .part = mend_bounds_strncpy},
    {.name = "stpncpy", .part = mend_bounds_stpncpy},
    {.name = "strncat", .part = mend_bounds_strncat},
    {.name = "wcscpy", .wide_whole = mend_bounds_wcscpy},
    {.name = "wcpcpy", .wide_whole = mend_bounds_wcpcpy},
    {.name = "wcscat", .wide_whole = mend_bounds_wcscat},
    {.name = "wcsncpy", .wide_part = mend_bounds_wcsncpy},
    {.name = "wcpncpy", .wide_part = mend_bounds_wcpncpy},
    {.name = "wcsncat", .wide_part = mend_bounds_wcsncat},
};
#define CALL_COUNT (sizeof own / sizeof own[0])

// The C library's, in the same order.
static const struct text_call others[CALL_COUNT] = {
    {.whole = strcpy},      {.whole = stpcpy},      {.whole = strcat},      {.part = strncpy},
    {.part = stpncpy},      {.part = strncat},      {.wide_whole = wcscpy}, {.wide_whole = wcpcpy},
    {.wide_whole = wcscat}, {.wide_part = wcsncpy}, {.wide_part = wcpncpy}, {.wide_part = wcsncat},
};

static bool is_wide(const struct text_call *call)
{
  return call->wide_whole != NULL || call->wide_part != NULL;
}

static bool is_padding(const struct text_call *call)
{
  return call->name != NULL && strstr(call->name, "ncpy") != NULL;
}

static bool is_appending(const struct text_call *call)
{
  return strstr(call->name, "cat") != NULL;
}

static size_t unit_of(const struct text_call *call)
{
  return is_wide(call) ? sizeof(wchar_t) : 1;
}

static void *call_text(const struct text_call *call, void *to, const void *from, size_t count)
{
  if (call->whole != NULL) return call->whole(to, from);
  if (call->part != NULL) return call->part(to, from, count);
  if (call->wide_whole != NULL) return call->wide_whole(to, from);
  return call->wide_part(to, from, count);
}

// `count` characters and, if asked for, the terminating one.
static void text_put(void *at, size_t unit, size_t count, bool terminated)
{
  for (size_t i = 0; i < count + (terminated ? 1 : 0); i++) {
    int character = i < count ? 'a' + (int)i : 0;
    if (unit == 1)
      ((char *)at)[i] = (char)character;
    else
      ((wchar_t *)at)[i] = (wchar_t)character;
  }
}

// One call with a text of `length` onto one of `before`, in blocks that are just large enough; then
// what the C library does with the same.
static void compare_call(size_t index, size_t length, size_t before, size_t count)
{
  const struct text_call *call = &own[index];
  size_t unit = unit_of(call);
  bool takes_part = call->part != NULL || call->wide_part != NULL;
  size_t taken = takes_part && count < length ? count : length;
  size_t written = is_padding(call) ? count : (is_appending(call) ? before : 0) + taken + 1;
  bool terminated = !takes_part || count > length;  // else it need not be
  char expected[PLACE_BYTES];

  places_set(written * unit, (length + (terminated ? 1 : 0)) * unit);
  text_put(from_block, unit, length, terminated);
  if (is_appending(call)) text_put(to_block, unit, before, true);
  memcpy(expected, to_place.bytes, PLACE_BYTES);
  char *end = call_text(&others[index], expected + BLOCK_OFFSET, from_block, count);
  CHECK((char *)call_text(call, to_block, from_block, count) - to_place.bytes == end - expected);
  CHECK(memcmp(to_place.bytes, expected, PLACE_BYTES) == 0);
}

static void compare_all(void)
{
  for (size_t index = 0; index < CALL_COUNT; index++) {
    for (size_t length = 0; length <= TEXT_CHARACTERS; length++) {
      for (size_t count = 0; count <= TEXT_CHARACTERS + 2; count++) {
        compare_call(index, length, 0, count);
        compare_call(index, length, 3, count);
      }
    }
  }
}

static void what_fits_is_copied_as_by_the_c_library(void **state)
{
  (void)state;
  in_all_states(compare_all);
}

// ---- What is told ----

static const struct text_call *called;

static void make_call(void)
{
  (void)call_text(called, to_block, from_block, TEXT_CHARACTERS + 1);
}

static void check_told(const char *kind, const void *address)
{
  char line[100];
  snprintf(line, sizeof line, "mend: %s by %s: %p\n", kind, called->name, address);
  child_check_abort(make_call, line);
}

// Blocks that are just large enough for a call with TEXT_CHARACTERS.
static void places_fit(void)
{
  size_t unit = unit_of(called);
  size_t before = is_appending(called) ? 3 : 0;
  places_set((before + TEXT_CHARACTERS + 1) * unit, (TEXT_CHARACTERS + 1) * unit);
  text_put(from_block, unit, TEXT_CHARACTERS, true);
  if (is_appending(called)) text_put(to_block, unit, before, true);
}

static void a_text_that_leaves_a_block_is_told(void **state)
{
  (void)state;
  play_start(true, true);
  for (size_t index = 0; index < CALL_COUNT; index++) {
    called = &own[index];
    places_fit();
    child_check(make_call);
    to_place.size--;
    check_told("overflow", to_block);
    places_fit();
    from_place.size -= unit_of(called);  // without the terminating character
    check_told("overread", from_block);
    places_fit();
    from_place.is_freed = true;
    check_told("use of freed memory", from_block);
    places_fit();
    to_place.is_freed = true;
    check_told("use of freed memory", to_block);
  }
}

static void appending_to_what_has_no_end_is_told(void **state)
{
  (void)state;
  play_start(true, true);
  for (size_t index = 0; index < CALL_COUNT; index++) {
    called = &own[index];
    if (!is_appending(called)) continue;
    places_fit();
    text_put(to_block, unit_of(called), TEXT_CHARACTERS, false);
    to_place.size = TEXT_CHARACTERS * unit_of(called);
    check_told("overread", to_block);
  }
}

// ---- Names that not every C library has ----

#ifdef BOUNDS_HAS_STRLCPY
static void cut_texts(void)
{
  for (size_t size = 0; size <= TEXT_CHARACTERS + 2; size++) {
    size_t kept = size == 0 ? 0 : size <= TEXT_CHARACTERS ? size : TEXT_CHARACTERS + 1;
    places_set(kept, TEXT_CHARACTERS + 1);
    text_put(from_block, 1, TEXT_CHARACTERS, true);
    CHECK(mend_bounds_strlcpy(to_block, from_block, size) == TEXT_CHARACTERS);
    if (kept > 0) CHECK(strlen(to_block) == kept - 1 && to_block[kept] == UNTOUCHED);
  }
  places_set(6, 4);
  text_put(from_block, 1, 3, true);
  text_put(to_block, 1, 2, true);
  CHECK(mend_bounds_strlcat(to_block, from_block, 5) == 5 && strcmp(to_block, "abab") == 0);
  CHECK(mend_bounds_strlcat(to_block, from_block, 2) == 5 && strcmp(to_block, "abab") == 0);
}

static void texts_that_are_cut_are_as_by_the_c_library(void **state)
{
  (void)state;
  in_all_states(cut_texts);
}
#endif

#ifdef __GLIBC__
static size_t limit;

static void copy_within(void)
{
  (void)mend_bounds___strcpy_chk(to_block, from_block, limit);
}

static void append_within(void)
{
  (void)mend_bounds___wcscat_chk((wchar_t *)(void *)to_block, (wchar_t *)(void *)from_block, limit);
}

static void fortified_names_keep_their_own_limit(void **state)
{
  (void)state;
  play_start(true, true);
  called = &own[0];
  places_fit();
  limit = TEXT_CHARACTERS + 1;
  child_check(copy_within);
  limit--;
  assert_int_equal(child_run(copy_within).signal_number, SIGABRT);
  called = &own[8];
  places_fit();
  limit = 3 + TEXT_CHARACTERS + 1;
  child_check(append_within);
  limit--;
  assert_int_equal(child_run(append_within).signal_number, SIGABRT);
}
#endif

int main(void)
{
  static const struct CMUnitTest tests[] = {
      cmocka_unit_test(what_fits_is_copied_as_by_the_c_library),
      cmocka_unit_test(a_text_that_leaves_a_block_is_told),
      cmocka_unit_test(appending_to_what_has_no_end_is_told),
#ifdef BOUNDS_HAS_STRLCPY
      cmocka_unit_test(texts_that_are_cut_are_as_by_the_c_library),
#endif
#ifdef __GLIBC__
      cmocka_unit_test(fortified_names_keep_their_own_limit),
#endif
  };
  return SUITE_RUN(tests);
}
