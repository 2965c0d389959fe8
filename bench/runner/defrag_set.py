# SPDX-License-Identifier: MIT
"""What bench/defrag runs: the workloads of fragmenting.h, by whom, and the bars on each."""
import re
from dataclasses import dataclass

from .programs import Program

HANDLES = "handles"
WORKLOADS, SCALING, SPEED = "workload", "scaling", "speed"  # groups of cells

TURNOVERS = tuple(f"w{number}" for number in range(1, 9))
COMMON = ("survival_16_512", "survival_64", "survival_100", "survival_128", "survival_256",
          "survival_1000_3000", *TURNOVERS, "cache_lru")
SCATTERED_PINS = ("pinned_1", "pinned_5", "pinned_10", "still_10_thinned")
PINNED_PAGES = ("still_1", "still_5", "still_10")
SPEED_SIZES = (1024, 2048, 4608, 14336)
SCALING_MIB = (16, 64, 256, 1024, 4096, 8192)
QUICK_MIB_MOST = 1024


@dataclass
class Cell:
    """A workload at a size. Has a name and a group, as a program of bench/run has."""
    name: str
    group: str
    workload: str
    mib: int
    handles_only: bool = False

    def users(self, allocators):
        return [each for each in allocators if each.name == HANDLES or not self.handles_only]

    def program(self, folder, allocator):
        executable = "defrag_handles" if allocator.name == HANDLES else "defrag_malloc"
        command = [str(folder / executable), self.workload, str(self.mib)]
        command += ["apart"] if self.group == SPEED else []
        return Program(self.name, self.group, command, "judged")


def all_cells(mib, quick):
    cells = [Cell(name, WORKLOADS, name, mib) for name in COMMON]
    cells += [Cell(name, WORKLOADS, name, mib, True)
              for name in (*PINNED_PAGES, *SCATTERED_PINS)]
    cells += [Cell(f"heap_{size}", SCALING, "survival_16_512", size, True)
              for size in SCALING_MIB if not quick or size <= QUICK_MIB_MOST]
    return cells + [Cell(f"{share}_{size}", SPEED, f"{share}_{size}", mib, True)
                    for share in ("speed", "half") for size in SPEED_SIZES]


def size_of(cell):
    """The size of the objects of a cell of SPEED."""
    return int(re.search(r"\d+$", cell.name).group())
