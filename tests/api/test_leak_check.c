// SPDX-License-Identifier: MIT
//
// mend_leak_check: what was lost is found, with its kind; what can be reached from anywhere is not.
// Each test loses blocks whose addresses it keeps in a disguise, and ends by freeing them.
#define _GNU_SOURCE 1
#include "../support/suite.h"

#include <errno.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include "../support/leaks.h"
#include "mend/handle.h"
#include "mend/mend.h"
#include "mend/smart.h"

enum { MANY = 40 };

struct node {
  struct node *next;
  char rest[72];
};

static struct hidden lost[MANY];

static void assert_lost(const struct mend_leaks *leaks, size_t direct, size_t indirect,
                        size_t cycle)
{
  assert_int_equal(leaks->direct_count, direct);
  assert_int_equal(leaks->indirect_count, indirect);
  assert_int_equal(leaks->cycle_count, cycle);
  assert_int_equal(all_lost(leaks), direct + indirect + cycle);
}

static void assert_nothing_lost(void)
{
  struct mend_leaks leaks = look();
  assert_lost(&leaks, 0, 0, 0);
}

static struct node *make_node(struct node *next)
{
  struct node *node = mend_malloc(sizeof *node);
  CHECK(node != NULL);
  memset(node, 0, sizeof *node);
  node->next = next;
  return opaque(node);
}

static void free_lost(size_t count)
{
  for (size_t i = 0; i < count; i++) mend_free(unhide(lost[i]));
}

// ---------------------------------------------------------------------------------------------
// What is lost.

__attribute__((noinline)) static void lose_chain(size_t count)
{
  struct node *node = NULL;
  for (size_t i = 0; i < count; i++) {
    node = make_node(node);
    lost[i] = hide(node);
  }
}

static void the_first_of_a_chain_is_direct_and_the_rest_indirect(void **state)
{
  (void)state;
  lose_chain(5);
  struct mend_leaks leaks = look();
  assert_lost(&leaks, 1, 4, 0);
  assert_true(leaks.direct_bytes >= sizeof(struct node) && leaks.indirect_bytes >= 4 * 80);
  free_lost(5);
  assert_nothing_lost();
}

__attribute__((noinline)) static void lose_ring(size_t count)
{
  struct node *last = make_node(NULL);
  lost[0] = hide(last);
  struct node *node = last;
  for (size_t i = 1; i < count; i++) {
    node = make_node(node);
    lost[i] = hide(node);
  }
  last->next = node;
  (void)opaque(last);
}

static void blocks_that_hold_each_other_are_a_cycle(void **state)
{
  (void)state;
  lose_ring(6);
  ((struct node *)unhide(lost[3]))->rest[0] = 0;
  struct mend_leaks leaks = look();
  assert_lost(&leaks, 0, 0, 6);
  free_lost(6);
  lose_ring(1);
  leaks = look();
  assert_lost(&leaks, 0, 0, 1);  // one that leads to itself
  free_lost(1);
}

__attribute__((noinline)) static void lose_large(void)
{
  char *block = mend_malloc(3 * MIB);
  memset(block, 0, 3 * MIB);
  struct node *node = make_node(NULL);
  memcpy(block + 2 * MIB + 8, &node, sizeof node);
  lost[0] = hide(opaque(block));
  lost[1] = hide(node);
}

static void large_blocks_are_lost_as_well(void **state)
{
  (void)state;
  lose_large();
  struct mend_leaks leaks = look();
  assert_lost(&leaks, 1, 1, 0);
  assert_true(leaks.direct_bytes >= 3 * MIB);
  free_lost(2);
}

// Of handles with numbers that are nobody's by chance.
__attribute__((noinline)) static void lose_objects(void)
{
  for (size_t i = 0; i < MANY; i++) {
    mend_handle handle = mend_handle_alloc(100);
    CHECK(!mend_handle_is_null(handle));
    lost[i].bits = ~handle.bits;
  }
}

static mend_handle kept[MANY];

static void an_object_without_a_handle_is_told_as_such(void **state)
{
  (void)state;
  lose_objects();
  for (size_t i = 0; i < MANY; i++) kept[i].bits = ~lost[i].bits;
  assert_nothing_lost();
  for (size_t i = MANY / 2; i < MANY; i++) kept[i] = MEND_HANDLE_NULL;
  struct mend_leaks leaks = look();
  assert_int_equal(leaks.handle_count, MANY / 2);
  assert_int_equal(all_lost(&leaks), MANY / 2);
  memset(kept, 0, sizeof kept);
  for (size_t i = 0; i < MANY; i++) {
    assert_int_equal(mend_handle_free((mend_handle){~lost[i].bits}), MEND_OK);
  }
  assert_nothing_lost();
}

struct counted {
  struct counted *other;
  char rest[40];
};

__attribute__((noinline)) static void lose_counted(void)
{
  struct counted *one = mend_rc_new(sizeof *one, NULL);
  struct counted *other = mend_rc_new(sizeof *other, NULL);
  one->other = other;
  other->other = one;
  lost[0] = hide(opaque(one));
  lost[1] = hide(opaque(other));
}

static void a_cycle_of_counted_objects_has_a_name(void **state)
{
  (void)state;
  lose_counted();
  struct mend_leaks leaks = look();
  assert_int_equal(leaks.rc_cycle_count, 2);
  assert_int_equal(all_lost(&leaks), 2);
  mend_rc_release((struct counted *)unhide(lost[0]));
  mend_rc_release((struct counted *)unhide(lost[1]));
  assert_nothing_lost();
}

__attribute__((noinline)) static mend_heap *lose_in_heap(void)
{
  mend_heap *heap = mend_heap_create();
  struct node *node = mend_heap_malloc(heap, sizeof *node);
  memset(node, 0, sizeof *node);
  node->next = make_node(NULL);
  lost[0] = hide(node->next);
  lost[1] = hide(opaque(node));
  return heap;
}

static void blocks_of_first_class_heaps_are_lost_as_well(void **state)
{
  (void)state;
  mend_heap *heap = lose_in_heap();
  struct mend_leaks leaks = look();
  assert_lost(&leaks, 1, 1, 0);
  mend_heap_destroy(heap);
  leaks = look();
  assert_lost(&leaks, 1, 0, 0);
  free_lost(1);
}

// ---------------------------------------------------------------------------------------------
// What can be reached.

static void *volatile variable;
static _Thread_local void *volatile of_thread;

static void variables_lead_to_blocks_and_these_lead_on(void **state)
{
  (void)state;
  lose_chain(MANY);
  variable = unhide(lost[MANY - 1]);
  assert_nothing_lost();
  variable = (char *)unhide(lost[MANY - 1]) + sizeof(struct node) - 1;  // the last byte
  assert_nothing_lost();
  variable = NULL;
  of_thread = unhide(lost[MANY - 1]);
  assert_nothing_lost();
  of_thread = NULL;
  struct mend_leaks leaks = look();
  assert_lost(&leaks, 1, MANY - 1, 0);
  free_lost(MANY);
}

static void memory_that_others_have_mapped_leads_to_blocks(void **state)
{
  (void)state;
  int kinds[] = {MAP_PRIVATE, MAP_SHARED};
  lose_chain(3);
  for (size_t i = 0; i < 2; i++) {
    void **memory = mmap(NULL, 4 * MIB, PROT_READ | PROT_WRITE, kinds[i] | MAP_ANONYMOUS, -1, 0);
    assert_true(memory != MAP_FAILED);
    memory[3 * MIB / sizeof *memory] = unhide(lost[2]);
    assert_nothing_lost();
    assert_int_equal(mprotect(memory, 4 * MIB, PROT_READ), 0);
    if (kinds[i] == MAP_PRIVATE && !test_is_instrumented()) assert_nothing_lost();
    munmap(memory, 4 * MIB);
  }
  struct mend_leaks leaks = look();
  assert_lost(&leaks, 1, 2, 0);
  free_lost(3);
}

static void what_the_program_names_is_reached(void **state)
{
  (void)state;
  lose_chain(3);
  assert_true(mend_leak_ignore(unhide(lost[2])));
  assert_nothing_lost();
  assert_true(mend_leak_unignore(unhide(lost[2])));
  errno = 0;
  assert_false(mend_leak_unignore(unhide(lost[2])));
  assert_int_equal(errno, ENOENT);
  void **memory = mmap(NULL, MIB, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  assert_true(memory != MAP_FAILED);
  memory[0] = memory[5] = unhide(lost[2]);
  assert_int_equal(madvise(memory, MIB, MADV_DONTFORK), 0);
  struct mend_leaks leaks = look();
  if (!test_is_instrumented()) assert_lost(&leaks, 1, 2, 0);
  assert_false(mend_leak_root_add(memory, 3) || mend_leak_root_add(memory, 0));
  assert_int_equal(errno, EINVAL);
  static uintptr_t disguised[4];
  assert_true(mend_leak_root_add(disguised, sizeof disguised));
  assert_true(mend_leak_root_remove(disguised, sizeof disguised));
  errno = 0;
  assert_false(mend_leak_root_remove(disguised, sizeof disguised));
  assert_int_equal(errno, ENOENT);
  munmap(memory, MIB);
  free_lost(3);
}

// ---------------------------------------------------------------------------------------------
// Results.

static char text[64 << 10];

static void the_file_is_a_track_file(void **state)
{
  (void)state;
  int ends[2];
  lose_chain(3);
  assert_int_equal(pipe(ends), 0);
  errno = 4711;
  struct mend_leaks leaks = {.bytes = sizeof leaks};
  wipe_stack();
  assert_true(mend_leak_check(&leaks, ends[1]));
  assert_int_equal(errno, 4711);
  close(ends[1]);
  size_t length = 0;
  ssize_t got;
  while ((got = read(ends[0], text + length, sizeof text - 1 - length)) > 0) length += (size_t)got;
  close(ends[0]);
  text[length] = '\0';
  char pid[40];
  snprintf(pid, sizeof pid, "\npid %d\n", (int)getpid());
  assert_memory_equal(text, "mend-track 1\nkind leaks\n", 24);
  assert_non_null(strstr(text, pid));
  assert_non_null(strstr(text, "\nleak direct 0 0 1 "));
  assert_non_null(strstr(text, "\nleak indirect 0 0 2 "));
  assert_non_null(strstr(text, "\nblock direct 0 0x"));
  assert_string_equal(text + length - 4, "end\n");
  free_lost(3);
}

static void a_shorter_struct_gets_what_it_has_room_for(void **state)
{
  (void)state;
  struct mend_leaks leaks = {.bytes = offsetof(struct mend_leaks, indirect_count)};
  leaks.indirect_count = 4711;
  assert_true(mend_leak_check(&leaks, -1));
  assert_int_equal(leaks.bytes, offsetof(struct mend_leaks, indirect_count));
  assert_int_equal(leaks.indirect_count, 4711);
  leaks.bytes = 3;
  assert_false(mend_leak_check(&leaks, -1));
  assert_int_equal(errno, EINVAL);
  assert_true(mend_leak_check(NULL, -1));
}

static void a_check_that_cannot_write_says_so(void **state)
{
  (void)state;
  int ends[2];
  assert_int_equal(pipe(ends), 0);
  assert_false(mend_leak_check(NULL, ends[0]));
  assert_int_equal(errno, EBADF);
  close(ends[0]);
  close(ends[1]);
  assert_nothing_lost();
}

static void the_child_of_a_fork_looks_for_itself(void **state)
{
  (void)state;
  lose_chain(4);
  variable = unhide(lost[3]);
  pid_t child = test_fork();
  if (child == 0) {
    variable = NULL;
    struct mend_leaks leaks = {.bytes = sizeof leaks};
    wipe_stack();
    CHECK(mend_leak_check(&leaks, -1));
    CHECK(leaks.direct_count == 1 && leaks.indirect_count == 3);
    _exit(0);
  }
  int status;
  assert_int_equal(waitpid(child, &status, 0), child);
  assert_int_equal(status, 0);
  assert_nothing_lost();
  variable = NULL;
  free_lost(4);
}

static void nothing_is_left_behind(void **state)
{
  (void)state;
  int free_before = dup(0);
  close(free_before);
  assert_true(mend_leak_check(NULL, -1));
  int free_after = dup(0);
  close(free_after);
  assert_int_equal(free_before, free_after);
  errno = 0;
  assert_int_equal(waitpid(-1, NULL, WNOHANG | __WALL), -1);
  assert_int_equal(errno, ECHILD);
}

int main(void)
{
  if (test_is_instrumented()) {
    return test_cannot_run("a checker keeps addresses in memory of its own");
  }
  static const struct CMUnitTest tests[] = {
      HIDDEN_TEST(the_first_of_a_chain_is_direct_and_the_rest_indirect),
      HIDDEN_TEST(blocks_that_hold_each_other_are_a_cycle),
      HIDDEN_TEST(large_blocks_are_lost_as_well),
      HIDDEN_TEST(an_object_without_a_handle_is_told_as_such),
      HIDDEN_TEST(a_cycle_of_counted_objects_has_a_name),
      HIDDEN_TEST(blocks_of_first_class_heaps_are_lost_as_well),
      HIDDEN_TEST(variables_lead_to_blocks_and_these_lead_on),
      HIDDEN_TEST(memory_that_others_have_mapped_leads_to_blocks),
      HIDDEN_TEST(what_the_program_names_is_reached),
      HIDDEN_TEST(the_file_is_a_track_file),
      HIDDEN_TEST(a_shorter_struct_gets_what_it_has_room_for),
      HIDDEN_TEST(a_check_that_cannot_write_says_so),
      HIDDEN_TEST(the_child_of_a_fork_looks_for_itself),
      HIDDEN_TEST(nothing_is_left_behind),
  };
  return SUITE_RUN(tests);
}
