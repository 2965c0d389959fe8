// SPDX-License-Identifier: MIT
#include "profile_output.h"

#include <stdlib.h>
#include <string.h>

#include "command.h"
#include "output.h"
#include "text.h"

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

const struct profile_format *profile_format_of_file(const char *path)
{
  const struct profile_format *found = NULL;
  size_t longest = 0;
  // As Valgrind calls its files: massif.out.1234.
  if (path != NULL && strncmp(text_base_name(path), "massif.out.", 11) == 0) {
    return profile_format_find("massif");
  }
  for (size_t i = 0; path != NULL && i < FORMATS; i++) {
    size_t length = strlen(formats[i].suffix);
    if (length <= longest || !ends_in(path, formats[i].suffix)) continue;
    found = &formats[i];
    longest = length;
  }
  if (found != NULL || path == NULL || strchr(text_base_name(path), '.') == NULL) {
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
    table.has_colour = output_has_colour(stream);
    return profile_write_table(profile, &table, stream);
  }
  if (format->is_compressed_as_gz && output->path != NULL && ends_in(output->path, ".gz")) {
    return write_compressed(format, profile, stream);
  }
  return format->write(profile, stream);
}

bool profile_output(const struct profile_output *profile_output, const struct profile *profile)
{
  struct output output;
  if (!output_open(&output, profile_output->path, profile_output->stream)) return false;
  if (write_profile(profile_output, profile, output.stream)) return output_close(&output);
  output_abandon(&output);
  return false;
}
