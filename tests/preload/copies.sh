#!/bin/bash
# SPDX-License-Identifier: MIT
#
# The copying functions that libmend-secure.so takes over: which they are, that each is told what it
# does beyond a block from level 3 on and only then, that calls which stay within their blocks are
# not, that they work before the library has been relocated, and that real programs do on level 3
# what they do without mend.
#
# environment: LIBMEND, the path of libmend.so; libmend-secure.so lies beside it
. "$(dirname "$0")/lib/linked.bash"

secure=$(realpath "$folder")/libmend-secure.so
if [ ! -e "$secure" ]; then
  echo "$(basename "$0"): skipped, $secure is not built"
  exit 77
fi
build=("${CC:-cc}" -std=c17 -O1 -fno-builtin -pthread)
"${build[@]}" -o "$work/copies" "$here/programs/copies.c"

run() { # run LEVEL COMMAND...
  env MEND_HARDEN="$1" LD_PRELOAD="$secure" "${@:2}" >"$work/out" 2>"$work/err"
}

# The table of names is what the library exports, without versions.
nm --dynamic --defined-only "$secure" | awk '{ print $3 }' >"$work/exported"
"$work/copies" list >"$work/functions"
[ -s "$work/functions" ] || fail "there are no functions"
while read -r name _; do
  grep -qx "$name" "$work/exported" || fail "$name is not exported, unversioned"
done <"$work/functions"

# mend's own copies go past these names: nothing in the library asks the loader for one.
readelf --relocs --wide "$secure" | awk '{ print $5 }' >"$work/asked"
while read -r name _; do
  ! grep -qxE "$name(@.*)?" "$work/asked" || fail "the library calls its own $name"
done <"$work/functions"

for level in 0 1 2 3 4; do
  run $level "$work/copies" fine || fail "level $level, calls that fit: $(cat "$work/err")"
  grep -qx 'every copy is done' "$work/out" || fail "level $level: no end"
done

# told LEVEL KIND TEXT NAME: the message names the function, less what _FORTIFY_SOURCE makes of it.
told() {
  local plain=${4#__} status=0
  plain=${plain%_chk}
  run "$1" "$work/copies" "$2" "$4" 2>"$work/shell" || status=$?
  [ $status = 134 ] || fail "level $1: $2 by $4 ended with status $status"
  grep -q "mend: .*$3 by $plain" "$work/err" || fail "$2 by $4 says: $(cat "$work/err")"
  grep -q '^  block 0x' "$work/err" || fail "$2 by $4 names no block: $(cat "$work/err")"
  [ "$1" = 4 ] || return 0
  grep -q '^  allocated by ' "$work/err" || fail "$2 by $4 does not say who has allocated"
  [ "$2" = freed ] || return 0
  grep -q '^  freed by thread' "$work/err" || fail "$4 does not say who has freed"
}

while read -r name reads; do
  for level in 3 4; do
    told $level overflow overflow "$name"
    told $level freed 'use of freed memory' "$name"
    [ "$reads" = fills ] || told $level overread overread "$name"
  done
done <"$work/functions"
run 2 "$work/copies" overread memcpy || fail "level 2 checks copies: $(cat "$work/err")"

# The same where a program is linked with it. The archive leaves copies to the C library.
"${build[@]}" -o "$work/linked" "$here/programs/copies.c" "$secure" -Wl,-rpath,"${secure%/*}"
env MEND_HARDEN=3 "$work/linked" fine >"$work/out" || fail "linked: calls that fit are told"
! env MEND_HARDEN=3 "$work/linked" overflow memcpy 2>"$work/err" || fail "linked: not told"
grep -q 'overflow by memcpy' "$work/err" || fail "linked, it says: $(cat "$work/err")"
"${build[@]}" -static -o "$work/static" "$here/programs/copies.c" -Wl,--undefined=malloc \
  "${secure%.so}.a"
env MEND_HARDEN=3 "$work/static" fine >"$work/out" || fail "a static program does not run"

# Libraries are relocated last to first: this one before what is preloaded.
"${build[@]}" -O0 -fPIC -fno-plt -shared -o "$work/libresolver.so" "$here/programs/resolver.c"
echo 'int resolver_works(void); int main(void) { return !resolver_works(); }' >"$work/main.c"
"${build[@]}" -o "$work/resolved" "$work/main.c" "$work/libresolver.so" -Wl,-rpath,"$work"
"$work/resolved" || fail "the resolver does not work without mend"
for level in 2 3; do
  run $level "$work/resolved" || fail "copies in a resolver, level $level: $(cat "$work/err")"
  run $level env LD_BIND_NOW=1 "$work/resolved" || fail "with LD_BIND_NOW: $(cat "$work/err")"
  [ ! -s "$work/err" ] || fail "the loader says: $(cat "$work/err")"
done

for program in awk bash git jq lua perl python3 sort sqlite3; do
  LIBMEND=$secure MEND_HARDEN=3 "$here/../real/$program.sh" || [ $? = 77 ] ||
    fail "$program on level 3"
done
