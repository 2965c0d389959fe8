// SPDX-License-Identifier: MIT
#include "remote.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "command.h"
#include "process_age.h"
#include "plain.h"
#include "remote_field.h"
#include "remote_heaps.h"

enum { ROOT_BYTES_LEAST = offsetof(struct mend_root, flags), DESCRIPTOR_MOST = 4096 };
enum { HEAP_MOST = 1 << 20 };

// ---------------------------------------------------------------------------------------------
// Whether the table makes sense.

static bool is_power_of_two(uint64_t number)
{
  return number != 0 && (number & (number - 1)) == 0;
}

static bool are_sound(const struct mend_root_field *fields, size_t count, uint64_t bytes)
{
  for (size_t i = 0; i < count; i++) {
    if (!field_is_sound(fields[i], bytes)) return false;
  }
  return true;
}

static bool is_first_part_sound(const struct mend_root *root)
{
  const struct mend_root_field fields[] = {root->kind,        root->size_class, root->slices,
                                           root->block_bytes, root->carved,     root->capacity,
                                           root->used,        root->remote,     root->bits};
  // The pointers are zero before the loader has put them in.
  return root->bytes >= ROOT_BYTES_LEAST && root->region_units != NULL &&
         is_power_of_two(root->slice_bytes) && root->slice_bytes >= 4096 &&
         root->slice_bytes <= 1 << 30 && root->descriptor_bytes >= 16 &&
         root->descriptor_bytes <= DESCRIPTOR_MOST &&
         are_sound(fields, sizeof fields / sizeof fields[0], root->descriptor_bytes);
}

static bool is_second_part_sound(const struct mend_root *root)
{
  const struct mend_root_field page_fields[] = {root->heap, root->page_flags, root->object_bytes};
  const struct mend_root_field heap_fields[] = {
      root->heap_next,           root->heap_owner,       root->heap_thread,
      root->heap_is_taken,       root->heap_large_bytes, root->heap_large_count,
      root->heap_tidied_ms,      root->heap_is_given_up, root->heap_has_objects,
      root->heap_is_first_class,
  };
  const struct mend_root_field table_fields[] = {root->handle_entries, root->handle_infos,
                                                 root->handle_count};
  return are_sound(page_fields, 3, root->descriptor_bytes) && root->heap_bytes <= HEAP_MOST &&
         are_sound(heap_fields, sizeof heap_fields / sizeof heap_fields[0], root->heap_bytes) &&
         row_is_sound(root->bins, root->heap_bytes) &&
         row_is_sound(root->shelves, root->heap_bytes) &&
         (root->bins.count == 0 || root->bin_classes > 0) &&
         (uint64_t)root->bin_classes + root->shelves.count <= REMOTE_CLASSES_MOST &&
         field_is_sound(root->bin_first, root->bins.stride) &&
         field_is_sound(root->shelf_count, root->shelves.stride) &&
         row_is_sound(root->handle_rows, UINT16_MAX) &&
         are_sound(table_fields, 3, root->handle_rows.stride) && root->entry_shift < 64 &&
         root->info_class_shift < 32 && root->option_count <= REMOTE_OPTIONS_MOST;
}

// A table of the first version has none, whatever follows it in memory.
static void forget_second_part(struct mend_root *root)
{
  memset((char *)root + ROOT_BYTES_LEAST, 0, sizeof *root - ROOT_BYTES_LEAST);
}

// Reads the table at an address. False if there is none that makes sense.
static bool read_root(const struct target *target, uint64_t address, struct mend_root *root)
{
  *root = (struct mend_root){0};
  if (target_read(target, address, root, ROOT_BYTES_LEAST) != ROOT_BYTES_LEAST) return false;
  if (memcmp(root->magic, "mendroot", 8) != 0 || !is_first_part_sound(root)) return false;
  size_t bytes = root->bytes < sizeof *root ? root->bytes : sizeof *root;
  if (target_read(target, address, root, bytes) != bytes) return false;
  root->library[sizeof root->library - 1] = '\0';
  plain_make_name(root->library);
  if (root->version < 2) forget_second_part(root);
  return is_first_part_sound(root) && (root->version < 2 || is_second_part_sound(root));
}

// ---------------------------------------------------------------------------------------------
// Finding it.

struct search {
  struct remote *remote;
  bool has_unsound;
};

static bool has_started(const struct target *target, const struct mend_root *root)
{
  return number_read(target, root->region_units) != 0;
}

// Of several copies the one that has blocks, then the one that replaces malloc.
static bool is_better(const struct remote *remote, const struct mend_root *root)
{
  if (remote->root_count == 0) return true;
  bool was_started = has_started(remote->target, &remote->root);
  bool is_started = has_started(remote->target, root);
  if (was_started != is_started) return is_started;
  return (root->flags & ~remote->root.flags & MEND_ROOT_IS_OVERRIDING) != 0;
}

static bool try_root(void *argument, uint64_t address, const char *path)
{
  struct search *search = argument;
  struct remote *remote = search->remote;
  struct mend_root root;
  if (!read_root(remote->target, address, &root)) {
    search->has_unsound = true;
    return true;
  }
  if (is_better(remote, &root)) {
    free(remote->module);
    remote->module = strdup(path);
    remote->root = root;
  }
  remote->root_count++;
  return remote->root_count < 64;
}

static bool read_options(struct remote *remote)
{
  const struct mend_root *root = &remote->root;
  uint32_t count = root->option_count;
  remote->options = calloc((size_t)count + 1, sizeof *remote->options);
  remote->option_values = calloc((size_t)count + 1, sizeof *remote->option_values);
  if (remote->options == NULL || remote->option_values == NULL) return false;
  size_t bytes = count * sizeof *remote->options;
  if (target_read(remote->target, (uintptr_t)root->option_rows, remote->options, bytes) != bytes) {
    return true;
  }
  remote->option_count = count;
  for (uint32_t i = 0; i < count; i++) {
    struct mend_root_option *row = &remote->options[i];
    row->name[sizeof row->name - 1] = '\0';
    row->kind[sizeof row->kind - 1] = '\0';
    const char *at = (const char *)root->options + row->offset;
    if (row->bytes == 8) remote->option_values[i] = number_read(remote->target, at);
  }
  return true;
}

static enum remote_found find_root(struct remote *remote, struct target *target)
{
  *remote = (struct remote){.target = target};
  struct search search = {.remote = remote};
  target_each_symbol(target, "mend_root", try_root, &search);
  if (remote->root_count > 0) return REMOTE_FOUND;
  return search.has_unsound ? REMOTE_UNSOUND : REMOTE_ABSENT;
}

// Goes on with what was found.
static enum remote_found finish_open(struct remote *remote, enum remote_found found)
{
  if (found == REMOTE_UNSOUND) {
    complain("%s: its table mend_root makes no sense", remote->target->name);
  }
  if (found != REMOTE_FOUND) return found;
  if (remote->module != NULL && read_options(remote)) return REMOTE_FOUND;
  complain("out of memory");
  return REMOTE_UNSOUND;
}

enum remote_found remote_open(struct remote *remote, struct target *target)
{
  return finish_open(remote, find_root(remote, target));
}

enum remote_found remote_await(struct remote *remote, struct target *target)
{
  enum remote_found found = find_root(remote, target);
  while (found != REMOTE_FOUND && target->is_live && process_wait_young(target->process)) {
    // It may be another program meanwhile, with another memory.
    pid_t process = target->process;
    target_close(target);
    if (!target_open_process(target, process)) return REMOTE_UNSOUND;
    found = find_root(remote, target);
  }
  return finish_open(remote, found);
}

void remote_close(struct remote *remote)
{
  free(remote->module);
  free(remote->options);
  free(remote->option_values);
  free(remote->heaps);
  *remote = (struct remote){0};
}

bool remote_require(struct remote *remote, struct target *target)
{
  enum remote_found found = remote_await(remote, target);
  if (found == REMOTE_FOUND) return true;
  if (found == REMOTE_ABSENT) {
    complain("%s %s", target->name,
             target->is_live
                 ? "does not run on mend, or its symbols cannot be read; `mend doctor` says more"
                 : "has no mend in it, or the files of the program and its libraries are not what "
                   "and where they were");
  }
  return false;
}

bool remote_option(const struct remote *remote, const char *name, uint64_t *value)
{
  for (uint32_t i = 0; i < remote->option_count; i++) {
    if (strcmp(remote->options[i].name, name) != 0) continue;
    *value = remote->option_values[i];
    return true;
  }
  return false;
}

uint64_t remote_resident_bytes(const struct target *target)
{
  char path[64];
  unsigned long long whole, resident;
  if (!target->is_live) return 0;
  snprintf(path, sizeof path, "/proc/%d/statm", (int)target->process);
  FILE *file = fopen(path, "re");
  if (file == NULL) return 0;
  bool is_read = fscanf(file, "%llu %llu", &whole, &resident) == 2;
  fclose(file);
  return is_read ? resident * target->page_bytes : 0;
}

// ---------------------------------------------------------------------------------------------
// Counters.

// Keeps what is added to an address from passing its end.
static bool is_region_sound(const struct remote *remote)
{
  const struct remote_counters *counters = &remote->counters;
  uint64_t limit = UINT64_C(1) << 60;
  uint64_t region_most = UINT64_C(1) << 46;  // twice what the option `region` may be
  uint64_t slices = counters->region_units / (remote->root.slice_bytes / 16);
  return counters->region_units <= region_most / 16 && counters->region_start < limit &&
         counters->page_table < limit && slices < limit / remote->root.descriptor_bytes;
}

static void read_counters(struct remote *remote)
{
  const struct mend_root *root = &remote->root;
  const struct target *target = remote->target;
  remote->counters = (struct remote_counters){
      .region_start = number_read(target, root->region_start),
      .region_units = number_read(target, root->region_units),
      .page_table = number_read(target, root->page_table),
      .region_end = number_read(target, root->region_end),
      .region_skipped_bytes = number_read(target, root->region_skipped_bytes),
      .metadata_bytes = number_read(target, root->metadata_bytes),
      .metadata_skipped_bytes = number_read(target, root->metadata_skipped_bytes),
      .mapping_count = number_read(target, root->mapping_count),
      .purged_bytes = number_read(target, root->purged_bytes),
      .os_call_count = number_read(target, root->os_call_count),
      .lone_bytes = number_read(target, root->lone_bytes),
      .tracking_mode = number_read(target, root->tracking_mode) & 3,
      .tracking_interval = number_read(target, root->tracking_interval),
  };
  if (is_region_sound(remote)) return;
  remote->counters.region_units = 0;
  remote->torn_count++;
}

bool remote_refresh(struct remote *remote)
{
  if (!target_is_there(remote->target)) return false;
  remote->retry_count = remote->torn_count = 0;
  remote->is_cut_off = false;
  read_counters(remote);
  remote_heaps_read(remote);
  return true;
}
