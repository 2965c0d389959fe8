// SPDX-License-Identifier: MIT
//
// Question: how much memory does a fragmented heap of handles give back in one pass, how long does
// that take, and are all objects whole afterwards?
//
//   defrag_handles WORKLOAD MIB [apart]   a workload of fragmenting.h; MIB: how large its heap
//   becomes
//
// Stages for the judge: "start" (mend has handed out a block, but no handle), "before", and
// "after" one call of mend_defragment. With each come the addresses between which all objects have
// been, by which the judge tells the mappings apart, and mend's own figures, to be compared.
// "apart": a step that moves comes before the call, so that the time of the two parts of a pass is
// known.
#include "fragmenting.h"
#include "judged.h"
#include "objects_handles.h"

static struct mend_fragmentation fragmentation_now(void)
{
  struct mend_fragmentation now = {.bytes = sizeof now};
  if (mend_fragmentation_get(NULL, &now) != MEND_OK) die("mend_fragmentation_get");
  return now;
}

static void stage_tell(const char *stage, const struct workload *workload, struct field *field,
                       const struct passed *passed)
{
  char more[560];
  const struct field_live live = field_check(field);
  const struct mend_fragmentation own = fragmentation_now();
  snprintf(more, sizeof more,
           ",\"low\":%zu,\"high\":%zu,\"own_external\":%.6f,\"own_heap\":%.6f,\"own_all_in\":%.6f,"
           "\"own_cached\":%zu,\"own_resident\":%zu,\"own_metadata\":%zu,\"own_table\":%zu,"
           "\"moved_objects\":%zu,\"moved_bytes\":%zu,\"pinned\":%zu,\"ratio_limit\":%.2f,"
           "\"moving_seconds\":%.6f",
           field->low, field->high, own.external, own.heap, own.all_in, own.cached_bytes,
           own.resident_bytes, own.metadata_bytes, own.table_bytes, passed->moved_objects,
           passed->moved_bytes, passed->report.pinned, workload->ratio_limit,
           passed->moving_seconds);
  judge_wait_with(stage, field->made, (struct stopwatch){passed->seconds, 0},
                  (struct live){live.objects, field->bytes, live.usable_bytes, 0}, more);
}

int main(int argc, char **argv)
{
  struct passed passed = {0};
  if (argc < 3) die("usage: defrag_handles WORKLOAD MIB [apart]");
  const struct workload *workload = workload_named(argv[1]);
  struct field field = {.store = &handles};
  mend_free(mend_malloc(64));
  stage_tell("start", workload, &field, &passed);
  field = workload_run(workload, &handles, strtoul(argv[2], NULL, 10));
  stage_tell("before", workload, &field, &passed);
  passed = pass_over(&field, table_map(field.capacity * sizeof(void *)), argc > 3);
  if (passed.status != MEND_OK) die(mend_status_text(passed.status));
  stage_tell("after", workload, &field, &passed);
  return 0;
}
