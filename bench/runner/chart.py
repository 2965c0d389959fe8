# SPDX-License-Identifier: MIT
"""Draws the chart: time and peak RSS of each program, in terms of its best peer, by gnuplot."""
import shutil
import subprocess

from .peers import SUBJECT
from .results import SHOWN_GROUPS

HIGHEST = 3  # bars are cut off here; the table has the figures
OURS = " linecolor rgb '#b22222'"
HEAD = """set terminal svg size 1400,900 dynamic font 'sans,12' background rgb 'white'
set output '{output}'
set multiplot layout 2,1
set style data histogram
set style histogram clustered gap 1
set style fill solid 0.9
set key outside right top
set grid ytics
set xtics rotate by -35 noenhanced font ',10'
set yrange [0:{highest}]
set ylabel 'best peer = 1, lower is better'
"""


def data_block(results, key):
    """gnuplot's in-line table: one line a program, one column an allocator."""
    lines = [f"${key} << END"]
    for program in results.complete(*SHOWN_GROUPS):
        best = results.best_of_program(program, key)[0]
        ratios = [results.median(program, name, key) / best for name in results.names()]
        lines.append(" ".join([program, *(f"{ratio:.4f}" for ratio in ratios)]))
    return "\n".join([*lines, "END", ""])


def plot(results, key, title):
    columns = [f"${key} using {number}:xtic(1) title '{name}'{OURS if name == SUBJECT else ''}"
               for number, name in enumerate(results.names(), 2)]
    return f"set title '{title}'\nplot {', '.join(columns)}\n"


def write(results, path):
    """Writes the chart; returns None, or a note that says why there is none."""
    if shutil.which("gnuplot") is None:
        return "no chart: install Debian's gnuplot-nox"
    if not results.peers() or not results.complete(*SHOWN_GROUPS):
        return "no chart: no timed program ran under every allocator, peers among them"
    script = HEAD.format(output=path, highest=HIGHEST)
    for key, title in (("wall", "time"), ("peak_kib", "peak RSS")):
        script += data_block(results, key) + plot(results, key, title)
    subprocess.run(["gnuplot"], input=script, text=True, check=True)
    return None
