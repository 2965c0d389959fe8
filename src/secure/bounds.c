// SPDX-License-Identifier: MIT
#include "secure/bounds.h"

#include "base/format.h"
#include "base/options.h"
#include "os/memory.h"
#include "secure/bounds_check.h"

_Alignas(BOUNDS_TABLE_BYTES) union bounds_table mend_bounds;

bool mend_bounds_wanted(void)
{
  return options.harden >= 3;
}

void mend_bounds_seal(void)
{
  (void)os_memory_seal(&mend_bounds, sizeof mend_bounds);
}

// ---- Copies as such ----

static NOINLINE void *move_slowly(char *to, const char *from, size_t count)
{
  if ((uintptr_t)to - (uintptr_t)from >= count) {
    for (size_t i = 0; i < count; i++) {
      to[i] = from[i];
      keep_loop();
    }
  } else {
    while (count-- > 0) {
      to[count] = from[count];
      keep_loop();
    }
  }
  return to;
}

static NOINLINE void *fill_slowly(char *to, int byte, size_t count)
{
  for (size_t i = 0; i < count; i++) {
    to[i] = (char)byte;
    keep_loop();
  }
  return to;
}

void *mend_bounds_move(void *to, const void *from, size_t count)
{
  bounds_move_function move = atomic_load_explicit(&mend_bounds.move, memory_order_relaxed);
  return LIKELY(move != NULL) ? move(to, from, count) : move_slowly(to, from, count);
}

void *mend_bounds_fill(void *to, int byte, size_t count)
{
  bounds_fill_function fill = atomic_load_explicit(&mend_bounds.fill, memory_order_relaxed);
  return LIKELY(fill != NULL) ? fill(to, byte, count) : fill_slowly(to, byte, count);
}

INTERNAL NOINLINE void bounds_tell(const char *kind, const char *name, const void *pointer)
{
  char text[64];
  struct format format = format_begin(text, sizeof text - 1);
  format_text(&format, secure_is_freed(pointer) ? "use of freed memory" : kind);
  format_text(&format, " by ");
  format_text(&format, name);
  *format.at = '\0';
  secure_misuse(text, pointer);
}

// ---- Memory ----

static inline void *copy_checked(const char *name, void *to, const void *from, size_t bytes)
{
  check_write(name, to, bytes);
  check_read(name, from, bytes);
  return mend_bounds_move(to, from, bytes);
}

static inline void *fill_checked(const char *name, void *to, int byte, size_t bytes)
{
  check_write(name, to, bytes);
  return mend_bounds_fill(to, byte, bytes);
}

static inline wchar_t *fill_wide_checked(wchar_t *to, wchar_t character, size_t count)
{
  check_write("wmemset", to, wide_bytes(count));
  for (size_t i = 0; i < count; i++) {
    to[i] = character;
    keep_loop();
  }
  return to;
}

void *mend_bounds_memcpy(void *to, const void *from, size_t count)
{
  return copy_checked("memcpy", to, from, count);
}

void *mend_bounds_memmove(void *to, const void *from, size_t count)
{
  return copy_checked("memmove", to, from, count);
}

void *mend_bounds_mempcpy(void *to, const void *from, size_t count)
{
  return (char *)copy_checked("mempcpy", to, from, count) + count;
}

void *mend_bounds_memset(void *to, int byte, size_t count)
{
  return fill_checked("memset", to, byte, count);
}

void mend_bounds_bcopy(const void *from, void *to, size_t count)
{
  (void)copy_checked("bcopy", to, from, count);
}

void mend_bounds_bzero(void *to, size_t count)
{
  (void)fill_checked("bzero", to, 0, count);
}

void mend_bounds_explicit_bzero(void *to, size_t count)
{
  (void)fill_checked("explicit_bzero", to, 0, count);
  keep_loop();
}

// It stops behind the first byte `last`: what is behind that need not be there.
void *mend_bounds_memccpy(void *to, const void *from, int last, size_t count)
{
  const char *bytes = from;
  size_t room = room_behind(from);
  size_t stop = 0;
  bool found = false;
  while (stop < count && stop < room && !found) {
    found = bytes[stop++] == (char)last;
    keep_loop();
  }
  if (UNLIKELY(!found && stop < count)) {
    bounds_tell("overread", "memccpy", from);
    stop = count;
  }
  check_write("memccpy", to, stop);
  (void)mend_bounds_move(to, from, stop);
  return found ? (char *)to + stop : NULL;
}

wchar_t *mend_bounds_wmemcpy(wchar_t *to, const wchar_t *from, size_t count)
{
  return copy_checked("wmemcpy", to, from, wide_bytes(count));
}

wchar_t *mend_bounds_wmemmove(wchar_t *to, const wchar_t *from, size_t count)
{
  return copy_checked("wmemmove", to, from, wide_bytes(count));
}

wchar_t *mend_bounds_wmemset(wchar_t *to, wchar_t character, size_t count)
{
  return fill_wide_checked(to, character, count);
}

#ifdef __GLIBC__
void *mend_bounds___memcpy_chk(void *to, const void *from, size_t count, size_t limit)
{
  check_limit(count, limit);
  return mend_bounds_memcpy(to, from, count);
}

void *mend_bounds___memmove_chk(void *to, const void *from, size_t count, size_t limit)
{
  check_limit(count, limit);
  return mend_bounds_memmove(to, from, count);
}

void *mend_bounds___mempcpy_chk(void *to, const void *from, size_t count, size_t limit)
{
  check_limit(count, limit);
  return mend_bounds_mempcpy(to, from, count);
}

void *mend_bounds___memset_chk(void *to, int byte, size_t count, size_t limit)
{
  check_limit(count, limit);
  return mend_bounds_memset(to, byte, count);
}

void mend_bounds___explicit_bzero_chk(void *to, size_t count, size_t limit)
{
  check_limit(count, limit);
  mend_bounds_explicit_bzero(to, count);
}

wchar_t *mend_bounds___wmemcpy_chk(wchar_t *to, const wchar_t *from, size_t count, size_t limit)
{
  check_limit(count, limit);
  return mend_bounds_wmemcpy(to, from, count);
}

wchar_t *mend_bounds___wmemmove_chk(wchar_t *to, const wchar_t *from, size_t count, size_t limit)
{
  check_limit(count, limit);
  return mend_bounds_wmemmove(to, from, count);
}

wchar_t *mend_bounds___wmempcpy_chk(wchar_t *to, const wchar_t *from, size_t count, size_t limit)
{
  check_limit(count, limit);
  return mend_bounds_wmempcpy(to, from, count);
}

wchar_t *mend_bounds___wmemset_chk(wchar_t *to, wchar_t character, size_t count, size_t limit)
{
  check_limit(count, limit);
  return mend_bounds_wmemset(to, character, count);
}

void *mend_bounds___mempcpy(void *to, const void *from, size_t count)
{
  return mend_bounds_mempcpy(to, from, count);
}

wchar_t *mend_bounds_wmempcpy(wchar_t *to, const wchar_t *from, size_t count)
{
  return (wchar_t *)copy_checked("wmempcpy", to, from, wide_bytes(count)) + count;
}

void mend_bounds___bzero(void *to, size_t count)
{
  mend_bounds_bzero(to, count);
}
#endif
