#!/bin/bash
# SPDX-License-Identifier: MIT
#
# The C compiler at -O2 with debugging data: driver, compiler proper, assembler and linker. The
# program it makes is run as well.
. "$(dirname "$0")/lib/real.bash"

needs gcc gcc

# Many functions, all different, so that every pass has something to do.
make_input() {
  awk 'BEGIN {
    print "#include <stdio.h>\n#include <stdlib.h>\n#include <string.h>"
    for (n = 0; n < 150; n++) {
      printf "struct s%d { int a[%d]; double d; struct s%d *next; };\n", n, n % 9 + 1, n
      printf "static int f%d(int x, const char *s) {\n  struct s%d v = { .d = x };\n", n, n
      printf "  for (int i = 0; i < %d; i++) v.a[i] = x * i + (int)strlen(s);\n", n % 9 + 1
      printf "  switch (x %% %d) {", n % 7 + 3
      for (c = 0; c < n % 7 + 3; c++) printf " case %d: return v.a[0] + %d;", c, n * c
      printf " default: return (int)v.d; }\n}\n"
    }
    print "int main(void) {\n  long sum = 0;\n  for (int i = 0; i < 100; i++) {"
    for (n = 0; n < 150; n++) printf "    sum += f%d(i, \"text %d\");\n", n, n
    print "  }\n  printf(\"%ld\\n\", sum);\n  return 0;\n}"
  }' >"$input/many.c"
}

job() {
  gcc -O2 -g -frandom-seed=1 "$input/many.c" -o many
  ./many
}

compare gcc cc1 as collect2 many
