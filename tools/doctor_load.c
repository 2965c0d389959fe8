// SPDX-License-Identifier: MIT
//
// Whether mend is in the process at all, and whether it is the one that malloc leads to.
#include <stdlib.h>
#include <string.h>

#include "doctor.h"
#include "link_order.h"
#include "text.h"

// Other libraries that replace malloc, by how their files' names begin.
static const char *const rivals[] = {"libjemalloc", "libtcmalloc", "libmimalloc", "libhoard",
                                     "libsnmalloc", "librpmalloc", "libasan",     "libtsan",
                                     "liblsan",     "vgpreload_",  "libscudo"};

// The path of a module of the process whose name begins so; NULL if there is none.
static const char *find_module(const struct target *target, const char *beginning)
{
  for (size_t i = 0; i < target->mapping_count; i++) {
    const char *path = target->mappings[i].path;
    if (path[0] == '/' && strncmp(text_base_name(path), beginning, strlen(beginning)) == 0)
      return path;
  }
  return NULL;
}

static const char *find_rival(const struct target *target)
{
  const char *path = NULL;
  for (size_t i = 0; i < sizeof rivals / sizeof rivals[0] && path == NULL; i++) {
    path = find_module(target, rivals[i]);
  }
  return path;
}

static bool was_asked_for(const struct target *target)
{
  size_t length;
  bool is_asked = false;
  char *environment = doctor_read_environment(target, &length);
  if (environment == NULL) return false;
  for (char *entry = environment; entry < environment + length; entry += strlen(entry) + 1) {
    if (strncmp(entry, "LD_PRELOAD=", 11) == 0) is_asked |= strstr(entry, "libmend") != NULL;
  }
  free(environment);
  return is_asked;
}

static void judge_absence(struct doctor *doctor, const struct link_facts *facts)
{
  const struct target *target = doctor->target;
  const char *rival = find_rival(target);
  if (facts->is_known && facts->is_static) {
    doctor_find(doctor, SEVERITY_PROBLEM, "static",
                "Link it with libmend.a or mend.o, before the C library.",
                "The program is linked statically: no library can be preloaded into it, and mend "
                "is not part of it, or its symbols were stripped.");
  } else if (facts->is_secure) {
    doctor_find(doctor, SEVERITY_PROBLEM, "secure",
                "Link it with mend (-lmend), or name the library in /etc/ld.so.preload.",
                "The process has more rights than who started it (setuid, setgid or "
                "capabilities): the dynamic linker ignores LD_PRELOAD there.");
  } else if (was_asked_for(target)) {
    doctor_find(doctor, SEVERITY_PROBLEM, "not-loaded",
                "Look at what the dynamic linker wrote to standard error: the file is not there, "
                "may not be read, or is for another machine. An absolute path is best.",
                "LD_PRELOAD names mend, but it is not in the process.");
  } else {
    doctor_find(doctor, SEVERITY_PROBLEM, "absent",
                "Start it with `mend run -- PROGRAM`, or link it with -lmend.",
                "The process does not run on mend: the library was neither preloaded nor linked.");
  }
  if (rival == NULL) return;
  doctor_find(doctor, SEVERITY_NOTE, "rival", "", "Its malloc is probably that of %s.",
              text_base_name(rival));
}

// Whether the definition of malloc that is used is mend's: the same address as mend_malloc.
static bool is_mends(const struct link_facts *malloc_facts, const struct link_facts *mend_facts)
{
  return malloc_facts->definer != NULL && mend_facts->definer != NULL &&
         malloc_facts->address == mend_facts->address;
}

static void judge_redirection(struct doctor *doctor, const struct link_facts *facts)
{
  struct link_facts own = link_facts_find(doctor->target, "mend_malloc");
  bool overrides = (doctor->remote->root.flags & MEND_ROOT_IS_OVERRIDING) != 0 ||
                   doctor->remote->root.version < 2;
  doctor->is_redirected = overrides;
  if (facts->definer != NULL && own.definer != NULL) {
    doctor->is_redirected = is_mends(facts, &own);
  }
  if (!overrides) {
    doctor_find(doctor, SEVERITY_NOTE, "core",
                "Link libmend instead of libmend-core if malloc is to be mend's, too.",
                "The program uses mend by its own names alone (libmend-core); malloc is that of "
                "%s.",
                facts->definer != NULL ? text_base_name(facts->definer) : "another library");
  } else if (!doctor->is_redirected) {
    doctor_find(doctor, SEVERITY_PROBLEM, "shadowed",
                "Preload mend, or put it before the other on the linker's command line; do not "
                "preload two allocators.",
                "mend is in the process, but malloc leads to %s, which comes before it.",
                facts->definer != NULL ? text_base_name(facts->definer) : "another definition");
  }
  link_facts_free(&own);
}

void doctor_judge_load(struct doctor *doctor)
{
  if (!doctor->target->is_live) return;
  struct link_facts facts = link_facts_find(doctor->target, "malloc");
  if (doctor->remote == NULL) {
    judge_absence(doctor, &facts);
  } else {
    judge_redirection(doctor, &facts);
    if (doctor->remote->root_count > 1) {
      doctor_find(doctor, SEVERITY_WARNING, "copies",
                  "Link mend into one module alone, or into none and preload it.",
                  "There are %u copies of mend in the process. Each has a heap of its own; a "
                  "block that one allocates and another frees ends the process.",
                  doctor->remote->root_count);
    }
  }
  link_facts_free(&facts);
}
