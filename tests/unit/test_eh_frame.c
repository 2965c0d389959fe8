// SPDX-License-Identifier: MIT
//
// Rules from modules: one that is made up, in the forms that linkers write, cut off and broken in
// every place; and those that this program has loaded.
#define _GNU_SOURCE 1
#include "../support/suite.h"

#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "../support/eh_image.h"
#include "os/eh_frame.h"
#include "os/maps.h"

// push %rbp at 1, mov %rsp, %rbp at 4.
static const char program[] = "\x41\x0e\x10\x86\2\x43\x0d\6";

static _Alignas(4096) unsigned char image[EH_IMAGE_BYTES];

static struct os_unwind_rule rule_at(size_t offset)
{
  return os_eh_frame_rule((uintptr_t)image, (uintptr_t)image + EH_IMAGE_CODE + offset);
}

static void make(unsigned encoding, const char *letters)
{
  eh_image_make(image, (uintptr_t)image, encoding, letters, program, sizeof program - 1);
}

static void check_all_rules(void)
{
  struct os_unwind_rule rule = rule_at(0);
  assert_true(rule.kind == OS_UNWIND_SP && rule.offset == 8 && rule.saved == OS_UNWIND_KEPT);
  rule = rule_at(1);
  assert_true(rule.kind == OS_UNWIND_SP && rule.offset == 16 && rule.saved_words == -2);
  rule = rule_at(EH_IMAGE_CODE_BYTES - 1);
  assert_true(rule.kind == OS_UNWIND_FP && rule.offset == 16 && rule.saved == OS_UNWIND_BELOW);
  assert_int_equal(rule_at(EH_IMAGE_CODE_BYTES).kind, OS_UNWIND_NONE);
  assert_int_equal(rule_at((size_t)-1).kind, OS_UNWIND_NONE);
}

static void addresses_may_be_written_in_several_ways(void **state)
{
  (void)state;
  static const unsigned char encodings[] = {0x1b, 0x1c, 0x10, 0x14, 0x00, 0x04, 0x0c};
  for (size_t i = 0; i < sizeof encodings; i++) {
    make(encodings[i], "zR");
    check_all_rules();
  }
  make(0x00, "");
  check_all_rules();
  make(0x1b, "zPLR");
  check_all_rules();
  make(0x1b, "zRLP");
  check_all_rules();
  make(0x1b, "zRS");
  assert_int_equal(rule_at(0).kind, OS_UNWIND_SIGNAL);
  make(0x9b, "zR");  // by way of a word elsewhere
  assert_int_equal(rule_at(0).kind, OS_UNWIND_NONE);
  make(0x1b, "eh");
  assert_int_equal(rule_at(0).kind, OS_UNWIND_NONE);
}

// Each of these bytes has one value that is understood.
static void what_is_not_understood_is_no_rule(void **state)
{
  (void)state;
  static const size_t places[] = {
      0,  // not an ELF file
      EI_CLASS,
      offsetof(Elf64_Ehdr, e_phentsize),
      EH_IMAGE_INDEX,        // the index's version
      EH_IMAGE_INDEX + 2,    // how its count is written
      EH_IMAGE_INDEX + 3,    // how its addresses are
      EH_IMAGE_COMMON + 4,   // what functions have in common does not begin so
      EH_IMAGE_COMMON + 8,   // its version
      EH_IMAGE_COMMON + 14,  // the column of the return address
  };
  for (size_t i = 0; i < sizeof places / sizeof places[0]; i++) {
    make(0x1b, "zR");
    image[places[i]] ^= 0x7f;
    assert_int_equal(rule_at(0).kind, OS_UNWIND_NONE);
  }
  make(0x1b, "zR");
  check_all_rules();
}

static void a_module_that_is_broken_does_no_harm(void **state)
{
  (void)state;
  struct random random = {random_seed()};
  for (size_t i = 0; i < test_scaled(20000); i++) {
    make(0x1b, i % 2 == 0 ? "zR" : "zPLR");
    size_t bytes = 1 + random_below(&random, 4);
    for (size_t j = 0; j < bytes; j++) {
      size_t end = EH_IMAGE_COMMON + 96;
      size_t start = random_below(&random, 2) == 0 ? 0 : EH_IMAGE_COMMON;
      size_t place = start + random_below(&random, end - start);
      image[place] = (unsigned char)random_next(&random);
    }
    struct os_unwind_rule rule = rule_at(random_below(&random, EH_IMAGE_CODE_BYTES));
    assert_in_range(rule.kind, OS_UNWIND_NONE, OS_UNWIND_AT_FP);
  }
}

// Wherever its memory ends, before the end that it speaks of.
static void a_module_that_is_cut_off_does_no_harm(void **state)
{
  (void)state;
  if (test_is_in_valgrind()) skip();  // which has not been told that nothing is there
  size_t page = (size_t)sysconf(_SC_PAGESIZE);
  int flags = MAP_PRIVATE | MAP_ANONYMOUS;
  make(0x1b, "zR");
  for (size_t bytes = 8; bytes < EH_IMAGE_COMMON + 96; bytes += 8) {
    char *block = mmap(NULL, 2 * page, PROT_READ | PROT_WRITE, flags, -1, 0);
    assert_true(block != MAP_FAILED);
    assert_int_equal(mprotect(block + page, page, PROT_NONE), 0);
    uintptr_t module = (uintptr_t)(block + page - bytes);
    memcpy((void *)module, image, bytes);
    (void)os_eh_frame_rule(module, module + EH_IMAGE_CODE);
    assert_int_equal(munmap(block, 2 * page), 0);
  }
}

#if defined(__x86_64__) && defined(__GLIBC__)

struct search {
  uintptr_t function;
  uintptr_t start;  // of the file's first mapping
  uintptr_t found;
};

static bool find_module(const struct os_map *map, void *argument)
{
  struct search *search = argument;
  if (map->offset == 0) search->start = map->start;
  if (search->function < map->start || search->function >= map->end) return true;
  search->found = search->start;
  return false;
}

static uintptr_t module_of(uintptr_t function)
{
  static struct os_maps_reader reader;
  struct search search = {.function = function};
  assert_true(os_maps_each(&reader, find_module, &search));
  return search.found;
}

// At a function's first instruction nothing has happened yet.
static void functions_of_this_program_have_rules(void **state)
{
  (void)state;
  static void (*const functions[])(void) = {(void (*)(void))qsort, (void (*)(void))strdup,
                                            (void (*)(void))mmap, (void (*)(void))module_of};
  for (size_t i = 0; i < sizeof functions / sizeof functions[0]; i++) {
    uintptr_t function = (uintptr_t)functions[i];
    struct os_unwind_rule rule = os_eh_frame_rule(module_of(function), function);
    assert_true(rule.kind == OS_UNWIND_SP && rule.offset == 8 && rule.saved == OS_UNWIND_KEPT);
  }
}

#else

static void functions_of_this_program_have_rules(void **state)
{
  (void)state;
  skip();  // the machine, or the C library, has none
}

#endif

int main(void)
{
  static const struct CMUnitTest tests[] = {
      cmocka_unit_test(addresses_may_be_written_in_several_ways),
      cmocka_unit_test(what_is_not_understood_is_no_rule),
      cmocka_unit_test(a_module_that_is_broken_does_no_harm),
      cmocka_unit_test(a_module_that_is_cut_off_does_no_harm),
      cmocka_unit_test(functions_of_this_program_have_rules),
  };
  return SUITE_RUN(tests);
}
