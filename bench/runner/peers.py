# SPDX-License-Identifier: MIT
"""The allocators that are compared: the C library's, Debian's packaged ones, and mend.

Beside mend's hardened build others are compared: hardened_allocators.

An allocator is a name, a library to preload (None for the C library, which needs none) and
environment settings. Settings that a library does not know would be ignored by it in
silence, so a variant is only offered if the library's own text names the setting.
"""
import pathlib
import platform
import subprocess
from dataclasses import dataclass, field

LIBRARY_FOLDERS = ("/usr/lib/x86_64-linux-gnu", "/usr/lib/aarch64-linux-gnu", "/usr/lib")
SUBJECT = "mend"
C_LIBRARY = "libc"
PEERS = (C_LIBRARY, "jemalloc", "tcmalloc", "mimalloc")
HARDENED = "harden"  # mend's hardened build: this and its level
SCUDO = "scudo"
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


def find_scudo():
    """The newest of LLVM's runtimes that Debian has installed, and its package."""
    name = f"libclang_rt.scudo_standalone-{platform.machine()}.so"
    folders = sorted(pathlib.Path("/usr/lib").glob("llvm-[0-9]*"),
                     key=lambda folder: int(folder.name.removeprefix("llvm-")))
    for folder in reversed(folders):
        for path in folder.glob(f"lib/clang/*/lib/linux/{name}"):
            return path.resolve(), f"libclang-rt-{folder.name.removeprefix('llvm-')}-dev"
    return None, None


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
    mend, missing = mend_allocator(mend_path)
    return allocators + mend, notes + missing


def mend_allocator(path):
    """mend's own library in a list, or none and the note that says so."""
    mend = pathlib.Path(path)
    if not mend.exists():
        return [], [f"mend is missing: {mend} does not exist (--mend PATH)"]
    return [Allocator(SUBJECT, mend.resolve())], []


def hardened_allocators(mend_path, hardened_path, levels):
    """mend, each level of its hardened build, and the hardened allocators of others."""
    allocators, notes = mend_allocator(mend_path)
    hardened = pathlib.Path(hardened_path)
    if not hardened.exists():
        notes.append(f"{HARDENED}* is missing: {hardened} is not built (--hardened PATH)")
    elif b"harden" not in hardened.read_bytes():
        notes.append(f"{HARDENED}* is missing: {hardened} has no option harden")
    else:
        allocators += [Allocator(f"{HARDENED}{level}", hardened.resolve(),
                                 environment={"MEND_HARDEN": str(level)}) for level in levels]
    library, package = find_scudo()
    if library is None:
        notes.append(f"{SCUDO} is missing: install Debian's libclang-rt-19-dev")
    else:
        allocators.append(Allocator(SCUDO, library, package))
    library = find_library("libmimalloc-secure.so.2")
    if library is None:
        notes.append("mimalloc's secure mode is missing: no package of Debian has it")
    else:
        allocators.append(Allocator("mimalloc-secure", library))
    return allocators, notes
