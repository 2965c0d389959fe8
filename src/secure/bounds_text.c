// SPDX-License-Identifier: MIT
//
// The checked functions for strings. Each finds out where its source ends, within that block, and
// then writes no more than that, whatever others do to the source meanwhile. One body serves
// strings of bytes and of wide characters: `unit` is the size of a character.
#include "secure/bounds_check.h"

// The characters before the terminating one, of the first `most`.
static inline size_t count_characters(const void *text, size_t most, size_t unit)
{
  const char *bytes = text;
  const wchar_t *wides = text;
  if (unit == 1 && atomic_load_explicit(&mend_bounds.move, memory_order_relaxed) != NULL)
    return strnlen(bytes, most);
  size_t count = 0;
  while (count < most && (unit == 1 ? bytes[count] != '\0' : wides[count] != L'\0')) {
    count++;
    keep_loop();
  }
  return count;
}

// The same of what a function is about to read, and that is in one block.
static inline size_t read_characters(const char *name, const void *text, size_t most, size_t unit)
{
  size_t room = room_behind(text) / unit;
  size_t count = count_characters(text, most < room ? most : room, unit);
  if (UNLIKELY(count == room && count < most)) {
    bounds_tell("overread", name, text);
    count = count_characters(text, most, unit);
  }
  return count;
}

static inline void end_text(char *end, size_t unit)
{
  if (unit == 1)
    *end = '\0';
  else
    *(wchar_t *)(void *)end = L'\0';
}

// strcpy; returns the end of what it wrote.
static inline void *copy_text(const char *name, void *to, const void *from, size_t limit,
                              size_t unit)
{
  size_t count = read_characters(name, from, SIZE_MAX, unit);
  check_limit(count + 1, limit);
  check_write(name, to, (count + 1) * unit);
  (void)mend_bounds_move(to, from, count * unit);
  char *end = (char *)to + count * unit;
  end_text(end, unit);
  return end;
}

// strncpy; returns the end of the text, or of all.
static inline void *copy_padded(const char *name, void *to, const void *from, size_t most,
                                size_t unit)
{
  size_t count = read_characters(name, from, most, unit);
  size_t bytes = unit == 1 ? most : wide_bytes(most);
  check_write(name, to, bytes);
  (void)mend_bounds_move(to, from, count * unit);
  char *end = (char *)to + count * unit;
  (void)mend_bounds_fill(end, 0, bytes - count * unit);
  return end;
}

// strncat.
static inline void *append_text(const char *name, void *to, const void *from, size_t most,
                                size_t limit, size_t unit)
{
  size_t before = read_characters(name, to, SIZE_MAX, unit);
  size_t count = read_characters(name, from, most, unit);
  check_limit(before + count + 1, limit);
  check_write(name, to, (before + count + 1) * unit);
  char *at = (char *)to + before * unit;
  (void)mend_bounds_move(at, from, count * unit);
  end_text(at + count * unit, unit);
  return to;
}

#define WIDE sizeof(wchar_t)

char *mend_bounds_strcpy(char *to, const char *from)
{
  (void)copy_text("strcpy", to, from, NO_LIMIT, 1);
  return to;
}

char *mend_bounds_stpcpy(char *to, const char *from)
{
  return copy_text("stpcpy", to, from, NO_LIMIT, 1);
}

char *mend_bounds_strncpy(char *to, const char *from, size_t count)
{
  (void)copy_padded("strncpy", to, from, count, 1);
  return to;
}

char *mend_bounds_stpncpy(char *to, const char *from, size_t count)
{
  return copy_padded("stpncpy", to, from, count, 1);
}

char *mend_bounds_strcat(char *to, const char *from)
{
  return append_text("strcat", to, from, SIZE_MAX, NO_LIMIT, 1);
}

char *mend_bounds_strncat(char *to, const char *from, size_t count)
{
  return append_text("strncat", to, from, count, NO_LIMIT, 1);
}

wchar_t *mend_bounds_wcscpy(wchar_t *to, const wchar_t *from)
{
  (void)copy_text("wcscpy", to, from, NO_LIMIT, WIDE);
  return to;
}

wchar_t *mend_bounds_wcpcpy(wchar_t *to, const wchar_t *from)
{
  return copy_text("wcpcpy", to, from, NO_LIMIT, WIDE);
}

wchar_t *mend_bounds_wcsncpy(wchar_t *to, const wchar_t *from, size_t count)
{
  (void)copy_padded("wcsncpy", to, from, count, WIDE);
  return to;
}

wchar_t *mend_bounds_wcpncpy(wchar_t *to, const wchar_t *from, size_t count)
{
  return copy_padded("wcpncpy", to, from, count, WIDE);
}

wchar_t *mend_bounds_wcscat(wchar_t *to, const wchar_t *from)
{
  return append_text("wcscat", to, from, SIZE_MAX, NO_LIMIT, WIDE);
}

wchar_t *mend_bounds_wcsncat(wchar_t *to, const wchar_t *from, size_t count)
{
  return append_text("wcsncat", to, from, count, NO_LIMIT, WIDE);
}

#ifdef BOUNDS_HAS_STRLCPY
size_t mend_bounds_strlcpy(char *to, const char *from, size_t size)
{
  size_t count = read_characters("strlcpy", from, SIZE_MAX, 1);
  if (size == 0) return count;
  size_t kept = count < size ? count : size - 1;
  check_write("strlcpy", to, kept + 1);
  (void)mend_bounds_move(to, from, kept);
  to[kept] = '\0';
  return count;
}

size_t mend_bounds_strlcat(char *to, const char *from, size_t size)
{
  size_t before = read_characters("strlcat", to, size, 1);
  size_t count = read_characters("strlcat", from, SIZE_MAX, 1);
  if (before == size) return size + count;
  size_t kept = count < size - before ? count : size - before - 1;
  check_write("strlcat", to, before + kept + 1);
  (void)mend_bounds_move(to + before, from, kept);
  to[before + kept] = '\0';
  return before + count;
}
#endif

#ifdef __GLIBC__
char *mend_bounds___strcpy_chk(char *to, const char *from, size_t limit)
{
  (void)copy_text("strcpy", to, from, limit, 1);
  return to;
}

char *mend_bounds___stpcpy_chk(char *to, const char *from, size_t limit)
{
  return copy_text("stpcpy", to, from, limit, 1);
}

char *mend_bounds___strncpy_chk(char *to, const char *from, size_t count, size_t limit)
{
  check_limit(count, limit);
  return mend_bounds_strncpy(to, from, count);
}

char *mend_bounds___stpncpy_chk(char *to, const char *from, size_t count, size_t limit)
{
  check_limit(count, limit);
  return mend_bounds_stpncpy(to, from, count);
}

char *mend_bounds___strcat_chk(char *to, const char *from, size_t limit)
{
  return append_text("strcat", to, from, SIZE_MAX, limit, 1);
}

char *mend_bounds___strncat_chk(char *to, const char *from, size_t count, size_t limit)
{
  return append_text("strncat", to, from, count, limit, 1);
}

wchar_t *mend_bounds___wcscpy_chk(wchar_t *to, const wchar_t *from, size_t limit)
{
  (void)copy_text("wcscpy", to, from, limit, WIDE);
  return to;
}

wchar_t *mend_bounds___wcpcpy_chk(wchar_t *to, const wchar_t *from, size_t limit)
{
  return copy_text("wcpcpy", to, from, limit, WIDE);
}

wchar_t *mend_bounds___wcsncpy_chk(wchar_t *to, const wchar_t *from, size_t count, size_t limit)
{
  check_limit(count, limit);
  return mend_bounds_wcsncpy(to, from, count);
}

wchar_t *mend_bounds___wcpncpy_chk(wchar_t *to, const wchar_t *from, size_t count, size_t limit)
{
  check_limit(count, limit);
  return mend_bounds_wcpncpy(to, from, count);
}

wchar_t *mend_bounds___wcscat_chk(wchar_t *to, const wchar_t *from, size_t limit)
{
  return append_text("wcscat", to, from, SIZE_MAX, limit, WIDE);
}

wchar_t *mend_bounds___wcsncat_chk(wchar_t *to, const wchar_t *from, size_t count, size_t limit)
{
  return append_text("wcsncat", to, from, count, limit, WIDE);
}

char *mend_bounds___stpcpy(char *to, const char *from)
{
  return mend_bounds_stpcpy(to, from);
}

char *mend_bounds___stpncpy(char *to, const char *from, size_t count)
{
  return mend_bounds_stpncpy(to, from, count);
}
#endif
