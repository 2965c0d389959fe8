#!/bin/sh
# SPDX-License-Identifier: MIT
#
# A program that loads the prefix-only library with dlopen 50 times: the same file again and again,
# as plugins do that each bring it, and 50 copies, each an allocator by itself in one process.
#
# environment: LIBMEND, the path of libmend.so; libmend-core.so lies beside it
set -eu

core=$(dirname "${LIBMEND:?}")/libmend-core.so
here=$(dirname "$0")
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

"${CC:-cc}" -std=c17 -O1 -o "$work/dlopen_many" "$here/programs/dlopen_many.c" -ldl -lpthread

same=
copies=
for i in $(seq 50); do
  cp "$core" "$work/copy$i.so"
  same="$same $core"
  copies="$copies $work/copy$i.so"
done
# shellcheck disable=SC2086
"$work/dlopen_many" $same
# shellcheck disable=SC2086
"$work/dlopen_many" $copies
