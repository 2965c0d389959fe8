#!/bin/sh
# SPDX-License-Identifier: MIT
#
# A program in a memory cgroup (as in a container) that holds up to 24 MiB of blocks of changing
# sizes must get along with 64 MiB: else the kernel kills it.
#
# environment: LIBMEND, the path of libmend.so
set -eu

here=$(dirname "$0")
work=$(mktemp -d)
group=

cannot_run() {
  echo "cannot run: $1"
  exit 77
}

clean_up() {
  rm -rf "$work"
  [ -z "$group" ] || rmdir "$group" || true
}
trap clean_up EXIT

# The memory controller of version 2 or of version 1, and its file for the limit.
if grep -qw memory /sys/fs/cgroup/cgroup.controllers 2>/dev/null; then
  group=/sys/fs/cgroup/mend-test-$$
  limit_file=memory.max
elif [ -d /sys/fs/cgroup/memory ]; then
  group=/sys/fs/cgroup/memory/mend-test-$$
  limit_file=memory.limit_in_bytes
else
  cannot_run "there is no cgroup memory controller"
fi
if ! mkdir "$group" 2>/dev/null; then
  parent=$(dirname "$group")
  group=
  cannot_run "no cgroup can be created below $parent"
fi
[ -e "$group/$limit_file" ] || cannot_run "the memory controller is not enabled for new cgroups"

"${CC:-cc}" -std=c17 -O1 -o "$work/churn" "$here/programs/churn.c" -lpthread
echo $((64 << 20)) >"$group/$limit_file"

# The shell enters the cgroup itself, so that the program starts in it.
sh -c 'echo $$ >"$1/cgroup.procs" && LD_PRELOAD=$2 exec "$3" 24' sh "$group" "$LIBMEND" \
  "$work/churn"
