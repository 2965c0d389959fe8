#!/bin/sh
# SPDX-License-Identifier: MIT
#
# Several copies of mend in one process, as plugins bring them that have it linked in: all are there
# before any is used, and each has a heap of its own that grows. Also beside a preloaded mend, and
# under a limit of address space.
#
# environment: LIBMEND, the path of libmend.so; libmend-core.so lies beside it
set -eu

core=$(dirname "${LIBMEND:?}")/libmend-core.so
here=$(dirname "$0")
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

"${CC:-cc}" -std=c17 -O1 -o "$work/copies" "$here/programs/copies.c" -ldl
for i in 1 2 3; do cp "$core" "$work/copy$i.so"; done

"$work/copies" "$work"/copy*.so
LD_PRELOAD=$LIBMEND "$work/copies" "$work"/copy*.so
(ulimit -v 2000000 && LD_PRELOAD=$LIBMEND "$work/copies" "$work"/copy*.so)
