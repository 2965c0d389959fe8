#!/bin/bash
# SPDX-License-Identifier: MIT
#
# jq: a document of a few megabytes is parsed, grouped, rebuilt and printed.
. "$(dirname "$0")/lib/real.bash"

needs jq jq

make_input() {
  lines 8000 | awk '{
    printf "{\"id\": %d, \"first\": \"%s\", \"list\": ", $1, $2
    printf "[\"%s\", %d, {\"deep\": [%d.25, null, true]}]}\n", $3, NR % 13, NR
  }' >"$input/records"
}

job() {
  jq -s 'group_by(.list[1]) | map({key: .[0].list[1], count: length,
    total: (map(.list[2].deep[0]) | add),
    firsts: (map(.first) | unique | .[0:5])})' "$input/records"
  jq -c 'select(.id % 50 == 0) | [.. | scalars] | map(tostring) | join("/")' "$input/records"
  jq -c -n '[range(2000)] | map({("k\(.)"): (. * .)}) | add | to_entries | map(.value) | add'
}

compare jq
