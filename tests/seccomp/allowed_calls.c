// SPDX-License-Identifier: MIT
//
// Under a filter of system calls. docs/Security.md lists those that the library makes; with these,
// and those that a C program makes by itself, everything must go on: any other ends the process.
// Then those that it says can be done without are refused, with either error. The filter is there
// before the program starts.
#define _GNU_SOURCE 1
#include <errno.h>
#include <mend/handle.h>
#include <mend/numa.h>
#include <seccomp.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include "../support/respawn.h"
#include "../support/workout.h"

enum { CALLS_MOST = 64, GUARD_INSTALL = 102, GUARD_REMOVE = 103 };

struct call {
  char name[32];
  bool is_optional;
};

static struct {
  struct call calls[CALLS_MOST];  // of the library, as documented
  size_t count;
  const char *refused;  // NULL: nothing, "*": all that is optional
  int error;
} filter;

// What the loader, the C library and this program need besides.
static const char *const others[] = {
    "execve",
    "exit_group",
    "exit",
    "arch_prctl",
    "set_tid_address",
    "set_robust_list",
    "rseq",
    "prlimit64",
    "brk",
    "access",
    "faccessat",
    "pread64",
    "clone",
    "clone3",
    "wait4",
    "rt_sigprocmask",
    "rt_sigaction",
    "rt_sigreturn",
    "lseek",
    "readlink",
    "readlinkat",
    "newfstatat",
    "fstat",
    "ioctl",
    "pipe2",
    "dup2",
    "sched_yield",
    "restart_syscall",
    "writev",
    "kill",
    "mprotect",
    "getrandom",
    "openat",
    "read",
    "close",
    "write",
    "mmap",
    "munmap",
    "futex",
    "setrlimit",
};

// "| `name` | no | what for |": a row of the documented table; the second column says whether it
// can be refused.
static void read_documented(void)
{
  char line[512];
  bool is_there = false;
  FILE *file = fopen(MEND_DOCUMENTED, "re");
  CHECK(file != NULL);
  while (fgets(line, sizeof line, file) != NULL) {
    char needed[16];
    struct call call;
    if (line[0] == '#') is_there = strcmp(line, "## System calls\n") == 0;
    if (!is_there || sscanf(line, "| `%31[a-z0-9_]` | %15[a-z]", call.name, needed) != 2) continue;
    CHECK(strcmp(needed, "yes") == 0 || strcmp(needed, "no") == 0);
    CHECK(filter.count < CALLS_MOST);
    call.is_optional = needed[0] == 'n';
    filter.calls[filter.count++] = call;
  }
  fclose(file);
  CHECK(filter.count > 10);
}

static void add_rule(scmp_filter_ctx context, uint32_t action, const char *name)
{
  int number = seccomp_syscall_resolve_name(name);
  if (number == __NR_SCMP_ERROR) return;  // not on this machine
  int result = seccomp_rule_add(context, action, number, 0);
  CHECK(result == 0 || result == -EEXIST);
}

static bool is_refused(const struct call *call)
{
  if (filter.refused == NULL) return false;
  return strcmp(filter.refused, call->name) == 0 ||
         (strcmp(filter.refused, "*") == 0 && call->is_optional);
}

// Guards are asked for by madvise, as is other advice.
static void refuse_guards(scmp_filter_ctx context)
{
  int number = SCMP_SYS(madvise);
  uint32_t refusal = SCMP_ACT_ERRNO((uint32_t)filter.error);
  struct scmp_arg_cmp advice = {.arg = 2, .op = SCMP_CMP_EQ};
  for (advice.datum_a = GUARD_INSTALL; advice.datum_a <= GUARD_REMOVE; advice.datum_a++) {
    CHECK(seccomp_rule_add_array(context, refusal, number, 1, &advice) == 0);
  }
  advice = (struct scmp_arg_cmp){.arg = 2, .op = SCMP_CMP_LT, .datum_a = GUARD_INSTALL};
  CHECK(seccomp_rule_add_array(context, SCMP_ACT_ALLOW, number, 1, &advice) == 0);
}

static void install_filter(void)
{
  scmp_filter_ctx context = seccomp_init(SCMP_ACT_KILL_PROCESS);
  CHECK(context != NULL);
  bool no_guards = filter.refused != NULL && strcmp(filter.refused, "guards") == 0;
  if (no_guards) refuse_guards(context);
  for (size_t i = 0; i < filter.count; i++) {
    const struct call *call = &filter.calls[i];
    bool refused = is_refused(call);
    if (no_guards && strcmp(call->name, "madvise") == 0) continue;
    add_rule(context, refused ? SCMP_ACT_ERRNO((uint32_t)filter.error) : SCMP_ACT_ALLOW,
             call->name);
  }
  for (size_t i = 0; i < sizeof others / sizeof others[0]; i++) {
    bool is_listed = false;
    for (size_t j = 0; j < filter.count; j++) {
      is_listed |= strcmp(others[i], filter.calls[j].name) == 0 && is_refused(&filter.calls[j]);
    }
    if (!is_listed) add_rule(context, SCMP_ACT_ALLOW, others[i]);
  }
  CHECK(seccomp_load(context) == 0);
  seccomp_release(context);
}

static void *work(void *seed)
{
  workout_run((uintptr_t)seed, 500);
  return NULL;
}

// One that cannot grow where it is: the kernel moves its pages, or they are copied. (Where there
// is memory that has been used before, it asks how much of that there is.)
static void move_large_block(void)
{
  unsigned char *block = mend_malloc(5 * MIB);
  void *behind = mend_malloc(5 * MIB);
  CHECK(block != NULL && behind != NULL);
  pattern_fill(block, 5 * MIB, 7);
  block = mend_realloc(block, 20 * MIB);
  CHECK(block != NULL && pattern_difference(block, 5 * MIB, 7) == 5 * MIB);
  mend_free(block);
  mend_free(behind);
  void *bound = mend_numa_alloc_on_node(100000, 0);
  if (bound != NULL) (void)mend_numa_node_of(memset(bound, 1, 100000));
  mend_free(bound);
}

static void use_it(bool has_threads)
{
  static char seeds[2];
  move_large_block();
  mend_free(memset(mend_malloc(40 * MIB), 1, 40 * MIB));
  move_large_block();
  workout_run(1, 3000);
  if (has_threads) threads_run(sizeof seeds, work, seeds, 1);
  mend_handle handles[2000];
  for (size_t i = 0; i < 2000; i++) handles[i] = mend_handle_alloc(100 + i % 300);
  for (size_t i = 0; i < 2000; i++) {
    if (i % 5 != 0) mend_handle_free(handles[i]);
  }
  mend_quiescent();
  mend_defragment(NULL);
  for (size_t i = 0; i < 2000; i += 5) mend_handle_free(handles[i]);
  mend_set_output(NULL, NULL);
  mend_collect(true);
  mend_malloc_trim(0);
}

static int run_filtered(void)
{
  int status = 1;
  use_it(true);
  pid_t child = test_fork();
  if (child == 0) {
    use_it(true);
    _exit(0);
  }
  CHECK(waitpid(child, &status, 0) == child && status == 0);
  return TEST_PASS;
}

// Protecting memory the loader needs, and so it is refused later; the C library makes no threads
// then. The setters, which cannot open what is sealed any more, do nothing.
static int run_unprotected(void)
{
  void *block = mend_malloc(1);
  read_documented();
  filter.refused = "mprotect";
  filter.error = EPERM;
  install_filter();
  mend_free(block);
  use_it(false);
  return TEST_PASS;
}

// A call that is on no list must end the process, or nothing is tested.
static int call_another(void)
{
  (void)mlock(&filter, 1);
  return TEST_PASS;
}

static void check_refusal(const char *refused, int error)
{
  static struct outcome outcome;
  static const char *const environment[] = {
      "MEND_BACKGROUND", "1", "MEND_VERBOSE", "1", "MEND_STATS", "1", NULL};
  printf("refused: %s, with %s\n", refused == NULL ? "nothing" : refused, strerror(error));
  fflush(stdout);
  filter.refused = refused;
  filter.error = error;
  struct respawn run = {.argument = "run", .prepare = install_filter};
  respawn_check(&run, &outcome);
  run.environment = environment;
  respawn_check(&run, &outcome);
}

int main(int argc, char **argv)
{
  static struct outcome outcome;
  static const int errors[] = {EPERM, ENOSYS};
  if (argc > 1 && strcmp(argv[1], "run") == 0) return run_filtered();
  if (argc > 1) return strcmp(argv[1], "later") == 0 ? run_unprotected() : call_another();
  if (test_is_instrumented()) return test_cannot_run("a checker makes calls of its own");
  read_documented();
  check_refusal(NULL, 0);
  respawn_check(&(struct respawn){.argument = "later"}, &outcome);
  respawn_run(&(struct respawn){.argument = "other", .prepare = install_filter}, &outcome);
  CHECK(outcome.signal_number == SIGSYS);
  for (size_t i = 0; i < 2; i++) {
    for (size_t j = 0; j < filter.count; j++) {
      if (filter.calls[j].is_optional) check_refusal(filter.calls[j].name, errors[i]);
    }
    check_refusal("guards", errors[i]);
    check_refusal("*", errors[i]);
  }
  return TEST_PASS;
}
