// SPDX-License-Identifier: MIT
#include "os/threads.h"

#include <fcntl.h>
#include <signal.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "base/format.h"
#include "os/direct.h"
#include "os/probe.h"
#include "os/snapshot.h"
#include "os/system.h"
#include "os/thread.h"

enum { STATUS_BYTES = 2048, STACK_FIELD = 28, STRUCTURE_WORDS = 512, STACK_UNIT = 4096 };

// No thread has a larger stack, nor more data of its own above it.
#define STACK_MOST_BYTES ((uintptr_t)1 << 36)
#define LOCALS_MOST_BYTES ((uintptr_t)1 << 30)

struct folder_entry {
  uint64_t inode;
  int64_t offset;
  unsigned short bytes;
  unsigned char type;
  char name[];
};

INTERNAL int os_threads_open(uint32_t number, const char *file, int flags)
{
  char path[64] = {0};
  struct format format = format_begin(path, sizeof path - 1);
  format_text(&format, "/proc/");
  if (os_process_id() == (size_t)getpid()) {
    format_text(&format, "self");
  } else {
    format_number(&format, os_process_id(), 0);
  }
  format_text(&format, "/task");
  if (number != 0) {
    format_text(&format, "/");
    format_number(&format, number, 0);
    format_text(&format, file);
  }
  return os_direct_open(path, flags | O_RDONLY | O_CLOEXEC, 0);
}

static void add_thread(struct os_threads *threads, const char *name)
{
  uint32_t number = 0;
  if (name[0] < '0' || name[0] > '9') return;
  for (; *name >= '0' && *name <= '9'; name++) number = number * 10 + (uint32_t)(*name - '0');
  if (threads->count < OS_THREADS_MOST) {
    threads->numbers[threads->count++] = number;
  } else {
    threads->is_cut = true;
  }
}

// All of a short file, terminated; false if it cannot be read.
static bool read_short(int file, char *text, size_t bytes)
{
  if (file < 0) return false;
  memset(text, 0, bytes);
  ssize_t got = os_direct_read(file, text, bytes - 1);
  os_direct_close(file);
  return got > 0;
}

// Whether /proc is of a namespace of processes around this one's: then it gives this process two
// numbers or more.
static bool is_proc_foreign(void)
{
  char text[STATUS_BYTES];
  int file = os_direct_open("/proc/self/status", O_RDONLY | O_CLOEXEC, 0);
  if (!read_short(file, text, sizeof text)) return true;
  const char *at = strstr(text, "\nNSpid:");  // before Linux 4.1 there is none
  if (at == NULL) return false;
  unsigned numbers = 0;
  for (at += strlen("\nNSpid:"); *at != '\n' && *at != '\0'; at++) {
    numbers += at[0] >= '0' && at[0] <= '9' && (at[1] < '0' || at[1] > '9');
  }
  return numbers != 1;
}

INTERNAL bool os_threads_list(struct os_threads *threads)
{
  _Alignas(8) char buffer[STATUS_BYTES] = {0};
  int folder = os_threads_open(0, "", O_DIRECTORY);
  if (folder < 0) return false;
  threads->count = 0;
  threads->is_cut = false;
  long got;
  while ((got = syscall(SYS_getdents64, folder, buffer, sizeof buffer)) > 0) {
    for (long at = 0; at < got;) {
      const struct folder_entry *entry = (const struct folder_entry *)(const void *)(buffer + at);
      add_thread(threads, entry->name);
      at += entry->bytes;
    }
  }
  os_direct_close(folder);
  threads->is_foreign = is_proc_foreign();
  return got == 0;
}

INTERNAL bool os_threads_has(const struct os_threads *threads, uint32_t number)
{
  for (uint32_t i = 0; i < threads->count; i++) {
    if (threads->numbers[i] == number) return true;
  }
  return false;
}

static uint64_t read_signal_mask(const char *text)
{
  uint64_t value = 0;
  while (*text == ' ' || *text == '\t') text++;
  for (;; text++) {
    if (*text >= '0' && *text <= '9') {
      value = value << 4 | (uint64_t)(*text - '0');
    } else if (*text >= 'a' && *text <= 'f') {
      value = value << 4 | (uint64_t)(*text - 'a' + 10);
    } else {
      return value;
    }
  }
}

INTERNAL bool os_threads_look(uint32_t number, struct os_thread_state *state)
{
  char text[STATUS_BYTES];
  if (!read_short(os_threads_open(number, "/status", 0), text, sizeof text)) return false;
  const char *word = strstr(text, "\nState:");
  const char *blocked = strstr(text, "\nSigBlk:");
  if (word == NULL || blocked == NULL) return false;
  word += strlen("\nState:");
  while (*word == ' ' || *word == '\t') word++;
  state->is_over = *word == 'Z' || *word == 'X';
  state->blocked = read_signal_mask(blocked + strlen("\nSigBlk:"));
  return true;
}

INTERNAL bool os_threads_awaits_signals(uint32_t number)
{
  char text[STATUS_BYTES];
  if (!read_short(os_threads_open(number, "/syscall", 0), text, sizeof text)) return false;
  long call = 0;
  if (text[0] < '0' || text[0] > '9') return false;  // "running", or it was interrupted
  for (const char *at = text; *at >= '0' && *at <= '9'; at++) call = call * 10 + (*at - '0');
  return call == SYS_rt_sigtimedwait;
}

INTERNAL uintptr_t os_threads_find(uintptr_t address, const uint64_t *words, size_t count)
{
#if defined(__x86_64__)
  for (size_t i = 0; i + 2 < count; i++) {
    uintptr_t here = address + i * sizeof words[0];
    if (words[i] == here && words[i + 2] == here) return here;
  }
#endif
  (void)address, (void)words, (void)count;
  return 0;
}

// Its words are three sizes that belong together: an address, and multiples of an os page.
static bool is_stack_noted(const uint64_t words[3], uintptr_t thread, uintptr_t address)
{
  if (words[0] < STACK_UNIT || words[0] > address || words[0] % STACK_UNIT != 0) return false;
  if (words[1] > STACK_MOST_BYTES || words[1] % STACK_UNIT != 0) return false;
#if defined(__GLIBC__)
  if (words[2] >= words[1] || words[2] % STACK_UNIT != 0) return false;
#endif
  uintptr_t below = thread - words[0];
  return words[1] > below && words[1] - below < LOCALS_MOST_BYTES;
}

// Where the C library's words about a thread are.
static uintptr_t structure_of(uintptr_t thread)
{
#if defined(__x86_64__)
  return thread;
#else
  return thread - STRUCTURE_WORDS * sizeof(uint64_t);  // they end there
#endif
}

INTERNAL bool os_threads_stack(uintptr_t thread, uintptr_t address, struct os_thread_stack *stack)
{
  uint64_t words[STRUCTURE_WORDS];
  uintptr_t structure = structure_of(thread);
  if (address >= thread) return false;
  size_t count = os_snapshot_copy(words, (const void *)structure, sizeof words) / sizeof words[0];
  for (size_t i = 0; i + 2 < count; i++) {
    if (!is_stack_noted(&words[i], thread, address)) continue;
    *stack = (struct os_thread_stack){words[i], words[i + 1], 0};
#if defined(__GLIBC__)
    stack->guard_bytes = words[i + 2];
#endif
    return true;
  }
  return false;
}

INTERNAL uintptr_t os_threads_own_low(uintptr_t address)
{
  uintptr_t thread = os_thread_id(), word;
  uint64_t words[3] = {0};
  struct os_probe probe = {0, false};
  uintptr_t at = structure_of(thread);
  for (size_t i = 0; i < STRUCTURE_WORDS; i++, at += sizeof word) {
    if (!os_probe_word(&probe, at, &word)) return 0;
    words[0] = words[1];
    words[1] = words[2];
    words[2] = word;
    if (i >= 2 && address < thread && is_stack_noted(words, thread, address)) return words[0];
  }
  return 0;
}

INTERNAL bool os_threads_is_on_signal_stack(void)
{
  stack_t stack;
  return sigaltstack(NULL, &stack) == 0 && (stack.ss_flags & SS_ONSTACK) != 0;
}

// The fields are counted from the name on, which may hold anything but is in parentheses.
INTERNAL uintptr_t os_threads_first_stack(void)
{
  char text[STATUS_BYTES];
  int file = os_direct_open("/proc/self/stat", O_RDONLY | O_CLOEXEC, 0);
  if (!read_short(file, text, sizeof text)) return 0;
  const char *at = strrchr(text, ')');
  uintptr_t value = 0;
  for (int field = 2; at != NULL && field < STACK_FIELD; field++) {
    at = strchr(at, ' ');
    if (at != NULL) at++;
  }
  for (; at != NULL && *at >= '0' && *at <= '9'; at++) value = value * 10 + (uintptr_t)(*at - '0');
  return value;
}
