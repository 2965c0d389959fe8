#!/bin/bash
# SPDX-License-Identifier: MIT
#
# sed: substitutions with back references, hold space, and one buffer that holds the whole file.
. "$(dirname "$0")/lib/real.bash"

needs sed sed

make_input() { lines 10000 >"$input/words"; }

job() {
  sed -E 's/([a-z]+)([0-9]+) ([a-z]+)([0-9]+)/\3\2 \1\4/g; s/river/lake/2; /stone/!d' "$input/words"
  sed -n '1!G;h;$p' <(head -n 800 "$input/words")
  sed -e ':again' -e '$!{N;b again' -e '}' -e 's/\n/ | /g' "$input/words" | cksum
}

compare sed
