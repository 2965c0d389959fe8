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

A program whose objects are handles also says between which addresses they all have been (low,
high), and has a stage before its first handle (start). By that its mappings are told apart, without
asking mend anything:
  blocks  those between low and high: objects' pages, free places and free pages among them;
  table   of the others, those that were not there at the start: the handle table;
  others  descriptors, bitmaps, the mover's and the program's own.
and fragmentation has three levels, all of memory that is resident:
  external = 1 - usable / blocks
  heap     = 1 - requested / (blocks + others)
  all_in   = 1 - requested / resident
"""


def is_heap(name):
    return name in ("", "[heap]") or name.startswith("[anon:")


def mappings_read(process):
    """The heap's mappings: (start, end, resident, of that in huge pages)."""
    mappings = []
    counted = False
    with open(f"/proc/{process}/smaps", encoding="ascii", errors="replace") as smaps:
        for line in smaps:
            words = line.split(None, 5)
            if not words[0].endswith(":"):
                counted = is_heap(words[5].strip() if len(words) > 5 else "")
                start, end = (int(word, 16) for word in words[0].split("-"))
                resident = 0
            elif counted and words[0] == "Anonymous:":
                resident = int(words[1]) * 1024
            elif counted and words[0] == "AnonHugePages:":
                mappings.append((start, end, resident, int(words[1]) * 1024))
    return mappings


def heap_read(process):
    """Resident heap bytes of a process, and how many of them lie in huge pages."""
    mappings = mappings_read(process)
    return sum(mapping[2] for mapping in mappings), sum(mapping[3] for mapping in mappings)


def split_judge(stage, mappings, first):
    """The three levels, for a program that says where its objects have been."""
    parts = {"blocks": 0, "table": 0, "others": 0}
    for start, end, resident, _ in mappings:
        if end > stage["low"] and start < stage["high"]:
            parts["blocks"] += resident
        elif start in first["starts"]:
            parts["others"] += resident
        else:
            parts["table"] += resident
    usable, requested = stage["usable"], stage["requested"]
    stage.update({f"{name}_resident": resident for name, resident in parts.items()})
    stage["external"] = 1 - usable / parts["blocks"]
    stage["heap"] = 1 - requested / (parts["blocks"] + parts["others"])
    stage["all_in"] = 1 - requested / stage["resident"]


def stage_judge(stage, first=None):
    """Adds what the judge sees to a stage that a program has reported (judged.h). `first`: the
    program's first stage, judged."""
    mappings = mappings_read(stage["pid"])
    resident = sum(mapping[2] for mapping in mappings)
    usable, requested = stage["usable"], stage["requested"]
    stage.update(resident=resident, huge=sum(mapping[3] for mapping in mappings))
    if first is None:
        stage["starts"] = [mapping[0] for mapping in mappings]
    if usable:
        stage["external"] = 1 - usable / resident
        stage["rounding"] = 1 - requested / usable
        stage["overhead"] = (resident - requested) / requested
        stage["overhead_beyond_rounding"] = (resident - usable) / usable
        if "low" in stage:
            split_judge(stage, mappings, first)
    return stage
