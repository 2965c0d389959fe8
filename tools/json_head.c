// SPDX-License-Identifier: MIT
#include "json_head.h"

#include <inttypes.h>

#include "clock.h"
#include "json_text.h"
#include "mend/mend.h"

void json_head_begin(FILE *stream, const char *name)
{
  fprintf(stream, "{\"schema\":\"mend-%s-1\",\"version\":\"" MEND_VERSION_STRING "\"", name);
}

static void write_process(FILE *stream, uint64_t pid, const char *program, uint64_t seconds,
                          uint32_t nanoseconds)
{
  fprintf(stream, "\"pid\":%" PRIu64, pid);
  json_write_member(stream, "program", program);
  fprintf(stream, ",\"time\":%" PRIu64 ".%09" PRIu32, seconds, nanoseconds);
}

void json_head_process(FILE *stream, uint64_t pid, const char *program, int64_t time_ns)
{
  write_process(stream, pid, program, (uint64_t)(time_ns / NS_A_SECOND),
                (uint32_t)(time_ns % NS_A_SECOND));
}

void json_head_track(FILE *stream, const struct track_file *file)
{
  write_process(stream, file->pid, file->program, file->time_seconds, file->time_nanoseconds);
  fputs(",\"command\":[", stream);
  for (size_t i = 0; i < file->argument_count; i++) {
    if (i > 0) fputc(',', stream);
    json_write_string(stream, file->arguments[i]);
  }
  fprintf(stream, "],\"mode\":\"%s\",\"uptime_ms\":%" PRIu64, track_mode_names[file->mode],
          file->uptime_ms);
}
