// SPDX-License-Identifier: MIT
#include "remote_json.h"

#include "json_text.h"

void remote_json_totals(FILE *stream, const struct remote *remote)
{
  const struct remote_totals *totals = &remote->totals;
  const struct json_number rows[] = {
      {"live_bytes", totals->live_bytes},
      {"cached_bytes", totals->kept_bytes},
      {"free_bytes", totals->free_bytes},
      {"uncarved_bytes", totals->uncarved_bytes},
      {"rest_bytes", totals->rest_bytes},
      {"retained_bytes", totals->retained_bytes},
      {"unused_bytes", totals->unused_bytes},
      {"committed_bytes", totals->committed_bytes},
      {"metadata_bytes", totals->metadata_bytes},
      {"large_bytes", totals->large_bytes},
      {"large_count", totals->large_count},
      {"page_count", totals->page_count},
      {"heap_count", totals->heap_count},
      {"mapping_count", remote->counters.mapping_count},
      {"purged_bytes", remote->counters.purged_bytes},
      {"os_call_count", remote->counters.os_call_count},
      {"retry_count", remote->retry_count},
      {"torn_count", remote->torn_count},
  };
  json_write_numbers(stream, rows, sizeof rows / sizeof rows[0]);
}
