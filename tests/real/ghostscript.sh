#!/bin/bash
# SPDX-License-Identifier: MIT
#
# Ghostscript: a PostScript program is interpreted and painted to bitmaps, with two rendering
# threads.
. "$(dirname "$0")/lib/real.bash"

needs gs ghostscript

make_input() {
  cat >"$input/page.ps" <<'PS'
%!PS
/star { gsave translate rotate 0 0 moveto 5 { 0 40 rlineto 144 rotate } repeat fill grestore } def
1 1 3 {
  /page exch def
  /Times-Roman findfont 9 page add scalefont setfont
  0 1 400 {
    /n exch def
    n 7 mod 7 div n 5 mod 5 div n 3 mod 3 div setrgbcolor
    n page mul n 53 mul 560 mod n 97 mul 760 mod star
    n 31 mul 500 mod n 61 mul 780 mod moveto (text ) show n 10 string cvs show
  } for
  /table 2000 dict def
  0 1 1999 { dup table exch 10 string cvs cvn 3 -1 roll put } for
  showpage
} for
PS
}

job() {
  gs -q -dSAFER -dBATCH -dNOPAUSE -dNumRenderingThreads=2 -dMaxBitmap=0 -r72 -sDEVICE=ppmraw \
    -sOutputFile=page%d.ppm "$input/page.ps"
}

compare gs
