// SPDX-License-Identifier: MIT
#include "profile.h"

#include <stdlib.h>
#include <string.h>

#include "command.h"

// Rows by hash, while they are gathered: of a row its index and 1, in a power of two of places.
struct index {
  size_t *places;
  size_t place_count;
};

int64_t profile_add(int64_t one, int64_t other)
{
  int64_t sum;
  if (!__builtin_add_overflow(one, other, &sum)) return sum;
  return one > 0 ? INT64_MAX : INT64_MIN;
}

static int64_t to_signed(uint64_t value)
{
  return value > INT64_MAX ? INT64_MAX : (int64_t)value;
}

enum profile_value profile_bytes_value(enum profile_by by)
{
  static const enum profile_value values[] = {VALUE_LIVE_BYTES, VALUE_TOTAL_BYTES,
                                              VALUE_SPARSE_BYTES};
  return values[by];
}

enum profile_value profile_count_value(enum profile_by by)
{
  return by == BY_TOTAL ? VALUE_TOTAL_COUNT : VALUE_LIVE_COUNT;
}

// ---------------------------------------------------------------------------------------------
// Rows.

static bool is_same_stack(const struct profile_row *one, const struct profile_row *other)
{
  if (one->hash != other->hash || one->depth != other->depth) return false;
  for (size_t i = 0; i < one->depth; i++) {
    if (one->stack[i]->identity != other->stack[i]->identity) return false;
  }
  return true;
}

// The row that a site belongs to, without values; false if there is no memory.
static bool make_row(struct profile_row *row, struct symbols *symbols,
                     const struct track_file *file, size_t stack)
{
  size_t own = symbols_own_frames(symbols, file, stack);
  const uint64_t *frames = track_frames(file, stack);
  *row = (struct profile_row){.depth = file->stacks[stack].frame_count - own};
  row->stack = malloc((row->depth + 1) * sizeof *row->stack);
  if (row->stack == NULL) return false;
  for (size_t i = 0; i < row->depth; i++) {
    row->stack[i] = symbols_find(symbols, frames[own + i]);
    row->hash = (row->hash ^ row->stack[i]->identity) * UINT64_C(0x9e3779b97f4a7c15);
    row->hash ^= row->hash >> 29;
  }
  return true;
}

// Adds to the row of the same stack, or becomes that row. Takes over the row's stack.
static void add_row(struct profile *profile, struct index *index, struct profile_row *row)
{
  size_t at = (size_t)row->hash & (index->place_count - 1);
  while (index->places[at] != 0) {
    struct profile_row *known = &profile->rows[index->places[at] - 1];
    if (is_same_stack(known, row)) {
      for (size_t i = 0; i < PROFILE_VALUES; i++) {
        known->values[i] = profile_add(known->values[i], row->values[i]);
      }
      free(row->stack);
      return;
    }
    at = (at + 1) & (index->place_count - 1);
  }
  profile->rows[profile->row_count++] = *row;
  index->places[at] = profile->row_count;
}

static bool add_sites(struct profile *profile, struct index *index, const struct track_file *file,
                      struct symbols *symbols, int64_t sign)
{
  for (size_t i = 0; i < file->site_count; i++) {
    const struct track_site *site = &file->sites[i];
    struct profile_row row;
    if (!make_row(&row, symbols, file, site->stack)) return false;
    const uint64_t values[PROFILE_VALUES] = {
        [VALUE_LIVE_COUNT] = site->live_count,       [VALUE_LIVE_BYTES] = site->live_bytes,
        [VALUE_TOTAL_COUNT] = site->total_count,     [VALUE_TOTAL_BYTES] = site->total_bytes,
        [VALUE_SPARSE_BYTES] = site->sparse_bytes,   [VALUE_LIVE_SAMPLES] = site->live_samples,
        [VALUE_TOTAL_SAMPLES] = site->total_samples,
    };
    for (size_t k = 0; k < PROFILE_VALUES; k++) row.values[k] = sign * to_signed(values[k]);
    add_row(profile, index, &row);
  }
  return true;
}

// ---------------------------------------------------------------------------------------------
// The whole.

static int compare_rows(const void *first, const void *second, void *argument)
{
  const enum profile_value *by = argument;
  const struct profile_row *one = first;
  const struct profile_row *two = second;
  int64_t left = one->values[*by];
  int64_t right = two->values[*by];
  if (left != right) return left < right ? 1 : -1;
  return (one->hash > two->hash) - (one->hash < two->hash);
}

static bool has_values(const struct profile_row *row)
{
  for (size_t i = 0; i < PROFILE_VALUES; i++) {
    if (row->values[i] != 0) return true;
  }
  return false;
}

static void finish(struct profile *profile)
{
  size_t kept = 0;
  for (size_t i = 0; i < profile->row_count; i++) {
    struct profile_row *row = &profile->rows[i];
    if (!has_values(row)) {
      free(row->stack);
      continue;
    }
    for (size_t k = 0; k < PROFILE_VALUES; k++) {
      profile->totals[k] = profile_add(profile->totals[k], row->values[k]);
    }
    profile->rows[kept++] = *row;
  }
  profile->row_count = kept;
  enum profile_value by = profile_bytes_value(profile->by);
  if (kept > 0) qsort_r(profile->rows, kept, sizeof *profile->rows, compare_rows, &by);
}

static int compare_pointers(const void *first, const void *second)
{
  uintptr_t one = (uintptr_t) * (const struct symbol *const *)first;
  uintptr_t two = (uintptr_t) * (const struct symbol *const *)second;
  return (one > two) - (one < two);
}

static bool collect_symbols(struct profile *profile)
{
  size_t count = 0;
  for (size_t i = 0; i < profile->row_count; i++) count += profile->rows[i].depth;
  const struct symbol **used = malloc((count + 1) * sizeof *used);
  if (used == NULL) return false;
  count = 0;
  for (size_t i = 0; i < profile->row_count; i++) {
    const struct profile_row *row = &profile->rows[i];
    memcpy(used + count, row->stack, row->depth * sizeof *used);
    count += row->depth;
  }
  qsort(used, count, sizeof *used, compare_pointers);
  for (size_t i = 0; i < count; i++) {
    if (i == 0 || used[i] != used[i - 1]) used[profile->used_count++] = used[i];
  }
  profile->symbols_used = used;
  return true;
}

size_t profile_symbol_index(const struct profile *profile, const struct symbol *symbol)
{
  const struct symbol **found = bsearch(&symbol, profile->symbols_used, profile->used_count,
                                        sizeof *profile->symbols_used, compare_pointers);
  return (size_t)(found - profile->symbols_used);
}

static bool gather(struct profile *profile)
{
  size_t most = profile->file->site_count;
  if (profile->base != NULL) most += profile->base->site_count;
  struct index index = {.place_count = 64};
  while (index.place_count < 2 * most) index.place_count *= 2;
  index.places = calloc(index.place_count, sizeof *index.places);
  profile->rows = calloc(most + 1, sizeof *profile->rows);
  bool is_made = index.places != NULL && profile->rows != NULL &&
                 add_sites(profile, &index, profile->file, profile->symbols, 1);
  if (is_made && profile->base != NULL) {
    is_made = add_sites(profile, &index, profile->base, profile->base_symbols, -1);
  }
  free(index.places);
  if (!is_made) complain("out of memory for the profile");
  return is_made;
}

bool profile_make(struct profile *profile, const struct track_file *file,
                  const struct track_file *base, enum profile_by by)
{
  *profile = (struct profile){.file = file, .base = base, .by = by};
  profile->symbols = symbols_open(file);
  if (profile->symbols == NULL) return false;
  if (base != NULL) profile->base_symbols = symbols_open(base);
  if (base != NULL && profile->base_symbols == NULL) return false;
  if (!gather(profile)) return false;
  finish(profile);
  if (collect_symbols(profile)) return true;
  complain("out of memory for the profile");
  return false;
}

void profile_free(struct profile *profile)
{
  for (size_t i = 0; i < profile->row_count; i++) free(profile->rows[i].stack);
  free(profile->rows);
  free(profile->symbols_used);
  symbols_close(profile->symbols);
  symbols_close(profile->base_symbols);
}

// ---------------------------------------------------------------------------------------------
// Functions.

struct profile_frame *profile_frames(const struct profile_row *row, size_t *count)
{
  size_t most = 1;
  for (size_t i = 0; i < row->depth; i++) most += row->stack[i]->frame_count;
  struct profile_frame *frames = malloc(most * sizeof *frames);
  *count = 0;
  if (frames == NULL) {
    complain("out of memory for a stack");
    return NULL;
  }
  for (size_t i = 0; i < row->depth; i++) {
    for (size_t k = 0; k < row->stack[i]->frame_count; k++) {
      frames[(*count)++] = (struct profile_frame){row->stack[i], k};
    }
  }
  return frames;
}

int profile_compare_frames(const struct profile_frame *one, const struct profile_frame *other)
{
  uint64_t left = one->symbol->identity;
  uint64_t right = other->symbol->identity;
  if (left != right) return left < right ? -1 : 1;
  return (one->index > other->index) - (one->index < other->index);
}
