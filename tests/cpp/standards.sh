#!/bin/bash
# SPDX-License-Identifier: MIT
#
# The test programs, and with them all templates that they use, are compiled without a warning by
# clang++ for C++11, 14, 17 and 20, each from the first standard on that it is written for. Nothing
# is built: what they do by clang++ the sanitizers' builds show, by g++ the plain one.
#
# usage: tests/cpp/standards.sh
set -eu
cd "$(dirname "$0")/.."

command -v clang++ >/dev/null || {
  echo "cannot run: there is no clang++ here"
  exit 77
}

# One line for each call of the compiler; xargs runs two at a time.
calls() {
  for source in *.cpp cpp/*.cpp; do
    flags=$(sed -n 's|^// flags: ||p' "$source")
    if grep -q '^// processor: ' "$source" && ! grep -q "^// processor: $(uname -m)" "$source"; then
      continue
    fi
    first=$(sed -n 's|^// standards: \([0-9]*\).*|\1|p' "$source")
    for standard in 11 14 17 20; do
      [ "$standard" -lt "${first:-17}" ] || echo "clang++ -std=c++$standard $flags $source"
    done
  done
}

flags="-fsyntax-only -Wall -Wextra -Wpedantic -Wshadow -Wconversion -Werror"
flags="$flags -Icpp -I../include -I../include/custom_alloc"
calls | xargs -P 2 -I CALL sh -c "CALL $flags || { echo 'FAIL: CALL'; exit 1; }" || exit 1
echo "$(calls | wc -l) calls of clang++"
