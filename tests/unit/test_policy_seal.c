// SPDX-License-Identifier: MIT
//
// Every bit of every kind of descriptor is flipped in turn, and of what is beside it: each time in
// a child of a fork, which then works with its heap until the end. It must be stopped by a message
// of ours or by a fault, or else come to no harm: no two blocks in use may overlap, all contents
// must stay, and the heap must be valid at the end. The table that is printed says what became of
// each field.
//
// The library is here as one translation unit, as in a release: its internal checks look at the
// heap at the end only.
//
// linked with: mend_units_hardened
#define _GNU_SOURCE 1
#define MEND_ONE_FILE
#include "base/fatal.h"

static _Bool looks_inside;  // from here on what an internal check says counts
static void found_invalid(const char *condition);
#undef ASSERT
#define ASSERT(condition) \
  (LIKELY(!looks_inside || (condition)) ? (void)0 : found_invalid(#condition))

#include "all.c"

#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <sys/resource.h>
#include <sys/wait.h>

#include "flip_work.h"

// ---------------------------------------------------------------------------------------------
// Where bits are flipped.

struct field {
  const char *name;
  size_t offset;
};

#define FLIP_FIELD(type, name) \
  { \
#name, offsetof(struct type, name) \
  }
static const struct field page_fields[] = {{"first_word", 0},
                                           {"purged_os_pages", 4},
                                           FLIP_FIELD(page, used),
                                           FLIP_FIELD(page, carved),
                                           FLIP_FIELD(page, capacity),
                                           FLIP_FIELD(page, bin_offset),
                                           FLIP_FIELD(page, size_class),
                                           FLIP_FIELD(page, flags),
                                           FLIP_FIELD(page, is_direct),
                                           FLIP_FIELD(page, edges),
                                           FLIP_FIELD(page, is_source),
                                           FLIP_FIELD(page, inverse),
                                           FLIP_FIELD(page, block_bytes),
                                           FLIP_FIELD(page, link),
                                           FLIP_FIELD(page, heap),
                                           FLIP_FIELD(page, remote),
                                           FLIP_FIELD(page, inbox_next),
                                           FLIP_FIELD(page, chain),
                                           FLIP_FIELD(page, words),
                                           FLIP_FIELD(page, source),
                                           FLIP_FIELD(page, slices),
                                           FLIP_FIELD(page, freed_at_ms),
                                           FLIP_FIELD(page, kind),
                                           FLIP_FIELD(page, notice),
                                           {NULL, sizeof(struct page)}};
static const struct field policy_fields[] = {
    FLIP_FIELD(policy_page, secret),         FLIP_FIELD(policy_page, check),
    FLIP_FIELD(policy_page, size),           FLIP_FIELD(policy_page, lead_bytes),
    FLIP_FIELD(policy_page, reserved_slots), FLIP_FIELD(policy_page, is_void),
    FLIP_FIELD(policy_page, purged),         {NULL, sizeof(struct policy_page)}};
static const struct field word_fields[] = {{"words", 0}, {NULL, SIZE_MAX}};
static const struct field record_fields[] = {{"records", 0}, {NULL, SIZE_MAX}};

struct target {
  const char *name;
  char *at;
  size_t bytes;
  const struct field *fields;
};

enum { TARGET_MOST = 64 };
static struct target targets[TARGET_MOST];
static size_t target_count;

static void add_target(const char *name, void *at, size_t bytes, const struct field *fields)
{
  CHECK(target_count < TARGET_MOST);
  targets[target_count++] = (struct target){name, at, bytes, fields};
}

static void add_page_target(const char *name, struct page *page)
{
  if (page == NULL) fprintf(stderr, "no page: %s\n", name);
  CHECK(page != NULL);
  add_target(name, page, sizeof *page, page_fields);
}

// With what is beside its descriptor.
static void add_whole_page(const char *name, struct page *page)
{
  add_page_target(name, page);
  CHECK(page->words != NULL);
  size_t words = page_kind(page) == PAGE_LARGE ? 0 : (page->capacity + 63U) / 64;
  add_target(name, policy_of(page), sizeof(struct policy_page), policy_fields);
  if (words > 0) add_target(name, page->words, words * 8, word_fields);
  add_target(name, (char *)page->words + words * 8, page->capacity * sizeof(uint32_t),
             record_fields);
}

typedef bool (*page_test)(struct page *page);

static struct page *find_page(page_test test)
{
  for (struct page *page = region.pages; page < region.pages + runs_frontier(); page++) {
    if (test(page)) return page;
  }
  return NULL;
}

static bool is_of(struct page *page, size_t size)
{
  return page_kind(page) == PAGE_BITMAP &&
         page->block_bytes == size_class_bytes(size_class_of(size + 8)) && !page->is_direct &&
         !policy_is_void(page);
}

static bool is_small_with_room(struct page *page)
{
  return is_of(page, 40) && page_has_free(page) && page_heap(page) == heap_current;
}

static bool is_full(struct page *page)
{
  return is_of(page, 4000) && !page_has_free(page);
}

static bool is_medium(struct page *page)
{
  return is_of(page, 20000);
}

static bool is_posted(struct page *page)
{
  return page_kind(page) == PAGE_BITMAP &&
         atomic_load_explicit(&page->notice, memory_order_relaxed) == NOTICE_POSTED;
}

static bool seems_large(struct page *page)
{
  return page_kind(page) == PAGE_LARGE && page_heap(page) == NULL;
}

static bool is_large_of_heap(struct page *page)
{
  return page_kind(page) == PAGE_LARGE && page_heap(page) != NULL;
}

static bool is_retired(struct page *page)
{
  return page_kind(page) == PAGE_NONE && (page->flags & PAGE_HAS_GUARD) != 0;
}

static bool is_free_run(struct page *page)
{
  return page_kind(page) == PAGE_FREE && page->slices > 1 && list_contains_node(&page->link);
}

static bool is_direct(struct page *page)
{
  return page_kind(page) == PAGE_BITMAP && page->is_direct && !policy_is_void(page);
}

static bool is_void(struct page *page)
{
  return page_kind(page) == PAGE_BITMAP && policy_is_void(page);
}

// ---------------------------------------------------------------------------------------------

static void *free_elsewhere(void *unused)
{
  for (int i = 0; i < 120; i++) mend_free(remove_block((size_t)i % live_count).block);
  return unused;
}

// A heap in which there is a page of each kind.
static void fill_heap(void)
{
  struct random random = {3};
  pthread_t thread;
  own_heap = mend_heap_create();
  mend_heap *gone = mend_heap_create();
  CHECK(own_heap != NULL && gone != NULL);
  for (size_t i = 0; i < 400; i++) {
    size_t size = flip_sizes[i % (FLIP_SIZE_COUNT - 1)];
    if (size > 60000 && i > 200) continue;
    add_block(i % 5 == 0 && size > 0 ? mend_heap_malloc(own_heap, size) : mend_malloc(size), size);
  }
  for (int i = 0; i < 60; i++) mend_free(remove_block(random_below(&random, live_count)).block);
  CHECK(pthread_create(&thread, NULL, free_elsewhere, NULL) == 0);
  CHECK(pthread_join(thread, NULL) == 0);
  for (int i = 0; i < 20; i++) add_block(mend_malloc(4000), 4000);
  CHECK(mend_heap_malloc(gone, 2000) != NULL);
  mend_heap_destroy(gone);  // leaves a free run
}

static void choose_targets(void)
{
  struct page *run = find_page(is_free_run);
  add_whole_page("small", find_page(is_small_with_room));
  add_page_target("inside", find_page(is_medium) + 1);
  add_whole_page("full", find_page(is_full));
  add_whole_page("medium", find_page(is_medium));
  add_page_target("posted", find_page(is_posted));
  add_whole_page("large", find_page(seems_large));
  add_page_target("inside large", find_page(seems_large) + 1);
  add_whole_page("large of a heap", find_page(is_large_of_heap));
  add_page_target("of a heap", find_page(is_direct));
  add_whole_page("void", find_page(is_void));
  add_page_target("retired", find_page(is_retired));
  add_page_target("free run", run);
  add_page_target("end of it", run + run->slices - 1);
}

// ---------------------------------------------------------------------------------------------
// Children.

enum { FLIPS_MOST = 512 };  // bits of bitmaps and records
static bool is_verbose;

enum outcome { DETECTED, FAULTED, HARMLESS, LEFT_INVALID, HARMFUL, STUCK, OUTCOME_COUNT };
static const char *const outcome_names[] = {"detected", "faulted", "harmless",
                                            "INVALID",  "HARMFUL", "STUCK"};

struct child {
  pid_t pid;
  int text;
};

static struct child start_child(const struct target *target, size_t bit)
{
  int pipes[2];
  CHECK(pipe2(pipes, O_CLOEXEC) == 0);
  struct child child = {test_fork(), pipes[0]};
  if (child.pid == 0) {
    CHECK(dup2(pipes[1], STDERR_FILENO) == STDERR_FILENO);
    (void)setrlimit(RLIMIT_CORE, &(struct rlimit){0, 0});
    (void)setrlimit(RLIMIT_CPU, &(struct rlimit){3, 3});
    alarm(60);
    if (target != NULL) target->at[bit / 8] ^= (char)(1 << bit % 8);
    work();
    _exit(0);
  }
  close(pipes[1]);
  return child;
}

static enum outcome await(struct child child, char text[256])
{
  int status = 0;
  CHECK(waitpid(child.pid, &status, 0) == child.pid);
  ssize_t length = read(child.text, text, 255);
  text[length > 0 ? length : 0] = '\0';
  close(child.text);
  char *end = strchr(text, '\n');
  if (end != NULL) *end = '\0';
  if (WIFEXITED(status)) {
    int code = WEXITSTATUS(status);
    return code == 0 ? HARMLESS : code == EXIT_INVALID ? LEFT_INVALID : HARMFUL;
  }
  bool is_told = strncmp(text, "mend: ", 6) == 0;
  switch (WTERMSIG(status)) {
  case SIGABRT:
    return is_told ? DETECTED : HARMFUL;
  case SIGSEGV:
  case SIGBUS:
    return is_told ? DETECTED : FAULTED;
  default:
    return STUCK;
  }
}

// What became of the bits of each field of a target.
struct flip_tally {
  size_t counts[OUTCOME_COUNT];
};

enum { FIELD_MOST = 32 };

static size_t field_at(const struct target *target, size_t byte)
{
  size_t i = 0;
  while (target->fields[i + 1].name != NULL && target->fields[i + 1].offset <= byte) i++;
  return i;
}

static size_t report(const struct target *target, const struct flip_tally *tallies)
{
  size_t bad = 0;
  for (size_t i = 0; target->fields[i].name != NULL; i++) {
    const size_t *counts = tallies[i].counts;
    printf("%-16s %-16s", target->name, target->fields[i].name);
    for (int j = 0; j < OUTCOME_COUNT; j++) {
      if (counts[j] > 0) printf("  %s %zu", outcome_names[j], counts[j]);
    }
    printf("\n");
    bad += counts[LEFT_INVALID] + counts[HARMFUL] + counts[STUCK];
  }
  return bad;
}

static void count_child(struct flip_tally *tallies, const struct target *target, size_t bit,
                        struct child child)
{
  char text[256];
  enum outcome outcome = await(child, text);
  size_t i = field_at(target, bit / 8);
  tallies[i].counts[outcome]++;
  if (outcome < LEFT_INVALID && !is_verbose) return;
  printf("%s, %s, bit %zu: %s: %s\n", target->name, target->fields[i].name,
         bit - target->fields[i].offset * 8, outcome_names[outcome], text);
}

// Flips every step-th bit, and of long fields not more than some; two children at a time.
static size_t flip(const struct target *target, size_t step)
{
  struct flip_tally tallies[FIELD_MOST] = {0};
  struct child before = {0, 0};
  size_t last_bit = 0;
  if (target->fields[1].name == NULL) step *= 1 + target->bytes * 8 / FLIPS_MOST;
  for (size_t bit = (size_t)(target - targets) % step; bit < target->bytes * 8; bit += step) {
    struct child child = start_child(target, bit);
    if (before.pid != 0) count_child(tallies, target, last_bit, before);
    before = child;
    last_bit = bit;
  }
  if (before.pid != 0) count_child(tallies, target, last_bit, before);
  return report(target, tallies);
}

// A child works for milliseconds, but there are 20,000 bits: all at MEND_TEST_SCALE=13.
enum { STEP = 13 };

// usage: test_policy_seal [STEP [TARGET [verbose]]]
int main(int argc, char **argv)
{
  char text[256];
  if (TEST_IS_ANNOTATED || HAS_THREAD_SANITIZER || test_is_instrumented()) {
    return test_cannot_run("a checker sees what a flipped bit leads to, and forks slowly");
  }
  fill_heap();
  choose_targets();
  if (options.harden < 2) return test_cannot_run("the library's level is below 2");
  bool is_sound = await(start_child(NULL, 0), text) == HARMLESS;
  if (!is_sound) fprintf(stderr, "without a flip: %s\n", text);
  CHECK(is_sound);
  size_t bad = 0;
  is_verbose = argc > 3;
  size_t step =
      argc > 1 ? strtoul(argv[1], NULL, 10) : bits_larger(STEP * 100 / test_scaled(100), 1);
  for (size_t i = 0; i < target_count; i++) {
    if (argc > 2 && strcmp(argv[2], targets[i].name) != 0) continue;
    bad += flip(&targets[i], step);
  }
  printf("%zu bad\n", bad);
  return bad == 0 ? TEST_PASS : TEST_FAIL;
}
