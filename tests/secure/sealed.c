// SPDX-License-Identifier: MIT
//
// After the start nothing that the hardened library calls or starts from can be written: its roots
// are read-only, and in all that is writable of this program, which it is linked into, and in its
// metadata there is no address of code. The setters work all the same, in a child of a fork, too.
#define _GNU_SOURCE 1
#include <mend/handle.h>
#include <mend/mend.h>
#include <mend/root.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/auxv.h>
#include <sys/wait.h>
#include <unistd.h>

#include "../support/readable.h"
#include "../support/respawn.h"
#include "../support/support.h"

struct stretch {
  uintptr_t start, end;
};

static struct {
  struct stretch writable[64];
  size_t count;
  struct stretch code;
} maps;

extern const char _end[];  // the linker's: of all that is this program's

// This program's code, and what is writable from there to its end: of its file, and of none.
static void read_maps(void)
{
  char line[512];
  char program[256] = "";
  FILE *file = fopen("/proc/self/maps", "re");
  CHECK(file != NULL);
  ssize_t length = readlink("/proc/self/exe", program, sizeof program - 1);
  CHECK(length > 0);
  while (fgets(line, sizeof line, file) != NULL) {
    char rights[5];
    struct stretch stretch;
    CHECK(sscanf(line, "%lx-%lx %4s", &stretch.start, &stretch.end, rights) == 3);
    bool is_mine = strstr(line, program) != NULL;
    if (is_mine && rights[2] == 'x') maps.code = stretch;
    bool is_data = maps.code.start != 0 && stretch.start < (uintptr_t)_end;
    if (rights[1] == 'w' && is_data) {
      // What is left of the last page, musl takes for itself.
      if (stretch.end > (uintptr_t)_end) stretch.end = (uintptr_t)_end;
      CHECK(maps.count < 64);
      maps.writable[maps.count++] = stretch;
    }
  }
  fclose(file);
  CHECK(maps.code.start != 0 && maps.count > 0);
}

static bool is_writable(const void *address)
{
  for (size_t i = 0; i < maps.count; i++) {
    uintptr_t at = (uintptr_t)address;
    if (at >= maps.writable[i].start && at < maps.writable[i].end) return true;
  }
  return false;
}

static size_t count_code_addresses(const char *start, size_t bytes)
{
  size_t count = 0, page = (size_t)sysconf(_SC_PAGESIZE), pages_read = 0;
  for (size_t at = 0; at < bytes; at += sizeof(uintptr_t)) {
    if (at % page == 0 && !can_read(start + at)) {
      at += page - sizeof(uintptr_t);
      continue;
    }
    uintptr_t value;
    memcpy(&value, start + at, sizeof value);
    pages_read += at % page == 0;
    bool is_ours = start + at == (char *)&maps.code;
    if (value < maps.code.start || value >= maps.code.end || is_ours) continue;
    fprintf(stderr, "at %p: %p, %#lx into the code\n", (const void *)(start + at), (void *)value,
            value - maps.code.start);
    count++;
  }
  CHECK(pages_read > 0 || bytes == 0);  // there is no metadata yet
  return count;
}

static void check_nothing_to_write(void)
{
  memset(&maps, 0, sizeof maps);
  read_maps();
  CHECK(!is_writable(mend_root.region_start) && !is_writable(mend_root.page_table));
  CHECK(is_writable(&maps));
  size_t count = 0;
  for (size_t i = 0; i < maps.count; i++) {
    struct stretch stretch = maps.writable[i];
    count += count_code_addresses((char *)stretch.start, stretch.end - stretch.start);
  }
  const char *metadata = *(char *const *)mend_root.metadata_start;
  count += count_code_addresses(metadata, *(const size_t *)mend_root.metadata_bytes);
  CHECK(count == 0);
}

static size_t texts, refusals;

static void take_text(const char *text, size_t bytes, void *argument)
{
  (void)text, (void)bytes;
  texts += argument == &texts;
}

static bool refuse(size_t size, void *argument)
{
  (void)size;
  refusals += argument == &refusals;
  return false;
}

static void *set_everything(void *unused)
{
  texts = refusals = 0;
  mend_set_output(take_text, &texts);
  mend_set_out_of_memory(refuse, &refusals);
  CHECK(mend_malloc(PTRDIFF_MAX / 2) == NULL && refusals > 0);
  mend_malloc_stats();
  CHECK(texts > 0);
  return unused;
}

static void relocate(void *to, const void *from, size_t bytes, void *argument)
{
  (void)to, (void)from, (void)bytes, (void)argument;
}

static void use_it(void)
{
  void *blocks[100];
  for (size_t i = 0; i < 100; i++) blocks[i] = mend_malloc(i * i * 10);
  for (size_t i = 0; i < 100; i++) mend_free(blocks[i]);
  mend_type type = mend_type_register(relocate, NULL);
  mend_handle handle = mend_handle_heap_alloc(NULL, 100, 0, type);
  CHECK(mend_resolve(handle) != NULL);
  set_everything(NULL);
  pthread_t thread;
  CHECK(pthread_create(&thread, NULL, set_everything, NULL) == 0);
  CHECK(pthread_join(thread, NULL) == 0);
  check_nothing_to_write();
  mend_handle_free(handle);
}

static _Atomic(bool) is_over;

static void *set_on_and_on(void *unused)
{
  while (!atomic_load(&is_over)) mend_set_output(take_text, &texts);
  return unused;
}

// Another thread may be setting something at the time.
static void fork_often(void)
{
  pthread_t thread;
  CHECK(pthread_create(&thread, NULL, set_on_and_on, NULL) == 0);
  for (size_t i = 0; i < test_scaled(100); i++) {
    int status = 1;
    pid_t child = test_fork();
    if (child == 0) {
      alarm(60);  // should it wait for a thread that is not there
      check_nothing_to_write();
      mend_set_output(NULL, NULL);
      _exit(0);
    }
    CHECK(waitpid(child, &status, 0) == child && status == 0);
  }
  atomic_store(&is_over, true);
  CHECK(pthread_join(thread, NULL) == 0);
}

int main(void)
{
  if (getauxval(AT_BASE) == 0) {
    return test_cannot_run("a static program has the C library's addresses of code, too");
  }
  if (test_is_instrumented()) return test_cannot_run("a checker's tables are in the program");
  if (sysconf(_SC_PAGESIZE) > 4096) return test_cannot_run("pages are larger than what is sealed");
#ifdef MEND_TRACK_SCOPES
  return test_cannot_run("who has opened a scope is kept, which is an address of code");
#endif
  // Of guarded blocks the callers are kept, for reports: addresses of code, but nobody goes there.
  respawn_self_with("MEND_GUARD_RATE", "0");
  int status = 1;
  check_nothing_to_write();
  use_it();
  pid_t child = test_fork();
  use_it();
  if (child == 0) _exit(0);
  CHECK(waitpid(child, &status, 0) == child && status == 0);
  fork_often();
  return TEST_PASS;
}
