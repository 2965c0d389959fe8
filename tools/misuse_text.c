// SPDX-License-Identifier: MIT
#include "misuse_text.h"

#include <inttypes.h>

#include "plain.h"
#include "stack_text.h"
#include "symbols.h"

bool misuse_text_write(const struct track_file *file, FILE *stream)
{
  struct symbols *symbols = symbols_open(file);
  if (symbols == NULL) return false;
  fprintf(stream, "==%" PRIu64 "==ERROR: mend: ", file->pid);
  plain_write(stream, file->misuse);
  fprintf(stream, ": 0x%" PRIx64 " in ", file->misuse_address);
  stack_text_command(file, stream);
  fputs("\n\n", stream);
  for (size_t i = 0; i < file->call_count; i++) {
    const struct track_call *call = &file->calls[i];
    fputs(call->kind, stream);
    if (call->kernel_thread != 0) fprintf(stream, " by thread %" PRIu64, call->kernel_thread);
    fputs(":\n", stream);
    stack_text_write(symbols, file, call->stack, stream);
    fputc('\n', stream);
  }
  symbols_close(symbols);
  return true;
}
