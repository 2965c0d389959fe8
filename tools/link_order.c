// SPDX-License-Identifier: MIT
#include "link_order.h"

#include <elf.h>
#include <fcntl.h>
#include <link.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "module.h"

enum { AUXILIARY_MOST = 64, HEADERS_MOST = 256, DYNAMIC_MOST = 1024, MODULES_MOST = 4096 };

struct start {
  uint64_t headers;  // address of the program headers
  uint64_t count;
  bool is_secure;
};

static bool read_start(const struct target *target, struct start *start)
{
  char path[64];
  Elf64_auxv_t entries[AUXILIARY_MOST];
  *start = (struct start){0};
  snprintf(path, sizeof path, "/proc/%d/auxv", (int)target->process);
  int file = open(path, O_RDONLY | O_CLOEXEC);
  if (file < 0) return false;
  ssize_t read_bytes = read(file, entries, sizeof entries);
  close(file);
  size_t count = read_bytes > 0 ? (size_t)read_bytes / sizeof entries[0] : 0;
  for (size_t i = 0; i < count; i++) {
    if (entries[i].a_type == AT_PHDR) start->headers = entries[i].a_un.a_val;
    if (entries[i].a_type == AT_PHNUM) start->count = entries[i].a_un.a_val;
    if (entries[i].a_type == AT_SECURE) start->is_secure = entries[i].a_un.a_val != 0;
  }
  return start->headers != 0 && start->count > 0 && start->count <= HEADERS_MOST;
}

// The address of what the dynamic linker has left for debuggers; 0 if there is no such.
static uint64_t find_debug(const struct target *target, uint64_t dynamic)
{
  for (size_t i = 0; i < DYNAMIC_MOST; i++) {
    Elf64_Dyn entry;
    if (target_read(target, dynamic + i * sizeof entry, &entry, sizeof entry) != sizeof entry)
      break;
    if (entry.d_tag == DT_NULL) break;
    if (entry.d_tag == DT_DEBUG) return entry.d_un.d_ptr;
  }
  return 0;
}

// Reads the program headers: whether there is a linker, and what it has left.
static bool read_headers(const struct target *target, const struct start *start, bool *is_static,
                         uint64_t *debug)
{
  Elf64_Phdr headers[HEADERS_MOST];
  size_t bytes = start->count * sizeof headers[0];
  uint64_t bias = 0, dynamic = 0;
  *is_static = true;
  if (target_read(target, start->headers, headers, bytes) != bytes) return false;
  for (size_t i = 0; i < start->count; i++) {
    if (headers[i].p_type == PT_INTERP) *is_static = false;
    if (headers[i].p_type == PT_PHDR) bias = start->headers - headers[i].p_vaddr;
    if (headers[i].p_type == PT_DYNAMIC) dynamic = headers[i].p_vaddr;
  }
  *debug = dynamic != 0 ? find_debug(target, dynamic + bias) : 0;
  return true;
}

// The first mapping of the module that an address lies in; NULL if there is none.
static const struct mapping *find_module(const struct target *target, uint64_t address)
{
  const char *path = "";
  for (size_t i = 0; i < target->mapping_count; i++) {
    const struct mapping *mapping = &target->mappings[i];
    if (address >= mapping->start && address < mapping->end) path = mapping->path;
  }
  for (size_t i = 0; i < target->mapping_count && path[0] == '/'; i++) {
    if (strcmp(target->mappings[i].path, path) == 0) return &target->mappings[i];
  }
  return NULL;
}

static bool defines(const struct target *target, const struct mapping *mapping, const char *symbol,
                    bool is_static, uint64_t *address)
{
  int file = target_open_module(target, mapping);
  if (file < 0) return false;
  bool is_found = is_static ? module_find_symbol(file, symbol, mapping, address)
                            : module_find_export(file, symbol, mapping, address);
  close(file);
  return is_found;
}

static bool take(struct link_facts *facts, const struct target *target,
                 const struct mapping *mapping, const char *symbol)
{
  if (mapping == NULL) return false;
  if (!defines(target, mapping, symbol, facts->is_static, &facts->address)) return false;
  facts->definer = strdup(mapping->path);
  return true;
}

// The linker's list of modules, in which it looks for names.
static void follow_list(struct link_facts *facts, const struct target *target, uint64_t debug,
                        const char *symbol)
{
  struct r_debug head;
  struct link_map module;
  if (target_read(target, debug, &head, sizeof head) != sizeof head) return;
  uint64_t next = (uintptr_t)head.r_map;
  facts->is_known = next != 0;
  for (size_t i = 0; next != 0 && i < MODULES_MOST; i++) {
    if (target_read(target, next, &module, sizeof module) != sizeof module) return;
    const struct mapping *mapping = find_module(target, (uintptr_t)module.l_ld);
    if (take(facts, target, mapping, symbol)) return;
    next = (uintptr_t)module.l_next;
  }
}

struct link_facts link_facts_find(const struct target *target, const char *symbol)
{
  struct link_facts facts = {0};
  struct start start;
  uint64_t debug = 0;
  if (!target->is_live || !read_start(target, &start)) return facts;
  facts.is_secure = start.is_secure;
  if (!read_headers(target, &start, &facts.is_static, &debug)) return facts;
  if (!facts.is_static) {
    if (debug != 0) follow_list(&facts, target, debug, symbol);
    return facts;
  }
  facts.is_known = true;
  (void)take(&facts, target, find_module(target, start.headers), symbol);
  return facts;
}

void link_facts_free(struct link_facts *facts)
{
  free(facts->definer);
  *facts = (struct link_facts){0};
}
