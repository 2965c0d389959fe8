#!/bin/bash
# SPDX-License-Identifier: MIT
#
# Programs that allocate before mend has started: in the constructor of a library that is loaded
# first, and in the C library's start of a static program.
#
# environment: LIBMEND, the path of libmend.so; the hardened libraries lie beside it
. "$(dirname "$0")/lib/linked.bash"

build=("${CC:-cc}" -std=c17 -O1 -fno-builtin)
"${build[@]}" -fPIC -shared -o "$work/libearly.so" "$here/programs/early.c"
echo 'int early_works(void); int main(void) { return !early_works(); }' >"$work/main.c"
"${build[@]}" -o "$work/early" "$work/main.c" "$work/libearly.so" -Wl,-rpath,"$work"
"$work/early" || fail "it does not work without mend"

for library in libmend libmend-secure; do
  file=$(realpath "$folder")/$library.so
  [ -e "$file" ] || continue
  "${build[@]}" -static -o "$work/static" "$work/main.c" "$here/programs/early.c" \
    -Wl,--undefined=malloc "${file%.so}.a"
  for level in 0 1 2 3 4; do
    MEND_HARDEN=$level LD_PRELOAD=$file "$work/early" || fail "$library, level $level"
    MEND_HARDEN=$level "$work/static" || fail "$library, static, level $level"
  done
done
