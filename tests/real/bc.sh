#!/bin/bash
# SPDX-License-Identifier: MIT
#
# bc: arithmetic of thousands of digits, every number a block of its own.
. "$(dirname "$0")/lib/real.bash"

needs bc bc

job() {
  bc -lq <<'BC'
scale = 300
4 * a(1)
e(1)
sqrt(2)
scale = 0
define f(n) { if (n < 2) { return 1; } ; return n * f(n - 1); }
f(600)
7 ^ 3000 % 10 ^ 200
x = 1
for (i = 0; i < 3000; i++) { x = (x * 69069 + i) % (10 ^ 40); a[i % 500] = x }
x
BC
}

compare bc
