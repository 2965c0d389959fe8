# SPDX-License-Identifier: MIT
"""The allocators that are compared: the C library's, Debian's packaged ones, and mend.

An allocator is a name, a library to preload (None for the C library, which needs none) and
environment settings. Settings that a library does not know would be ignored by it in
silence, so a variant is only offered if the library's own text names the setting.
"""
import pathlib
import subprocess
from dataclasses import dataclass, field

LIBRARY_FOLDERS = ("/usr/lib/x86_64-linux-gnu", "/usr/lib/aarch64-linux-gnu", "/usr/lib")
SUBJECT = "mend"
C_LIBRARY = "libc"
PEERS = (C_LIBRARY, "jemalloc", "tcmalloc", "mimalloc")
NO_VARIANT = ("this mimalloc has no option allow_thp: it does not ask for huge pages by itself, so "
              "there is no second column without them")


@dataclass
class Allocator:
    name: str
    library: pathlib.Path | None = None
    package: str | None = None
    environment: dict = field(default_factory=dict)

    def version(self):
        """The package's version, or the file, for the report's head."""
        if self.package is None:
            return str(self.library)
        query = ["dpkg-query", "-W", "-f", "${Version}", self.package]
        found = subprocess.run(query, capture_output=True, text=True, check=False).stdout.strip()
        return f"{self.package} {found or 'of unknown version'}"


def find_library(name):
    """The real file behind a library's name, or None."""
    for folder in LIBRARY_FOLDERS:
        path = pathlib.Path(folder, name)
        if path.exists():
            return path.resolve()
    return None


def thp_variant(mimalloc):
    """mimalloc without transparent huge pages, where its version has that option; else None."""
    if mimalloc.library is None or b"allow_thp" not in mimalloc.library.read_bytes():
        return None
    return Allocator("mimalloc-nothp", mimalloc.library, mimalloc.package,
                     {"MIMALLOC_ALLOW_THP": "0"})


def known_allocators(mend_path):
    """Every allocator that is installed, and a note for each one that is not."""
    packaged = [("jemalloc", "libjemalloc.so.2", "libjemalloc2"),
                ("tcmalloc", "libtcmalloc_minimal.so.4", "libtcmalloc-minimal4"),
                ("mimalloc", "libmimalloc.so.2", "libmimalloc2.0")]
    allocators, notes = [Allocator(C_LIBRARY, package="libc6")], []
    for name, file_name, package in packaged:
        allocator = Allocator(name, find_library(file_name), package)
        if allocator.library is None:
            notes.append(f"{name} is missing: install Debian's {package}")
            continue
        allocators.append(allocator)
        if name == "mimalloc":
            variant = thp_variant(allocator)
            allocators += [variant] if variant else []
            notes += [] if variant else [NO_VARIANT]
    mend = pathlib.Path(mend_path)
    if mend.exists():
        allocators.append(Allocator(SUBJECT, mend.resolve()))
    else:
        notes.append(f"mend is missing: {mend} does not exist (--mend PATH)")
    return allocators, notes
