#!/bin/bash
# SPDX-License-Identifier: MIT
#
# The C++ operators new and delete: preloaded, linked as a shared and as a static library, also in
# a fully static program, by g++ and by clang++; exported under all twenty mangled names; and a C
# program that has no libstdc++ runs with them.
#
# environment: LIBMEND, the path of libmend.so; libmend.a lies beside it
. "$(dirname "$0")/lib/linked.bash"

run() { # run NAME [VARIABLE=VALUE...]
  local name=$1
  shift
  env "$@" "$work/$name" >"$work/out" || fail "$name failed"
  grep -q "every operator is mend's" "$work/out" || fail "$name did not come to its end"
}

for compiler in g++ clang++; do
  build=("$compiler" -std=c++17 -O1 -fsized-deallocation "$here/programs/operators.cc" -pthread)
  "${build[@]}" -Wl,-z,dynamic-undefined-weak -o "$work/preloaded"
  run preloaded LD_PRELOAD="$LIBMEND"
  "${build[@]}" "$LIBMEND" -Wl,-rpath,"$(realpath "$folder")" -o "$work/linked"
  run linked
  "${build[@]}" -Wl,--undefined=malloc "$folder/libmend.a" -o "$work/archived"
  run archived
  "${build[@]}" -static -Wl,--undefined=malloc "$folder/libmend.a" -o "$work/static"
  run static
done

nm --dynamic --defined-only "$LIBMEND" | awk '{ print $3 }' >"$work/exported"
for operator in _Znwm _Znam _ZnwmRKSt9nothrow_t _ZnamRKSt9nothrow_t _ZnwmSt11align_val_t \
  _ZnamSt11align_val_t _ZnwmSt11align_val_tRKSt9nothrow_t _ZnamSt11align_val_tRKSt9nothrow_t \
  _ZdlPv _ZdaPv _ZdlPvm _ZdaPvm _ZdlPvRKSt9nothrow_t _ZdaPvRKSt9nothrow_t _ZdlPvSt11align_val_t \
  _ZdaPvSt11align_val_t _ZdlPvmSt11align_val_t _ZdaPvmSt11align_val_t \
  _ZdlPvSt11align_val_tRKSt9nothrow_t _ZdaPvSt11align_val_tRKSt9nothrow_t; do
  grep -qx "$operator" "$work/exported" || fail "libmend.so does not export $operator"
done

# `env` is C: nothing may be unresolved in it, even if every name is bound at once.
LD_BIND_NOW=1 LD_PRELOAD="$LIBMEND" env true || fail "a program without libstdc++ does not start"
