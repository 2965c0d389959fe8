# SPDX-License-Identifier: MIT
"""The samples of all runs, and what is computed from them: medians, means, best peers.

A program that failed under any allocator is left out of every mean, and is named in `failures`. The
best peer of a mean is the peer whose own mean is the lowest; the best peer of a program is the
one with the lowest median there.
"""
import math
import statistics
from dataclasses import dataclass, field

from .peers import SUBJECT

TIMED_GROUPS = ("micro", "pattern", "real")  # what the bars on the whole set are about
SHOWN_GROUPS = (*TIMED_GROUPS, "container")
SMALL_KIB = 32 * 1024


@dataclass
class Results:
    programs: list
    allocators: list
    samples: dict = field(default_factory=dict)  # (program, allocator) names -> list of samples
    failures: list = field(default_factory=list)

    def names(self):
        return [allocator.name for allocator in self.allocators]

    def peers(self):
        return [name for name in self.names() if name != SUBJECT]

    def has_subject(self):
        return SUBJECT in self.names()

    def of(self, program, allocator):
        return self.samples.get((program, allocator), [])

    def values(self, program, allocator, key):
        return [sample[key] for sample in self.of(program, allocator) if key in sample]

    def median(self, program, allocator, key):
        values = self.values(program, allocator, key)
        return statistics.median(values) if values else None

    def spread(self, program, allocator, key):
        """(highest - lowest) / median: the noise of one cell. None if there is only one value."""
        values = self.values(program, allocator, key)
        if len(values) == 1:
            return None
        middle = statistics.median(values) if values else 0
        return (max(values) - min(values)) / middle if middle else 0.0

    def stage(self, program, allocator, stage, key):
        """The median of what the judge saw at a stage of a program."""
        return statistics.median(sample["stages"][stage][key]
                                 for sample in self.of(program, allocator))

    def complete(self, *groups):
        """The names of the programs of these groups that ran under every allocator."""
        return [program.name for program in self.programs if program.group in groups
                and all(self.of(program.name, name) for name in self.names())]

    def ran(self, *programs):
        return set(programs) <= set(self.complete("pattern", "check"))

    def geomean(self, programs, allocator, base, key):
        """The geometric mean of allocator / base over `programs`; None without programs."""
        logs = [math.log(self.median(name, allocator, key) / self.median(name, base, key))
                for name in programs]
        return math.exp(statistics.fmean(logs)) if logs else None

    def best_of_mean(self, programs, key):
        """The name of the peer with the lowest mean; None without programs."""
        base = self.peers()[0]
        means = {peer: self.geomean(programs, peer, base, key) for peer in self.peers()}
        return min(means, key=means.get) if programs else None

    def best_of_program(self, program, key):
        """The lowest median of the peers, and whose it is."""
        return min((self.median(program, peer, key), peer) for peer in self.peers())

    def large(self):
        """The timed programs whose smallest peer peaks above 32 MiB; the others are small."""
        return [name for name in self.complete(*TIMED_GROUPS)
                if self.best_of_program(name, "peak_kib")[0] > SMALL_KIB]

    def to_best(self, program, key):
        """mend's median in terms of the best peer's; 1 where both are nothing."""
        best = self.best_of_program(program, key)[0]
        return self.median(program, SUBJECT, key) / best if best else 1.0

    def throughput(self, program, allocator):
        """Allocations a second, by the program's own count and clock."""
        ops = self.median(program, allocator, "ops")
        return ops / self.median(program, allocator, "wall")

    def cpu_per_op(self, program, allocator):
        return self.median(program, allocator, "cpu") / self.median(program, allocator, "ops")

    def thread_ratio(self, allocator):
        return (self.cpu_per_op("many_threads_256", allocator)
                / self.cpu_per_op("many_threads_2", allocator))

    def idle_thread_bytes(self, allocator):
        without = self.stage("idle_thread", allocator, "none", "resident")
        threads = self.stage("idle_thread", allocator, "idle", "threads")
        return (self.stage("idle_thread", allocator, "idle", "resident") - without) / threads
