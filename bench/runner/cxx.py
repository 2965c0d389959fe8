# SPDX-License-Identifier: MIT
"""The programs of bench/cpp: how each is built and run, and the tables and bars of what they print.

A line of theirs is what one way took in one round. Ways are compared round by round; a bar is on
the median of these ratios.
"""
import statistics
import subprocess

from . import pauses, report
from .programs import BENCH, CXX_FLAGS

PROGRAMS = {"pointers": "shared_pointers", "containers": "container_ways"}
BASE = "std"  # the way that all others are compared with
TAKEN, MADE = ("copy", "slots"), ("make", "churn", "churn, destructor")
TAKEN_MOST, MADE_MOST = 1.1, 0.8


def build(core, folder):
    include = BENCH.parent / "include"
    for name in PROGRAMS.values():
        subprocess.run(["c++", *CXX_FLAGS, "-I", str(include), "-I", str(include / "custom_alloc"),
                        str(BENCH / f"{name}.cpp"), str(core), "-o", str(folder / name)],
                       check=True)


def run(folder, kind, scale):
    return pauses.run_one(folder, PROGRAMS[kind], scale)


def ways_of(lines):
    """All ways, BASE first."""
    return sorted(dict.fromkeys(line["way"] for line in lines), key=lambda way: way != BASE)


def by_round(lines, **wanted):
    return {line["round"]: line["ns"] for line in lines
            if all(line[key] == value for key, value in wanted.items())}


def ratios(lines, way, **wanted):
    """What the way took in terms of BASE, in each round."""
    base, own = by_round(lines, way=BASE, **wanted), by_round(lines, way=way, **wanted)
    return [own[turn] / base[turn] for turn in own]


def ways_table(lines, process, first):
    of = [line for line in lines if line["process"] == process]
    ways = ways_of(of)
    rows = [(first, *ways, *(f"{way} / {BASE}" for way in ways[1:]))]
    for measure in dict.fromkeys(line["measure"] for line in of):
        medians = [statistics.median(by_round(of, measure=measure, way=way).values())
                   for way in ways]
        compared = [pauses.spread(ratios(of, way, measure=measure), 2) for way in ways[1:]]
        rows.append((measure, *(f"{value:.1f}" for value in medians), *compared))
    return pauses.table((30, *(16 for _ in ways), *(24 for _ in ways[1:])), rows)


def pointer_bars(lines):
    rows = []
    for process in dict.fromkeys(line["process"] for line in lines):
        of = [line for line in lines if line["process"] == process]
        for measure in (*TAKEN, *MADE):
            limit = TAKEN_MOST if measure in TAKEN else MADE_MOST
            for way in ways_of(of)[1:]:
                value = statistics.median(ratios(of, way, measure=measure))
                rows.append(f"  {pauses.verdict(value <= limit):<6} {value:>9.2f}  <= {limit} x  "
                            f"{process}, {measure}: {way} to std::shared_ptr")
    return rows


def tables_of(kind, lines):
    if kind == "pointers":
        return [ways_table(lines, "alone", "one thread, ns"),
                ways_table(lines, "threads", "beside a second thread, ns")], pointer_bars(lines)
    return [ways_table(lines, "alone", "containers, ns a step")], []


def text(results, scale):
    lines = [f"bench/cpp: work scale {scale}; CPU time, medians of 7 rounds (lowest - highest)"]
    lines += [f"{name}: {value}" for name, value in report.machine().items()]
    bars = []
    for kind, of in results.items():
        tables, judged = tables_of(kind, of)
        bars += judged
        for each in tables:
            lines += ["", *each]
    return "\n".join([*lines, *(["", "bars", *bars] if bars else [])]) + "\n"
