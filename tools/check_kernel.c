// SPDX-License-Identifier: MIT
#include <inttypes.h>
#include <linux/membarrier.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <sys/utsname.h>
#include <unistd.h>

#include "check.h"
#include "kernel_file.h"

#ifndef MADV_GUARD_INSTALL
#define MADV_GUARD_INSTALL 102
#endif

enum { BUDGET_LEAST = 65530 };

static void check_version(void)
{
  struct utsname kernel;
  if (uname(&kernel) != 0) return;
  check_tell(FINE, "kernel", "%s %s, %s, pages of %ld bytes", kernel.sysname, kernel.release,
             kernel.machine, sysconf(_SC_PAGESIZE));
}

static void check_barrier(void)
{
  long commands = syscall(SYS_membarrier, MEMBARRIER_CMD_QUERY, 0, 0);
  if (commands > 0 && (commands & MEMBARRIER_CMD_PRIVATE_EXPEDITED) != 0) {
    check_tell(FINE, "membarrier", "scopes of handles cost no fence");
  } else {
    check_tell(WARN, "membarrier", "the kernel lacks it or forbids it: each scope costs a fence");
  }
}

static void check_guards(void)
{
  size_t bytes = (size_t)sysconf(_SC_PAGESIZE);
  void *page = mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  if (page == MAP_FAILED) return;
  if (madvise(page, bytes, MADV_GUARD_INSTALL) == 0) {
    check_tell(FINE, "guard marks", "guards of the hardened build need no mappings");
  } else {
    check_tell(WARN, "guard marks",
               "Linux before 6.13: guards of the hardened build are mappings of their own");
  }
  munmap(page, bytes);
}

static void check_huge_pages(void)
{
  enum huge_pages given;
  if (!kernel_file_huge_pages(&given) || given == HUGE_PAGES_NEVER) {
    check_tell(WARN, "huge pages", "off: set transparent_hugepage/enabled to madvise");
  } else if (prctl(PR_GET_THP_DISABLE, 0, 0, 0, 0) == 1) {
    check_tell(WARN, "huge pages", "off for this process and its children, by prctl");
  } else {
    check_tell(FINE, "huge pages", "%s",
               given == HUGE_PAGES_ALWAYS ? "always: also where nobody asks for them"
                                          : "for blocks that ask");
  }
}

static void check_overcommit(void)
{
  uint64_t mode = 0;
  (void)kernel_file_number("/proc/sys/vm/overcommit_memory", &mode);
  if (mode == 2) {
    check_tell(WARN, "overcommit", "strict: what is accessible counts, used or not");
  } else {
    check_tell(FINE, "overcommit", "what is reserved costs nothing");
  }
}

static void check_mappings(void)
{
  uint64_t most = 0;
  (void)kernel_file_number("/proc/sys/vm/max_map_count", &most);
  check_tell(most < BUDGET_LEAST ? WARN : FINE, "mappings",
             "%" PRIu64 " a process; MEND_MAP_BUDGET bounds mend's", most);
}

static void check_addresses(void)
{
  struct rlimit limit;
  if (getrlimit(RLIMIT_AS, &limit) != 0 || limit.rlim_cur == RLIM_INFINITY) {
    check_tell(FINE, "addresses", "no limit");
  } else {
    check_tell(WARN, "addresses", "limited to %ju MiB (ulimit -v): the region will be small",
               (uintmax_t)limit.rlim_cur >> 20);
  }
}

// Who may read another process: what `mend top PID` and its like do.
static void check_reading(void)
{
  uint64_t scope = 0;
  (void)kernel_file_number("/proc/sys/kernel/yama/ptrace_scope", &scope);
  if (geteuid() == 0 && scope < 3) {
    check_tell(FINE, "reading", "`mend top PID` may read every process: you are root");
  } else if (scope == 0) {
    check_tell(FINE, "reading", "`mend top PID` may read your processes");
  } else {
    check_tell(WARN, "reading", "kernel.yama.ptrace_scope is %" PRIu64 ": `mend top PID` needs %s",
               scope, scope < 3 ? "root" : "a restart with a smaller one");
  }
}

void check_kernel(void)
{
  check_version();
  check_barrier();
  check_guards();
  check_huge_pages();
  check_overcommit();
  check_mappings();
  check_addresses();
  check_reading();
}
