// SPDX-License-Identifier: MIT
//
// A profile as google/pprof's profile.proto, whose field numbers stand here. Strings are numbered
// in their order, so the empty one is number 0, as the format wants.
#include "profile_formats.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "command.h"
#include "proto.h"
#include "string_table.h"

enum {  // Profile
  PROFILE_SAMPLE_TYPE = 1,
  PROFILE_SAMPLE = 2,
  PROFILE_MAPPING = 3,
  PROFILE_LOCATION = 4,
  PROFILE_FUNCTION = 5,
  PROFILE_STRING = 6,
  PROFILE_TIME_NANOS = 9,
  PROFILE_DURATION_NANOS = 10,
  PROFILE_PERIOD_TYPE = 11,
  PROFILE_PERIOD = 12,
  PROFILE_COMMENT = 13,
  PROFILE_DEFAULT_SAMPLE_TYPE = 14
};
enum { TYPE_TYPE = 1, TYPE_UNIT = 2 };
enum { SAMPLE_LOCATION = 1, SAMPLE_VALUE = 2 };
enum {
  MAPPING_ID = 1,
  MAPPING_START = 2,
  MAPPING_LIMIT = 3,
  MAPPING_OFFSET = 4,
  MAPPING_FILE = 5,
  MAPPING_BUILD_ID = 6,
  MAPPING_HAS_FUNCTIONS = 7,
  MAPPING_HAS_FILES = 8,
  MAPPING_HAS_LINES = 9,
  MAPPING_HAS_INLINED = 10
};
enum { LOCATION_ID = 1, LOCATION_MAPPING = 2, LOCATION_ADDRESS = 3, LOCATION_LINE = 4 };
enum { LINE_FUNCTION = 1, LINE_LINE = 2 };
enum { FUNCTION_ID = 1, FUNCTION_NAME = 2, FUNCTION_SYMBOL = 3, FUNCTION_FILE = 4 };

// In the order of Go's heap profiles, and before them what those don't have: readers that know no
// default take the last.
static const struct sample_type {
  const char *type, *unit;
  enum profile_value value;
} sample_types[] = {
    {"sparse_space", "bytes", VALUE_SPARSE_BYTES}, {"alloc_objects", "count", VALUE_TOTAL_COUNT},
    {"alloc_space", "bytes", VALUE_TOTAL_BYTES},   {"inuse_objects", "count", VALUE_LIVE_COUNT},
    {"inuse_space", "bytes", VALUE_LIVE_BYTES},
};
enum { SAMPLE_TYPES = sizeof sample_types / sizeof sample_types[0] };

struct function {
  char *name;  // owned
  const char *symbol, *file;
};

struct writer {
  const struct profile *profile;
  struct proto out, part, inner;
  struct string_table strings;
  struct function *functions;  // ordered, each once
  size_t function_count;
  const struct symbol_module **modules;  // the program's first
  size_t module_count;
  char (*build_ids)[2 * sizeof((struct symbol_module *)0)->build_id + 1];
};

// ---------------------------------------------------------------------------------------------
// Everything that has a number.

static int compare_functions(const void *first, const void *second)
{
  const struct function *one = first;
  const struct function *two = second;
  int order = strcmp(one->name, two->name);
  if (order == 0) order = strcmp(one->symbol, two->symbol);
  return order != 0 ? order : strcmp(one->file, two->file);
}

// What a frame is called; false if there is no memory. Its name is to be freed.
static bool describe(struct function *function, const struct symbol *symbol, size_t index)
{
  const struct symbol_frame *frame = &symbol->frames[index];
  char text[SYMBOL_TEXT_MOST];
  symbols_name(text, symbol, index);
  *function = (struct function){
      .name = strdup(frame->function != NULL ? frame->function : text),
      .symbol = frame->symbol != NULL ? frame->symbol : "",
      .file = frame->file != NULL ? frame->file : "",
  };
  return function->name != NULL;
}

// Of the location that stands for stacks of which nothing is known.
static struct function unknown_function(void)
{
  return (struct function){.name = strdup(PROFILE_UNKNOWN), .symbol = "", .file = ""};
}

static bool collect_functions(struct writer *writer)
{
  const struct profile *profile = writer->profile;
  size_t most = 0;
  for (size_t i = 0; i < profile->used_count; i++) most += profile->symbols_used[i]->frame_count;
  writer->functions = calloc(most + 1, sizeof *writer->functions);
  if (writer->functions == NULL) return false;
  size_t count = 1;
  writer->functions[0] = unknown_function();
  if (writer->functions[0].name == NULL) return false;
  for (size_t i = 0; i < profile->used_count; i++) {
    const struct symbol *symbol = profile->symbols_used[i];
    for (size_t k = 0; k < symbol->frame_count; k++) {
      if (!describe(&writer->functions[count++], symbol, k)) return false;
    }
  }
  qsort(writer->functions, count, sizeof *writer->functions, compare_functions);
  for (size_t i = 0; i < count; i++) {
    struct function function = writer->functions[i];
    writer->functions[i].name = NULL;
    size_t kept = writer->function_count;
    if (kept > 0 && compare_functions(&function, &writer->functions[kept - 1]) == 0) {
      free(function.name);
    } else {
      writer->functions[writer->function_count++] = function;
    }
  }
  return true;
}

// The number of a function, whose name is then freed.
static size_t find_function(const struct writer *writer, struct function *wanted)
{
  if (wanted->name == NULL) return 0;
  const struct function *found =
      bsearch(wanted, writer->functions, writer->function_count, sizeof *wanted, compare_functions);
  free(wanted->name);
  return (size_t)(found - writer->functions) + 1;
}

static void add_module(struct writer *writer, const struct symbol_module *module)
{
  for (size_t i = 0; i < writer->module_count; i++) {
    if (writer->modules[i] == module) return;
  }
  writer->modules[writer->module_count++] = module;
}

static bool collect_modules(struct writer *writer)
{
  const struct profile *profile = writer->profile;
  size_t known = 0, base_known = 0;
  const struct symbol_module *modules = symbols_modules(profile->symbols, &known);
  if (profile->base_symbols != NULL) (void)symbols_modules(profile->base_symbols, &base_known);
  writer->modules = calloc(known + base_known + 1, sizeof *writer->modules);
  writer->build_ids = calloc(known + base_known + 1, sizeof *writer->build_ids);
  if (writer->modules == NULL || writer->build_ids == NULL) return false;
  for (size_t i = 0; i < known; i++) {
    if (strcmp(modules[i].path, profile->file->program) == 0) add_module(writer, &modules[i]);
  }
  for (size_t i = 0; i < profile->used_count; i++) {
    const struct symbol_module *module = profile->symbols_used[i]->module;
    if (module != NULL) add_module(writer, module);
  }
  for (size_t i = 0; i < writer->module_count; i++) {
    const struct symbol_module *module = writer->modules[i];
    for (size_t k = 0; k < module->build_id_length; k++) {
      snprintf(writer->build_ids[i] + 2 * k, 3, "%02x", module->build_id[k]);
    }
  }
  return true;
}

static bool collect_strings(struct writer *writer)
{
  const struct track_file *file = writer->profile->file;
  struct string_table *strings = &writer->strings;
  size_t most = 2 + 2 * SAMPLE_TYPES + 2 * writer->module_count + 3 * writer->function_count +
                file->argument_count;
  if (!string_table_make(strings, most)) return false;
  string_table_add(strings, "");
  string_table_add(strings, "space");
  for (size_t i = 0; i < SAMPLE_TYPES; i++) {
    string_table_add(strings, sample_types[i].type);
    string_table_add(strings, sample_types[i].unit);
  }
  for (size_t i = 0; i < writer->module_count; i++) {
    string_table_add(strings, writer->modules[i]->path);
    string_table_add(strings, writer->build_ids[i]);
  }
  for (size_t i = 0; i < writer->function_count; i++) {
    string_table_add(strings, writer->functions[i].name);
    string_table_add(strings, writer->functions[i].symbol);
    string_table_add(strings, writer->functions[i].file);
  }
  for (size_t i = 0; i < file->argument_count; i++) string_table_add(strings, file->arguments[i]);
  string_table_order(strings);
  return true;
}

static uint64_t number_of(const struct writer *writer, const char *text)
{
  return string_table_number(&writer->strings, text);
}

// ---------------------------------------------------------------------------------------------
// Messages.

static void write_type(struct writer *writer, uint32_t field, const char *type, const char *unit)
{
  proto_number(&writer->part, TYPE_TYPE, number_of(writer, type));
  proto_number(&writer->part, TYPE_UNIT, number_of(writer, unit));
  proto_message(&writer->out, field, &writer->part);
}

static void write_samples(struct writer *writer)
{
  const struct profile *profile = writer->profile;
  for (size_t i = 0; i < profile->row_count; i++) {
    const struct profile_row *row = &profile->rows[i];
    for (size_t k = 0; k < row->depth; k++) {
      proto_element(&writer->inner, profile_symbol_index(profile, row->stack[k]) + 1);
    }
    if (row->depth == 0) proto_element(&writer->inner, profile->used_count + 1);
    proto_message(&writer->part, SAMPLE_LOCATION, &writer->inner);
    for (size_t k = 0; k < SAMPLE_TYPES; k++) {
      proto_element(&writer->inner, (uint64_t)row->values[sample_types[k].value]);
    }
    proto_message(&writer->part, SAMPLE_VALUE, &writer->inner);
    proto_message(&writer->out, PROFILE_SAMPLE, &writer->part);
  }
}

static void write_mappings(struct writer *writer)
{
  struct proto *part = &writer->part;
  for (size_t i = 0; i < writer->module_count; i++) {
    const struct symbol_module *module = writer->modules[i];
    proto_number(part, MAPPING_ID, i + 1);
    proto_number(part, MAPPING_START, module->start);
    proto_number(part, MAPPING_LIMIT, module->end);
    proto_number(part, MAPPING_OFFSET, module->offset);
    proto_number(part, MAPPING_FILE, number_of(writer, module->path));
    proto_number(part, MAPPING_BUILD_ID, number_of(writer, writer->build_ids[i]));
    // Where these are missing, readers look for names themselves.
    for (uint32_t field = MAPPING_HAS_FUNCTIONS; field <= MAPPING_HAS_INLINED; field++) {
      proto_number(part, field, module->has_symbols);
    }
    proto_message(&writer->out, PROFILE_MAPPING, part);
  }
}

static uint64_t mapping_of(const struct writer *writer, const struct symbol *symbol)
{
  for (size_t i = 0; i < writer->module_count; i++) {
    if (writer->modules[i] == symbol->module) return i + 1;
  }
  return 0;
}

static void write_line(struct writer *writer, struct function *function, uint32_t line)
{
  proto_number(&writer->inner, LINE_FUNCTION, find_function(writer, function));
  proto_number(&writer->inner, LINE_LINE, line);
  proto_message(&writer->part, LOCATION_LINE, &writer->inner);
}

static void write_locations(struct writer *writer)
{
  const struct profile *profile = writer->profile;
  for (size_t i = 0; i < profile->used_count; i++) {
    const struct symbol *symbol = profile->symbols_used[i];
    proto_number(&writer->part, LOCATION_ID, i + 1);
    proto_number(&writer->part, LOCATION_MAPPING, mapping_of(writer, symbol));
    // Of the call, not of where it returns to.
    proto_number(&writer->part, LOCATION_ADDRESS, symbol->address - (symbol->address != 0));
    for (size_t k = 0; k < symbol->frame_count; k++) {
      struct function function;
      (void)describe(&function, symbol, k);
      write_line(writer, &function, symbol->frames[k].line);
    }
    proto_message(&writer->out, PROFILE_LOCATION, &writer->part);
  }
  struct function unknown = unknown_function();
  proto_number(&writer->part, LOCATION_ID, profile->used_count + 1);
  write_line(writer, &unknown, 0);
  proto_message(&writer->out, PROFILE_LOCATION, &writer->part);
}

static void write_functions(struct writer *writer)
{
  for (size_t i = 0; i < writer->function_count; i++) {
    const struct function *function = &writer->functions[i];
    proto_number(&writer->part, FUNCTION_ID, i + 1);
    proto_number(&writer->part, FUNCTION_NAME, number_of(writer, function->name));
    proto_number(&writer->part, FUNCTION_SYMBOL, number_of(writer, function->symbol));
    proto_number(&writer->part, FUNCTION_FILE, number_of(writer, function->file));
    proto_message(&writer->out, PROFILE_FUNCTION, &writer->part);
  }
}

static const char *default_type(enum profile_by by)
{
  enum profile_value value = profile_bytes_value(by);
  size_t i = 0;
  while (sample_types[i].value != value) i++;
  return sample_types[i].type;
}

static void write_all(struct writer *writer)
{
  const struct track_file *file = writer->profile->file;
  struct proto *out = &writer->out;
  for (size_t i = 0; i < SAMPLE_TYPES; i++) {
    write_type(writer, PROFILE_SAMPLE_TYPE, sample_types[i].type, sample_types[i].unit);
  }
  write_samples(writer);
  write_mappings(writer);
  write_locations(writer);
  write_functions(writer);
  for (size_t i = 0; i < writer->strings.count; i++) {
    proto_text(out, PROFILE_STRING, writer->strings.texts[i]);
  }
  proto_number(out, PROFILE_TIME_NANOS,
               file->time_seconds * UINT64_C(1000000000) + file->time_nanoseconds);
  proto_number(out, PROFILE_DURATION_NANOS, file->uptime_ms * UINT64_C(1000000));
  write_type(writer, PROFILE_PERIOD_TYPE, "space", "bytes");
  proto_number(out, PROFILE_PERIOD, file->interval != 0 ? file->interval : 1);
  for (size_t i = 0; i < file->argument_count; i++) {
    proto_number(out, PROFILE_COMMENT, number_of(writer, file->arguments[i]));
  }
  proto_number(out, PROFILE_DEFAULT_SAMPLE_TYPE,
               number_of(writer, default_type(writer->profile->by)));
}

bool profile_write_pprof(const struct profile *profile, FILE *stream)
{
  struct writer writer = {.profile = profile};
  bool is_good = collect_functions(&writer) && collect_modules(&writer) && collect_strings(&writer);
  if (is_good) write_all(&writer);
  is_good = is_good && !writer.out.has_failed;
  if (!is_good) complain("out of memory for the profile");
  is_good = is_good && gzip_write(stream, writer.out.bytes, writer.out.length);
  proto_free(&writer.out);
  proto_free(&writer.part);
  proto_free(&writer.inner);
  for (size_t i = 0; i < writer.function_count; i++) free(writer.functions[i].name);
  free(writer.functions);
  string_table_free(&writer.strings);
  free(writer.modules);
  free(writer.build_ids);
  return is_good;
}
