// SPDX-License-Identifier: MIT
#include "snapshot.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "lines.h"

#define FORMAT_VERSION 1
#define FIRST_WORDS "mend heap map "

enum { LINE_MOST = 512, WORDS_MOST = 16, FIGURES_MOST = 1000 };

const char *const page_kind_names[4] = {"list", "bitmap", "large", "free"};

struct reader {
  struct snapshot *snapshot;
  struct lines lines;
  char *words[WORDS_MOST];
  size_t word_count;
  size_t page_room;
  size_t figure_room;
  bool has_ended;
};

#define refuse(reader, ...) lines_refuse(&(reader)->lines, __VA_ARGS__)

static void split(struct reader *reader)
{
  char *rest = reader->lines.text;
  char *word;
  reader->word_count = 0;
  while (reader->word_count < WORDS_MOST && (word = lines_word(&rest)) != NULL) {
    reader->words[reader->word_count++] = word;
  }
}

// ---------------------------------------------------------------------------------------------
// Pages.

static bool parse_kind(const char *word, enum page_kind *kind)
{
  for (size_t i = 0; i < 4; i++) {
    if (strcmp(word, page_kind_names[i]) != 0) continue;
    *kind = (enum page_kind)i;
    return true;
  }
  return false;
}

static bool parse_owner(const char *word, char owner[static 32])
{
  static const char known[] = "abcdefghijklmnopqrstuvwxyz0123456789:_-";
  if (strlen(word) >= 32 || word[strspn(word, known)] != '\0') return false;
  strcpy(owner, word);
  return true;
}

static bool parse_page(struct reader *reader, struct page *page)
{
  char **words = reader->words;
  *page = (struct page){0};
  if (reader->word_count < 11) return refuse(reader, "a page has 11 words");
  if (!lines_number(words[1], &page->start) || !lines_number(words[2], &page->bytes) ||
      !lines_number(words[4], &page->block_bytes) || !lines_count(words[5], &page->capacity) ||
      !lines_count(words[6], &page->carved) || !lines_count(words[7], &page->used) ||
      !lines_number(words[8], &page->resident_bytes)) {
    return refuse(reader, "this is no number, or too large");
  }
  if (!parse_kind(words[3], &page->kind))
    return refuse(reader, "no kind of page is '%s'", words[3]);
  if (!parse_owner(words[9], page->owner)) return refuse(reader, "'%s' owns no page", words[9]);
  page->is_closed = strcmp(words[10], "closed") == 0;
  return true;
}

static bool is_sound(const struct page *page)
{
  if (page->bytes == 0 || page->bytes > UINT64_MAX - page->start) return false;
  if (page->used > page->carved || page->carved > page->capacity) return false;
  if (page->resident_bytes > page->bytes) return false;
  if (page->kind == KIND_FREE) return page->capacity == 0;
  return page->capacity > 0 && page->block_bytes > 0 &&
         page->block_bytes <= page->bytes / page->capacity;
}

static bool read_page(struct reader *reader)
{
  struct snapshot *snapshot = reader->snapshot;
  struct page page;
  if (!parse_page(reader, &page)) return false;
  if (!is_sound(&page)) return refuse(reader, "the page's figures contradict each other");
  size_t count = snapshot->page_count;
  const struct page *last = count > 0 ? &snapshot->pages[count - 1] : NULL;
  if (last != NULL && (page.start < last->start || page.start - last->start < last->bytes)) {
    return refuse(reader, "the page does not lie behind the one before");
  }
  struct page *pages =
      lines_grow(&reader->lines, snapshot->pages, count, &reader->page_room, sizeof page);
  if (pages == NULL) return false;
  snapshot->pages = pages;
  pages[snapshot->page_count++] = page;
  return true;
}

// The page that holds an address; NULL if there is none.
static struct page *find_page(const struct snapshot *snapshot, uint64_t address)
{
  size_t low = 0;
  size_t high = snapshot->page_count;
  while (low < high) {
    size_t middle = low + (high - low) / 2;
    if (snapshot->pages[middle].start <= address) {
      low = middle + 1;
    } else {
      high = middle;
    }
  }
  if (low == 0) return NULL;
  struct page *page = &snapshot->pages[low - 1];
  return address - page->start < page->bytes ? page : NULL;
}

void snapshot_add_pin(struct snapshot *snapshot, uint64_t address)
{
  snapshot->pin_count++;
  // Its page may have had no line: it was looked at when it changed hands.
  struct page *page = find_page(snapshot, address);
  if (page != NULL && page->pins < UINT32_MAX) page->pins++;
}

static bool read_pin(struct reader *reader)
{
  uint64_t address;
  if (reader->word_count < 2 || !lines_number(reader->words[1], &address)) {
    return refuse(reader, "a pin has an address");
  }
  snapshot_add_pin(reader->snapshot, address);
  return true;
}

// ---------------------------------------------------------------------------------------------
// Everything else.

static bool read_blocker(struct reader *reader)
{
  struct snapshot *snapshot = reader->snapshot;
  struct blocker *blocker = &snapshot->blockers[snapshot->blocker_count];
  if (snapshot->blocker_count == BLOCKERS_MOST) return true;
  if (reader->word_count < 4 || !lines_number(reader->words[1], &blocker->thread) ||
      !lines_number(reader->words[2], &blocker->scope_age_ns)) {
    return refuse(reader, "a blocker has a thread and an age");
  }
  blocker->is_implicit = strcmp(reader->words[3], "implicit") == 0;
  snapshot->blocker_count++;
  return true;
}

static bool is_value(const char *word)
{
  size_t whole = strspn(word, "0123456789");
  if (whole == 0 || strlen(word) >= sizeof((struct figure *)0)->value) return false;
  if (word[whole] == '\0') return true;
  size_t part = strspn(word + whole + 1, "0123456789");
  return word[whole] == '.' && part > 0 && word[whole + 1 + part] == '\0';
}

// Words that this version does not know are those of a later one: their lines are skipped.
static bool read_figure(struct reader *reader)
{
  struct snapshot *snapshot = reader->snapshot;
  const char *name = reader->words[0];
  bool is_figure = reader->word_count == 2 && is_value(reader->words[1]);
  if (!is_figure || strlen(name) >= sizeof((struct figure *)0)->name) return true;
  if (snapshot->figure_count == FIGURES_MOST) return refuse(reader, "too many figures");
  struct figure *figures = lines_grow(&reader->lines, snapshot->figures, snapshot->figure_count,
                                      &reader->figure_room, sizeof *figures);
  if (figures == NULL) return false;
  snapshot->figures = figures;
  strcpy(figures[snapshot->figure_count].name, name);
  strcpy(figures[snapshot->figure_count].value, reader->words[1]);
  snapshot->figure_count++;
  return true;
}

static bool read_end(struct reader *reader)
{
  uint64_t pages, pins;
  const struct snapshot *snapshot = reader->snapshot;
  if (reader->word_count < 3 || !lines_number(reader->words[1], &pages) ||
      !lines_number(reader->words[2], &pins)) {
    return refuse(reader, "the end has two numbers");
  }
  reader->has_ended = true;
  if (pages == snapshot->page_count && pins == snapshot->pin_count) return true;
  return refuse(reader, "%" PRIu64 " pages and %" PRIu64 " pins should be above, not %zu and %zu",
                pages, pins, snapshot->page_count, snapshot->pin_count);
}

static bool read_words(struct reader *reader)
{
  split(reader);
  if (reader->word_count == 0) return true;
  const char *word = reader->words[0];
  if (strcmp(word, "page") == 0) return read_page(reader);
  if (strcmp(word, "pin") == 0) return read_pin(reader);
  if (strcmp(word, "report.blocker") == 0) return read_blocker(reader);
  if (strcmp(word, "end") == 0) return read_end(reader);
  return read_figure(reader);
}

static bool read_first(struct reader *reader)
{
  uint64_t version;
  enum line line = lines_next(&reader->lines);
  if (line == LINE_BAD) return false;
  size_t length = strlen(FIRST_WORDS);
  if (line == LINE_NONE || strncmp(reader->lines.text, FIRST_WORDS, length) != 0 ||
      !lines_number(reader->lines.text + length, &version)) {
    return refuse(reader, "this is no heap map: it does not begin with '" FIRST_WORDS "1'");
  }
  if (version == FORMAT_VERSION) return true;
  return refuse(reader, "a heap map of version %" PRIu64 "; this command reads version %d", version,
                FORMAT_VERSION);
}

static bool read_all(struct reader *reader)
{
  if (!read_first(reader)) return false;
  enum line line;
  while ((line = lines_next(&reader->lines)) == LINE_READ) {
    if (reader->has_ended) return refuse(reader, "there is more behind the end");
    if (!read_words(reader)) return false;
  }
  if (line == LINE_BAD) return false;
  return reader->has_ended || refuse(reader, "the file is cut off: it has no end line");
}

bool snapshot_read(struct snapshot *snapshot, const char *path)
{
  struct reader reader = {.snapshot = snapshot};
  bool is_read = lines_open(&reader.lines, path, "a heap map", LINE_MOST);
  reader.lines.is_ascii = true;
  *snapshot = (struct snapshot){.path = reader.lines.path};
  is_read = is_read && read_all(&reader);
  lines_close(&reader.lines);
  return is_read;
}

void snapshot_free(struct snapshot *snapshot)
{
  free(snapshot->pages);
  free(snapshot->figures);
}

const char *snapshot_text(const struct snapshot *snapshot, const char *name)
{
  for (size_t i = 0; i < snapshot->figure_count; i++) {
    if (strcmp(snapshot->figures[i].name, name) == 0) return snapshot->figures[i].value;
  }
  return NULL;
}

double snapshot_number(const struct snapshot *snapshot, const char *name)
{
  const char *text = snapshot_text(snapshot, name);
  return text != NULL ? strtod(text, NULL) : 0;
}

bool page_has_objects(const struct page *page)
{
  return strncmp(page->owner, "handles:", 8) == 0 || strncmp(page->owner, "still:", 6) == 0;
}
