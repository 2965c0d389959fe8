#!/bin/sh
# SPDX-License-Identifier: MIT
#
# Preloaded into a tree of processes (fork, vfork, exec, pipes), as a user does who exports
# LD_PRELOAD: they print what they print without it and nothing else, with statistics at each exit
# too, also where stderr or stdout is closed.
#
# environment: LIBMEND, the path of libmend.so
set -eu

: "${LIBMEND:?}"
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

# shellcheck disable=SC2016  # it is for the inner shell
job='seq 3000 | sort -r | awk "{ s += \$1; a[\$1] = \$0 } END { print s, length(a) }"
  env printf "%s\n" one two | xargs -n 1 sh -c "echo \$0; exit 0"
  (ulimit -v 400000; seq 200000 | sort -R --random-source=/dev/zero | tail -n 1 | wc -l)'

sh -c "$job" >"$work/plain" 2>"$work/plain-errors"
LD_PRELOAD=$LIBMEND sh -c "$job" >"$work/mend" 2>"$work/mend-errors"
cmp "$work/plain" "$work/mend"
cmp "$work/plain-errors" "$work/mend-errors"

LD_PRELOAD=$LIBMEND MEND_STATS=1 sh -c "$job" >"$work/mend" 2>"$work/statistics"
cmp "$work/plain" "$work/mend"
[ "$(wc -l <"$work/statistics")" -gt 20 ]

LD_PRELOAD=$LIBMEND MEND_STATS=1 sort /dev/null 2>&-
LD_PRELOAD=$LIBMEND MEND_STATS=1 sort /dev/null >&- 2>&-
LD_PRELOAD=$LIBMEND MEND_STATS=1 MEND_VERBOSE=1 sort /dev/null >/dev/full 2>/dev/full
