// SPDX-License-Identifier: MIT
#include "serve/flame.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "command.h"
#include "json_text.h"

enum { DEPTH_MOST = 200, ROWS_MOST = 30, SHARE_LEAST = 1000 };

struct node {
  struct profile_frame frame;  // symbol NULL: the root, or unknown
  int64_t value;
  struct node *first;  // called by it
  struct node *next;   // called by the same
};

static struct node *find_child(struct node *node, const struct profile_frame *frame)
{
  struct node **end = &node->first;
  for (; *end != NULL; end = &(*end)->next) {
    if (profile_compare_frames(&(*end)->frame, frame) == 0) return *end;
  }
  *end = calloc(1, sizeof **end);
  if (*end != NULL) (*end)->frame = *frame;
  return *end;
}

static void free_children(struct node *node)
{
  for (struct node *child = node->first; child != NULL;) {
    struct node *next = child->next;
    free_children(child);
    free(child);
    child = next;
  }
}

// The innermost DEPTH_MOST functions of a row, from the outermost of them on.
static bool add_row(struct node *root, const struct profile_row *row, int64_t value)
{
  size_t count;
  struct profile_frame *frames = profile_frames(row, &count);
  struct node *node = root;
  if (frames == NULL && row->depth > 0) return false;
  root->value = profile_add(root->value, value);
  for (size_t i = count < DEPTH_MOST ? count : DEPTH_MOST; i > 0 && node != NULL; i--) {
    node = find_child(node, &frames[i - 1]);
    if (node != NULL) node->value = profile_add(node->value, value);
  }
  free(frames);
  return node != NULL;
}

static void write_name(const struct profile_frame *frame, FILE *stream)
{
  char name[SYMBOL_TEXT_MOST] = PROFILE_UNKNOWN;
  if (frame->symbol != NULL) symbols_describe(name, frame->symbol, frame->index);
  json_write_string(stream, name);
}

static void write_node(const struct node *node, int64_t least, FILE *stream)
{
  const char *before = "";
  fputs("{\"name\":", stream);
  if (node->frame.symbol == NULL) {
    fputs("\"all\"", stream);
  } else {
    write_name(&node->frame, stream);
  }
  fprintf(stream, ",\"value\":%" PRId64 ",\"children\":[", node->value);
  for (const struct node *child = node->first; child != NULL; child = child->next) {
    if (child->value < least) continue;
    fputs(before, stream);
    write_node(child, least, stream);
    before = ",";
  }
  fputs("]}", stream);
}

// [bytes, blocks, function, caller] of the largest.
static bool write_rows(const struct profile *profile, FILE *stream)
{
  size_t written = 0;
  for (size_t i = 0; i < profile->row_count && written < ROWS_MOST; i++) {
    const struct profile_row *row = &profile->rows[i];
    size_t count = 0;
    struct profile_frame *frames = profile_frames(row, &count);
    if (frames == NULL && row->depth > 0) return false;
    if (row->values[profile_bytes_value(profile->by)] <= 0) break;
    fprintf(stream, "%s[%" PRId64 ",%" PRId64 ",", written++ > 0 ? "," : "",
            row->values[profile_bytes_value(profile->by)],
            row->values[profile_count_value(profile->by)]);
    for (size_t j = 0; j < 2; j++) {
      if (j > 0) fputc(',', stream);
      if (j < count) {
        write_name(&frames[j], stream);
      } else {
        fputs(j == 0 ? "\"" PROFILE_UNKNOWN "\"" : "\"\"", stream);
      }
    }
    fputc(']', stream);
    free(frames);
  }
  return true;
}

bool flame_write(const struct profile *profile, FILE *stream)
{
  struct node root = {0};
  enum profile_value bytes = profile_bytes_value(profile->by);
  bool is_good = true;
  for (size_t i = 0; i < profile->row_count && is_good; i++) {
    int64_t value = profile->rows[i].values[bytes];
    if (value > 0) is_good = add_row(&root, &profile->rows[i], value);
  }
  fprintf(stream, "{\"total\":%" PRId64 ",\"count\":%" PRId64 ",\"rows\":[", root.value,
          profile->totals[profile_count_value(profile->by)]);
  is_good = is_good && write_rows(profile, stream);
  fputs("],\"tree\":", stream);
  write_node(&root, root.value / SHARE_LEAST, stream);
  fputs("}", stream);
  free_children(&root);
  if (!is_good) complain("out of memory");
  return is_good;
}
