// SPDX-License-Identifier: MIT
//
// The mover and the types of objects: those that correct a copy, and those that move their objects
// themselves, for which readers and forks wait.
#define _GNU_SOURCE 1
#include "child.h"
#include "handles.h"

#define GRACE_NS UINT64_C(10000000000)

enum { OBJECTS_OF_TYPE = 2048, STRIDE = 9 };

static struct mend_defrag_report report;
static uint64_t handles[OBJECTS_OF_TYPE];

// OBJECTS_OF_TYPE objects, made by `make`, of which one in STRIDE stays.
static void make_sparse_of_type(size_t bytes, mend_type type, void (*make)(void *object))
{
  for (size_t i = 0; i < OBJECTS_OF_TYPE; i++) {
    scope_enter();  // what is not made yet does not move
    handles[i] = object_allocate(heap, 16, bytes, 0, type);
    make(object_resolve(handles[i]));
    scope_leave();
  }
  for (size_t i = 0; i < OBJECTS_OF_TYPE; i++) {
    if (i % STRIDE != 0) assert_int_equal(object_free(handles[i], false), MEND_OK);
  }
}

// ---------------------------------------------------------------------------------------------
// Copies that are corrected.

struct ring {
  struct ring *self;
  char bytes[120];
};

static size_t relocations;

static void make_ring(void *object)
{
  struct ring *ring = object;
  ring->self = ring;
}

static void correct_ring(void *to, const void *from, size_t size, void *argument)
{
  struct ring *ring = to;
  CHECK(size == sizeof *ring && argument == &relocations && ring->self == from);
  ring->self = ring;
  relocations++;
}

static void a_relocated_object_is_corrected_by_its_type(void **state)
{
  (void)state;
  mend_type type = object_type_register(
      (struct object_type){.relocate = correct_ring, .argument = &relocations});
  make_sparse_of_type(sizeof(struct ring), type, make_ring);
  relocations = 0;
  assert_int_equal(run_pass(&report, GRACE_NS), MEND_OK);
  assert_true(report.objects_moved > 0 && relocations == report.objects_moved);
  for (size_t i = 0; i < OBJECTS_OF_TYPE; i += STRIDE) {
    struct ring *ring = object_resolve(handles[i]);
    assert_ptr_equal(ring->self, ring);
    assert_int_equal(object_type(handles[i]), type);
  }
}

static void correct_any_ring(void *to, const void *from, size_t size, void *argument)
{
  struct ring *ring = to;
  CHECK(size >= sizeof *ring && argument == &relocations && ring->self == from);
  ring->self = ring;
  relocations++;
}

static void so_is_one_that_realloc_moves(void **state)
{
  (void)state;
  static const size_t sizes[] = {500, 70000, 3000000, 200, 128};
  mend_type type = object_type_register(
      (struct object_type){.relocate = correct_any_ring, .argument = &relocations});
  uint64_t handle = object_allocate(heap, 16, sizeof(struct ring), 0, type);
  make_ring(object_resolve(handle));
  for (size_t i = 0; i < sizeof sizes / sizeof sizes[0]; i++) {
    const void *before = place_of(handle);
    relocations = 0;
    assert_int_equal(object_resize(handle, 16, sizes[i]), MEND_OK);
    struct ring *ring = object_resolve(handle);
    assert_ptr_equal(ring->self, ring);
    assert_int_equal(relocations, place_of(handle) != before);
  }
}

static mend_type their_type;
static uint64_t victim;
static uint64_t heir;  // of the victim's entry

static void free_and_make_of_a_type(void)
{
  CHECK(object_free(victim, false) == MEND_OK);
  do {
    heir = object_allocate(heap, 16, 2000, 0, their_type);
    CHECK(heir != 0);
  } while (handle_index(heir) != handle_index(victim));
}

static void lay_the_second_ambush(void)
{
  ambush_at(STEP_INFO_LOAD, 1, 1, free_and_make_of_a_type);
}

static size_t strangers;

static void count_call(void *to, const void *from, size_t size, void *argument)
{
  (void)to, (void)from, (void)size, (void)argument;
  strangers++;
}

// The object dies between announce and copy, and its entry is then another's, of a type.
static void what_has_died_is_not_taken_for_its_entrys_heir(void **state)
{
  (void)state;
  uint32_t index = 0;
  their_type = object_type_register((struct object_type){.relocate = count_call});
  victim = make_object(16);
  report = (struct mend_defrag_report){.bytes = sizeof report};
  assert_true(mover_begin_anywhere(heap, &index, 1));
  ambush_at(STEP_TAKE_TARGET, 1, 1, lay_the_second_ambush);
  strangers = 0;
  (void)mover_move(heap, 1, SIZE_MAX, GRACE_NS, &report);
  mover_end(heap, &report);
  assert_int_equal(ambush.sprung, 1);
  assert_int_equal(strangers, 0);
  assert_int_equal(report.objects_moved, 0);
  assert_int_equal(object_bytes(heir), 2000);
}

// ---------------------------------------------------------------------------------------------
// Types that move their objects themselves.

// An object that a copy of bytes would break: it knows where it is, and that it has not been ended.
struct settler {
  struct settler *self;
  uint64_t word, same_word;  // unequal only while somebody is moving or writing it
  char rest[100];
};

static size_t moves;
static void (*amid_move)(void);

static void make_settler(void *object)
{
  struct settler *settler = object;
  *settler = (struct settler){.self = settler, .word = 7, .same_word = 7};
}

static bool is_settled(const struct settler *settler)
{
  return settler->self == settler && settler->word == 7 && settler->same_word == 7;
}

static void move_settler(void *to, void *from, size_t size, void *argument)
{
  struct settler *old = from;
  struct settler *new = to;
  CHECK(size >= sizeof *new &&argument == &moves &&is_settled(old));
  *new = (struct settler){.self = new, .word = old->word};
  *old = (struct settler){.word = 1};
  if (amid_move != NULL) amid_move();
  new->same_word = 7;
  moves++;
}

static mend_type settler_type(void)
{
  static mend_type type;
  if (type == 0) {
    type = object_type_register((struct object_type){.move = move_settler, .argument = &moves});
  }
  moves = 0;
  amid_move = NULL;
  return type;
}

static void assert_settlers(void)
{
  for (size_t i = 0; i < OBJECTS_OF_TYPE; i += STRIDE) {
    scope_enter();
    assert_true(is_settled(object_resolve(handles[i])));
    scope_leave();
  }
}

static void objects_are_moved_by_their_type(void **state)
{
  (void)state;
  make_sparse_of_type(sizeof(struct settler), settler_type(), make_settler);
  assert_int_equal(run_pass(&report, GRACE_NS), MEND_OK);
  assert_true(report.objects_moved > 0 && moves == report.objects_moved);
  assert_settlers();
}

static void realloc_moves_by_the_type_too(void **state)
{
  (void)state;
  static const size_t sizes[] = {500, 510, 70000, 3000000, 200};
  uint64_t handle = object_allocate(heap, 16, sizeof(struct settler), 0, settler_type());
  make_settler(object_resolve(handle));
  for (size_t i = 0; i < sizeof sizes / sizeof sizes[0]; i++) {
    const void *before = place_of(handle);
    moves = 0;
    assert_int_equal(object_resize(handle, 16, sizes[i]), MEND_OK);
    assert_true(is_settled(object_resolve(handle)));
    assert_int_equal(moves, place_of(handle) != before);
  }
}

static void what_a_reader_calls_off_is_not_begun(void **state)
{
  (void)state;
  make_sparse_of_type(sizeof(struct settler), settler_type(), make_settler);
  ambush_at(STEP_TAKE_TARGET, 1, SIZE_MAX, assert_settlers);
  assert_int_equal(run_pass(&report, GRACE_NS), MEND_OK);
  assert_true(report.vetoed > 0);
  assert_int_equal(report.objects_moved, moves);
  step_hook = NULL;
  assert_settlers();
}

// A reader that comes amid a move, and what it has seen.
static struct {
  pthread_t thread;
  uint64_t handle;
  _Atomic(bool) is_waiting;
  bool has_come;
  bool is_whole;
} reader;

static _Thread_local bool is_reader;

static void note_waiting(enum step step)
{
  if (is_reader && step == STEP_COPY_WAIT) atomic_store(&reader.is_waiting, true);
}

static void *read_it(void *unused)
{
  is_reader = true;
  scope_enter();
  reader.is_whole = is_settled(object_resolve(reader.handle));
  scope_leave();
  return unused;
}

static void let_a_reader_come(void)
{
  if (reader.has_come) return;
  for (size_t i = 0; i < OBJECTS_OF_TYPE; i += STRIDE) {
    if (state_of(handles[i]) == ENTRY_COPYING) reader.handle = handles[i];
  }
  reader.has_come = true;
  CHECK(pthread_create(&reader.thread, NULL, read_it, NULL) == 0);
  while (!atomic_load(&reader.is_waiting)) sched_yield();
}

static void a_reader_waits_for_the_move_of_a_type(void **state)
{
  (void)state;
  make_sparse_of_type(sizeof(struct settler), settler_type(), make_settler);
  step_hook = note_waiting;
  amid_move = let_a_reader_come;
  assert_int_equal(run_pass(&report, GRACE_NS), MEND_OK);
  assert_true(reader.has_come);
  assert_int_equal(pthread_join(reader.thread, NULL), 0);
  assert_true(reader.is_whole);
  assert_settlers();
}

// A fork that is begun amid a move.
static struct {
  pthread_t thread;
  _Atomic(bool) is_near;
  bool has_come;
  struct ending ending;
} forker;

static void check_in_child(void)
{
  for (size_t i = 0; i < OBJECTS_OF_TYPE; i += STRIDE) {
    CHECK(is_settled(object_resolve(handles[i])));
  }
  amid_move = NULL;
  CHECK(object_resize(handles[0], 16, 3000) == MEND_OK);  // it goes on there
  CHECK(is_settled(object_resolve(handles[0])));
}

static void *fork_near(void *unused)
{
  atomic_store(&forker.is_near, true);
  forker.ending = child_run(check_in_child);
  return unused;
}

static void let_a_fork_come(void)
{
  if (forker.has_come) return;
  forker.has_come = true;
  CHECK(pthread_create(&forker.thread, NULL, fork_near, NULL) == 0);
  while (!atomic_load(&forker.is_near)) sched_yield();
  os_sleep_ms(20);  // it would be over by then if it did not wait
}

static void a_child_has_no_object_that_is_half_moved(void **state)
{
  (void)state;
  make_sparse_of_type(sizeof(struct settler), settler_type(), make_settler);
  amid_move = let_a_fork_come;
  assert_int_equal(run_pass(&report, GRACE_NS), MEND_OK);
  assert_true(forker.has_come);
  assert_int_equal(pthread_join(forker.thread, NULL), 0);
  if (forker.ending.exit_code != 0) fprintf(stderr, "in the child:\n%s", forker.ending.text);
  assert_int_equal(forker.ending.exit_code, 0);
  assert_settlers();
}

int main(void)
{
  static const struct CMUnitTest tests[] = {
      HANDLES_TEST(a_relocated_object_is_corrected_by_its_type),
      HANDLES_TEST(so_is_one_that_realloc_moves),
      HANDLES_TEST(what_has_died_is_not_taken_for_its_entrys_heir),
      HANDLES_TEST(objects_are_moved_by_their_type),
      HANDLES_TEST(realloc_moves_by_the_type_too),
      HANDLES_TEST(what_a_reader_calls_off_is_not_begun),
      HANDLES_TEST(a_reader_waits_for_the_move_of_a_type),
      HANDLES_TEST(a_child_has_no_object_that_is_half_moved),
  };
  return SUITE_RUN(tests);
}
