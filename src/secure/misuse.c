// SPDX-License-Identifier: MIT
#include "secure/misuse.h"

#include <stdlib.h>
#include <string.h>

#include "base/bits.h"
#include "base/format.h"
#include "base/options.h"
#include "base/output.h"
#include "os/maps.h"
#include "os/probe.h"
#include "os/system.h"
#include "os/thread.h"
#include "secure/vault.h"

enum {
  TEXT_BYTES = 12288,
  NAME_BYTES = 4096,
  STACKS = 3,
  PLACES = STACKS * OS_STACK_DEPTH,
  DUMP_ROW_BYTES = 16,
  DUMP_ROWS = 4,
  MOST_WAITS_MS = 1000,
};

// An address of code and the module that it is in.
struct place {
  uintptr_t address;
  uintptr_t offset;    // from the module's start
  const char *module;  // NULL: none
  bool is_code;        // there may be a call before it
};

// All that a report takes; the lock's holder has it.
static struct {
  struct os_lock lock;
  struct format format;
  struct os_stack own_stack;
  size_t place_count;
  struct place places[PLACES];
  bool knows_code;         // whether is_code of places is known
  const char *module;      // that the mapping read last belongs to
  uintptr_t module_start;  // where the first mapping of that is
  size_t names_used;
  struct os_maps_reader reader;
  char names[NAME_BYTES];
  char text[TEXT_BYTES];
} writing;

// ---------------------------------------------------------------------------------------------
// Modules.

static void add_places(const struct os_stack *stack)
{
  if (stack == NULL) return;
  for (size_t i = 0; i < stack->count && writing.place_count < PLACES; i++) {
    writing.places[writing.place_count++] = (struct place){.address = stack->addresses[i]};
  }
}

// Keeps a name; NULL if there is no room for more.
static const char *keep_name(const char *name)
{
  size_t bytes = strlen(name) + 1;
  if (bytes > NAME_BYTES - writing.names_used) return NULL;
  char *kept = writing.names + writing.names_used;
  memcpy(kept, name, bytes);
  return kept;
}

// Calls return to the middle of what may be executed, or to its end.
static void mark_code(const struct os_map *map)
{
  if (!map->is_code) return;
  writing.knows_code = true;
  for (size_t i = 0; i < writing.place_count; i++) {
    struct place *place = &writing.places[i];
    if (place->address > map->start && place->address <= map->end) place->is_code = true;
  }
}

// The mappings of a module follow each other: its name is kept from the first on, and given up if
// no address was in any of them.
static bool find_in_map(const struct os_map *map, void *unused)
{
  (void)unused;
  mark_code(map);
  if (map->path[0] == '\0') return true;
  if (writing.module == NULL || strcmp(writing.module, map->path) != 0) {
    writing.module = keep_name(map->path);
    writing.module_start = map->start - (uintptr_t)map->offset;
  }
  if (writing.module == NULL) return true;
  for (size_t i = 0; i < writing.place_count; i++) {
    struct place *place = &writing.places[i];
    if (place->address < map->start || place->address >= map->end) continue;
    place->module = writing.module;
    place->offset = place->address - writing.module_start;
    if (writing.module == writing.names + writing.names_used) {
      writing.names_used += strlen(writing.module) + 1;
    }
  }
  return true;
}

static void find_modules(const struct misuse *misuse, const struct os_stack *stack)
{
  writing.place_count = 0;
  writing.knows_code = false;
  writing.names_used = 0;
  writing.module = NULL;
  add_places(stack);
  add_places(misuse->allocation_stack);
  add_places(misuse->free_stack);
  (void)os_maps_each(&writing.reader, find_in_map, NULL);
}

// ---------------------------------------------------------------------------------------------
// Parts of the text.

static void put_text(const char *words)
{
  format_text(&writing.format, words);
}

static void put_number(uint64_t value)
{
  format_number(&writing.format, value, 1);
}

static void put_address(const void *pointer)
{
  format_hex(&writing.format, (uintptr_t)pointer);
}

// "3 bytes", "1 byte"
static void put_bytes(size_t count)
{
  put_number(count);
  put_text(count == 1 ? " byte" : " bytes");
}

static void put_first_line(struct format *format, const struct misuse *misuse)
{
  format_text(format, "mend: ");
  format_text(format, misuse->what);
  format_text(format, ": ");
  format_hex(format, (uintptr_t)misuse->pointer);
  format_text(format, "\n");
}

static void put_block(const struct misuse *misuse)
{
  put_text("  block ");
  put_address(misuse->block);
  put_text(": ");
  put_bytes(misuse->size);
  put_text(" asked for, ");
  put_number(misuse->block_bytes);
  put_text(" held");
  if (misuse->alignment > 0) {
    put_text(", aligned to ");
    put_number(misuse->alignment);
  }
  if (misuse->kind != KIND_ANY) {
    put_text(", by ");
    put_text(kind_name(misuse->kind));
  }
  put_text("\n");
}

static void put_claim(const struct block_claim *claim)
{
  const char *function = claim_function(claim);
  put_text("  freed");
  if (function != NULL) {
    put_text(" by ");
    put_text(function);
  }
  if (claim->has_size) {
    put_text(", as of ");
    put_bytes(claim->size);
  }
  if (claim->alignment > 0) {
    put_text(", as aligned to ");
    put_number(claim->alignment);
  }
  put_text("\n");
}

// Where a place is, seen from the block's start and from the end of what was asked for.
static void put_place(const char *name, const void *place, const struct misuse *misuse)
{
  uintptr_t at = (uintptr_t)place;
  uintptr_t start = (uintptr_t)misuse->block;
  put_text("  ");
  put_text(name);
  put_text(" ");
  put_address(place);
  put_text(" is ");
  if (at < start) {
    put_bytes(start - at);
    put_text(" before the block's start\n");
  } else if (at - start >= misuse->size) {
    put_bytes(at - start);
    put_text(" from the block's start, ");
    put_bytes(at - start - misuse->size);
    put_text(" behind its end\n");
  } else {
    put_bytes(at - start);
    put_text(" from the block's start, inside it\n");
  }
}

static const struct place *place_of_code(uintptr_t code)
{
  const struct place *place = writing.places;
  while (place->address != code) place++;
  return place;
}

// Without frame pointers, what has been taken for a frame may be data, and all that follows is too.
// That is not shown: it may be anybody's secrets.
static void put_stack(const char *name, uint32_t thread, const struct os_stack *stack)
{
  if (stack == NULL || stack->count == 0) return;
  put_text("  ");
  put_text(name);
  if (thread != 0) {
    put_text(" by thread ");
    put_number(thread);
  }
  put_text(":\n");
  for (size_t i = 0; i < stack->count; i++) {
    const struct place *place = place_of_code(stack->addresses[i]);
    if (i > 0 && writing.knows_code && !place->is_code) return;
    put_text("    ");
    format_hex(&writing.format, place->address);
    if (place->module != NULL) {
      put_text(" ");
      put_text(place->module);
      put_text("+");
      format_hex(&writing.format, place->offset);
    }
    put_text("\n");
  }
}

static void put_byte(struct os_probe *probe, uintptr_t at)
{
  static const char digits[] = "0123456789abcdef";
  char shown[] = " ??";
  uint8_t byte;
  if (os_probe_byte(probe, at, &byte)) {
    shown[1] = digits[byte >> 4];
    shown[2] = digits[byte & 15];
  }
  put_text(shown);
}

// Nothing of what the vault keeps: a row is in one of its os pages or in none.
static void put_memory(const void *place)
{
  if (vault_may_hold(place)) return;
  struct os_probe probe = {0, false};
  uintptr_t middle = bits_align_down((uintptr_t)place, DUMP_ROW_BYTES);
  uintptr_t start = middle - DUMP_ROWS / 2 * DUMP_ROW_BYTES;
  put_text("  memory around ");
  put_address(place);
  put_text(":\n");
  for (size_t row = 0; row < DUMP_ROWS; row++) {
    uintptr_t at = start + row * DUMP_ROW_BYTES;
    if (vault_may_hold((const void *)at)) continue;
    put_text("    ");
    format_hex(&writing.format, at);
    put_text(":");
    for (size_t i = 0; i < DUMP_ROW_BYTES; i++) put_byte(&probe, at + i);
    put_text("\n");
  }
}

// ---------------------------------------------------------------------------------------------
// The whole.

static void put_body(const struct misuse *misuse, const struct os_stack *stack)
{
  put_text("  in process ");
  put_number(os_process_id());
  put_text(", thread ");
  put_number(os_thread_number());
  put_text("\n");
  if (misuse->claim != NULL) put_claim(misuse->claim);
  if (misuse->block != NULL) {
    put_block(misuse);
    put_place("pointer", misuse->pointer, misuse);
    if (misuse->damage != NULL) put_place("damage", misuse->damage, misuse);
  }
  put_stack("called", 0, stack);
  put_stack("allocated", misuse->allocation_thread, misuse->allocation_stack);
  put_stack("freed", misuse->free_thread, misuse->free_stack);
  put_memory(misuse->damage != NULL ? misuse->damage : misuse->pointer);
}

// Not by waiting without an end: in the child of a fork the holder may be a thread that is gone.
static bool lock_writing(void)
{
  if (os_lock_is_mine(&writing.lock)) return false;
  for (unsigned waits = 0; !os_lock_try(&writing.lock); waits++) {
    if (waits == MOST_WAITS_MS) return false;
    os_sleep_ms(1);
  }
  return true;
}

static void write_first_line_alone(const struct misuse *misuse)
{
  char line[256];
  struct format format = format_begin(line, sizeof line);
  put_first_line(&format, misuse);
  output_write(line, (size_t)(format.at - line));
}

INTERNAL void misuse_write(const struct misuse *misuse)
{
  if (!lock_writing()) {
    write_first_line_alone(misuse);
    return;
  }
  const struct os_stack *stack = misuse->stack;
  if (stack == NULL) {
    os_stack_read(&writing.own_stack);
    stack = &writing.own_stack;
  }
  find_modules(misuse, stack);
  writing.format = format_begin(writing.text, sizeof writing.text);
  put_first_line(&writing.format, misuse);
  put_body(misuse, stack);
  output_write(writing.text, (size_t)(writing.format.at - writing.text));
  os_lock_release(&writing.lock);
}

INTERNAL void misuse_end(void)
{
  if (options.on_misuse == 0) abort();
  if (options.on_misuse == 1) __builtin_trap();
}

INTERNAL NOINLINE void report_misuse(const struct misuse *misuse)
{
  misuse_write(misuse);
  misuse_end();
}
