# SPDX-License-Identifier: MIT
# shellcheck shell=bash
#
# Sourced by the scripts that run other people's programs with mend preloaded.

# Stops unless the library $1 really is in a program that is started with it preloaded. The loader
# only warns about a library that it cannot load, so that every test after it would pass.
require_preload() {
  if ! LD_PRELOAD=$1 grep -qF "$1" /proc/self/maps; then
    echo "$1 cannot be preloaded"
    exit 1
  fi
}
