#!/bin/bash
# SPDX-License-Identifier: MIT
#
# What must not compile does not, and for the reason that it should: each program below is refused
# by g++ and clang++ with the message beside it. The same programs with types that are allowed
# compile, so that nothing else is wrong with them.
#
# usage: tests/cpp/rejects.sh
set -eu
cd "$(dirname "$0")/../../include"

scratch=$(mktemp -d "${TMPDIR:-/tmp}/mend-rejects.XXXXXX")
trap 'rm -rf "$scratch"' EXIT
failures=0 programs=0

cat >"$scratch/types.hpp" <<'TYPES'
#include <string>
#include <utility>
#include "allocator.hpp"
using namespace custom_alloc;
struct good { good() = default; good(good &&) noexcept {} };
struct move_throws { move_throws() = default; move_throws(move_throws &&) {} };
struct end_throws { end_throws() = default; end_throws(end_throws &&) noexcept {}
                    ~end_throws() noexcept(false) {} };
struct stays { stays() = default; stays(stays &&) = delete; ~stays() {} };
struct ring { ring *next; ring() : next(this) {} ring(const ring &) = delete; };
struct alignas(8192) wide { int number; };
TYPES

flags="-Wall -Wextra -Werror -I. -Icustom_alloc"

# The header is read once by each compiler, for each standard: $scratch/COMPILER/STANDARD.hpp.
prepare() {  # COMPILER STANDARD
  mkdir -p "$scratch/$1"
  cp "$scratch/types.hpp" "$scratch/$1/$2.hpp"
  # shellcheck disable=SC2086
  "$1" -std="$2" $flags -x c++-header "$scratch/$1/$2.hpp" -o "$scratch/$1/$2.hpp.gch"
}

compiles() {  # COMPILER BODY STANDARD
  printf 'void f()\n{\n  %s\n}\n' "$2" >"$scratch/program.cc"
  # shellcheck disable=SC2086
  "$1" -std="$3" $flags -fsyntax-only -include "$scratch/$1/$3.hpp" "$scratch/program.cc" \
    2>"$scratch/messages"
}

rejected() {  # MESSAGE BODY [STANDARD]
  for compiler in g++ clang++; do
    programs=$((programs + 1))
    if compiles "$compiler" "$2" "${3:-c++11}"; then
      echo "FAIL: $compiler takes: $2"
    elif ! grep -q "$1" "$scratch/messages"; then
      echo "FAIL: $compiler does not say '$1' of: $2"
      cat "$scratch/messages"
    else
      continue
    fi
    failures=$((failures + 1))
  done
}

accepted() {  # BODY
  for compiler in g++ clang++; do
    programs=$((programs + 1))
    compiles "$compiler" "$1" c++11 && continue
    echo "FAIL: $compiler refuses: $1"
    cat "$scratch/messages"
    failures=$((failures + 1))
  done
}

for compiler in g++ clang++; do
  command -v "$compiler" >/dev/null || {
    echo "cannot run: there is no $compiler here"
    exit 77
  }
  prepare "$compiler" c++11
  prepare "$compiler" c++17
done

for made in 'make_handle<TYPE>()' 'make_handle<TYPE[]>(3)' 'make_shared_handle<TYPE>()' \
  'relocatable_vector<TYPE>(3)'; do
  for type in move_throws end_throws stays ring; do
    rejected 'objects of this type cannot be moved' "(void)${made/TYPE/$type};"
  done
  rejected 'aligned to at most' "(void)${made/TYPE/wide};"
  accepted "(void)${made/TYPE/good};"
done
rejected 'make_handle<T\[\]>(count), not T\[N\]' '(void)make_handle<int[3]>(3);'
rejected 'shared_handle owns one object' '(void)make_shared_handle<int[]>(3);'
rejected 'a type that is not const' 'relocatable_vector<const int> numbers;'
accepted 'auto one = make_handle<int>(1); auto pin = one.pin(); (void)pin;'
rejected 'deleted' 'auto pin = make_handle<int>(1).pin(); (void)pin;'
rejected 'deleted' 'auto pin = make_shared_handle<int>(1).pin(); (void)pin;'
rejected 'deleted' 'auto pin = relocatable_vector<int>(1).pin(); (void)pin;'
rejected 'deleted' 'const relocatable_vector<int> some(1); (void)std::move(some).pin();'
rejected 'deleted' 'auto one = make_handle<int>(1); auto two = one;'
temporary='cannot bind\|no matching\|expects an l-\?value'
rejected "$temporary" 'heap_allocator<int> dangles{heap()};'
rejected "$temporary" '(void)make_unique_in<int>(heap(), 1);'
rejected "$temporary" '(void)make_unique_for_overwrite_in<int[]>(heap(), 1);'
rejected "$temporary" '(void)make_shared_in<int>(heap(), 1);'
accepted 'heap one; heap_allocator<int> stays(one); (void)make_unique_in<int>(one, 1);'
rejected 'deleted' 'auto *open = new scope;'
rejected 'deleted' 'scope one; scope two(one);'
# What is lost where nobody takes it.
for lost in 'make_handle<int>(1)' 'make_handle<int[]>(3)' 'make_handle_in<int>(heap, 1)' \
  'make_handle_in<int[]>(heap, 3)' 'make_shared_handle<int>(1)' 'shared.release()' \
  'make_shared_handle_in<int>(heap, 1)' 'one.pin()' 'many.pin()' 'shared.pin()' 'numbers.pin()' \
  'one.release()' 'scope()' 'background_defragmenter()' 'allocate_handle(100)' 'fragmentation()'; do
  rejected 'nodiscard\|unused-result\|unused-value' "handle_heap heap;
    auto one = make_handle<int>(1); auto many = make_handle<int[]>(1);
    auto shared = make_shared_handle<int>(1);
    relocatable_vector<int> numbers; $lost;" c++17
done
echo "$programs programs, $failures not as they should be"
[ "$failures" = 0 ]
