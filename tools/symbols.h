// SPDX-License-Identifier: MIT
//
// Which function, file and line an address of a process was, told from the mappings in a track file
// and from the files that are mapped; the process itself may have ended. Debug information is found
// in the files, beside them, or by debuginfod if that is set up (libdwfl). A function that was
// inlined is a frame of its own. What can't be told is left out: there is always a module and an
// offset to print instead.
#ifndef TOOLS_SYMBOLS_H
#define TOOLS_SYMBOLS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "track_file.h"

struct symbol_module {
  const char *path;     // as mapped
  const char *name;     // last part of the path
  uint64_t start, end;  // of its mappings, all together
  uint64_t offset;      // in the file, of the start
  bool is_ours;         // libmend itself
  bool has_symbols;     // some function of it is known
  uint8_t build_id[64];
  size_t build_id_length;  // 0: none, or the file can't be read
};

struct symbol_frame {
  char *function;    // demangled; NULL: unknown
  char *symbol;      // as the linker knows it; NULL likewise
  const char *file;  // of the source; NULL: unknown
  uint32_t line;     // 0: unknown
  bool is_inlined;   // into the next one
};

// What is known of one address.
struct symbol {
  uint64_t address;
  const struct symbol_module *module;  // NULL: no file was mapped there
  uint64_t offset;                     // of the call there, as addr2line takes it
  uint64_t identity;                   // the same for one place of one file, wherever it is mapped
  struct symbol_frame *frames;         // innermost first; at least one
  size_t frame_count;
};

struct symbols;

// Reads the files that are mapped in `file`, which must outlive it. NULL after a complaint. Files
// that can't be read, and such as are younger than what was written about them, are told of once.
struct symbols *symbols_open(const struct track_file *file);
void symbols_close(struct symbols *symbols);

// Of a return address: the call before it. The answer is kept until symbols_close; a second look is
// cheap.
const struct symbol *symbols_find(struct symbols *symbols, uint64_t return_address);

// Whether the code there says itself that nobody has called it: a program or a thread begins there.
bool symbols_is_outermost(const struct symbols *symbols, uint64_t return_address);

const struct symbol_module *symbols_modules(const struct symbols *symbols, size_t *count);

enum { SYMBOL_TEXT_MOST = 512 };
// "function", "libx.so+0x1234" or "0x7f001234", cut to fit and without control characters.
void symbols_name(char text[static SYMBOL_TEXT_MOST], const struct symbol *symbol, size_t frame);
// "function (file.c:12)", "function (libx.so)" or as above.
void symbols_describe(char text[static SYMBOL_TEXT_MOST], const struct symbol *symbol,
                      size_t frame);

// How many frames at a stack's inner end are mend's own: malloc and what it calls.
size_t symbols_own_frames(struct symbols *symbols, const struct track_file *file, size_t stack);

#endif
