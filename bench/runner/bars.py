# SPDX-License-Identifier: MIT
"""The bars that mend has to pass, each computed from one set of results.

A bar says what it compares, the value, and its limit. Where mend or its peers did not run, there
is nothing to judge and the bar says so. A bar on all programs of a group, or on the best of all
peers, is judged only if all of them ran: else it is called partial.
"""
from dataclasses import dataclass

from .peers import C_LIBRARY, PEERS, SUBJECT
from .programs import WHOLE_SET
from .results import TIMED_GROUPS

FRAGMENTATION_PERCENT = {"pattern_database": 4, "pattern_web_server": 2,
                         "pattern_game_engine": 1, "pattern_machine_learning": 6}


@dataclass
class Bar:
    text: str
    value: float | None
    limit: float
    unit: str = "x"
    above: bool = False  # the value has to exceed the limit instead of staying within it
    partial: bool = False  # of some of the programs or peers that it is about

    def verdict(self):
        if self.value is None:
            return "not measured"
        if self.partial:
            return "partial"
        passed = self.value > self.limit if self.above else self.value <= self.limit
        return "pass" if passed else "FAIL"


def lacking(results, *groups):
    """What did not run, in words, of the peers and of the whole set of these groups."""
    missing = []
    for group in groups:
        ran = set(results.complete(group))
        if not ran >= set(WHOLE_SET[group]):
            missing.append(f"{len(ran)} of {len(WHOLE_SET[group])} {group} programs")
    ran = [peer for peer in PEERS if peer in results.peers()]
    return missing + ([f"{len(ran)} of {len(PEERS)} peers"] if len(ran) < len(PEERS) else [])


def mean_bar(results, text, programs, key, groups):
    best = results.best_of_mean(programs, key)
    value = results.geomean(programs, SUBJECT, best, key)
    what = (f"geomean of {len(programs)} to the best peer, {best}" if programs
            else "geomean to the best peer (none ran)")
    return Bar(f"{text}: {what}", value, 0.95, partial=bool(lacking(results, *groups)))


def mean_bars(results):
    bars = [mean_bar(results, f"time, {group}", results.complete(group), "wall", (group,))
            for group in TIMED_GROUPS]
    return bars + [mean_bar(results, "peak RSS above 32 MiB", results.large(), "peak_kib",
                            TIMED_GROUPS)]


def excess_kib(results, program):
    smallest = results.best_of_program(program, "peak_kib")[0]
    return results.median(program, SUBJECT, "peak_kib") - smallest


def program_bars(results):
    timed, large = results.complete(*TIMED_GROUPS), results.large()
    partial = bool(lacking(results, *TIMED_GROUPS))
    excess, where = max(((excess_kib(results, name), name) for name in timed if name not in large),
                        default=(None, "none ran"))
    bars = [Bar(f"peak RSS below 32 MiB: most above the smallest peer ({where})", excess, 256,
                "KiB", partial=partial)]
    for key, text in (("wall", "time"), ("peak_kib", "peak RSS")):
        ratio, where = max(((results.to_best(name, key), name) for name in timed),
                           default=(None, "none ran"))
        bars.append(Bar(f"{text}: worst program to its best peer ({where})", ratio, 1.15,
                        partial=partial))
    return bars


def pattern_bars(results):
    bars = []
    for name, limit in FRAGMENTATION_PERCENT.items():
        if not results.ran(name):
            continue
        own = results.throughput(name, SUBJECT)
        if C_LIBRARY in results.names():
            ratio = own / results.throughput(name, C_LIBRARY)
            bars.append(Bar(f"{name}: allocations a second, to the C library's", ratio, 2,
                            above=True))
        external = results.stage(name, SUBJECT, "purged", "external")
        bars.append(Bar(f"{name}: allocations a second", own / 1e6, 10, "M/s", above=True))
        bars.append(Bar(f"{name}: external fragmentation, purged", 100 * external, limit, "%"))
    return bars


def container_bars(results):
    """By CPU time, which is all that programs of one thread take, whoever else the machine has."""
    programs = results.complete("container")
    partial = set(programs) < set(WHOLE_SET["container"])
    bars = []
    for peer, text, limit, above in ((C_LIBRARY, "the C library's to mend's", 1.3, True),
                                     ("mimalloc", "mend's to mimalloc's", 1, False)):
        if not programs or peer not in results.names():
            continue
        sides = (peer, SUBJECT) if above else (SUBJECT, peer)
        ratios = {name: results.geomean([name], *sides, "cpu") for name in programs}
        bars.append(Bar(f"CPU, containers: geomean of {len(programs)}, {text}",
                        results.geomean(programs, *sides, "cpu"), limit, above=above,
                        partial=partial))
        bars += [Bar(f"CPU, {name}: {text}", ratio, limit, above=above)
                 for name, ratio in ratios.items()]
    return bars


def check_bars(results):
    bars = []
    if results.ran("overhead"):
        beyond = results.stage("overhead", SUBJECT, "made", "overhead_beyond_rounding")
        external = results.stage("overhead", SUBJECT, "purged", "external")
        bars.append(Bar("a million blocks: overhead beyond rounding", 100 * beyond, 5, "%"))
        bars.append(Bar("a million blocks: external, churned and purged", 100 * external, 8, "%"))
    if results.ran("many_threads_2", "many_threads_256"):
        bars.append(Bar("CPU per operation, 256 threads to 2", results.thread_ratio(SUBJECT), 1.5))
    if results.ran("idle_thread"):
        idle = results.idle_thread_bytes(SUBJECT) / 1024
        bars.append(Bar("an idle thread's resident memory", idle, 64, "KiB"))
    return bars


def all_bars(results):
    if not results.has_subject() or not results.peers():
        return []
    return (mean_bars(results) + program_bars(results) + pattern_bars(results)
            + check_bars(results) + container_bars(results))
