#!/bin/bash
# SPDX-License-Identifier: MIT
#
# A library that is initialised before the program registers a handler for the child of a fork, and
# that allocates. It must not find the locks of threads that the child does not have.
#
# environment: LIBMEND, the path of libmend.so
. "$(dirname "$0")/lib/linked.bash"

source=$here/programs/fork_handler.c
"${CC:-cc}" -std=gnu17 -O1 -fPIC -shared -o "$work/libhandler.so" "$source" -pthread
"${CC:-cc}" -std=gnu17 -O1 -DPROGRAM -o "$work/preloaded" "$source" "$work/libhandler.so" -pthread \
  -Wl,-rpath,"$work"
"${CC:-cc}" -std=gnu17 -O1 -DPROGRAM -o "$work/linked" "$source" "$LIBMEND" "$work/libhandler.so" \
  -pthread -Wl,-rpath,"$work",-rpath,"$(realpath "$folder")"

LD_PRELOAD=$LIBMEND "$work/preloaded" >"$work/out" || fail "preloaded: $(cat "$work/out")"
"$work/linked" >"$work/out" || fail "linked: $(cat "$work/out")"
