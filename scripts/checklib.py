# SPDX-License-Identifier: MIT
"""What the scripts/check-* programs share: the tree, the names in it, and how a finding is told."""

import pathlib
import re
import sys

ROOT = pathlib.Path(__file__).resolve().parent.parent
NAME = pathlib.Path(sys.argv[0]).name


class Findings:
    """Collects what is wrong, prints each finding on a line of its own, and ends the program."""

    def __init__(self):
        self.count = 0

    def add(self, place, text):
        print(f"{NAME}: {place}: {text}")
        self.count += 1

    def exit(self):
        sys.exit(1 if self.count else 0)


def files(*patterns):
    """The files of the tree that match, sorted, as paths relative to its root; ours only."""
    found = {path for pattern in patterns for path in ROOT.glob(pattern)
             if path.is_file() and "node_modules" not in path.parts}
    return sorted(path.relative_to(ROOT) for path in found)


def text_of(path):
    return (ROOT / path).read_text(encoding="utf-8")


def lines_of(path):
    """(number, line) of each line, counted from 1."""
    return enumerate(text_of(path).splitlines(), 1)


def built(name):
    """A library in the build tree that is the program's first argument, by default build/."""
    path = pathlib.Path(sys.argv[1] if len(sys.argv) > 1 else ROOT / "build").resolve() / name
    if not path.exists():
        sys.exit(f"{NAME}: {path} is not there: run make first")
    return path


def public_names():
    """Functions and data that the public headers declare: name -> header."""
    names = {}
    for header in files("include/mend/*.h"):
        code = re.sub(r"//.*", "", text_of(header))
        for declaration in re.findall(r"^MEND_EXPORT\b([^;]*);", code, re.MULTILINE):
            found = re.search(r"\b(mend_\w+)\s*(?:\(|\[|$)", declaration.strip())
            names[found.group(1) if found else declaration.strip()] = header
    return names
