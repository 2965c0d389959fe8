#!/bin/bash
# SPDX-License-Identifier: MIT
#
# bash: arrays, strings, functions, subshells and pipes.
. "$(dirname "$0")/lib/real.bash"

needs bash bash

make_input() { lines 3000 >"$input/words"; }

job() {
  INPUT=$input/words bash <<'BASH'
declare -A count
mapfile -t lines <"$INPUT"
for line in "${lines[@]}"; do
  for word in $line; do
    name=${word//[0-9]/}
    count[x$name]=$((${count[x$name]:-0} + 1))
  done
done
for name in "${!count[@]}"; do echo "$name ${count[$name]}"; done | sort
text=$(printf '%s,' "${lines[@]:0:300}")
echo "${#text} ${text//river/lake}" | tr a-z A-Z
fibonacci() {
  (($1 < 2)) && echo "$1" && return
  echo $(($(fibonacci $(($1 - 1))) + $(fibonacci $(($1 - 2)))))
}
fibonacci 9
for i in {1..2000}; do list[i * 37 % 2003]="entry $i"; done
echo "${list[*]}" "${!list[*]}"
[[ $text =~ ([a-z]+)([0-9]+),([0-9]+) ]] && echo "${BASH_REMATCH[@]}"
BASH
}

compare bash
