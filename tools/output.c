// SPDX-License-Identifier: MIT
#include "output.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "command.h"

enum { COPY_BYTES = 1 << 16 };

static bool refuse(const struct output *output, int error)
{
  complain("%s could not be written: %s", output->path != NULL ? output->path : "the output",
           strerror(error));
  return false;
}

// Whether a new file may take the place of what is there.
static bool is_replaceable(const char *path)
{
  struct stat old;
  if (lstat(path, &old) != 0) return errno == ENOENT;
  return S_ISREG(old.st_mode) && old.st_nlink == 1 && old.st_uid == geteuid() &&
         access(path, W_OK) == 0;
}

static char *folder_of(const char *path)
{
  const char *slash = strrchr(path, '/');
  return slash == NULL ? strdup(".") : strndup(path, slash == path ? 1 : (size_t)(slash - path));
}

// A file without a name, in the path's folder, with the rights of what it is to replace.
static FILE *open_nameless(const char *folder, const char *path)
{
  struct stat old;
  int file = open(folder, O_TMPFILE | O_WRONLY | O_CLOEXEC, 0666);
  if (file < 0) return NULL;
  if (stat(path, &old) == 0) (void)fchmod(file, old.st_mode & 0777);
  FILE *stream = fdopen(file, "w");
  if (stream == NULL) close(file);
  return stream;
}

bool output_open(struct output *output, const char *path, FILE *standard)
{
  *output = (struct output){.stream = standard, .path = path};
  if (path == NULL) return true;
  output->stream = NULL;
  if (is_replaceable(path)) output->folder = folder_of(path);
  if (output->folder != NULL) output->stream = open_nameless(output->folder, path);
  if (output->stream != NULL) return true;
  free(output->folder);
  output->folder = NULL;
  output->stream = fopen(path, "we");
  return output->stream != NULL || refuse(output, errno);
}

// Gives the file a name for a moment, and then that of what it replaces.
static bool publish(const struct output *output)
{
  char file[32];
  char *draft;
  snprintf(file, sizeof file, "/proc/self/fd/%d", fileno(output->stream));
  if (asprintf(&draft, "%s/.mend-%d", output->folder, (int)getpid()) < 0) return false;
  bool is_linked = linkat(AT_FDCWD, file, AT_FDCWD, draft, AT_SYMLINK_FOLLOW) == 0;
  bool is_renamed = is_linked && rename(draft, output->path) == 0;
  int error = errno;
  if (is_linked && !is_renamed) unlink(draft);
  free(draft);
  errno = error;
  return is_renamed;
}

// Why a stream has failed: if that is forgotten by now, one byte more fails in the same way.
static int error_of(FILE *stream)
{
  if (errno == 0) (void)(fputc('\n', stream) == EOF || fflush(stream) != 0);
  return errno != 0 ? errno : EIO;
}

bool output_close(struct output *output)
{
  errno = 0;
  bool is_written = fflush(output->stream) == 0 && !ferror(output->stream);
  if (is_written && output->folder != NULL) is_written = publish(output);
  int error = is_written ? 0 : error_of(output->stream);
  if (output->path != NULL && fclose(output->stream) != 0 && is_written) error = errno;
  free(output->folder);
  return error == 0 || refuse(output, error);
}

void output_abandon(struct output *output)
{
  if (output->path != NULL) fclose(output->stream);
  free(output->folder);
}

static bool copy(FILE *to, FILE *from)
{
  char piece[COPY_BYTES];
  size_t length;
  while ((length = fread(piece, 1, sizeof piece, from)) > 0) {
    if (fwrite(piece, 1, length, to) != length) return true;  // output_close says so
  }
  return !ferror(from);
}

bool output_copy(const char *path, FILE *standard, const char *from)
{
  struct output output;
  FILE *file = fopen(from, "re");
  if (file == NULL) {
    complain("%s: %s", from, strerror(errno));
    return false;
  }
  bool is_open = output_open(&output, path, standard);
  bool is_read = is_open && copy(output.stream, file);
  if (is_open && !is_read) {
    complain("%s: %s", from, strerror(errno));
    output_abandon(&output);
  }
  fclose(file);
  return is_read && output_close(&output);
}

bool output_has_colour(FILE *stream)
{
  const char *terminal = getenv("TERM");
  const char *refusal = getenv("NO_COLOR");
  return isatty(fileno(stream)) && (refusal == NULL || *refusal == '\0') && terminal != NULL &&
         strcmp(terminal, "dumb") != 0;
}
