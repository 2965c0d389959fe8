// SPDX-License-Identifier: MIT
//
// A server's request allocates from a heap of its own: names, values, whatever the code in between
// needs. At its end the heap is destroyed, and all of that is freed at once.
//
// Build: cc request_heap.c -o request_heap $(pkg-config --cflags --libs mend-core)
// Run:   ./request_heap
#include <mend/mend.h>
#include <stdio.h>
#include <string.h>

struct header {
  struct header *next;
  char *value;
};

static char *copy_text(mend_heap *heap, const char *text)
{
  size_t bytes = strlen(text) + 1;
  char *copy = mend_heap_malloc(heap, bytes);
  return copy == NULL ? NULL : memcpy(copy, text, bytes);
}

static bool add_to_total(void *block, size_t usable_size, void *total)
{
  (void)block;
  *(size_t *)total += usable_size;
  return true;
}

static bool serve_request(int number)
{
  mend_heap *heap = mend_heap_create();
  if (heap == NULL) return false;
  struct header *headers = NULL;
  bool is_complete = true;
  for (int i = 0; i < 100 && is_complete; i++) {
    struct header *header = mend_heap_zalloc(heap, sizeof *header);
    is_complete = header != NULL && (header->value = copy_text(heap, "text/html")) != NULL;
    if (!is_complete) break;
    header->next = headers;
    headers = header;
  }
  size_t total = 0;
  mend_heap_visit(heap, add_to_total, &total);
  printf("request %d held %zu bytes\n", number, total);
  mend_heap_destroy(heap);  // headers, values: all of it
  return is_complete;
}

int main(void)
{
  for (int i = 1; i <= 3; i++) {
    if (!serve_request(i)) return 1;
  }
  return 0;
}
