# SPDX-License-Identifier: MIT
"""Reads another process's heap from the outside.

The rule, the same for every allocator: the resident heap is all anonymous memory, as
/proc/PID/smaps counts it, in mappings without a file's name: unnamed ones, [heap], [anon:...].
Nothing is subtracted, so an allocator's own tables count too, wherever it keeps them. Private pages
of files (the data of programs and libraries), [stack] and shared mappings do not count; the judged
programs keep their own tables and their threads' stacks in shared mappings, so that what is left
is the allocator's.

  external fragmentation = 1 - usable / resident
  rounding loss          = 1 - requested / usable
  overhead               = (resident - requested) / requested
  overhead beyond rounding = (resident - usable) / usable

usable is the sum of malloc_usable_size over the live blocks, so what an allocator rounds up counts
as used. Where the rounded-up tail of large blocks is never touched, usable can exceed resident and
the external figure falls below zero: read it beside the rounding loss.
"""


def is_heap(name):
    return name in ("", "[heap]") or name.startswith("[anon:")


def heap_read(process):
    """Resident heap bytes of a process, and how many of them lie in huge pages."""
    resident = huge = 0
    counted = False
    with open(f"/proc/{process}/smaps", encoding="ascii", errors="replace") as smaps:
        for line in smaps:
            words = line.split(None, 5)
            if not words[0].endswith(":"):
                counted = is_heap(words[5].strip() if len(words) > 5 else "")
            elif counted and words[0] == "Anonymous:":
                resident += int(words[1]) * 1024
            elif counted and words[0] == "AnonHugePages:":
                huge += int(words[1]) * 1024
    return resident, huge


def stage_judge(stage):
    """Adds what the judge sees to a stage that a program has reported (judged.h)."""
    resident, huge = heap_read(stage["pid"])
    usable, requested = stage["usable"], stage["requested"]
    stage.update(resident=resident, huge=huge)
    if usable:
        stage["external"] = 1 - usable / resident
        stage["rounding"] = 1 - requested / usable
        stage["overhead"] = (resident - requested) / requested
        stage["overhead_beyond_rounding"] = (resident - usable) / usable
    return stage
