#!/bin/sh
# SPDX-License-Identifier: MIT
#
# No compiler drops a wipe: the machine code of a function that wipes a buffer last has a store or a
# call behind its use, at every level of optimization and under link-time optimization; the same
# function with memset has none, which shows that the look finds what is dropped. And mend_wipe of
# the library stores, or goes on to memset.
#
# environment: LIBMEND, the path of libmend.so
set -eu

here=$(cd "$(dirname "$0")" && pwd)
program=$here/programs/wipe_at_end.c
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
command -v objdump >/dev/null || {
  echo "cannot run: there is no objdump here"
  exit 77
}
case $(uname -m) in
x86_64) call=call is_store='v?mov[a-z]+ +[%$].*,(-?0x[0-9a-f]+)?\(%r|rep stos|call|jmp ' ;;
aarch64) call=bl is_store='(st[rp][bhw]?|bl|b)[[:space:]]' ;;
*)
  echo "cannot run: what a store looks like on $(uname -m) is not known"
  exit 77
  ;;
esac

# The code of function $2 of file $1, and how many stores and calls are behind its first call.
code_of() {
  objdump -dr --no-show-raw-insn "$1" | sed -n "/<$2[@>].*:$/,/^\$/p"
}
stores_after_use() {
  code_of "$1" "$2" | sed "1,/:\t$call/d" | grep -cE "$is_store" || true
}

tried=0
for compiler in gcc clang; do
  command -v "$compiler" >/dev/null || continue
  for flags in -O1 -O2 -O3 -Os "-O2 -flto"; do
    tried=$((tried + 1))
    link=-c
    case $flags in *lto) link="-shared -nostdlib" ;; esac
    # shellcheck disable=SC2086
    "$compiler" -std=c17 $flags -fPIC -fno-stack-protector \
      -include "$here/../../src/base/wipe.h" \
      -I "$here/../../include" $link -o "$work/code" "$program" 2>"$work/said" ||
      { case $flags in *lto) continue ;; *) cat "$work/said"; exit 1 ;; esac }
    for function in end_by_wipe end_by_mend_wipe; do
      [ "$(stores_after_use "$work/code" $function)" -gt 0 ] || {
        echo "$compiler $flags: $function does not wipe"
        code_of "$work/code" $function
        exit 1
      }
    done
    [ "$(stores_after_use "$work/code" end_by_memset)" = 0 ] || {
      echo "$compiler $flags: a memset that is not read stays: this test shows nothing"
      code_of "$work/code" end_by_memset
      exit 1
    }
  done
done
[ "$tried" -gt 0 ]
code_of "${LIBMEND:?}" mend_wipe >"$work/said"
# Without optimization it calls the function that does it.
! grep -q "<wipe_memory>" "$work/said" || code_of "$LIBMEND" wipe_memory >>"$work/said"
grep -qE "memset|rep stos" "$work/said" || {
  echo "mend_wipe does not go to memset:"
  cat "$work/said"
  exit 1
}
