#!/bin/sh
# SPDX-License-Identifier: MIT
#
# The table of attacks in docs/Security.md is the one that the suite is made of.
set -eu
cd "$(dirname "$0")/../.."

program=${MEND_TEST_BUILD:-build}/tests/security_test
begin='<!-- security_test --markdown -->'
shown=$(sed -n "/^$begin$/,/^$/p" docs/Security.md | sed 1d)
made=$("$program" --markdown)
if [ "$shown" != "$made" ]; then
  echo "docs/Security.md: below $begin there should be what $program --markdown prints:"
  printf '%s\n' "$made"
  exit 1
fi
cases=$("$program" --count)
[ "$cases" -ge 150 ] || {
  echo "$cases cases, fewer than 150"
  exit 1
}
