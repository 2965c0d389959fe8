// SPDX-License-Identifier: MIT
#include "profile_output.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "command.h"

struct profile_format {
  const char *name;
  const char *suffix;  // of the names of files in it
  bool (*write)(const struct profile *profile, FILE *stream);
  bool is_compressed_as_gz;  // if the file's name ends so
};

static const struct profile_format formats[] = {
    {"table", ".txt", NULL, false},
    {"track", ".track", NULL, false},
    {"pprof", ".pb.gz", profile_write_pprof, false},
    {"collapsed", ".collapsed.txt", profile_write_collapsed, false},
    {"heap", ".heap", profile_write_heap, false},
    {"heaptrack", ".heaptrack", profile_write_heaptrack, true},
    {"heaptrack", ".heaptrack.gz", profile_write_heaptrack, true},
    {"massif", ".massif", profile_write_massif, false},
    {"json", ".json", profile_write_json, false},
};
enum { FORMATS = sizeof formats / sizeof formats[0] };

const struct profile_format *profile_format_find(const char *name)
{
  for (size_t i = 0; i < FORMATS; i++) {
    if (strcmp(name, formats[i].name) == 0) return &formats[i];
  }
  complain("there is no format '%s'; `mend profile --help` lists them", name);
  return NULL;
}

static bool ends_in(const char *text, const char *end)
{
  size_t length = strlen(text);
  return length > strlen(end) && strcmp(text + length - strlen(end), end) == 0;
}

static const char *base_name(const char *path)
{
  const char *slash = strrchr(path, '/');
  return slash != NULL ? slash + 1 : path;
}

const struct profile_format *profile_format_of_file(const char *path)
{
  const struct profile_format *found = NULL;
  size_t longest = 0;
  // As Valgrind calls its files: massif.out.1234.
  if (path != NULL && strncmp(base_name(path), "massif.out.", 11) == 0) {
    return profile_format_find("massif");
  }
  for (size_t i = 0; path != NULL && i < FORMATS; i++) {
    size_t length = strlen(formats[i].suffix);
    if (length <= longest || !ends_in(path, formats[i].suffix)) continue;
    found = &formats[i];
    longest = length;
  }
  if (found != NULL || path == NULL || strchr(base_name(path), '.') == NULL) {
    return found != NULL ? found : &formats[0];
  }
  complain("--output %s: the end of the name says no format: `mend profile --help` lists them, and "
           "--format says which",
           path);
  return NULL;
}

bool profile_format_is_table(const struct profile_format *format)
{
  return strcmp(format->name, "table") == 0;
}

bool profile_format_is_track(const struct profile_format *format)
{
  return strcmp(format->name, "track") == 0;
}

static bool wants_colour(FILE *stream)
{
  const char *terminal = getenv("TERM");
  const char *refusal = getenv("NO_COLOR");
  return isatty(fileno(stream)) && (refusal == NULL || *refusal == '\0') && terminal != NULL &&
         strcmp(terminal, "dumb") != 0;
}

// Through memory, and compressed.
static bool write_compressed(const struct profile_format *format, const struct profile *profile,
                             FILE *stream)
{
  char *bytes = NULL;
  size_t length = 0;
  FILE *memory = open_memstream(&bytes, &length);
  bool is_good = memory != NULL && format->write(profile, memory);
  if (memory != NULL) is_good = fclose(memory) == 0 && is_good;
  is_good = is_good && gzip_write(stream, bytes, length);
  free(bytes);
  return is_good;
}

static bool write_profile(const struct profile_output *output, const struct profile *profile,
                          FILE *stream)
{
  const struct profile_format *format = output->format;
  if (format->write == NULL) {
    struct profile_table table = output->table;
    table.has_colour = wants_colour(stream);
    return profile_write_table(profile, &table, stream);
  }
  if (format->is_compressed_as_gz && output->path != NULL && ends_in(output->path, ".gz")) {
    return write_compressed(format, profile, stream);
  }
  return format->write(profile, stream);
}

static FILE *open_output(const struct profile_output *output)
{
  if (output->path == NULL) return output->stream;
  FILE *stream = fopen(output->path, "we");
  if (stream == NULL) complain("%s: %s", output->path, strerror(errno));
  return stream;
}

// Says whether all has reached the file.
static bool close_output(const struct profile_output *output, FILE *stream)
{
  if (output->path == NULL) return true;  // the command looks at its end
  bool is_written = !ferror(stream);
  is_written = fclose(stream) == 0 && is_written;
  if (!is_written) complain("%s: it could not be written", output->path);
  return is_written;
}

bool profile_output(const struct profile_output *output, const struct profile *profile)
{
  FILE *stream = open_output(output);
  if (stream == NULL) return false;
  bool is_good = write_profile(output, profile, stream);
  return close_output(output, stream) && is_good;
}

bool profile_output_track(const struct profile_output *output, const char *path)
{
  FILE *from = fopen(path, "re");
  FILE *to = from != NULL ? open_output(output) : NULL;
  char piece[1 << 16];
  size_t length;
  while (to != NULL && (length = fread(piece, 1, sizeof piece, from)) > 0) {
    if (fwrite(piece, 1, length, to) != length) break;
  }
  bool is_read = from != NULL && !ferror(from);
  if (!is_read) complain("%s: it could not be read", path);
  if (from != NULL) fclose(from);
  return to != NULL && close_output(output, to) && is_read;
}
