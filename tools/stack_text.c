// SPDX-License-Identifier: MIT
#include "stack_text.h"

#include <inttypes.h>
#include <string.h>

#include "demangle.h"
#include "plain.h"

#define UNKNOWN_STACK "    (a stack that could not be told)\n"
#define NOT_TRACKED "    (not tracked: MEND_LEAKS=1 has all stacks, MEND_PROFILE=1 samples)\n"

enum { STACK_MOST = 32 };  // frames that the library keeps

void stack_text_command(const struct track_file *file, FILE *stream)
{
  if (file->argument_count == 0) plain_write(stream, file->program);
  for (size_t i = 0; i < file->argument_count; i++) {
    if (i > 0) fputc(' ', stream);
    plain_write(stream, file->arguments[i]);
  }
}

static void write_frame(const struct symbol *symbol, size_t index, size_t number, FILE *stream)
{
  const struct symbol_frame *frame = &symbol->frames[index];
  fprintf(stream, "    #%zu 0x%" PRIx64, number, symbol->address);
  if (frame->function != NULL) {
    fputs(" in ", stream);
    plain_write(stream, frame->function);
  }
  if (frame->file != NULL) {
    fputc(' ', stream);
    plain_write(stream, frame->file);
    fprintf(stream, ":%" PRIu32, frame->line);
  }
  if (symbol->module != NULL) {
    fputs(" (", stream);
    plain_write(stream, symbol->module->name);
    fprintf(stream, "+0x%" PRIx64 ")", symbol->offset);
  }
  fputc('\n', stream);
}

// One of several functions of the C++ library that were inlined into each other: the outermost
// tells what was called.
static bool is_folded(const struct symbol *symbol, size_t index)
{
  const struct symbol_frame *frame = &symbol->frames[index];
  return index + 1 < symbol->frame_count && frame->is_inlined &&
         is_of_cpp_library(frame[0].function) && is_of_cpp_library(frame[1].function);
}

void stack_text_write(struct symbols *symbols, const struct track_file *file, size_t stack,
                      FILE *stream)
{
  const uint64_t *frames = track_frames(file, stack);
  size_t count = file->stacks[stack].frame_count;
  size_t first = symbols_own_frames(symbols, file, stack);
  size_t number = 0;
  bool is_untracked = file->mode != TRACK_EXACT && count == 0;
  if (first >= count) fputs(is_untracked ? NOT_TRACKED : UNKNOWN_STACK, stream);
  for (size_t i = first; i < count; i++) {
    const struct symbol *symbol = symbols_find(symbols, frames[i]);
    for (size_t j = 0; j < symbol->frame_count; j++) {
      if (!is_folded(symbol, j)) write_frame(symbol, j, number++, stream);
    }
  }
}

static bool is_of_c_library(const struct symbol_module *module)
{
  return module != NULL &&
         (strncmp(module->name, "libc.", 5) == 0 || strncmp(module->name, "libc-", 5) == 0 ||
          strncmp(module->name, "libpthread", 10) == 0 || strncmp(module->name, "ld-", 3) == 0);
}

// Whether a frame is of a function that begins programs or threads.
static bool is_beginning(const struct symbol *symbol)
{
  static const char *const names[] = {"main", "_start", "start_thread", "__libc_start_call_main",
                                      "__libc_start_main"};
  const char *function = symbol->frames[symbol->frame_count - 1].function;
  for (size_t i = 0; function != NULL && i < sizeof names / sizeof names[0]; i++) {
    if (strcmp(function, names[i]) == 0) return true;
  }
  return false;
}

bool stack_text_is_cut(struct symbols *symbols, const struct track_file *file, size_t stack)
{
  const uint64_t *frames = track_frames(file, stack);
  size_t count = file->stacks[stack].frame_count;
  size_t first = symbols_own_frames(symbols, file, stack);
  if (first == count || count >= STACK_MOST) return false;
  if (symbols_is_outermost(symbols, frames[count - 1])) return false;
  const struct symbol *outermost = symbols_find(symbols, frames[count - 1]);
  if (is_beginning(outermost)) return false;
  if (!is_of_c_library(outermost->module)) return true;
  while (first < count && is_of_c_library(symbols_find(symbols, frames[first])->module)) first++;
  return first == count;
}
