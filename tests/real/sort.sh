#!/bin/bash
# SPDX-License-Identifier: MIT
#
# sort with two threads, in memory and with a buffer so small that it merges files.
. "$(dirname "$0")/lib/real.bash"

needs sort coreutils

make_input() { lines 60000 >"$input/words"; }

job() {
  sort --parallel=2 -k3,3 -k5,5r "$input/words"
  sort --parallel=2 -S 1M --batch-size=4 -T . -k4,4 -u "$input/words" >merged
  comm -12 <(sort "$input/words") <(sort -r "$input/words" | sort) | cksum
}

compare sort
