// SPDX-License-Identifier: MIT
#include "base/output.h"

#include <errno.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "base/format.h"
#include "base/sealed.h"

static struct {
  output_function function;
  void *argument;
  int descriptor;
  bool is_checked;  // the descriptor was set: it must be of this file
  dev_t device;
  ino_t file;
} SEALED_PAGES output SEALED = {.descriptor = STDERR_FILENO};

INTERNAL void output_set(output_function function, void *argument)
{
  output.function = function;
  output.argument = argument;
}

INTERNAL void output_set_descriptor(int descriptor)
{
  int saved_errno = errno;
  struct stat status = {0};
  output.is_checked = fstat(descriptor, &status) == 0;
  output.descriptor = output.is_checked ? descriptor : -1;
  output.device = status.st_dev;
  output.file = status.st_ino;
  errno = saved_errno;
}

static bool is_of_the_file(int descriptor)
{
  struct stat status;
  return fstat(descriptor, &status) == 0 && status.st_dev == output.device &&
         status.st_ino == output.file;
}

// Where to write now; -1: nowhere.
static int usable_descriptor(void)
{
  if (!output.is_checked || is_of_the_file(output.descriptor)) return output.descriptor;
  return is_of_the_file(STDERR_FILENO) ? STDERR_FILENO : -1;
}

// (By the number of the call: the function is a cancellation point, and malloc is none.)
INTERNAL bool output_write_to(int descriptor, const char *text, size_t bytes)
{
  while (bytes > 0) {
    ssize_t written = (ssize_t)syscall(SYS_write, descriptor, text, bytes);
    if (written < 0 && errno == EINTR) continue;
    if (written <= 0) return false;
    text += written;
    bytes -= (size_t)written;
  }
  return true;
}

INTERNAL void output_write(const char *text, size_t bytes)
{
  if (output.function != NULL) {
    output.function(text, bytes, output.argument);
    return;
  }
  int saved_errno = errno;
  // A closed or full descriptor: there is nobody to tell.
  (void)output_write_to(usable_descriptor(), text, bytes);
  errno = saved_errno;
}

// The name comes last: it may be longer than the line, which is then cut off.
INTERNAL void output_complain(const char *what, int error, const char *name)
{
  char line[320];
  struct format format = format_begin(line, sizeof line - 1);
  format_text(&format, "mend: ");
  format_text(&format, what);
  format_text(&format, ": error ");
  format_number(&format, (uint64_t)error, 0);
  if (name != NULL) format_text(&format, ": ");
  if (name != NULL) format_text(&format, name);
  *format.at++ = '\n';
  output_write(line, (size_t)(format.at - line));
}
