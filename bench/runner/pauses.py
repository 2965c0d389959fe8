# SPDX-License-Identifier: MIT
"""The programs of bench/pauses: how each is built and run, and the tables of what they print."""
import json
import os
import pathlib
import statistics
import subprocess

from . import report

BENCH = pathlib.Path(__file__).resolve().parent.parent
PROGRAMS = {"pauses": "defrag_pauses", "throughput": "defrag_throughput", "reads": "handle_reads",
            "vetoes": "defrag_vetoes"}
FLAGS = ("-std=c17", "-O2", "-D_GNU_SOURCE", "-pthread", "-Wall", "-Wextra")
COMPANY = ("idle", "copying", "kernel", "mover", "background")
OPERATIONS = ("nothing", "scope enter", "resolve", "scope leave", "pin", "unpin", "alloc", "free")
PAUSE_MOST_NS = 10000  # p99.99 with a mover may be so much above p99.99 without
THROUGHPUT_LEAST = 0.8
RESOLVE_MOST_NS = 3.0


def build(core, folder):
    for name in PROGRAMS.values():
        subprocess.run(["cc", *FLAGS, "-I", str(BENCH.parent / "include"), str(BENCH / f"{name}.c"),
                        str(core), "-o", str(folder / name), "-lm"], check=True)


def thread_counts():
    """One thread a processor but the mover's; and twice as many as there are processors."""
    processors = os.cpu_count() or 2
    return max(1, processors - 1), 2 * processors


def run_one(folder, name, *arguments):
    """Every line that the program prints."""
    output = subprocess.run([str(folder / name), *map(str, arguments)], check=True,
                            stdout=subprocess.PIPE, text=True).stdout
    return [json.loads(line) for line in output.splitlines()]


def run(folder, kind, scale):
    few, many = thread_counts()
    if kind == "throughput":
        return run_one(folder, PROGRAMS[kind], scale, few) + \
            run_one(folder, PROGRAMS[kind], scale, many)
    return run_one(folder, PROGRAMS[kind], scale)


# ---- tables: each a list of lines ----

def select(lines, key, **wanted):
    return [line[key] for line in lines
            if key in line and all(line.get(name) == value for name, value in wanted.items())]


def spread(values, digits):
    return (f"{statistics.median(values):.{digits}f} "
            f"({min(values):.{digits}f} - {max(values):.{digits}f})")


def table(widths, rows):
    return ["".join(f"{cell:<{width}}" if index == 0 else f"{cell:>{width}}"
                    for index, (cell, width) in enumerate(zip(row, widths, strict=True)))
            for row in rows]


def pauses_table(lines):
    head = ("a call, nanoseconds", "beside", "samples", "p50", "p99", "p99.99", "max",
            "p99.99 of the rounds")
    rows = [head]
    for operation in OPERATIONS:
        for beside in COMPANY:
            wanted = {"operation": operation, "beside": beside}
            whole = [line for line in lines if line.get("round") == 0
                     and all(line[key] == value for key, value in wanted.items())][0]
            rounds = [line["p99.99"] for line in lines if line.get("round", 0) > 0
                      and all(line.get(key) == value for key, value in wanted.items())]
            rows.append((operation if beside == COMPANY[0] else "", beside, whole["count"],
                         *(f"{whole[key]:.0f}" for key in ("p50", "p99", "p99.99", "max")),
                         spread(rounds, 0)))
    return table((20, 12, 12, 8, 8, 10, 12, 28), rows)


def mover_table(lines):
    rounds = [line for line in lines if "passes" in line]
    keys = ("passes", "objects_moved", "bytes_moved", "vetoed", "blocked")
    return ["the mover, a round (median): " + ", ".join(
        f"{key.replace('_', ' ')} {statistics.median(line[key] for line in rounds):.0f}"
        for key in keys)]


def throughput_table(lines):
    rows = [("alloc + free, M/s", "idle", "copying", "mover", "to idle", "to copying", "a pass, ms",
             "MiB moved")]
    for threads in sorted({line["threads"] for line in lines}):
        of = [line for line in lines if line["threads"] == threads]
        medians = [statistics.median(line[key] for line in of) / 1e6
                   for key in ("idle", "copying", "mover")]
        rows.append((f"{threads} threads", *(f"{value:.2f}" for value in medians),
                     spread([line["mover"] / line["idle"] for line in of], 2),
                     spread([line["mover"] / line["copying"] for line in of], 2),
                     spread([line["pass_ms"] for line in of], 1),
                     f"{statistics.median(line['bytes_moved'] for line in of) / 2**20:.0f}"))
    return table((20, 9, 9, 9, 22, 22, 24, 11), rows)


def hot_table(lines):
    return [f"{way}, hot: {spread(select(lines, 'ns', walk='hot', way=way), 2)} ns"
            for way in ("resolve", "scope")]


def reads_table(lines, walk, ways):
    rows = [(f"{walk}, ns a step", "node", *ways, f"{ways[2]} / mend")]
    for name in ("L1", "L2", "memory"):
        for size in (16, 32, 64, 128, 256):
            medians = [statistics.median(select(lines, "ns", walk=walk, way=way, set=name,
                                                size=size)) for way in ways]
            rows.append((name if size == 16 else "", size, *(f"{value:.2f}" for value in medians),
                         f"{medians[2] / medians[1]:.2f}x"))
    return table((20, 6, *(13 for _ in ways), 17), rows)


def vetoes_table(lines):
    keys = ("planned", "moved", "vetoed", "left", "external_before", "external_after",
            "milliseconds", "grace_ms", "resolves")
    rows = [("objects in use", "threads", "planned", "moved", "vetoed", "left", "external before",
             "after", "ms", "of which grace", "resolves")]
    for percent, writes in sorted({(line["percent"], line["writes"]) for line in lines}):
        of = [line for line in lines if (line["percent"], line["writes"]) == (percent, writes)]
        values = [statistics.median(line[key] for line in of) for key in keys]
        shown = [f"{100 * value:.1f} %" if key.startswith("external") else
                 f"{value:.1f}" if key in ("milliseconds", "grace_ms") else f"{value:.0f}"
                 for key, value in zip(keys, values, strict=True)]
        deed = "" if percent == 0 else ", written" if writes else ", read"
        rows.append((f"{percent} %{deed}", of[0]["threads"], *shown))
    return table((20, 9, 9, 9, 9, 9, 17, 9, 9, 16, 12), rows)


# ---- bars ----

def verdict(holds):
    return "pass" if holds else "FAIL"


def pause_bars(lines):
    rows = []
    for operation in OPERATIONS[1:]:
        tails = {beside: [line["p99.99"] for line in lines if line.get("round", 0) > 0
                          and line.get("operation") == operation and line["beside"] == beside]
                 for beside in COMPANY}
        for beside in ("mover", "background"):
            for without in ("idle", "copying"):
                more = statistics.median(tails[beside]) - statistics.median(tails[without])
                holds = verdict(more <= PAUSE_MOST_NS)
                rows.append(f"  {holds:<6} {more / 1000:>9.2f}  <= 10 us   "
                            f"{operation}: p99.99 beside {beside} less that beside {without}")
    return rows


def throughput_bars(lines):
    rows = []
    for threads in sorted({line["threads"] for line in lines}):
        for without in ("idle", "copying"):
            share = statistics.median(line["mover"] / line[without] for line in lines
                                      if line["threads"] == threads)
            rows.append(f"  {verdict(share >= THROUGHPUT_LEAST):<6} {share:>9.2f}  >= 0.8     "
                        f"{threads} threads: allocations during a pass to those beside {without}")
    return rows


def reads_bars(lines):
    value = statistics.median(select(lines, "ns", walk="hot", way="resolve"))
    return [f"  {verdict(value <= RESOLVE_MOST_NS):<6} {value:>9.2f}  <= 3 ns    resolve, hot"]


def tables_of(kind, lines):
    if kind == "pauses":
        return [pauses_table(lines), mover_table(lines)], pause_bars(lines)
    if kind == "throughput":
        return [throughput_table(lines)], throughput_bars(lines)
    if kind == "reads":
        return [hot_table(lines),
                reads_table(lines, "list", ("libc", "mend", "handles", "scope each")),
                reads_table(lines, "array", ("libc", "mend", "handles", "resolve_all"))], \
            reads_bars(lines)
    return [vetoes_table(lines)], []


def text(results, scale):
    lines = [f"bench/pauses: work scale {scale}; medians of 5 rounds (lowest - highest)"]
    lines += [f"{name}: {value}" for name, value in report.machine().items()]
    bars = []
    for kind, of in results.items():
        tables, judged = tables_of(kind, of)
        bars += judged
        for each in tables:
            lines += ["", *each]
    return "\n".join([*lines, "", "bars", *bars]) + "\n"
