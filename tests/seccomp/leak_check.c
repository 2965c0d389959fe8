// SPDX-License-Identifier: MIT
//
// A leak check where a filter of system calls grants no process: it fails with the filter's error,
// again and again, and the program goes on. Before that, one that was granted.
#define _GNU_SOURCE 1
#include <errno.h>
#include <mend/mend.h>
#include <mend/track.h>
#include <seccomp.h>
#include <sys/wait.h>
#include <unistd.h>

#include "../support/support.h"

static void *volatile kept;

static bool refuse_clones(int error)
{
  scmp_filter_ctx filter = seccomp_init(SCMP_ACT_ALLOW);
  bool is_refused =
      filter != NULL &&
      seccomp_rule_add(filter, SCMP_ACT_ERRNO((unsigned)error), SCMP_SYS(clone), 0) == 0 &&
      seccomp_load(filter) == 0;
  seccomp_release(filter);
  return is_refused;
}

static void check_refused(int error)
{
  kept = mend_malloc(100);
  CHECK(mend_leak_check(NULL, -1));
  if (!refuse_clones(error)) _exit(TEST_CANNOT_RUN);
  for (int i = 0; i < 10; i++) {
    struct mend_leaks leaks = {.bytes = sizeof leaks};
    errno = 0;
    CHECK(!mend_leak_check(&leaks, -1));
    CHECK(errno == error && leaks.reached_count == 0);
    void *block = mend_malloc(1000);
    CHECK(block != NULL);
    mend_free(block);
  }
  mend_free(kept);
  _exit(TEST_PASS);
}

int main(void)
{
  static const int errors[] = {EPERM, ENOSYS, EAGAIN};
  for (size_t i = 0; i < 3; i++) {
    int status;
    pid_t child = test_fork();
    if (child == 0) check_refused(errors[i]);
    CHECK(waitpid(child, &status, 0) == child);
    if (WIFEXITED(status) && WEXITSTATUS(status) == TEST_CANNOT_RUN) {
      return test_cannot_run("the kernel takes no filter");
    }
    CHECK(status == 0);
  }
  return TEST_PASS;
}
