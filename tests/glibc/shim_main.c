// SPDX-License-Identifier: MIT
//
// The end of every glibc test that is built here: `run` gives this file under the two names that
// the tests include last (support/test-driver.c and test-skeleton.c). It holds main and the
// functions of shim.h. The test's own do_test, or TEST_FUNCTION in the old ones, is run in a child,
// as glibc does, so that a crash is told from a failure and an expected signal could be.
// There is no timeout here: `run` kills the process group of a test that hangs.
#include "shim.h"

#include <stdarg.h>

#ifdef TEST_FUNCTION
#define SHIM_RUN_TEST() TEST_FUNCTION
#else
#define SHIM_RUN_TEST() do_test()
#endif
#ifndef EXPECTED_STATUS
#define EXPECTED_STATUS 0
#endif
#ifndef EXPECTED_SIGNAL
#define EXPECTED_SIGNAL 0
#endif

// Failed checks so far, in memory that children share.
static int *shim_failures;

// A test in a loop can fail millions of times.
enum { SHIM_PRINTED_FAILURES = 20 };

void shim_fail(const char *file, int line, const char *format, ...)
{
  if (__atomic_add_fetch(shim_failures, 1, __ATOMIC_RELAXED) > SHIM_PRINTED_FAILURES) return;
  va_list arguments;
  va_start(arguments, format);
  printf("%s:%d: ", file, line);
  vprintf(format, arguments);
  putchar('\n');
  va_end(arguments);
}

// For calls that return an error number.
static void shim_must_be_zero(int error, const char *what)
{
  if (error != 0) FAIL_EXIT1("%s: %s", what, strerror(error));
}

static void *shim_must_not_be_null(void *pointer, const char *what)
{
  if (pointer == NULL) FAIL_EXIT1("%s: %s", what, strerror(errno));
  return pointer;
}

static int shim_must_not_be_negative(int result, const char *what)
{
  if (result < 0) FAIL_EXIT1("%s: %s", what, strerror(errno));
  return result;
}

void write_message(const char *text)
{
  if (write(STDOUT_FILENO, text, strlen(text)) < 0) _exit(1);
}

void *xmalloc(size_t size)
{
  return shim_must_not_be_null(malloc(size), "malloc");
}

void *xcalloc(size_t count, size_t size)
{
  return shim_must_not_be_null(calloc(count, size), "calloc");
}

pid_t xfork(void)
{
  return shim_must_not_be_negative(fork(), "fork");
}

int xopen(const char *path, int flags, mode_t mode)
{
  return shim_must_not_be_negative(open(path, flags, mode), path);
}

void *xmmap(void *address, size_t size, int protection, int flags, int fd)
{
  void *mapping = mmap(address, size, protection, flags, fd, 0);
  return shim_must_not_be_null(mapping == MAP_FAILED ? NULL : mapping, "mmap");
}

void xsignal(int signal_number, sighandler_t handler)
{
  if (signal(signal_number, handler) == SIG_ERR) FAIL_EXIT1("signal: %s", strerror(errno));
}

pthread_t xpthread_create(pthread_attr_t *attributes, void *(*function)(void *), void *closure)
{
  pthread_t thread;
  shim_must_be_zero(pthread_create(&thread, attributes, function, closure), "pthread_create");
  return thread;
}

void *xpthread_join(pthread_t thread)
{
  void *result;
  shim_must_be_zero(pthread_join(thread, &result), "pthread_join");
  return result;
}

void xpthread_kill(pthread_t thread, int signal_number)
{
  shim_must_be_zero(pthread_kill(thread, signal_number), "pthread_kill");
}

void xpthread_barrier_init(pthread_barrier_t *barrier, const pthread_barrierattr_t *attributes,
                           unsigned count)
{
  shim_must_be_zero(pthread_barrier_init(barrier, attributes, count), "pthread_barrier_init");
}

void xpthread_barrier_destroy(pthread_barrier_t *barrier)
{
  shim_must_be_zero(pthread_barrier_destroy(barrier), "pthread_barrier_destroy");
}

void xpthread_barrier_wait(pthread_barrier_t *barrier)
{
  int result = pthread_barrier_wait(barrier);
  shim_must_be_zero(result == PTHREAD_BARRIER_SERIAL_THREAD ? 0 : result, "pthread_barrier_wait");
}

void xpthread_barrierattr_init(pthread_barrierattr_t *attributes)
{
  shim_must_be_zero(pthread_barrierattr_init(attributes), "pthread_barrierattr_init");
}

void xpthread_barrierattr_setpshared(pthread_barrierattr_t *attributes, int shared)
{
  shim_must_be_zero(pthread_barrierattr_setpshared(attributes, shared),
                    "pthread_barrierattr_setpshared");
}

void xpthread_barrierattr_destroy(pthread_barrierattr_t *attributes)
{
  shim_must_be_zero(pthread_barrierattr_destroy(attributes), "pthread_barrierattr_destroy");
}

void *support_shared_allocate(size_t size)
{
  size_t total = size + MALLOC_ALIGNMENT;
  size_t *start = xmmap(NULL, total, PROT_READ | PROT_WRITE, MAP_ANONYMOUS | MAP_SHARED, -1);
  *start = total;
  return (char *)start + MALLOC_ALIGNMENT;
}

void support_shared_free(void *memory)
{
  size_t *start = (size_t *)((char *)memory - MALLOC_ALIGNMENT);
  munmap(start, *start);
}

int create_temp_file(const char *base, char **path)
{
  const char *folder = getenv("TMPDIR");
  char name[4096];
  snprintf(name, sizeof name, "%s/%s-XXXXXX", folder == NULL ? _PATH_TMP : folder, base);
  int fd = mkstemp(name);
  if (fd >= 0 && path != NULL) *path = shim_must_not_be_null(strdup(name), "strdup");
  return fd;
}

// The exit status of the whole program, from the wait status of the child that ran the test.
static int shim_judge(int wait_status)
{
  int signal_number = WIFSIGNALED(wait_status) ? WTERMSIG(wait_status) : 0;
  int status = WIFEXITED(wait_status) ? WEXITSTATUS(wait_status) : 0;
  if (signal_number != EXPECTED_SIGNAL) {
    printf("ended by signal %d (%s)\n", signal_number, strsignal(signal_number));
    return 1;
  }
  if (*shim_failures != 0) {
    printf("%d failed checks\n", *shim_failures);
    return 1;
  }
  return status == EXPECTED_STATUS ? 0 : status == 0 ? 1 : status;
}

int main(void)
{
  setvbuf(stdout, NULL, _IONBF, 0);
  shim_failures = support_shared_allocate(sizeof *shim_failures);
  // As glibc's driver: where the allocator can fill blocks, it does, and zeroing is really tested.
  mallopt(M_PERTURB, 42);
  pid_t child = xfork();
  if (child == 0) exit(SHIM_RUN_TEST());
  int wait_status;
  if (waitpid(child, &wait_status, 0) != child) FAIL_EXIT1("waitpid: %s", strerror(errno));
  return shim_judge(wait_status);
}
