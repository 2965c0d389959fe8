// SPDX-License-Identifier: MIT
//
// A process with one trouble, or none, for `mend doctor`. It says "ready" and waits for its end, or
// for so many seconds.
//
// usage: patient [MODE [SECONDS]]     the modes are in the table below
#include <pthread.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#ifndef PATIENT_PLAIN
#include <mend/handle.h>
#endif
#ifdef PATIENT_CORE
#include <mend/mend.h>
#define malloc mend_malloc
#define free mend_free
#endif

enum { COUNT = 900000, BYTES = 240, LARGE = 1 << 20, HELD = 300 };

static char *blocks[COUNT];
static pthread_barrier_t held;

static void fill(size_t bytes, int count)
{
  for (int i = 0; i < count; i++) {
    blocks[i] = malloc(bytes);
    if (blocks[i] != NULL) memset(blocks[i], 1, bytes);
  }
}

// Frees all but every `kept`th one.
static void thin(int count, int kept)
{
  for (int i = 0; i < count; i++) {
    if (kept == 0 || i % kept != 0) free(blocks[i]);
  }
}

static void healthy(void)
{
  fill(100, 1000);
}

// 10 % of 92 MiB are live, everywhere between free blocks.
static void sparse(void)
{
  fill(BYTES, 400000);
  thin(400000, 10);
}

// The same of 206 MiB.
static void shattered(void)
{
  fill(BYTES, COUNT);
  thin(COUNT, 10);
}

// The same of blocks that nobody has written to.
static void untouched(void)
{
  for (int i = 0; i < 9000; i++) blocks[i] = malloc(30000);
  thin(9000, 10);
}

static void grow(void)
{
  for (int i = 0; i < COUNT; i++) {
    blocks[i] = malloc(65000);
    if (blocks[i] != NULL) memset(blocks[i], 1, 65000);
    usleep(10000);
  }
}

static void idle(void)
{
  fill(LARGE, 100);
  thin(100, 0);
}

static void limit(void)
{
  fill(LARGE, 63);
}

static void limit_near(void)
{
  fill(LARGE, 59);
}

// More large blocks than `limit` and `sparse` have.
static void large(void)
{
  fill(100 << 20, 1);
}

static void resized(void)
{
  fill(LARGE, 40);
  for (int i = 0; i < 40; i += 2) blocks[i] = realloc(blocks[i], (size_t)3 * LARGE);
}

static void elsewhere(void)
{
  char *memory = mmap(NULL, 80 * LARGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  if (memory != MAP_FAILED) memset(memory, 1, 80 * LARGE);
  healthy();
}

static void nothing(void)
{
}

// ---------------------------------------------------------------------------------------------

// Leaves as much as it can ready in its heap.
static void hold_all(void)
{
  static _Thread_local char *own[HELD];
  for (size_t bytes = 16; bytes <= 65536; bytes += bytes < 4096 ? 16 : 1024) {
    for (int round = 0; round < 12; round++) {
      for (int i = 0; i < HELD / (bytes < 4096 ? 1 : 16); i++) own[i] = malloc(bytes);
      for (int i = 0; i < HELD / (bytes < 4096 ? 1 : 16); i++) free(own[i]);
    }
  }
}

static void *hold(void *unused)
{
  hold_all();
  pthread_barrier_wait(&held);
  pause();
  return unused;
}

// One after the other.
static void hold_threads(void)
{
  pthread_t thread;
  pthread_barrier_init(&held, NULL, 2);
  for (int i = 0; i < 20; i++) {
    if (pthread_create(&thread, NULL, hold, NULL) == 0) pthread_barrier_wait(&held);
  }
}

#ifndef PATIENT_PLAIN
static void make_objects(bool are_pinned)
{
  static mend_handle handles[400000];
  for (int i = 0; i < 400000; i++) {
    handles[i] = mend_handle_alloc(BYTES);
    char *bytes = mend_resolve(handles[i]);
    if (bytes != NULL) memset(bytes, 1, BYTES);
  }
  for (int i = 0; i < 400000; i++) {
    if (i % 10 != 0) (void)mend_handle_free(handles[i]);
    if (i % 10 == 0 && are_pinned) (void)mend_pin(handles[i]);
  }
}

static void objects(void)
{
  make_objects(false);
}

static void pinned(void)
{
  make_objects(true);
}
#endif

static const struct {
  const char *name;
  void (*function)(void);
} modes[] = {
    {"healthy", healthy},
    {"sparse", sparse},
    {"shattered", shattered},
    {"growing", nothing},
    {"idle", idle},
    {"limit", limit},
    {"large", large},
    {"limit-near", limit_near},
    {"resized", resized},
    {"elsewhere", elsewhere},
    {"unused", nothing},
    {"holding", hold_all},
    {"threads", hold_threads},
    {"untouched", untouched},
#ifndef PATIENT_PLAIN
    {"objects", objects},
    {"pinned", pinned},
#endif
};

int main(int count, char **arguments)
{
  const char *mode = count > 1 ? arguments[1] : "healthy";
  char byte;
  for (size_t i = 0; i < sizeof modes / sizeof modes[0]; i++) {
    if (strcmp(mode, modes[i].name) == 0) modes[i].function();
  }
  // Not by stdio, which allocates.
  (void)!write(STDOUT_FILENO, "ready\n", 6);
  if (strcmp(mode, "growing") == 0) grow();
  if (count > 2) {
    sleep((unsigned)atoi(arguments[2]));
  } else {
    (void)!read(STDIN_FILENO, &byte, 1);
  }
  _exit(0);
}
