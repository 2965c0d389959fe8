// SPDX-License-Identifier: MIT
#include "doctor.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include "clock.h"
#include "figures.h"
#include "json_head.h"
#include "json_text.h"
#include "plain.h"
#include "process_name.h"
#include "text.h"

static bool make_room(struct doctor *doctor)
{
  if (doctor->finding_count < doctor->finding_room) return true;
  size_t room = doctor->finding_room == 0 ? 16 : 2 * doctor->finding_room;
  struct finding *larger = realloc(doctor->findings, room * sizeof *larger);
  if (larger == NULL) return false;
  doctor->findings = larger;
  doctor->finding_room = room;
  return true;
}

static void insert(struct doctor *doctor, const struct finding *finding)
{
  size_t at = doctor->finding_count++;
  for (; at > 0 && doctor->findings[at - 1].severity < finding->severity; at--) {
    doctor->findings[at] = doctor->findings[at - 1];
  }
  doctor->findings[at] = *finding;
}

void doctor_find(struct doctor *doctor, enum severity severity, const char *code,
                 const char *remedy, const char *format, ...)
{
  struct finding finding = {.severity = severity, .code = code, .remedy = strdup(remedy)};
  va_list values;
  va_start(values, format);
  if (vasprintf(&finding.what, format, values) < 0) finding.what = NULL;
  va_end(values);
  if (finding.what != NULL && finding.remedy != NULL && make_room(doctor)) {
    insert(doctor, &finding);
    return;
  }
  free(finding.what);
  free(finding.remedy);
}

void doctor_free(struct doctor *doctor)
{
  for (size_t i = 0; i < doctor->finding_count; i++) {
    free(doctor->findings[i].what);
    free(doctor->findings[i].remedy);
  }
  free(doctor->findings);
  doctor->findings = NULL;
  doctor->finding_count = doctor->finding_room = doctor->idle_settings = 0;
}

bool doctor_has_trouble(const struct doctor *doctor)
{
  return doctor->finding_count > 0 && doctor->findings[0].severity != SEVERITY_NOTE;
}

bool doctor_look(struct doctor *doctor)
{
  if (!remote_measure(doctor->remote)) return false;
  doctor->last = (struct doctor_look){
      .nanoseconds = (uint64_t)clock_ns(CLOCK_MONOTONIC),
      .resident_bytes = remote_resident_bytes(doctor->target),
      .totals = doctor->remote->totals,
      .counters = doctor->remote->counters,
  };
  for (size_t i = 0; i < REMOTE_CLASSES_MOST; i++) {
    const struct remote_class *of_class = &doctor->remote->classes[i];
    doctor->last.class_bytes[i] = of_class->live_count * of_class->block_bytes;
  }
  if (doctor->look_count++ == 0) doctor->first = doctor->last;
  return true;
}

double doctor_seconds(const struct doctor *doctor)
{
  return (double)(doctor->last.nanoseconds - doctor->first.nanoseconds) / 1e9;
}

// ---------------------------------------------------------------------------------------------
// The report.

enum { LINE_WIDTH = 78 };

static const char *const severity_names[] = {"note", "warning", "problem"};

static void write_finding(FILE *stream, const struct finding *finding)
{
  const char *name = severity_names[finding->severity];
  fprintf(stream, "\n%s: ", name);
  text_wrap(stream, finding->what, LINE_WIDTH, 2, strlen(name) + 2);
  if (finding->remedy[0] == '\0') return;
  fputs("  -> ", stream);
  text_wrap(stream, finding->remedy, LINE_WIDTH, 5, 5);
}

static void write_head(const struct doctor *doctor, FILE *stream)
{
  char program[PROCESS_NAME_MOST];
  char texts[2][FIGURE_TEXT_MOST];
  if (doctor->target->name == NULL) {
    fprintf(stream, "mend doctor: the program\n");
    return;
  }
  process_program_name(program, doctor->target);
  fprintf(stream, "mend doctor: %s%s%s\n", doctor->target->name, program[0] != '\0' ? " " : "",
          program);
  if (doctor->remote == NULL) return;
  const struct mend_root *root = &doctor->remote->root;
  const struct remote_totals *totals = &doctor->last.totals;
  fprintf(stream, "  mend %s%s, ", root->version >= 2 ? root->library : "before 0.5",
          (root->flags & MEND_ROOT_IS_HARDENED) != 0 ? ", hardened" : "");
  plain_write(stream, doctor->remote->module);
  fputs(doctor->is_redirected ? ": malloc is mend's\n" : "\n", stream);
  figure_write(texts[0], UNIT_BYTES, (double)doctor->last.resident_bytes);
  figure_write(texts[1], UNIT_BYTES, (double)totals->live_bytes);
  fprintf(stream, "  resident %s; live %s, in %" PRIu64 " pages and %" PRIu64 " large blocks\n",
          texts[0], texts[1], totals->page_count, totals->large_count);
}

void doctor_write(const struct doctor *doctor, FILE *stream)
{
  unsigned counts[3] = {0};
  write_head(doctor, stream);
  for (size_t i = 0; i < doctor->finding_count; i++) {
    counts[doctor->findings[i].severity]++;
    write_finding(stream, &doctor->findings[i]);
  }
  if (counts[SEVERITY_PROBLEM] + counts[SEVERITY_WARNING] == 0) {
    fputs(doctor->look_count > 0 ? "\nNothing is wrong.\n" : "\nNothing was looked at.\n", stream);
  } else {
    fprintf(stream, "\n%u problem%s, %u warning%s.\n", counts[SEVERITY_PROBLEM],
            counts[SEVERITY_PROBLEM] == 1 ? "" : "s", counts[SEVERITY_WARNING],
            counts[SEVERITY_WARNING] == 1 ? "" : "s");
  }
}

void doctor_write_json(const struct doctor *doctor, FILE *stream)
{
  const struct remote *remote = doctor->remote;
  json_head_begin(stream, "doctor");
  fputc(',', stream);
  json_head_process(stream, (uint64_t)doctor->target->process, doctor->target->program,
                    clock_ns(CLOCK_REALTIME));
  fprintf(stream, ",\"has_mend\":%s,\"is_redirected\":%s", remote != NULL ? "true" : "false",
          doctor->is_redirected ? "true" : "false");
  if (remote != NULL) {
    json_write_member(stream, "library", remote->root.library);
    json_write_member(stream, "module", remote->module);
    fprintf(stream, ",\"resident_bytes\":%" PRIu64 ",\"live_bytes\":%" PRIu64,
            doctor->last.resident_bytes, doctor->last.totals.live_bytes);
  }
  fputs(",\"findings\":[", stream);
  for (size_t i = 0; i < doctor->finding_count; i++) {
    const struct finding *finding = &doctor->findings[i];
    fprintf(stream, "%s{\"severity\":\"%s\"", i > 0 ? "," : "", severity_names[finding->severity]);
    json_write_member(stream, "code", finding->code);
    json_write_member(stream, "what", finding->what);
    json_write_member(stream, "remedy", finding->remedy);
    fputc('}', stream);
  }
  fputs("]}\n", stream);
}
