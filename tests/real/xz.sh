#!/bin/bash
# SPDX-License-Identifier: MIT
#
# xz with two threads, which compress blocks of their own, and back.
. "$(dirname "$0")/lib/real.bash"

needs xz xz-utils

make_input() { lines 50000 >"$input/words"; }

job() {
  xz -T2 -3 --block-size=512KiB -c "$input/words" >words.xz
  xz -dc -T2 words.xz | cmp - "$input/words"
  xz --list words.xz
}

compare xz
