#!/bin/bash
# SPDX-License-Identifier: MIT
#
# mend compiles itself: gcc builds the library's one translation unit under mend, and the object
# file is the one that it builds without.
. "$(dirname "$0")/lib/real.bash"

needs gcc gcc

job() {
  gcc -std=c17 -O2 -g -frandom-seed=1 -fPIC -DMEND_OVERRIDE \
    -I"$repository/include" -I"$repository/src" -c "$repository/src/all.c" -o all.o
}

compare gcc cc1 as
