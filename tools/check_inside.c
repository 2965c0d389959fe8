// SPDX-License-Identifier: MIT
#include <dlfcn.h>
#include <limits.h>
#include <pthread.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "check.h"
#include "mend/handle.h"
#include "mend/mend.h"
#include "mend/stats.h"

// The library's functions: this program is not linked with it.
static struct {
  __typeof__(mend_version_string) *version_string;
  __typeof__(mend_is_redirected) *is_redirected;
  __typeof__(mend_owns) *owns;
  __typeof__(mend_stats_get) *stats_get;
  __typeof__(mend_handle_alloc) *handle_alloc;
  __typeof__(mend_handle_free) *handle_free;
  __typeof__(mend_resolve) *resolve;
  __typeof__(mend_quiescent) *quiescent;
  __typeof__(mend_defragment) *defragment;
} mend;

static bool lacks_names;

static void find(const char *name, void *function)
{
  void *found = dlsym(RTLD_DEFAULT, name);
  memcpy(function, &found, sizeof found);
  if (found != NULL) return;
  check_tell(WRONG, "names", "%s is not exported", name);
  lacks_names = true;
}

static bool find_functions(void)
{
  find("mend_version_string", &mend.version_string);
  find("mend_is_redirected", &mend.is_redirected);
  find("mend_owns", &mend.owns);
  find("mend_stats_get", &mend.stats_get);
  find("mend_handle_alloc", &mend.handle_alloc);
  find("mend_handle_free", &mend.handle_free);
  find("mend_resolve", &mend.resolve);
  find("mend_quiescent", &mend.quiescent);
  find("mend_defragment", &mend.defragment);
  return !lacks_names;
}

static void check_version(void)
{
  const char *version = mend.version_string();
  bool is_same = strcmp(version, MEND_VERSION_STRING) == 0;
  check_tell(is_same ? FINE : WRONG, "version", "%s%s", version,
             is_same ? "" : ", but this command is " MEND_VERSION_STRING);
}

// Each name of the malloc family must lead to the library, or blocks of two allocators meet.
static void check_names(const char *library)
{
  static const char *const names[] = {
      "malloc",
      "calloc",
      "realloc",
      "free",
      "aligned_alloc",
      "memalign",
      "posix_memalign",
      "valloc",
      "pvalloc",
      "malloc_usable_size",
      "reallocarray",
      "malloc_trim",
      "mallinfo2",
      "_Znwm",
      "_ZdlPv",
      "_Znam",
      "_ZdaPv",
      "_ZdlPvm",
      "_ZnwmSt11align_val_t",
  };
  size_t count = sizeof names / sizeof names[0];
  size_t right = 0;
  for (size_t i = 0; i < count; i++) {
    Dl_info info;
    void *found = dlsym(RTLD_DEFAULT, names[i]);
    if (found != NULL && dladdr(found, &info) != 0 && strcmp(info.dli_fname, library) == 0) {
      right++;
    } else {
      check_tell(WRONG, "names", "%s is %s", names[i],
                 found == NULL ? "not there" : "another library's");
    }
  }
  if (right == count) check_tell(FINE, "names", "%zu names of malloc and new lead to it", count);
}

static void check_redirected(void)
{
  char *volatile block = malloc(100);
  bool is_served = block != NULL && mend.owns(block) && mend.is_redirected();
  check_tell(is_served ? FINE : WRONG, "malloc", "%s",
             is_served ? "is mend's in this program" : "is not mend's in this program");
  free(block);
}

enum { BLOCKS = 10000, OBJECTS = 20000, OBJECT_BYTES = 200 };

// Blocks of many sizes, each full of a byte of its own; half are freed and made again.
static void *use_blocks(void *unused)
{
  static __thread unsigned char *blocks[BLOCKS];
  uintptr_t wrong = 0;
  (void)unused;
  for (size_t round = 0; round < 2; round++) {
    for (size_t i = round; i < BLOCKS; i += 1 + round) {
      size_t size = 1 + i * 7 % 3000;
      free(blocks[i]);
      blocks[i] = malloc(size);
      if (blocks[i] == NULL) return (void *)1;
      memset(blocks[i], (int)(i & 0xFF), size);
    }
  }
  for (size_t i = 0; i < BLOCKS; i++) {
    size_t last = i * 7 % 3000;
    wrong |= blocks[i][0] != (i & 0xFF) || blocks[i][last] != (i & 0xFF);
    free(blocks[i]);
  }
  return (void *)wrong;
}

static void check_blocks(void)
{
  pthread_t threads[2];
  size_t started = 0;
  void *wrong = NULL;
  uintptr_t failures = 0;
  while (started < 2 && pthread_create(&threads[started], NULL, use_blocks, NULL) == 0) started++;
  failures += (uintptr_t)use_blocks(NULL);
  for (size_t i = 0; i < started; i++) {
    pthread_join(threads[i], &wrong);
    failures += (uintptr_t)wrong;
  }
  struct mend_stats stats = {.bytes = sizeof stats};
  bool is_right =
      failures == 0 && mend.stats_get(&stats) && stats.live_bytes < stats.committed_bytes;
  check_tell(is_right ? FINE : WRONG, "blocks", "%s",
             is_right ? "made, filled, freed and made again by three threads"
                      : "do not hold what was written there");
}

// Objects of which most are freed again; those that stay are packed, and must be what they were.
static void check_handles(void)
{
  static mend_handle handles[OBJECTS];
  size_t wrong = 0;
  for (size_t i = 0; i < OBJECTS; i++) {
    handles[i] = mend.handle_alloc(OBJECT_BYTES);
    void *object = mend.resolve(handles[i]);
    if (object != NULL) memset(object, (int)(i & 0xFF), OBJECT_BYTES);
  }
  for (size_t i = 0; i < OBJECTS; i++) {
    if (i % 8 != 0) wrong += mend.handle_free(handles[i]) != MEND_OK;
  }
  mend.quiescent();
  struct mend_defrag_report report = {.bytes = sizeof report};
  enum mend_status status = mend.defragment(&report);
  for (size_t i = 0; i < OBJECTS; i += 8) {
    const unsigned char *object = mend.resolve(handles[i]);
    wrong += object == NULL || object[0] != (i & 0xFF) || object[OBJECT_BYTES - 1] != (i & 0xFF);
    wrong += mend.handle_free(handles[i]) != MEND_OK;
  }
  bool is_right = wrong == 0 && status == MEND_OK && report.objects_moved > 0;
  check_tell(is_right ? FINE : WRONG, "handles", "%zu objects moved in %.1f ms%s",
             (size_t)report.objects_moved, (double)report.nanoseconds / 1e6,
             is_right ? ", and all are what they were" : ", and not all is as it was");
}

void check_inside(const char *library)
{
  if (!find_functions()) return;
  check_version();
  check_names(library);
  check_redirected();
  check_blocks();
  check_handles();
}
