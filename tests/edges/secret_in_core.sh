#!/bin/sh
# SPDX-License-Identifier: MIT
#
# A core file of a running program (gcore) holds no block of mend_secure_alloc; it does hold the
# same bytes in a block of mend_malloc, which shows that they would be found.
#
# environment: LIBMEND, the path of libmend.so; libmend-core.so lies beside it
set -eu

command -v gcore >/dev/null || {
  echo "cannot run: there is no gcore here"
  exit 77
}
folder=$(dirname "${LIBMEND:?}")
here=$(dirname "$0")
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

"${CC:-cc}" -std=c17 -O1 -I "$here/../../include" -o "$work/keep" "$here/programs/keep_secret.c" \
  -L "$folder" -Wl,-rpath,"$folder" -lmend-core
mkfifo "$work/input" "$work/output"

# How many lines of the core hold the secret.
count_in_core() {
  "$work/keep" "$1" <"$work/input" >"$work/output" &
  process=$!
  exec 3>"$work/input" 4<"$work/output"
  read -r ready <&4
  status=0
  gcore -o "$work/core" "$process" >"$work/said" 2>&1 || status=$?
  exec 3>&- 4<&-
  wait "$process"
  if [ "$ready" != ready ] || [ "$status" != 0 ]; then
    echo "cannot run: gcore says:" >&2
    cat "$work/said" >&2
    exit 77
  fi
  grep -a -c "key:key:key:key:" "$work/core.$process" || true
}

found=$(count_in_core malloc)
[ "$found" -gt 0 ]
for kind in secure shared; do
  found=$(count_in_core $kind)
  [ "$found" = 0 ]
done
