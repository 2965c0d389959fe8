// SPDX-License-Identifier: MIT
//
// A profile as JSON: what docs/profile.md describes.
#include "profile_formats.h"

#include <inttypes.h>

#include "json_head.h"
#include "json_text.h"

static void write_values(const int64_t *values, FILE *stream)
{
  static const char *const names[PROFILE_VALUES] = {
      [VALUE_LIVE_COUNT] = "live_count",       [VALUE_LIVE_BYTES] = "live_bytes",
      [VALUE_TOTAL_COUNT] = "total_count",     [VALUE_TOTAL_BYTES] = "total_bytes",
      [VALUE_SPARSE_BYTES] = "sparse_bytes",   [VALUE_LIVE_SAMPLES] = "live_samples",
      [VALUE_TOTAL_SAMPLES] = "total_samples",
  };
  for (size_t i = 0; i < PROFILE_VALUES; i++) {
    fprintf(stream, "%s\"%s\":%" PRId64, i > 0 ? "," : "", names[i], values[i]);
  }
}

static void write_frame(const struct symbol *symbol, size_t index, FILE *stream)
{
  const struct symbol_frame *frame = &symbol->frames[index];
  fprintf(stream, "{\"address\":\"0x%" PRIx64 "\"", symbol->address);
  if (symbol->module != NULL) {
    json_write_member(stream, "module", symbol->module->path);
    fprintf(stream, ",\"offset\":\"0x%" PRIx64 "\"", symbol->offset);
  }
  if (frame->function != NULL) json_write_member(stream, "function", frame->function);
  if (frame->file != NULL) {
    json_write_member(stream, "file", frame->file);
    fprintf(stream, ",\"line\":%" PRIu32, frame->line);
  }
  if (frame->is_inlined) fputs(",\"inlined\":true", stream);
  fputc('}', stream);
}

static void write_row(const struct profile_row *row, FILE *stream)
{
  const char *separator = "";
  fputs("{", stream);
  write_values(row->values, stream);
  fputs(",\"stack\":[", stream);
  for (size_t i = 0; i < row->depth; i++) {
    for (size_t k = 0; k < row->stack[i]->frame_count; k++) {
      fputs(separator, stream);
      write_frame(row->stack[i], k, stream);
      separator = ",";
    }
  }
  fputs("]}", stream);
}

bool profile_write_json(const struct profile *profile, FILE *stream)
{
  const struct track_file *file = profile->file;
  json_head_begin(stream, "profile");
  fprintf(stream, ",\"difference\":%s,\n ", profile->base != NULL ? "true" : "false");
  json_head_track(stream, file);
  fprintf(stream, ",\"interval\":%" PRIu64, file->interval);
  fputs(",\n \"totals\":{", stream);
  write_values(profile->totals, stream);
  fputs("},\n \"sites\":[", stream);
  for (size_t i = 0; i < profile->row_count; i++) {
    fputs(i > 0 ? ",\n  " : "\n  ", stream);
    write_row(&profile->rows[i], stream);
  }
  fputs("]}\n", stream);
  return true;
}
