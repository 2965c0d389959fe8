# SPDX-License-Identifier: MIT
"""The bars on one pass of the defragmenter, each computed from one set of results.

Where a bar's condition does not hold (heaps that were not above 80 % before, small objects), there
is none; nor on fragmentation where objects stay in scattered places: each holds an os page, which
nobody can mend. Of several rounds the median counts.
"""
import math
import statistics

from . import defrag_set
from .bars import Bar
from .defrag_set import HANDLES

FRAGMENTED, HEAP_LIMIT, EXTERNAL_LIMIT, ALL_IN_LIMIT = 0.80, 10, 3, 12
HEAP_AVERAGE, ALL_IN_AVERAGE = 128, 1536
COPY_SHARE, LINEAR_LIMIT = 40, 1.1


def after(results, name, key):
    return results.stage(name, HANDLES, "after", key)


def ratio_after(results, name):
    """resident / blocks - 1 after the pass, as the published thresholds are."""
    return after(results, name, "blocks_resident") / after(results, name, "usable") - 1


def average(results, name):
    return after(results, name, "requested") / after(results, name, "blocks")


def level_bars(results, name):
    bars, size = [], average(results, name)
    if results.stage(name, HANDLES, "before", "heap") > FRAGMENTED and size >= HEAP_AVERAGE:
        bars.append(Bar(f"{name}: heap", 100 * after(results, name, "heap"), HEAP_LIMIT, "%"))
    bars.append(Bar(f"{name}: external", 100 * after(results, name, "external"), EXTERNAL_LIMIT,
                    "%"))
    if size >= ALL_IN_AVERAGE:
        bars.append(Bar(f"{name}: all-in", 100 * after(results, name, "all_in"), ALL_IN_LIMIT,
                        "%"))
    limit = after(results, name, "ratio_limit")
    if limit:
        bars.append(Bar(f"{name}: resident / blocks - 1, published", ratio_after(results, name),
                        limit, ""))
    return bars


def speeds(results, name, seconds):
    """GB/s that a pass moved, round by round, by the time of the whole ("seconds") or of moving."""
    stages = [sample["stages"]["after"] for sample in results.of(name, HANDLES)]
    return [stage["moved_bytes"] / stage[seconds] / 1e9 for stage in stages]


def copy_speed(copies, size):
    return statistics.median(each[str(size)] for each in copies)


def speed_bars(results, copies):
    bars = []
    for cell in results.programs:
        if cell.group == defrag_set.SPEED and results.of(cell.name, HANDLES):
            speed = statistics.median(speeds(results, cell.name, "moving_seconds"))
            share = 100 * speed / copy_speed(copies, "large")
            bars.append(Bar(f"{cell.name}: moving, of one large memcpy", share, COPY_SHARE, "%",
                            above=True))
    return bars


def exponent(results):
    """k in time = c * live^k, fitted to the heaps of growing size; None with fewer than three."""
    points = [(math.log(after(results, cell.name, "requested")),
               math.log(results.median(cell.name, HANDLES, "wall")))
              for cell in results.programs
              if cell.group == defrag_set.SCALING and results.of(cell.name, HANDLES)]
    if len(points) < 3:
        return None
    return statistics.linear_regression(*zip(*points)).slope


def all_bars(results, copies):
    bars = []
    for cell in results.programs:
        is_level = (cell.group == defrag_set.WORKLOADS
                    and cell.name not in defrag_set.SCATTERED_PINS)
        if is_level and results.of(cell.name, HANDLES):
            bars += level_bars(results, cell.name)
    bars += speed_bars(results, copies)
    slope = exponent(results)
    if slope is not None:
        bars.append(Bar("time = c * live^k: k", slope, LINEAR_LIMIT, ""))
    return bars
