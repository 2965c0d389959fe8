// SPDX-License-Identifier: MIT
#include "output.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "command.h"

enum { COPY_BYTES = 1 << 16, DRAFTS_MOST = 100 };

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

// Gives a new file the group and the rights of what it is to replace, if there is something.
static bool take_rights(int file, const char *path)
{
  struct stat old, now;
  if (stat(path, &old) != 0) return true;
  if (fstat(file, &now) != 0) return false;
  if (now.st_gid != old.st_gid && fchown(file, (uid_t)-1, old.st_gid) != 0) return false;
  return fchmod(file, old.st_mode & 0777) == 0;
}

// A file without a name, in the path's folder; NULL if there can be none that is to replace it.
static FILE *open_nameless(const char *folder, const char *path)
{
  int file = open(folder, O_TMPFILE | O_RDWR | O_CLOEXEC, 0666);
  if (file < 0) return NULL;
  FILE *stream = take_rights(file, path) ? fdopen(file, "w+") : NULL;
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

// Gives the file a name of its own; NULL if it can have none. Another process of the same number,
// in another container, may have taken some.
static char *link_draft(const struct output *output)
{
  char file[32];
  snprintf(file, sizeof file, "/proc/self/fd/%d", fileno(output->stream));
  for (int i = 0; i < DRAFTS_MOST; i++) {
    char *draft;
    if (asprintf(&draft, "%s/.mend-%d-%d", output->folder, (int)getpid(), i) < 0) return NULL;
    if (linkat(AT_FDCWD, file, AT_FDCWD, draft, AT_SYMLINK_FOLLOW) == 0) return draft;
    bool is_taken = errno == EEXIST;
    free(draft);
    if (!is_taken) return NULL;
  }
  return NULL;
}

// Gives the file a name for a moment, and then that of what it replaces.
static bool publish(const struct output *output)
{
  char *draft = link_draft(output);
  bool is_renamed = draft != NULL && rename(draft, output->path) == 0;
  if (draft != NULL && !is_renamed) unlink(draft);
  free(draft);
  return is_renamed;
}

static bool copy(FILE *to, FILE *from)
{
  char piece[COPY_BYTES];
  size_t length;
  while ((length = fread(piece, 1, sizeof piece, from)) > 0) {
    if (fwrite(piece, 1, length, to) != length) return true;  // who closes it says so
  }
  return !ferror(from);
}

// Writes what the file without a name has to where it belongs.
static bool write_in_place(const struct output *output)
{
  FILE *place = fopen(output->path, "we");
  if (place == NULL) return false;
  rewind(output->stream);
  bool is_written = copy(place, output->stream) && fflush(place) == 0 && !ferror(place);
  int error = errno;
  bool is_closed = fclose(place) == 0;
  if (is_closed) errno = error;
  return is_written && is_closed;
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
  if (is_written && output->folder != NULL) is_written = publish(output) || write_in_place(output);
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
