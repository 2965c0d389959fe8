# SPDX-License-Identifier: MIT
"""Tells the results of bench/defrag: defrag.txt for people, defrag.json with every sample, and
defrag.svg to look at."""
import json
import statistics

from . import defrag_bars, defrag_chart, defrag_set, report
from .defrag_set import HANDLES

MIB = 1 << 20
NAME_WIDTH = 19
OWN_TOLERANCE = 0.01
LEVELS = (("external", "external"), ("heap", "heap"), ("all-in", "all_in"))


def row(name, cells, width=16):
    return (f"{name:<{NAME_WIDTH}}" + "".join(f"{cell:>{width}}" for cell in cells)).rstrip()


def ran(results, *groups):
    return [cell for cell in results.programs
            if cell.group in groups and results.of(cell.name, HANDLES)]


def at(results, name, stage, key):
    return results.stage(name, HANDLES, stage, key)


def spread(values):
    """Half of (highest - lowest) in percent of the median, as text; nothing for one value."""
    middle = statistics.median(values)
    if len(values) < 2 or not middle:
        return ""
    return f" ±{50 * (max(values) - min(values)) / middle:.0f}%"


def time_text(results, name):
    values = [1000 * value for value in results.values(name, HANDLES, "wall")]
    return f"{statistics.median(values):.1f}{spread(values)}"


def levels_table(results):
    """Fragmentation of a heap of handles at three levels, and what the pass took."""
    titles = ["live objects", "live MiB", *(f"{title}, %" for title, _ in LEVELS),
              "resident/blocks", "ms", "moved MiB", "GB/s"]
    lines = [row("one pass", titles)]
    for cell in ran(results, defrag_set.WORKLOADS):
        name = cell.name
        cells = [f"{at(results, name, 'after', 'blocks'):.0f}",
                 f"{at(results, name, 'after', 'requested') / MIB:.1f}"]
        cells += [f"{100 * at(results, name, 'before', key):.1f} > "
                  f"{100 * at(results, name, 'after', key):.1f}" for _, key in LEVELS]
        limit = at(results, name, "after", "ratio_limit")
        cells.append(f"{1 + defrag_bars.ratio_after(results, name):.4f}"
                     + (f" ({1 + limit:.2f})" if limit else ""))
        cells += [time_text(results, name),
                  f"{at(results, name, 'after', 'moved_bytes') / MIB:.1f}",
                  f"{statistics.median(defrag_bars.speeds(results, name, 'seconds')):.2f}"]
        lines.append(row(name, cells))
    return lines if len(lines) > 1 else []


def parts_table(results):
    """Where the bytes are after the pass, by the judge."""
    titles = ["asked for", "rounding", "free in pages", "others", "handle table", "all",
              "at the start"]
    lines = [row("after it, KiB", titles)]
    for cell in ran(results, defrag_set.WORKLOADS):
        def kib(key, stage="after", name=cell.name):
            return at(results, name, stage, key) / 1024
        values = [kib("requested"), kib("usable") - kib("requested"),
                  kib("blocks_resident") - kib("usable"), kib("others_resident"),
                  kib("table_resident"), kib("resident"), kib("resident", "start")]
        lines.append(row(cell.name, [f"{value:.0f}" for value in values]))
    return lines if len(lines) > 1 else []


def resident_table(results):
    """Resident heap under each allocator, before and after its own call."""
    lines = [row("resident, MiB", ["asked for", *results.names()])]
    for cell in results.programs:
        if cell.group != defrag_set.WORKLOADS or cell.handles_only:
            continue
        cells = []
        for name in results.names():
            if not results.of(cell.name, name):
                cells.append("-")
                continue
            values = [results.stage(cell.name, name, stage, "resident") / MIB
                      for stage in ("before", "after")]
            cells.append(f"{values[0]:.1f} > {values[1]:.1f}")
        first = next((name for name in results.names() if results.of(cell.name, name)), None)
        if first:
            asked = results.stage(cell.name, first, "after", "requested") / MIB
            lines.append(row(cell.name, [f"{asked:.1f}", *cells]))
    return lines if len(lines) > 1 else []


def scaling_table(results):
    lines = [row("heaps of any size", ["MiB before", "live MiB", "external, %", "heap, %",
                                       "moved MiB", "ms", "ns a live KiB"])]
    for cell in ran(results, defrag_set.SCALING):
        live = at(results, cell.name, "after", "requested")
        wall = results.median(cell.name, HANDLES, "wall")
        lines.append(row(cell.name, [
            f"{at(results, cell.name, 'before', 'resident') / MIB:.1f}", f"{live / MIB:.1f}",
            *(f"{100 * at(results, cell.name, 'after', key):.1f}" for key in ("external", "heap")),
            f"{at(results, cell.name, 'after', 'moved_bytes') / MIB:.1f}",
            time_text(results, cell.name), f"{1024e9 * wall / live:.0f}"]))
    slope = defrag_bars.exponent(results)
    if slope is not None:
        lines.append(f"time = c * live^{slope:.3f}")
    return lines if len(lines) > 1 else []


def speed_text(values):
    return f"{statistics.median(values):.2f}{spread(values)}"


def speed_table(results, copies):
    """What a pass moves a second: alone, and with the time that giving memory back takes."""
    lines = [row("speed, GB/s", ["moved MiB", "ms, moving", "ms, all", "moving", "all",
                                 "memcpy, blocks", "memcpy, large", "moving / large"])]
    large = defrag_bars.copy_speed(copies, "large")
    for cell in ran(results, defrag_set.SPEED):
        moving = defrag_bars.speeds(results, cell.name, "moving_seconds")
        same = defrag_bars.copy_speed(copies, defrag_set.size_of(cell))
        lines.append(row(cell.name, [
            f"{at(results, cell.name, 'after', 'moved_bytes') / MIB:.1f}",
            f"{1000 * at(results, cell.name, 'after', 'moving_seconds'):.1f}",
            time_text(results, cell.name), speed_text(moving),
            speed_text(defrag_bars.speeds(results, cell.name, "seconds")), f"{same:.2f}",
            f"{large:.2f}", f"{100 * statistics.median(moving) / large:.0f} %"]))
    return lines if len(lines) > 1 else []


def own_levels(results, name, stage):
    """What mend_fragmentation_get says, with free pages that were not returned counted as held."""
    def own(key):
        return at(results, name, stage, f"own_{key}")
    blocks = own("resident") + own("cached")
    requested = at(results, name, stage, "requested")
    return {"external": 1 - at(results, name, stage, "usable") / blocks,
            "heap": 1 - requested / (blocks + own("metadata")),
            "all_in": 1 - requested / (blocks + own("metadata") + own("table"))}


def disagreements(results):
    """Where mend's own figures are more than a hundredth from what the judge sees."""
    lines = []
    for cell in ran(results, defrag_set.WORKLOADS, defrag_set.SCALING, defrag_set.SPEED):
        for stage in ("before", "after"):
            own = own_levels(results, cell.name, stage)
            far = [f"{title} {100 * at(results, cell.name, stage, key):.2f} % by the judge, "
                   f"{100 * own[key]:.2f} % by mend" for title, key in LEVELS
                   if abs(at(results, cell.name, stage, key) - own[key]) > OWN_TOLERANCE]
            if far:
                lines.append(f"  {cell.name}, {stage}: " + "; ".join(far))
    return ["mend's own figures where they are more than 1 % off (kept free pages counted as held)",
            *(lines or ["  nowhere"])]


def bars_table(results, copies):
    lines = []
    for bar in defrag_bars.all_bars(results, copies):
        bound = f"{'>' if bar.above else '<='} {bar.limit:g} {bar.unit}"
        lines.append(f"  {bar.verdict():<6} {bar.value:>10.4f}  {bound:<10}  {bar.text}")
    return ["bars", *lines] if lines else []


def text_report(results, form):
    rounds = f"{form['rounds']} round" + ("s" if form["rounds"] > 1 else "")
    lines = [f"{rounds} after one warm-up, heaps of {form['mib']} MiB; "
             "before > after one call; medians, ± half of (highest - lowest) in percent"]
    lines += [f"{name}: {value}" for name, value in report.machine().items()]
    lines += [f"{each.name}: {each.version()}" for each in results.allocators
              if each.package or each.library]
    lines += [f"note: {note}" for note in form["notes"]]
    for table in (levels_table(results), parts_table(results), resident_table(results),
                  scaling_table(results), speed_table(results, form["copies"]),
                  disagreements(results), bars_table(results, form["copies"])):
        lines += ["", *table] if table else []
    lines += [f"FAILED: {failure}" for failure in results.failures]
    return "\n".join(lines) + "\n"


def json_report(results, form):
    cells = {cell.name: {"group": cell.group, "workload": cell.workload, "mib": cell.mib,
                         "samples": {name: results.of(cell.name, name)
                                     for name in results.names()}}
             for cell in results.programs}
    judged = [{"bar": bar.text, "value": bar.value, "limit": bar.limit, "unit": bar.unit,
               "verdict": bar.verdict()} for bar in defrag_bars.all_bars(results, form["copies"])]
    versions = {each.name: each.version() for each in results.allocators
                if each.package or each.library}
    return {**form, "machine": report.machine(), "allocators": versions,
            "failures": results.failures, "bars": judged, "cells": cells}


def write_all(results, folder, form):
    """Writes the three files into `folder`; returns the text."""
    folder.mkdir(parents=True, exist_ok=True)
    note = defrag_chart.write(results, folder / "defrag.svg")
    form = {**form, "notes": form["notes"] + ([note] if note else [])}
    text = text_report(results, form)
    (folder / "defrag.txt").write_text(text)
    (folder / "defrag.json").write_text(json.dumps(json_report(results, form), indent=1) + "\n")
    return text
