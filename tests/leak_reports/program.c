// SPDX-License-Identifier: MIT
//
// What `mend leaks` is to run: it loses what its arguments say, and ends as they say, in order.
#include <poll.h>
#include <signal.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

struct node {
  struct node *volatile next;
};

__attribute__((noinline)) static void lose_bytes(size_t bytes)
{
  *(void *volatile *)&(void *){NULL} = malloc(bytes);
}

__attribute__((noinline)) static void lose_list(void)
{
  struct node *node = calloc(1, sizeof *node);
  node->next = calloc(1, sizeof *node);
}

static inline __attribute__((always_inline)) void lose_inlined(void)
{
  lose_bytes(77);
}

__attribute__((noinline)) static void lose_by_inlined(void)
{
  lose_inlined();
}

// Overwrites what is left of all that below the caller.
__attribute__((noinline)) static void wipe(void)
{
  volatile char room[1 << 17];
  for (size_t i = 0; i < sizeof room; i++) room[i] = 0;
}

__attribute__((noinline)) static void below(const char *what)
{
  volatile char room[1 << 16];
  room[0] = 0;
  if (strcmp(what, "list") == 0) lose_list();
  if (strcmp(what, "inlined") == 0) lose_by_inlined();
  if (*what >= '0' && *what <= '9') lose_bytes(strtoul(what, NULL, 10));
  room[1] = room[0];
}

static void *volatile kept[50];

__attribute__((noinline)) static void grow(void)
{
  for (size_t i = 0; i < 50; i++) kept[i] = malloc(1000);
}

__attribute__((noinline)) static void free_first(void *block)
{
  free(block);
}

static void *volatile freed_block;

__attribute__((noinline)) static void free_twice(void)
{
  freed_block = malloc(100);
  free_first(freed_block);
  free(freed_block);
}

// The link in a block that is free leads to one that is in use, and no more to the others.
__attribute__((noinline)) static void write_after_free(void)
{
  struct node *volatile freed = malloc(200);
  struct node *volatile held = malloc(200);
  free(freed);
  freed->next = held;
  for (int i = 0; i < 10; i++) {
    void *volatile other = malloc(200);
    free(other);
  }
  free(held);
}

// Says so, and waits to be told to go on.
static void tell(void)
{
  puts("here");
  fflush(stdout);
  (void)getchar();
}

static void fork_then_lose(void)
{
  pid_t child = fork();
  if (child == 0) {
    below("4000");
    wipe();
    exit(0);
  }
  waitpid(child, NULL, 0);
}

__asm__(".text\nfiller: .zero 196608\n");
extern char filler[] __attribute__((visibility("hidden")));

// A page amid the code loses its right to run: what is on either side is mapped on its own.
static bool split_code(void)
{
  size_t page = (size_t)sysconf(_SC_PAGESIZE);
  char *start = filler + page - (uintptr_t)filler % page;
  return mprotect(start, page, PROT_READ) == 0;
}

static void end_as(const char *how)
{
  if (strcmp(how, "wait") == 0) {
    puts("waits");
    fflush(stdout);
    (void)poll(NULL, 0, 60000);  // an interruption is an end
  }
  if (strcmp(how, "kill") == 0) raise(SIGTERM);
  if (strcmp(how, "leave") == 0) _exit(0);
  if (strcmp(how, "fork-leave") == 0) {
    fork_then_lose();
    _exit(0);
  }
  if (strcmp(how, "fail") == 0) exit(7);
}

int main(int count, char **arguments)
{
  for (int i = 1; i < count; i++) {
    const char *what = arguments[i];
    if (strcmp(what, "say") == 0) puts("said on stdout");
    if (strcmp(what, "split") == 0 && !split_code()) return 1;
    if (strcmp(what, "mute") == 0) fclose(stderr);
    if (strcmp(what, "away") == 0 && chdir("/") != 0) return 1;
    if (strcmp(what, "fork") == 0) fork_then_lose();
    if (strcmp(what, "tell") == 0) tell();
    if (strcmp(what, "grow") == 0) grow();
    if (strcmp(what, "twice") == 0) free_twice();
    if (strcmp(what, "after") == 0) write_after_free();
    below(what);
    wipe();
    fflush(stdout);
    end_as(what);
  }
  return 0;
}
