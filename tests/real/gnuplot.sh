#!/bin/bash
# SPDX-License-Identifier: MIT
#
# gnuplot, a C++ program: curves, a surface and a fit, drawn as SVG.
. "$(dirname "$0")/lib/real.bash"

needs gnuplot gnuplot-nox

make_input() { lines 3000 | awk '{ gsub(/[a-z]/, ""); print $1, $2, $3 }' >"$input/points"; }

job() {
  gnuplot <<GNUPLOT
set terminal svg size 900,600
set output "curves.svg"
set samples 3000
plot sin(x) * x, cos(3 * x), "$input/points" using 1:2 every 10 with points
set output "surface.svg"
set isosamples 60
set hidden3d
splot sin(sqrt(x * x + y * y)) with lines
f(x) = a * x + b
set fit quiet logfile "fit.log" errorvariables
fit f(x) "$input/points" using 1:3 via a, b
print sprintf("%.6g %.6g %.6g", a, b, a_err)
GNUPLOT
  rm -f fit.log
}

compare gnuplot
