// SPDX-License-Identifier: MIT
//
// What the check of a descriptor covers, bit by bit, and each thing that the slow paths look at:
// one at a time, where unit/test_policy_seal asks what becomes of a whole heap.
//
// linked with: mend_units_hardened
#define _GNU_SOURCE 1
#include "child.h"
#include "pools.h"

static const char message[] = "mend: corrupted metadata: ";

static struct heap heap, other;
static struct page *page;
static char *block;

static void begin(void)
{
  pools_begin(&heap, 2);
  pools_begin(&other, 2);
  block = pools_take(&heap);
  page = page_of(block);
}

// ---------------------------------------------------------------------------------------------
// What is covered.

struct field {
  void *at;
  size_t bytes;
};

#define FIELD(lvalue) \
  { \
    &(lvalue), sizeof(lvalue) \
  }

static void assert_covered(struct field field, uint64_t *check, void (*seal)(struct page *))
{
  seal(page);
  uint64_t right = *check;
  for (size_t bit = 0; bit < field.bytes * 8; bit++) {
    unsigned char *byte = (unsigned char *)field.at + bit / 8;
    *byte ^= (unsigned char)(1 << bit % 8);
    seal(page);
    if (*check == right) fail_msg("bit %zu of %zu bytes at %p", bit, field.bytes, field.at);
    *byte ^= (unsigned char)(1 << bit % 8);
  }
  seal(page);
  assert_true(*check == right);
}

static void every_bit_of_what_stays_is_covered(void **state)
{
  (void)state;
  begin();
  struct policy_page *own = policy_of(page);
  struct field fields[] = {
      FIELD(page->source),     FIELD(page->block_bytes), FIELD(page->slices),
      FIELD(page->carved),     FIELD(page->capacity),    FIELD(page->bin_offset),
      FIELD(page->size_class), FIELD(page->inverse),     FIELD(page->heap),
      FIELD(own->secret),      FIELD(own->lead_bytes),   FIELD(own->reserved_slots),
  };
  for (size_t i = 0; i < sizeof fields / sizeof fields[0]; i++) {
    assert_covered(fields[i], &own->check, policy_seal);
  }
  policy_seal(page);
  uint64_t right = own->check;
  bool *const flags[] = {&own->is_void, &page->is_direct};
  for (size_t i = 0; i < 2; i++) {
    *flags[i] = !*flags[i];
    policy_seal(page);
    assert_true(own->check != right);
    *flags[i] = !*flags[i];
  }
  page->flags ^= PAGE_HAS_GUARD;
  policy_seal(page);
  assert_true(own->check != right);
  page->flags ^= PAGE_HAS_GUARD;
  policy_seal(page);
  free_all(&heap);
}

static void so_are_size_and_node_of_a_large_block(void **state)
{
  (void)state;
  begin();
  struct policy_page *own = policy_of(page);
  page_set_kind(page, PAGE_LARGE);
  // Its highest bit is the node's.
  assert_covered((struct field){&own->size, sizeof own->size - 1}, &own->check, policy_seal);
  uint64_t right = own->check;
  page->flags ^= PAGE_IS_BOUND;
  policy_seal(page);
  assert_true(own->check != right);
  page->flags ^= PAGE_IS_BOUND;
  page_set_kind(page, PAGE_BITMAP);
  policy_seal(page);
  free_all(&heap);
}

static void so_is_what_a_free_run_says(void **state)
{
  (void)state;
  page = &fixture.pages[500];
  uint64_t *check = (uint64_t *)(void *)&page->bits;
  struct field fields[] = {FIELD(page->block_bytes), FIELD(page->flags), FIELD(page->slices),
                           FIELD(page->freed_at_ms)};
  for (size_t i = 0; i < sizeof fields / sizeof fields[0]; i++) {
    assert_covered(fields[i], check, policy_seal_run);
  }
}

// ---------------------------------------------------------------------------------------------
// What is looked at. Each in a child.

static void check_is_another(void)
{
  policy_of(page)->check ^= UINT64_C(1) << 40;
  policy_verify(page);
}

// All that is beside the descriptor, elsewhere.
static void words_are_elsewhere(void)
{
  static _Alignas(16) char copy[65536];
  memcpy(copy, policy_of(page), sizeof(struct policy_page) + 1024);
  page->words = ((struct policy_page *)(void *)copy)->words;
  policy_verify(page);
}

static void page_is_listed_elsewhere(void)
{
  policy_verify_listed(&other, page);
}

static void listed_is_no_descriptor(void)
{
  static struct page outside;
  outside = *page;
  policy_verify_listed(&heap, &outside);
}

static void listed_is_of_another_kind(void)
{
  page_set_kind(page, PAGE_FREE);
  policy_verify_listed(&heap, page);
}

static void heap_is_another(void)
{
  heap.self = &other;
  policy_verify_heap(&heap, page);
}

static void heap_is_misaligned(void)
{
  policy_verify_heap((const struct heap *)((uintptr_t)&heap + 8), page);
}

static void a_free_bit_is_none(void)
{
  policy_verify_free(page, 0, 3, 2);
}

static void mark_live(uint32_t index)
{
  atomic_store(policy_record(page, index), 1);
}

static void a_free_block_is_live(void)
{
  mark_live(3);
  policy_verify_free(page, 0, 8, 8);
}

static void an_unused_page_has_a_block_out(void)
{
  policy_verify_unused(page);
}

static void an_unused_page_has_a_live_block(void)
{
  collect(&heap);
  free_to_page(block);
  mark_live(3);
  policy_verify_unused(page);
}

static void seal_a_run(void)
{
  page = &fixture.pages[500];
  page->slices = 3;
  page[2].slices = 3;
  policy_seal_run(page);
  policy_verify_run(page);
}

static void run_has_changed(void)
{
  seal_a_run();
  page->freed_at_ms++;
  policy_verify_run(page);
}

static void run_ends_otherwise(void)
{
  seal_a_run();
  page[2].slices = 2;
  policy_verify_run(page);
}

static void run_is_no_descriptor(void)
{
  static struct page outside[3];
  page = outside;
  page->slices = 1;
  policy_seal_run(page);
  policy_verify_run(page);
}

static void each_is_told_by_itself(void **state)
{
  (void)state;
  static void (*const wrongs[])(void) = {
      check_is_another,
      words_are_elsewhere,
      page_is_listed_elsewhere,
      listed_is_no_descriptor,
      listed_is_of_another_kind,
      heap_is_another,
      heap_is_misaligned,
      a_free_bit_is_none,
      a_free_block_is_live,
      an_unused_page_has_a_block_out,
      an_unused_page_has_a_live_block,
      run_has_changed,
      run_ends_otherwise,
      run_is_no_descriptor,
  };
  begin();
  for (size_t i = 0; i < sizeof wrongs / sizeof wrongs[0]; i++) {
    child_check_abort(wrongs[i], message);
  }
  free_all(&heap);
}

static void chain_is_broken(void)
{
  page->chain.next = &page->chain;
  policy_verify_listed(&heap, page);
}

static void a_broken_list_is_told(void **state)
{
  (void)state;
  begin();
  struct ending ending = child_run(chain_is_broken);
  assert_int_equal(ending.signal_number, SIGABRT);
  assert_ptr_equal(strstr(ending.text, "mend: "), ending.text);
  free_all(&heap);
}

static void what_is_right_is_not_told(void **state)
{
  (void)state;
  begin();
  policy_verify(page);
  policy_verify_listed(&heap, page);
  policy_verify_heap(&heap, page);
  policy_verify_free(page, 0, 6, 7);
  child_check(seal_a_run);
  free_all(&heap);
}

int main(void)
{
  const struct CMUnitTest tests[] = {
      FIXTURE_TEST(every_bit_of_what_stays_is_covered),
      FIXTURE_TEST(so_are_size_and_node_of_a_large_block),
      FIXTURE_TEST(so_is_what_a_free_run_says),
      FIXTURE_TEST(each_is_told_by_itself),
      FIXTURE_TEST(a_broken_list_is_told),
      FIXTURE_TEST(what_is_right_is_not_told),
  };
  fixture_start();
  os_gate_init();
  policy_init();
  return SUITE_RUN(tests);
}
