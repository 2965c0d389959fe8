#!/bin/bash
# SPDX-License-Identifier: MIT
#
# The public headers stand on their own: each compiles alone and twice over, and all of them in
# either order, without a warning, by g++ and by clang++ as C++11, 14, 17 and 20, also without
# exceptions and RTTI. Those of C++ are found from their own folder and as custom_alloc/NAME.
#
# usage: tests/cpp/headers.sh
set -eu
cd "$(dirname "$0")/../../include"

scratch=$(mktemp -d "${TMPDIR:-/tmp}/mend-headers.XXXXXX")
trap 'rm -rf "$scratch"' EXIT
for compiler in g++ clang++; do
  command -v "$compiler" >/dev/null || {
    echo "cannot run: there is no $compiler here"
    exit 77
  }
done

include() {
  printf '#include "%s"\n' "$@"
}
# new_delete.hpp defines what a program has once, which does not matter where nothing is linked.
names=(custom_alloc/*.hpp custom_alloc/parts/*.hpp mend/*.h)
backwards=$(printf '%s\n' "${names[@]}" | tac)
for name in "${names[@]}"; do
  include "${name#custom_alloc/}" "$name" >"$scratch/alone_$(basename "$name").cc"
done
include "${names[@]}" >"$scratch/all_forwards.cc"
# shellcheck disable=SC2086
include $backwards >"$scratch/all_backwards.cc"

# A program's own header of the name of one of parts/ is found behind mend's flags, by mend's too.
mkdir "$scratch/mine"
for name in custom_alloc/parts/*.hpp; do
  name=$(basename "$name")
  echo "struct mine_${name%.hpp} {};" >"$scratch/mine/$name"
  include "$name" allocator.hpp
  echo "mine_${name%.hpp} object_of_${name%.hpp};"
done >"$scratch/mine.cc"

# One line for each call of a compiler; xargs runs two at a time.
for compiler in g++ clang++; do
  for standard in 11 14 17 20; do
    for source in "$scratch"/*.cc; do
      case $source in
      */all_*)
        echo "$compiler -std=c++$standard $source"
        echo "$compiler -std=c++$standard -fno-exceptions -fno-rtti $source"
        ;;
      *) echo "$compiler -std=c++$standard -Icustom_alloc -I$scratch/mine $source" ;;
      esac
    done
  done
done >"$scratch/calls"
flags="-fsyntax-only -Wall -Wextra -Wpedantic -Wshadow -Wconversion -Werror -I."
xargs -P 2 -I CALL sh -c "CALL $flags || { echo 'FAIL: CALL'; exit 1; }" <"$scratch/calls" || exit 1
echo "$(wc -l <"$scratch/calls") calls of compilers, ${#names[@]} headers"
