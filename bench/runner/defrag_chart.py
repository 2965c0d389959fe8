# SPDX-License-Identifier: MIT
"""Draws what bench/defrag measured, by gnuplot: heap fragmentation of each workload before and
after one pass, and the time of a pass over the live bytes."""
import shutil
import subprocess

from . import defrag_set
from .defrag_set import HANDLES

HEAD = """set terminal svg size 1400,900 dynamic font 'sans,12' background rgb 'white'
set output '{output}'
set multiplot layout 2,1
set style fill solid 0.9
set grid ytics
"""
LEVELS = """set title 'heap fragmentation before and after one pass, percent'
set style data histogram
set style histogram clustered gap 1
set xtics rotate by -35 noenhanced font ',10'
set yrange [0:100]
plot $levels using 2:xtic(1) title 'before' linecolor rgb '#9a9a9a', \\
     $levels using 3 title 'after' linecolor rgb '#b22222'
"""
TIMES = """set title 'time of a pass, ms, over live MiB'
set xtics norotate
set logscale xy
set yrange [*:*]
set key off
plot $times using 1:2 with linespoints linecolor rgb '#b22222'
"""


def block(name, rows):
    return "\n".join([f"${name} << END", *rows, "END", ""])


def write(results, path):
    """Writes the chart; returns None, or a note that says why there is none."""
    if shutil.which("gnuplot") is None:
        return "no chart: install Debian's gnuplot-nox"
    cells = [cell for cell in results.programs if results.of(cell.name, HANDLES)]
    levels = [" ".join([cell.name, *(f"{100 * results.stage(cell.name, HANDLES, stage, 'heap'):.2f}"
                                     for stage in ("before", "after"))])
              for cell in cells if cell.group == defrag_set.WORKLOADS]
    times = [f"{results.stage(cell.name, HANDLES, 'after', 'requested') / (1 << 20):.3f} "
             f"{1000 * results.median(cell.name, HANDLES, 'wall'):.3f}"
             for cell in cells if cell.group == defrag_set.SCALING]
    if not levels or not times:
        return "no chart: it takes workloads and heaps of growing size, with handles"
    script = (HEAD.format(output=path) + block("levels", levels) + block("times", times) + LEVELS
              + TIMES)
    subprocess.run(["gnuplot"], input=script, text=True, check=True)
    return None
