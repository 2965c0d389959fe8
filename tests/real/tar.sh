#!/bin/bash
# SPDX-License-Identifier: MIT
#
# tar and find: a tree of files is packed in a fixed order, listed, searched and unpacked.
. "$(dirname "$0")/lib/real.bash"

needs tar tar
needs find findutils

make_input() {
  lines 4000 >"$input/words"
  mkdir -p "$input/tree/a/b/c" "$input/tree/d"
  split -l 10 -a 4 "$input/words" "$input/tree/a/part-"
  split -l 25 -a 4 "$input/words" "$input/tree/a/b/c/a-rather-longer-name-for-a-part-"
  ln -s ../a "$input/tree/d/link"
}

job() {
  tar -cf tree.tar --sort=name --mtime=@1700000000 --owner=0 --group=0 -C "$input" tree
  tar -tvf tree.tar
  mkdir unpacked
  tar -xf tree.tar -C unpacked
  find unpacked -type f -name '*part-*a' -size +1 -exec cksum {} + | sort
  find unpacked \( -regex '.*/a/.*-aab.' -o -type l \) -printf '%P %s %l\n' | sort
}

compare tar find
