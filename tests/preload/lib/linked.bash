# SPDX-License-Identifier: MIT
# shellcheck shell=bash disable=SC2034
#
# Sourced by the scripts of tests/preload that build programs with the library: where it lies
# ($folder, beside LIBMEND), where the programs' sources are ($here), where what is made goes
# ($work, which ends with the script), and how a script says what has failed.
set -eu

folder=$(dirname "${LIBMEND:?the path of libmend.so}")
here=$(dirname "$0")
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

fail() {
  echo "$(basename "$0"): $1"
  exit 1
}
