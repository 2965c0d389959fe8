// SPDX-License-Identifier: MIT
#include "map_html.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "figures.h"
#include "map_template.h"
#include "mend/mend.h"
#include "output.h"

struct page_set {
  const struct snapshot *snapshots;
  size_t count;
};

// What the template may ask for: <!--mend:NAME-->.
struct part {
  const char *name;
  void (*write)(FILE *file, const struct page_set *set);
};

// For the only text that may hold anything: names of files.
static void put_escaped(FILE *file, const char *text)
{
  for (; *text != '\0'; text++) {
    if (strchr("<>&\"'", *text) != NULL) {
      fprintf(file, "&#%d;", *text);
    } else {
      fputc((unsigned char)*text < ' ' || *text == 0x7f ? '?' : *text, file);
    }
  }
}

static const char *state_name(const struct page_set *set, size_t i)
{
  if (set->count == 1) return "Heap";
  return i == 0 ? "Before" : "After";
}

// ---------------------------------------------------------------------------------------------
// Figures.

// A value for people, with the one from the file for programs.
static void put_value(FILE *file, const struct figure_row *row, const struct snapshot *snapshot)
{
  char text[FIGURE_TEXT_MOST];
  char derived[FIGURE_TEXT_MOST] = "";
  double number;
  if (row->derive != NULL && row->derive(snapshot, &number)) {
    snprintf(derived, sizeof derived, "%.6f", number);
  }
  const char *value = row->derive != NULL ? derived : snapshot_text(snapshot, row->name);
  figure_write_row(text, row, snapshot);
  fprintf(file, "<data data-figure=\"%s\" value=\"%s\">%s</data>", row->name,
          value != NULL ? value : "", text);
}

static void write_title(FILE *file, const struct page_set *set)
{
  for (size_t i = 0; i < set->count; i++) {
    if (i > 0) fputs(" and ", file);
    put_escaped(file, snapshot_label(&set->snapshots[i]));
  }
}

static void write_tile(FILE *file, const struct page_set *set, const char *title, const char *name)
{
  fprintf(file, "<div class=\"tile\"><h3>%s</h3><p>", title);
  for (size_t j = 0; j < set->count; j++) {
    if (j > 0) fputs(" <span class=\"to\" aria-label=\"then\">&rarr;</span> ", file);
    fprintf(file, "<span class=\"%s\">", j + 1 == set->count ? "now" : "then");
    put_value(file, figure_find(name), &set->snapshots[j]);
    fputs("</span>", file);
  }
  fputs("</p></div>\n", file);
}

// What is free in all pages, the levels of fragmentation of objects, and what is resident, large.
static void write_tiles(FILE *file, const struct page_set *set)
{
  write_tile(file, set, "Free blocks, of all in pages", FIGURE_FREE_SHARE);
  if (snapshots_have_objects(set->snapshots, set->count)) {
    write_tile(file, set, "Objects: external fragmentation", "fragmentation.external");
    write_tile(file, set, "Objects: heap fragmentation", "fragmentation.heap");
    write_tile(file, set, "Objects: all-in fragmentation", "fragmentation.all_in");
  } else {
    write_tile(file, set, "Free blocks", "stats.free_bytes");
    write_tile(file, set, "Live", "stats.live_bytes");
  }
  write_tile(file, set, "Resident memory", "process_resident_bytes");
}

static void write_panels(FILE *file, const struct page_set *set)
{
  for (size_t i = 0; i < set->count; i++) {
    const struct snapshot *snapshot = &set->snapshots[i];
    const char *pid = snapshot_text(snapshot, "pid");
    fprintf(file, "<section class=\"panel\"><h2>%s</h2><p class=\"source\">", state_name(set, i));
    put_escaped(file, snapshot_label(snapshot));
    fprintf(file, ", process %s, %zu pages and free runs</p>", pid != NULL ? pid : "-",
            snapshot->page_count);
    fprintf(file,
            "<div class=\"map\"><canvas id=\"map-%zu\" tabindex=\"0\" role=\"img\" "
            "aria-describedby=\"keys\" aria-label=\"%s: map of the heap\"></canvas>"
            "<div class=\"mark\"></div></div></section>\n",
            i, state_name(set, i));
  }
}

static void write_figures(FILE *file, const struct page_set *set)
{
  fputs("<thead><tr><th scope=\"col\">figure</th>", file);
  for (size_t i = 0; i < set->count; i++) {
    fprintf(file, "<th scope=\"col\">%s</th>", state_name(set, i));
  }
  fputs("</tr></thead><tbody>\n", file);
  bool has_objects = snapshots_have_objects(set->snapshots, set->count);
  for (size_t i = 0; i < heap_row_count; i++) {
    if (figure_is_of_objects(&heap_rows[i]) && !has_objects) continue;
    fprintf(file, "<tr><th scope=\"row\">%s</th>", heap_rows[i].label);
    for (size_t j = 0; j < set->count; j++) {
      fputs("<td>", file);
      put_value(file, &heap_rows[i], &set->snapshots[j]);
      fputs("</td>", file);
    }
    fputs("</tr>\n", file);
  }
  fputs("</tbody>", file);
}

static void write_blockers(FILE *file, const struct snapshot *snapshot)
{
  char text[FIGURE_TEXT_MOST];
  for (size_t i = 0; i < snapshot->blocker_count; i++) {
    const struct blocker *blocker = &snapshot->blockers[i];
    figure_write(text, UNIT_TIME, (double)blocker->scope_age_ns);
    fprintf(file, "<tr><th scope=\"row\">in the way: thread %" PRIu64 "</th><td>%s scope, %s</td>",
            blocker->thread, blocker->is_implicit ? "implicit" : "explicit", text);
    fputs("</tr>\n", file);
  }
}

static void write_report(FILE *file, const struct page_set *set)
{
  const struct snapshot *last = &set->snapshots[set->count - 1];
  if (!snapshot_has_report(last)) return;
  fputs("<section><h2>The pass</h2><table id=\"report\"><tbody>\n", file);
  for (size_t i = 0; i < report_row_count; i++) {
    fprintf(file, "<tr><th scope=\"row\">%s</th><td>", report_rows[i].label);
    put_value(file, &report_rows[i], last);
    fputs("</td></tr>\n", file);
  }
  write_blockers(file, last);
  fputs("</tbody></table></section>", file);
}

// ---------------------------------------------------------------------------------------------
// Data.

// A page is ten numbers: how far it begins behind the end of the one before, bytes, kind, block
// bytes, capacity, carved, used, resident bytes, pins, and its owner's place in the list of owners,
// doubled, and one more if it is closed.
static void write_snapshot(FILE *file, const struct page_set *set, size_t number)
{
  const struct snapshot *snapshot = &set->snapshots[number];
  fprintf(file, "{\"state\":\"%s\",\"pages\":[", state_name(set, number));
  uint64_t end = 0;
  size_t owners = 0;
  const char *owner = NULL;
  for (size_t i = 0; i < snapshot->page_count; i++) {
    const struct page *page = &snapshot->pages[i];
    if (owner == NULL || strcmp(owner, page->owner) != 0) owners++;
    owner = page->owner;
    fprintf(file,
            "%s%" PRIu64 ",%" PRIu64 ",%d,%" PRIu64 ",%" PRIu32 ",%" PRIu32 ",%" PRIu32 ",%" PRIu64
            ",%" PRIu32 ",%zu",
            i > 0 ? ",\n" : "", page->start - end, page->bytes, (int)page->kind, page->block_bytes,
            page->capacity, page->carved, page->used, page->resident_bytes, page->pins,
            (owners - 1) * 2 + page->is_closed);
    end = page->start + page->bytes;
  }
  // An owner is in the list as often as pages of others lie before his next ones.
  fputs("],\n\"owners\":[", file);
  for (size_t i = 0; i < snapshot->page_count; i++) {
    const char *next = snapshot->pages[i].owner;
    if (i > 0 && strcmp(snapshot->pages[i - 1].owner, next) == 0) continue;
    fprintf(file, "%s\"%s\"", i > 0 ? "," : "", next);
  }
  fputs("]}", file);
}

static void write_data(FILE *file, const struct page_set *set)
{
  fputc('[', file);
  for (size_t i = 0; i < set->count; i++) {
    if (i > 0) fputs(",\n", file);
    write_snapshot(file, set, i);
  }
  fputc(']', file);
}

static void write_version(FILE *file, const struct page_set *set)
{
  (void)set;
  fputs(MEND_VERSION_STRING, file);
}

// ---------------------------------------------------------------------------------------------

static const struct part parts[] = {
    {"title", write_title},     {"tiles", write_tiles},   {"panels", write_panels},
    {"figures", write_figures}, {"report", write_report}, {"data", write_data},
    {"version", write_version},
};

// The first mark from `at` on; NULL if there is none.
static const char *find_mark(const char *at, const char *end)
{
  static const char mark[] = "<!--mend:";
  return memmem(at, (size_t)(end - at), mark, sizeof mark - 1);
}

// Writes what the mark stands for; returns what follows it.
static const char *write_part(FILE *file, const char *mark, const char *end,
                              const struct page_set *set)
{
  const char *name = mark + strlen("<!--mend:");
  const char *after = memmem(name, (size_t)(end - name), "-->", 3);
  if (after == NULL) return end;
  size_t length = (size_t)(after - name);
  for (size_t i = 0; i < sizeof parts / sizeof parts[0]; i++) {
    if (strlen(parts[i].name) == length && memcmp(parts[i].name, name, length) == 0) {
      parts[i].write(file, set);
    }
  }
  return after + 3;
}

static void write_template(FILE *file, const struct page_set *set)
{
  const char *at = (const char *)map_template;
  const char *end = at + sizeof map_template;
  const char *mark;
  while ((mark = find_mark(at, end)) != NULL) {
    fwrite(at, 1, (size_t)(mark - at), file);
    at = write_part(file, mark, end, set);
  }
  fwrite(at, 1, (size_t)(end - at), file);
}

bool html_write(const struct snapshot *snapshots, size_t count, const char *path)
{
  const struct page_set set = {snapshots, count};
  struct output output;
  if (!output_open(&output, path, NULL)) return false;
  write_template(output.stream, &set);
  return output_close(&output);
}
