#!/bin/bash
# SPDX-License-Identifier: MIT
#
# awk (mawk): associative arrays, string building and regular expressions.
. "$(dirname "$0")/lib/real.bash"

needs mawk mawk

make_input() { lines 30000 >"$input/words"; }

job() {
  mawk '{
    for (i = 2; i <= NF; i++) {
      word = $i
      number = word
      gsub(/[0-9]+/, "", word)
      gsub(/[a-z]+/, "", number)
      count[word]++
      sum[word, number % 100] += number
      if (length(tail[word]) < 4000) tail[word] = tail[word] "," substr($i, 2, 3)
    }
  }
  END {
    for (word in count) print word, count[word], length(tail[word]), tail[word]
    for (key in sum) { split(key, part, SUBSEP); print part[1], part[2], sum[key] }
  }' "$input/words" | sort
}

compare mawk
