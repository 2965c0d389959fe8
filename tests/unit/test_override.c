// SPDX-License-Identifier: MIT
//
// The names of the C library's malloc family, each with a prefix: this process's malloc stays the C
// library's, and what is asked is whether each name is the function that it should be. The library
// is here as one translation unit, as aliases demand.
#include "all.c"

#include "api/override.h"

#undef OVERRIDE
#define OVERRIDE(name, of) \
  extern __typeof__(of) renamed_##name __attribute__((alias(#of) OVERRIDE_COPY(of)))

#include "api/override.c"

#include "../support/suite.h"

// Every name that must be served, with the function it stands for.
#define NAMES(entry) \
  entry(malloc, mend_malloc) entry(calloc, mend_calloc) entry(realloc, mend_realloc) entry( \
      free, mend_free) entry(cfree, mend_cfree) entry(reallocarray, mend_reallocarray) \
      entry(free_sized, mend_free_sized) entry(free_aligned_sized, mend_free_aligned_sized) \
          entry(aligned_alloc, mend_aligned_alloc) entry(memalign, mend_memalign) \
              entry(posix_memalign, mend_posix_memalign) entry(valloc, mend_valloc) entry( \
                  pvalloc, mend_pvalloc) entry(malloc_usable_size, mend_malloc_usable_size) \
                  entry(malloc_trim, mend_malloc_trim) entry(mallopt, mend_mallopt) \
                      entry(mallinfo, mend_mallinfo) entry(mallinfo2, mend_mallinfo2) entry( \
                          malloc_stats, mend_malloc_stats) entry(malloc_info, mend_malloc_info) \
                          entry(__libc_malloc, mend_malloc) entry(__libc_calloc, mend_calloc) \
                              entry(__libc_realloc, mend_realloc) entry(__libc_free, mend_free) \
                                  entry(__libc_cfree, mend_cfree) \
                                      entry(__libc_memalign, mend_memalign) \
                                          entry(__libc_valloc, mend_valloc) \
                                              entry(__libc_pvalloc, mend_pvalloc) \
                                                  entry(__posix_memalign, mend_posix_memalign)

static void every_name_is_the_function_it_stands_for(void **state)
{
  (void)state;
#define ASSERT_SAME(name, of) assert_true((uintptr_t)&renamed_##name == (uintptr_t) & (of));
  NAMES(ASSERT_SAME)
#undef ASSERT_SAME
}

static void blocks_go_through_the_names_as_through_the_functions(void **state)
{
  (void)state;
  char *block = renamed_malloc(100);
  assert_true(mend_owns(block));
  block = renamed_realloc(block, 100000);
  assert_true(mend_owns(block) && renamed_malloc_usable_size(block) >= 100000);
  renamed_free(block);
  char *zeroed = renamed_calloc(10, 10);
  assert_true(is_zero(zeroed, 100));
  renamed_cfree(zeroed);
}

static void this_process_keeps_its_own_malloc(void **state)
{
  (void)state;
  char *block = opaque(malloc(100));
  assert_non_null(block);
  assert_false(mend_owns(block));
  free(block);
  assert_false(mend_is_redirected());
}

int main(void)
{
  static const struct CMUnitTest tests[] = {
      cmocka_unit_test(every_name_is_the_function_it_stands_for),
      cmocka_unit_test(blocks_go_through_the_names_as_through_the_functions),
      cmocka_unit_test(this_process_keeps_its_own_malloc),
  };
  return SUITE_RUN(tests);
}
