#!/bin/bash
# SPDX-License-Identifier: MIT
#
# zstd with two threads, a trained dictionary, and back.
. "$(dirname "$0")/lib/real.bash"

needs zstd zstd

make_input() {
  lines 40000 >"$input/words"
  mkdir "$input/samples"
  split -l 40 -a 4 "$input/words" "$input/samples/part-"
}

job() {
  zstd -q -T2 -9 -B524288 "$input/words" -o words.zst
  zstd -q -dc words.zst | cmp - "$input/words"
  zstd -q --train --maxdict=8000 -r "$input/samples" -o dictionary
  zstd -q -D dictionary "$input/samples/part-aaaa" -o part.zst
  zstd -q -d -D dictionary -c part.zst
}

compare zstd
