# SPDX-License-Identifier: MIT
# shellcheck shell=bash
#
# One test of a real program: it does a job twice, without and with mend preloaded, and everything
# it leaves behind must be the same, byte for byte. A script in tests/real sources this file,
# defines `job` and calls `compare`:
#
#   needs lua5.4 lua5.4        # the command and the Debian package it comes with; 77 if missing
#   make_input() { ... }       # optional: fills $input, once, for both runs
#   job() { ... }              # works in a fresh, empty folder, the same path in both runs
#   compare lua5.4             # the programs which must have taken malloc from mend
#
# What is compared: every file in the folder, with the job's stdout and stderr as two more. Whether
# mend was at work is read from the loader's own account of the run (LD_DEBUG=bindings): each of the
# programs named must have bound malloc to LIBMEND.
set -eu
# Debian's programs, not ones that a developer has put before them.
export LC_ALL=C TZ=UTC PATH=/usr/sbin:/usr/bin:/sbin:/bin

test_name=$(basename "$0" .sh)
# Used by scripts that need the project's own files.
# shellcheck disable=SC2034
repository=$(cd "$(dirname "${BASH_SOURCE[0]}")/../../.." && pwd)
library=$(realpath -e "${LIBMEND:?the path of libmend.so}")
scratch=$(mktemp -d "${TMPDIR:-/tmp}/mend-real.XXXXXX")
trap 'rm -rf "$scratch"' EXIT
input=$scratch/input
mkdir "$input"

fail() {
  echo "$test_name: FAIL: $1"
  exit 1
}

needs() {
  command -v "$1" >/dev/null && return
  echo "$test_name: skipped, $1 is not installed (Debian package $2)"
  exit 77
}

make_input() { :; }

# Lines of pseudo-random words and numbers, the same ones everywhere: lines COUNT.
lines() {
  awk -v count="$1" 'BEGIN {
    split("red green blue stone river cloud amber violet north meadow copper winter", word, " ")
    state = 12345
    for (line = 0; line < count; line++) {
      text = line
      for (field = 0; field < 6; field++) {
        state = (state * 69069 + 1) % 4294967296
        text = text " " word[int(state / 65536) % 12 + 1] int(state / 4096) % 10000
      }
      print text
    }
  }'
}

# Runs the job and leaves its folder as $scratch/$1; further arguments are its environment.
run_job() {
  local folder=$scratch/work status
  mkdir "$folder"
  # No `if` or `||` here: bash would then ignore a failing command inside the job.
  set +e
  (
    set -e
    cd "$folder"
    [ $# = 1 ] || export "${@:2}"
    job >stdout 2>stderr
  )
  status=$?
  set -e
  if [ "$status" != 0 ]; then
    tail -n 5 "$folder/stderr"
    fail "the job ended with status $status ($1)"
  fi
  mv "$folder" "$scratch/$1"
}

# Whether a process of program $1 bound malloc to mend, as the loader wrote it down.
took_malloc() {
  local logs
  mapfile -t logs < <(grep -lE "binding file ([^ ]*/)?${1//+/\\+} \[" "$scratch"/bindings.*)
  [ ${#logs[@]} -gt 0 ] &&
    grep -qF "to $library [0]: normal symbol \`malloc'" "${logs[@]}"
}

# compare PROGRAM...: runs the job twice and judges it.
compare() {
  make_input
  run_job without_mend
  run_job with_mend LD_PRELOAD="$library" LD_DEBUG=bindings LD_DEBUG_OUTPUT="$scratch/bindings"
  cd "$scratch"
  diff -r without_mend with_mend >difference 2>&1 ||
    fail "the output differs: $(head -c 600 difference)"
  [ -n "$(find with_mend -type f -size +0 ! -name stderr)" ] || fail "there is no output"
  local program
  for program; do
    took_malloc "$program" || fail "$program did not take malloc from $library"
  done
  echo "$test_name: ok, $(wc -c <with_mend/stdout) bytes on stdout and" \
    "$(($(find with_mend -type f | wc -l) - 2)) files are the same ($*)"
}
