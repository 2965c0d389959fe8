// SPDX-License-Identifier: MIT
#include "os/snapshot.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <poll.h>
#include <sched.h>
#include <setjmp.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/annotate.h"
#include "base/bits.h"
#include "os/direct.h"
#include "os/system.h"

#ifndef SYS_close_range
#define SYS_close_range 436
#endif
#ifndef __WALL
#define __WALL 0x40000000
#endif

enum { SNAPSHOT_LOOK_MS = 100, SNAPSHOT_DESCRIPTORS = 65536, SNAPSHOT_NICENESS = 5 };

// ---------------------------------------------------------------------------------------------
// The child.

static void close_descriptors(unsigned first, unsigned last)
{
  if (first > last || syscall(SYS_close_range, first, last, 0U) == 0) return;
  struct rlimit limit;
  bool is_known = getrlimit(RLIMIT_NOFILE, &limit) == 0;
  unsigned end = is_known && limit.rlim_cur < SNAPSHOT_DESCRIPTORS ? (unsigned)limit.rlim_cur
                                                                   : (unsigned)SNAPSHOT_DESCRIPTORS;
  for (unsigned i = first; i <= last && i < end; i++) os_direct_close((int)i);
}

// What stays open here, a peer of the program would wait for.
static void close_other_descriptors(const int kept[3])
{
  unsigned next = 0;
  for (;;) {
    unsigned lowest = UINT_MAX;
    for (int i = 0; i < 3; i++) {
      bool counts = kept[i] >= 0 && (unsigned)kept[i] >= next;
      if (counts && (unsigned)kept[i] < lowest) lowest = (unsigned)kept[i];
    }
    if (lowest == UINT_MAX) break;
    if (lowest > next) close_descriptors(next, lowest - 1);
    next = lowest + 1;
  }
  close_descriptors(next, UINT_MAX);
}

// Should memory be short, this process is the one that can be spared.
static void volunteer_for_end(void)
{
  int file = os_direct_open("/proc/self/oom_score_adj", O_WRONLY | O_CLOEXEC, 0);
  if (file < 0) return;
  (void)!os_direct_write(file, "1000", 4);
  os_direct_close(file);
}

static _Noreturn void be_snapshot(const struct os_snapshot_plan *plan, int answer, long parent)
{
  annotate_frozen();
  os_process_keep_id((size_t)parent);
  (void)prctl(PR_SET_PDEATHSIG, SIGKILL, 0, 0, 0);
  if (syscall(SYS_getppid) == parent) {
    int kept[3] = {answer, plan->kept[0], plan->kept[1]};
    close_other_descriptors(kept);
    volunteer_for_end();
    if (plan->is_in_no_hurry) {
      struct sched_param none = {.sched_priority = 0};
      (void)sched_setscheduler(0, SCHED_OTHER, &none);
      (void)setpriority(PRIO_PROCESS, 0, SNAPSHOT_NICENESS);
    }
    plan->work(plan->argument, answer);
  }
  syscall(SYS_exit_group, 0);
  __builtin_unreachable();
}

// ---------------------------------------------------------------------------------------------
// The parent.

// A fork as the kernel sees it. An emulator may know only the kind that sends SIGCHLD.
static long fork_bare(void)
{
  long child = syscall(SYS_clone, 0UL, 0UL, 0UL, 0UL, 0UL);
  if (child < 0 && errno == EINVAL) child = syscall(SYS_clone, (long)SIGCHLD, 0UL, 0UL, 0UL, 0UL);
  return child;
}

INTERNAL bool os_snapshot_take(struct os_snapshot *snapshot, const struct os_snapshot_plan *plan)
{
  int ends[2];
  sigset_t all, before;
  snapshot->pause_ns = 0;
  if (pipe2(ends, O_CLOEXEC) != 0) return false;
  long parent = syscall(SYS_getpid);
  sigfillset(&all);
  pthread_sigmask(SIG_SETMASK, &all, &before);
  uint64_t begin = os_clock_ns();
  long child = fork_bare();
  if (child == 0) be_snapshot(plan, ends[1], parent);
  int error = errno;
  snapshot->pause_ns = os_clock_ns() - begin;
  pthread_sigmask(SIG_SETMASK, &before, NULL);
  os_direct_close(ends[1]);
  snapshot->child = child;
  snapshot->answer = ends[0];
  if (child > 0) return true;
  os_direct_close(ends[0]);
  errno = error;
  return false;
}

static bool has_ended(long child)
{
  siginfo_t info;
  info.si_pid = 0;
  int result = os_direct_wait_id((pid_t)child, &info, WEXITED | WNOHANG | WNOWAIT | __WALL);
  return result != 0 || info.si_pid != 0;
}

// Waits until there is something to read. A fork by another thread may have copied the pipe's other
// end: so its closing does not tell that the child has ended.
static bool await_answer(const struct os_snapshot *snapshot)
{
  for (;;) {
    struct pollfd answer = {.fd = snapshot->answer, .events = POLLIN};
    int ready = os_direct_poll(&answer, SNAPSHOT_LOOK_MS);
    if (ready > 0) return true;
    if (ready < 0 && errno != EINTR) return false;
    if (ready == 0 && has_ended(snapshot->child)) return os_direct_poll(&answer, 0) > 0;
  }
}

// `awaited`: whose answer that is; NULL: it is all there, or will come.
static bool read_part(int answer, const struct os_snapshot *awaited, void *part, size_t bytes)
{
  char *at = part;
  while (bytes > 0) {
    if (awaited != NULL && !await_answer(awaited)) return false;
    ssize_t got = os_direct_read(answer, at, bytes);
    if (got < 0 && errno == EINTR) continue;
    if (got <= 0) return false;
    at += got;
    bytes -= (size_t)got;
  }
  return true;
}

INTERNAL bool os_snapshot_read(const struct os_snapshot *snapshot, void *part, size_t bytes)
{
  return read_part(snapshot->answer, snapshot, part, bytes);
}

INTERNAL void os_snapshot_end(struct os_snapshot *snapshot)
{
  int saved_errno = errno;
  os_direct_close(snapshot->answer);
  if (!has_ended(snapshot->child)) kill((pid_t)snapshot->child, SIGKILL);
  while (os_direct_wait((pid_t)snapshot->child, __WALL) < 0 && errno == EINTR) continue;
  errno = saved_errno;
}

// ---------------------------------------------------------------------------------------------
// For the child.

INTERNAL bool os_snapshot_read_from(int answer, void *part, size_t bytes)
{
  return read_part(answer, NULL, part, bytes);
}

static struct {
  sigjmp_buf back;
  volatile uintptr_t address;  // that faulted
  volatile bool is_reading;
} copy_faults;

static void on_copy_fault(int number, siginfo_t *info, void *context)
{
  (void)context;
  if (!copy_faults.is_reading) {
    signal(number, SIG_DFL);  // it is ours: the instruction faults once more
    return;
  }
  copy_faults.address = (uintptr_t)info->si_addr;
  siglongjmp(copy_faults.back, 1);
}

INTERNAL void os_snapshot_catch_faults(void)
{
  struct sigaction action = {.sa_sigaction = on_copy_fault, .sa_flags = SA_SIGINFO | SA_NODEFER};
  sigset_t none;
  sigemptyset(&action.sa_mask);
  sigaction(SIGSEGV, &action, NULL);
  sigaction(SIGBUS, &action, NULL);
  sigemptyset(&none);
  sigaddset(&none, SIGSEGV);
  sigaddset(&none, SIGBUS);
  pthread_sigmask(SIG_UNBLOCK, &none, NULL);
}

ANNOTATE_MAY_TOUCH_FREED
static void copy_words(uint64_t *to, const volatile uint64_t *from, size_t count)
{
  for (size_t i = 0; i < count; i++) to[i] = from[i];
}

INTERNAL size_t os_snapshot_copy(void *to, const void *from, size_t bytes)
{
  if (sigsetjmp(copy_faults.back, 0) != 0) {
    copy_faults.is_reading = false;
    uintptr_t start = (uintptr_t)from;
    return copy_faults.address > start ? bits_align_down(copy_faults.address - start, 8) : 0;
  }
  copy_faults.is_reading = true;
  copy_words(to, from, bytes / 8);
  copy_faults.is_reading = false;
  return bytes;
}
