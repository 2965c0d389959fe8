// SPDX-License-Identifier: MIT
//
// A part of failing_os.h, which alone includes it: the system calls that the library makes by their
// numbers, each as this kernel answers it.
#ifndef TESTS_FAULTS_FAILING_CALLS_H
#define TESTS_FAULTS_FAILING_CALLS_H

static bool lacks_barrier(void)
{
  // The first two calls are those by which the library finds out whether there is one.
  return lacks(kernel.lacks.membarrier || (kernel.lacks.barriers && ++kernel.barriers > 2));
}

// mbind and move_pages have six arguments.
static long kernel_node_call(long number, va_list arguments)
{
  unsigned long a[6];
  for (size_t i = 0; i < 6; i++) a[i] = va_arg(arguments, unsigned long);
  if (number == SYS_mbind) check_range((void *)(uintptr_t)a[0], a[1]);
  if (lacks(kernel.lacks.numa || kernel.lacks.binding)) {
    errno = kernel.lacks.numa ? ENOSYS : EPERM;
    return -1;
  }
  return fails() ? -1 : syscall(number, a[0], a[1], a[2], a[3], a[4], a[5]);
}

// The system calls that the library makes by their numbers: membarrier, futex with three arguments
// that count, gettid, tgkill, which looks whether a thread is there, and those about nodes.
static long kernel_syscall(long number, ...)
{
  long result = -1;
  va_list arguments;
  va_start(arguments, number);
  if (number == SYS_futex) {
    void *word = va_arg(arguments, void *);
    int operation = va_arg(arguments, int);
    result = syscall(number, word, operation, va_arg(arguments, uint32_t), NULL, NULL, 0);
  } else if (number == SYS_gettid) {
    result = syscall(number);
  } else if (number == SYS_tgkill) {
    int process = va_arg(arguments, int);
    int thread = va_arg(arguments, int);
    result = syscall(number, process, thread, va_arg(arguments, int));
  } else if (number == SYS_mbind || number == SYS_move_pages) {
    result = kernel_node_call(number, arguments);
  } else if (lacks_barrier()) {
    errno = EPERM;
  } else {
    CHECK(number == SYS_membarrier);
    result = syscall(number, va_arg(arguments, int), 0, 0);
  }
  va_end(arguments);
  return result;
}

#endif
