# SPDX-License-Identifier: MIT
"""Tells the results: bench.txt for people, bench.json with every sample, bench.svg to look at."""
import json
import os
import pathlib
import platform

from . import bars, chart
from .peers import SUBJECT
from .results import SHOWN_GROUPS

# Key of a sample, title, divisor and digits.
MEASURES = (("wall", "time, seconds", 1, 3), ("cpu", "CPU (user + system), seconds", 1, 3),
            ("peak_kib", "peak RSS, MiB", 1024, 1),
            ("minor_faults", "page faults, thousands", 1000, 1))
MILLION_ROWS = (("overhead", "made", "overhead"),
                ("overhead beyond rounding", "made", "overhead_beyond_rounding"),
                ("external, churned", "churned", "external"),
                ("external, purged", "purged", "external"))
NAME_WIDTH, CELL_WIDTH = 42, 14
THP = pathlib.Path("/sys/kernel/mm/transparent_hugepage/enabled")


def row(name, cells):
    return f"{name:<{NAME_WIDTH}}" + "".join(f"{cell:>{CELL_WIDTH}}" for cell in cells)


def cell(results, program, allocator, measure):
    key, _, divisor, digits = measure
    value = results.median(program, allocator, key)
    if value is None:
        return "failed"
    shown = f"{value / divisor:.{digits}f}"
    spread = results.spread(program, allocator, key)
    return shown if spread is None else f"{shown} ±{50 * spread:.0f}%"


def measure_table(results, measure):
    """One measure of all timed programs, and mend's in terms of the best peer's."""
    compared = results.complete(*SHOWN_GROUPS) if results.has_subject() and results.peers() else []
    lines = [row(measure[1], results.names() + (["mend/best"] if compared else []))]
    for program in results.programs:
        if program.group not in SHOWN_GROUPS:
            continue
        cells = [cell(results, program.name, name, measure) for name in results.names()]
        if program.name in compared:
            cells.append(f"{results.to_best(program.name, measure[0]):.2f}x")
        lines.append(row(program.name, cells))
    return lines if len(lines) > 1 else []


def means_table(results):
    """Geometric means: each allocator relative to the first, then mend relative to each."""
    if not results.peers():
        return []
    names = results.names()
    sets = [(f"time, {group}", results.complete(group), "wall") for group in SHOWN_GROUPS]
    sets += [(f"CPU, {group}", results.complete(group), "cpu") for group in SHOWN_GROUPS]
    sets.append(("peak RSS above 32 MiB", results.large(), "peak_kib"))
    sets = [(f"{title} ({len(programs)})", programs, key)
            for title, programs, key in sets if programs]
    lines = [row(f"geomeans relative to {names[0]}", names)]
    for title, programs, key in sets:
        means = [results.geomean(programs, name, names[0], key) for name in names]
        lines.append(row(title, [f"{mean:.3f}" for mean in means]))
    if results.has_subject():
        lines.append(row("mend relative to each", names))
        for title, programs, key in sets:
            means = [results.geomean(programs, SUBJECT, name, key) for name in names]
            lines.append(row(title, [f"{mean:.3f}" for mean in means]))
    return lines if sets else []


def percent(fraction):
    return f"{100 * fraction:.2f} %"


def pattern_rows(results, program):
    """Allocations a second and what the judge saw of one pattern."""
    names, short = results.names(), program.removeprefix("pattern_")
    rates = [results.throughput(program, name) / 1e6 for name in names]
    rows = [row(f"{short}: M allocations/s", [f"{rate:.1f}" for rate in rates])]
    for stage in ("end", "purged"):
        external = [results.stage(program, name, stage, "external") for name in names]
        rows.append(row(f"{short}: external, {stage}", map(percent, external)))
    rounding = [results.stage(program, name, "end", "rounding") for name in names]
    return rows + [row(f"{short}: rounding", map(percent, rounding))]


def check_rows(results):
    names, rows = results.names(), []
    if results.ran("overhead"):
        for title, stage, key in MILLION_ROWS:
            values = [results.stage("overhead", name, stage, key) for name in names]
            rows.append(row(f"million blocks: {title}", map(percent, values)))
    if results.ran("idle_thread"):
        values = [results.idle_thread_bytes(name) / 1024 for name in names]
        rows.append(row("idle thread, KiB", [f"{value:.1f}" for value in values]))
    if results.ran("many_threads_2", "many_threads_256"):
        values = [1e9 * results.cpu_per_op("many_threads_2", name) for name in names]
        rows.append(row("CPU per operation, ns, 2 threads", [f"{value:.1f}" for value in values]))
        values = [results.thread_ratio(name) for name in names]
        rows.append(row("CPU per operation, 256 to 2", [f"{value:.2f}x" for value in values]))
    return rows


def judged_table(results):
    rows = [line for program in results.complete("pattern")
            for line in pattern_rows(results, program)]
    rows += check_rows(results)
    return [row("seen by the judge", results.names())] + rows if rows else []


def bar_lines(judged):
    lines = []
    for bar in judged:
        value = "-" if bar.value is None else f"{bar.value:.3f}"
        bound = f"{'>' if bar.above else '<='} {bar.limit:g} {bar.unit}"
        lines.append(f"  {bar.verdict():<12} {value:>10}  {bound:<10}  {bar.text}")
    return lines


def bars_table(results):
    lines = bar_lines(bars.all_bars(results))
    missing = bars.lacking(results, *SHOWN_GROUPS)
    note = [f"  partial: {', '.join(missing)} ran: no verdict on the whole set"] if missing else []
    return ["bars"] + lines + note if lines else []


def machine():
    """What the figures depend on besides the allocators."""
    return {"cpus": os.cpu_count(), "kernel": platform.release(), "machine": platform.machine(),
            "C library": " ".join(platform.libc_ver()),
            "transparent huge pages": THP.read_text().strip() if THP.exists() else "not known"}


def head_lines(results, notes, rounds, scale):
    """What was run, on what, with which allocators, and what was not."""
    form = (f"{rounds} rounds after one warm-up, work scale {scale}; "
            "medians, ± half of (highest - lowest) in percent")
    if rounds == 1:
        form = f"1 round after one warm-up, work scale {scale}; no spread is known"
    lines = [form]
    lines += [f"{name}: {value}" for name, value in machine().items()]
    lines += [f"{allocator.name}: {allocator.version()}" for allocator in results.allocators]
    return lines + [f"note: {note}" for note in notes]


def text_report(results, notes, rounds, scale):
    tables = [measure_table(results, measure) for measure in MEASURES]
    tables += [means_table(results), judged_table(results), bars_table(results)]
    return text_join(results, head_lines(results, notes, rounds, scale), tables)


def text_join(results, lines, tables):
    for table in tables:
        lines += ["", *table] if table else []
    lines += [f"FAILED: {failure}" for failure in results.failures]
    return "\n".join(lines) + "\n"


def json_report(results, notes, rounds, scale, judged):
    judged = [{"bar": bar.text, "value": bar.value, "limit": bar.limit, "unit": bar.unit,
               "verdict": bar.verdict()} for bar in judged]
    versions = {allocator.name: allocator.version() for allocator in results.allocators}
    programs = {program.name: {"group": program.group,
                               "samples": {name: results.of(program.name, name)
                                           for name in results.names()}}
                for program in results.programs}
    return {"rounds": rounds, "scale": scale, "machine": machine(), "allocators": versions,
            "notes": notes, "failures": results.failures, "bars": judged, "programs": programs}


def write_all(results, folder, notes, rounds, scale):
    """Writes the three files into `folder`; returns the text."""
    folder.mkdir(parents=True, exist_ok=True)
    note = chart.write(results, folder / "bench.svg")
    notes = notes + ([note] if note else [])
    text = text_report(results, notes, rounds, scale)
    (folder / "bench.txt").write_text(text)
    report = json.dumps(json_report(results, notes, rounds, scale,
                                    bars.all_bars(results)), indent=1)
    (folder / "bench.json").write_text(report + "\n")
    return text
