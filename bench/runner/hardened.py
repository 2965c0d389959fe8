# SPDX-License-Identifier: MIT
"""What mend's hardened build costs: each level in terms of mend's default library, beside other
hardened allocators, all from one interleaved run. Writes secure.txt and secure.json.

Last comes what a call of memcpy and its like takes (copies.c), which is in no mean.

A ratio is a geometric mean over the programs that ran under every allocator; the bars are on all of
them together. Where a group is not whole, or a column is missing, a bar is partial or not measured.
"""
import json
import os
import subprocess

from . import report
from .bars import Bar
from .peers import HARDENED, SCUDO, SUBJECT
from .programs import WHOLE_SET
from .results import SHOWN_GROUPS, SMALL_KIB

LEVELS = (1, 2, 3)
ALL_LEVELS = (0, 1, 2, 3, 4)  # for who asks for one by name
DEFAULT_LEVEL = 2
TIME_LIMITS = {1: 1.06, 2: 1.25, 3: 1.6}
MEMORY_LIMIT = 1.25  # of the default level
MEASURES = (("wall", "time"), ("cpu", "CPU"), ("peak_kib", "peak RSS"))


def large(results):
    """The programs that peak above 32 MiB under mend: of the others' memory the start is most."""
    return [name for name in results.complete(*SHOWN_GROUPS)
            if results.median(name, SUBJECT, "peak_kib") > SMALL_KIB]


def means_table(results):
    """Each measure, by group and over all programs, relative to mend."""
    if not results.has_subject():
        return []
    lines = [report.row(f"geomeans relative to {SUBJECT}", results.names())]
    for key, title in MEASURES:
        sets = [(group, results.complete(group)) for group in SHOWN_GROUPS]
        sets.append(("all", results.complete(*SHOWN_GROUPS)))
        sets += [("above 32 MiB", large(results))] if key == "peak_kib" else []
        for group, programs in sets:
            if programs:
                means = [results.geomean(programs, name, SUBJECT, key) for name in results.names()]
                lines.append(report.row(f"{title}, {group} ({len(programs)})",
                                        [f"{mean:.3f}" for mean in means]))
    return lines if len(lines) > 1 else []


def programs_table(results, measure):
    """One measure of each program, and each column in terms of mend."""
    others = results.peers() if results.has_subject() else []
    lines = [report.row(measure[1], results.names() + [f"{name}/mend" for name in others])]
    whole = results.complete(*SHOWN_GROUPS)
    for program in results.programs:
        if program.group not in SHOWN_GROUPS:
            continue
        cells = [report.cell(results, program.name, name, measure) for name in results.names()]
        if program.name in whole:
            cells += [f"{results.geomean([program.name], name, SUBJECT, measure[0]):.2f}x"
                      for name in others]
        lines.append(report.row(program.name, cells))
    return lines if len(lines) > 1 else []


def ratio_bar(results, text, sides, key, limit):
    """The mean over all programs of one allocator in terms of another; None without either."""
    programs = results.complete(*SHOWN_GROUPS)
    whole = {name for group in SHOWN_GROUPS for name in WHOLE_SET[group]}
    ran = set(sides) <= set(results.names())
    value = results.geomean(programs, *sides, key) if ran else None
    return Bar(f"{text}: geomean of {len(programs)}", value, limit,
               partial=set(programs) < whole)


def all_bars(results):
    default = f"{HARDENED}{DEFAULT_LEVEL}"
    made = [ratio_bar(results, f"time, level {level} to mend", (f"{HARDENED}{level}", SUBJECT),
                      "wall", TIME_LIMITS[level]) for level in LEVELS]
    made.append(ratio_bar(results, f"peak RSS, level {DEFAULT_LEVEL} to mend", (default, SUBJECT),
                          "peak_kib", MEMORY_LIMIT))
    made.append(ratio_bar(results, f"time, level {DEFAULT_LEVEL} to {SCUDO}", (default, SCUDO),
                          "wall", 1))
    return made


def copies_measure(folder, allocators, rounds):
    """The least ns of any round, by allocator and row of copies.c; the allocators take turns."""
    best = {}
    for _ in range(rounds):
        for allocator in allocators:
            environment = {**os.environ, **allocator.environment,
                           "LD_PRELOAD": str(allocator.library or "")}
            run = subprocess.run([str(folder / "copies")], env=environment, check=True,
                                 capture_output=True, text=True)
            kept = best.setdefault(allocator.name, {})
            for name, ns in json.loads(run.stdout).items():
                kept[name] = min(ns, kept.get(name, ns))
    return best


def copies_table(best):
    if not best:
        return []
    lines = [report.row("copies, least ns a call", best)]
    for name in next(iter(best.values())):
        lines.append(report.row(name, [f"{row[name]:.2f}" for row in best.values()]))
    return lines


def text_report(results, notes, rounds, scale, copies):
    tables = [means_table(results)]
    tables += [programs_table(results, measure) for measure in report.MEASURES
               if measure[0] in ("wall", "peak_kib")]
    tables.append(copies_table(copies))
    tables.append(["bars", *report.bar_lines(all_bars(results))])
    return report.text_join(results, report.head_lines(results, notes, rounds, scale), tables)


def write_all(results, folder, notes, rounds, scale, copies):
    """Writes the two files into `folder`; returns the text. `copies`: of copies_measure."""
    folder.mkdir(parents=True, exist_ok=True)
    text = text_report(results, notes, rounds, scale, copies)
    (folder / "secure.txt").write_text(text)
    kept = report.json_report(results, notes, rounds, scale, all_bars(results))
    (folder / "secure.json").write_text(json.dumps({**kept, "copies_ns": copies}, indent=1) + "\n")
    return text
