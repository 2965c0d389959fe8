# SPDX-License-Identifier: MIT
"""Draws how long calls take: for each operation the share of calls above a time, by gnuplot."""
import shutil
import subprocess

SHOWN = ("resolve", "pin", "alloc", "free")
COLOURS = {"idle": "#4c72b0", "copying": "#8c8c8c", "kernel": "#c8a000", "mover": "#b22222",
           "background": "#dd8452"}
HEAD = """set terminal svg size 1200,900 dynamic font 'sans,12' background rgb 'white'
set output '{output}'
set multiplot layout 2,2 title 'share of calls that take longer'
set logscale xy
set format y '10^{{%L}}'
set xlabel 'nanoseconds'
set xrange [1:*]
set yrange [1e-7:1]
set grid
set key top right
"""


def curve(lines, company, operation):
    """gnuplot's in-line table of one curve."""
    points = [(line["ns"], line["above"]) for line in lines
              if line.get("curve") == company and line["operation"] == operation]
    return "\n".join(f"{ns} {above}" for ns, above in points if above > 0)


def write(lines, path):
    """Writes the chart; returns None, or a note that says why there is none."""
    if shutil.which("gnuplot") is None:
        return "no chart: install Debian's gnuplot-nox"
    script = HEAD.format(output=path)
    for number, operation in enumerate(SHOWN):
        plots = []
        for company, colour in COLOURS.items():
            script += f"$c{number}{company} << END\n{curve(lines, company, operation)}\nEND\n"
            plots.append(f"$c{number}{company} with steps linewidth 1.5 linecolor rgb '{colour}' "
                         f"title 'beside: {company}'")
        script += f"set title '{operation}'\nplot {', '.join(plots)}\n"
    subprocess.run(["gnuplot"], input=script, text=True, check=True)
    return None
