// SPDX-License-Identifier: MIT
#include "os/system.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/auxv.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#include "base/wipe.h"
#include "os/direct.h"

#ifndef GRND_NONBLOCK
#define GRND_NONBLOCK 1
#endif

// Most programs do not open or close descriptors by number from this one on.
#define FIRST_HIDDEN_DESCRIPTOR 512

INTERNAL uint32_t os_clock_ms(void)
{
  struct timespec now;
  clock_gettime(CLOCK_MONOTONIC_COARSE, &now);
  return (uint32_t)((uint64_t)now.tv_sec * 1000 + (uint64_t)now.tv_nsec / 1000000);
}

INTERNAL uint64_t os_clock_ns(void)
{
  struct timespec now;
  clock_gettime(CLOCK_MONOTONIC, &now);
  return (uint64_t)now.tv_sec * 1000000000 + (uint64_t)now.tv_nsec;
}

INTERNAL uint64_t os_clock_wall_ns(void)
{
  struct timespec now;
  clock_gettime(CLOCK_REALTIME, &now);
  return (uint64_t)now.tv_sec * 1000000000 + (uint64_t)now.tv_nsec;
}

INTERNAL uint64_t os_deadline_ns(uint64_t nanoseconds)
{
  uint64_t now_ns = os_clock_ns();
  return nanoseconds < UINT64_MAX - now_ns ? now_ns + nanoseconds : UINT64_MAX;
}

static void sleep_for(struct timespec rest)
{
  while (os_direct_sleep(&rest, &rest) != 0 && errno == EINTR) continue;
}

INTERNAL void os_sleep_ms(uint32_t ms)
{
  sleep_for((struct timespec){(time_t)(ms / 1000), (long)(ms % 1000) * 1000000});
}

INTERNAL void os_sleep_us(uint32_t us)
{
  sleep_for((struct timespec){(time_t)(us / 1000000), (long)(us % 1000000) * 1000});
}

INTERNAL char *const *os_environment(void)
{
  return getauxval(AT_SECURE) != 0 ? NULL : environ;
}

static bool ask_kernel(char *bytes, size_t count)
{
  while (count > 0) {
    long got = syscall(SYS_getrandom, bytes, count, GRND_NONBLOCK);
    if (got < 0 && errno == EINTR) continue;
    if (got <= 0) return false;
    bytes += got;
    count -= (size_t)got;
  }
  return true;
}

static bool read_device(char *bytes, size_t count)
{
  int file = os_direct_open("/dev/urandom", O_RDONLY | O_CLOEXEC, 0);
  if (file < 0) return false;
  while (count > 0) {
    ssize_t got = os_direct_read(file, bytes, count);
    if (got < 0 && errno == EINTR) continue;
    if (got <= 0) break;
    bytes += got;
    count -= (size_t)got;
  }
  os_direct_close(file);
  return count == 0;
}

// Seeds the numbers by what they were seeded by before and by four words more.
static void stir_in(struct rng *rng, const uint64_t words[4])
{
  uint64_t key[4];
  for (unsigned i = 0; i < 4; i++) key[i] = words[i] ^ rng_bits(rng, 64);
  rng_seed(rng, (const uint8_t *)key);
}

// The kernel gives each program that it starts 16 random bytes. The C library uses them too, so
// nothing may be handed out from which they could be found.
static void guess(char *bytes, size_t count)
{
  static _Atomic(uint64_t) calls;
  static const uint8_t nothing[32];
  struct timespec now;
  struct rng rng;
  uint64_t given[4] = {0};
  const void *random = (const void *)getauxval(AT_RANDOM);
  if (random != NULL) memcpy(given, random, 16);
  clock_gettime(CLOCK_REALTIME, &now);
  rng_seed(&rng, nothing);
  stir_in(&rng, given);
  stir_in(&rng, (uint64_t[4]){os_clock_ns(), (uint64_t)now.tv_sec, (uint64_t)now.tv_nsec,
                              (uint64_t)getpid()});
  stir_in(&rng, (uint64_t[4]){(uintptr_t)&rng, (uintptr_t)guess, (uintptr_t)clock_gettime,
                              atomic_fetch_add(&calls, 1)});
  for (size_t i = 0; i < count; i++) bytes[i] = (char)rng_bits(&rng, 8);
}

INTERNAL void os_entropy(void *bytes, size_t count)
{
  if (!ask_kernel(bytes, count) && !read_device(bytes, count)) guess(bytes, count);
}

INTERNAL void os_seed(struct rng *rng)
{
  uint8_t key[32] = {0};  // MemorySanitizer does not see what the kernel writes
  os_entropy(key, sizeof key);
  rng_seed(rng, key);
  wipe_memory(key, sizeof key);
}

static size_t process_copied;  // whose frozen copy this process is; 0: it is none

INTERNAL void os_process_keep_id(size_t id)
{
  process_copied = id;
}

INTERNAL size_t os_process_id(void)
{
  return process_copied != 0 ? process_copied : (size_t)getpid();
}

INTERNAL int os_duplicate_descriptor(int descriptor)
{
  int copy = fcntl(descriptor, F_DUPFD_CLOEXEC, FIRST_HIDDEN_DESCRIPTOR);
  // A low limit on descriptors leaves no room up there: any number will do.
  return copy >= 0 ? copy : fcntl(descriptor, F_DUPFD_CLOEXEC, 3);
}

// The value of a line "name:     123 kB"; 0 if there is none.
static size_t line_bytes(const char *text, const char *name)
{
  size_t kib = 0;
  const char *at = strstr(text, name);
  if (at == NULL) return 0;
  for (at += strlen(name); *at == ' ' || *at == '\t'; at++) continue;
  for (; *at >= '0' && *at <= '9'; at++) kib = kib * 10 + (size_t)(*at - '0');
  return kib << 10;
}

INTERNAL struct os_resident os_resident(void)
{
  char text[4096];
  int file = os_direct_open("/proc/self/status", O_RDONLY | O_CLOEXEC, 0);
  if (file < 0) return (struct os_resident){0, 0};
  ssize_t length = os_direct_read(file, text, sizeof text - 1);
  os_direct_close(file);
  text[length > 0 ? length : 0] = '\0';
  return (struct os_resident){line_bytes(text, "\nVmRSS:"), line_bytes(text, "\nVmHWM:")};
}
