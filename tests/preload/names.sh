#!/bin/bash
# SPDX-License-Identifier: MIT
#
# All names of the malloc family lead to mend: preloaded, linked as a shared and as a static
# library, and in a wholly static program. And what libmend.so must not have: a version on malloc
# (the preloaded name would silently not be found) or a need of libstdc++.
#
# environment: LIBMEND, the path of libmend.so; libmend.a lies beside it
. "$(dirname "$0")/lib/linked.bash"

build() { # build NAME FLAGS...
  local name=$1
  shift
  "${CC:-cc}" -std=c17 -O1 -fno-builtin -o "$work/$name" "$here/programs/names.c" "$@"
}

run() { # run NAME [VARIABLE=VALUE...]
  local name=$1
  shift
  env "$@" "$work/$name" >"$work/out" 2>"$work/err" || {
    cat "$work/err"
    fail "$name failed"
  }
  grep -q "every name is mend's" "$work/out" || fail "$name did not come to its end"
  ! grep -q 'mend: warning' "$work/err" || fail "$name: $(cat "$work/err")"
}

# The preloaded program knows mend_* only from the library that is preloaded.
build preloaded -Wl,-z,dynamic-undefined-weak
run preloaded LD_PRELOAD="$LIBMEND"

build linked "$LIBMEND" -Wl,-rpath,"$(realpath "$folder")"
run linked

build archived -Wl,--undefined=malloc "$folder/libmend.a" -lpthread
run archived

build static -static -Wl,--undefined=malloc "$folder/libmend.a" -lpthread
run static

readelf --dynamic "$LIBMEND" >"$work/dynamic"
! grep -q 'NEEDED.*libstdc++' "$work/dynamic" || fail "libmend.so needs libstdc++"
grep -q 'SONAME.*libmend\.so\.' "$work/dynamic" || fail "libmend.so has no SONAME"

readelf --dyn-syms --wide "$LIBMEND" | awk '$7 != "UND" { print $8 }' >"$work/exported"
for name in malloc calloc realloc free posix_memalign aligned_alloc memalign valloc pvalloc \
  malloc_usable_size reallocarray free_sized free_aligned_sized malloc_trim mallinfo mallinfo2 \
  malloc_stats malloc_info mallopt cfree __libc_malloc __libc_calloc __libc_realloc __libc_free \
  __libc_memalign __libc_valloc __libc_pvalloc; do
  grep -qx "$name" "$work/exported" || fail "libmend.so does not export $name, unversioned"
done
grep -qE '^mend_malloc@@' "$work/exported" || fail "mend_malloc has no version"
