# SPDX-License-Identifier: MIT
"""The fixed set of benchmark programs, and how each is started.

Groups: "micro", "pattern" and "real" have a geometric mean each, and "container", which came later,
has one of its own; "check" programs answer one question of memory or threads and are in no mean.
Programs that are added later go into a group of their own, so that the means stay comparable.
"""
import pathlib
import subprocess
from dataclasses import dataclass, field

BENCH = pathlib.Path(__file__).resolve().parent.parent
REAL = BENCH / "real"
MICRO = ("fixed_size", "random_sizes", "lifo", "fifo", "producer_consumer", "server_handover",
         "short_threads", "false_sharing_active", "false_sharing_passive", "realloc_growth_1.5",
         "realloc_growth_2", "realloc_growth_add", "calloc", "large_blocks", "long_running_server")
PATTERNS = ("pattern_database", "pattern_web_server", "pattern_game_engine",
            "pattern_machine_learning")
CONTAINERS = ("map", "unordered_map", "list", "string")
REAL_PROGRAMS = ("sqlite3", "lua", "python3", "perl", "ruby", "gcc", "redis", "ghostscript")
WHOLE_SET = {"micro": MICRO, "pattern": PATTERNS, "real": REAL_PROGRAMS,  # the groups with means
             "container": tuple(f"container_{name}" for name in CONTAINERS)}
THREAD_COUNTS = (2, 256)
# Built with the library: a suite of mend itself, and what needs its handles.
NEED_MEND = ("benchmark_test.c", "defrag_handles.c", "defrag_pauses.c", "defrag_throughput.c",
             "defrag_vetoes.c", "handle_reads.c")
COMPILER_FLAGS = ("-std=c17", "-O2", "-D_GNU_SOURCE", "-pthread", "-Wall", "-Wextra")
CXX_FLAGS = ("-std=c++17", *COMPILER_FLAGS[1:])


@dataclass
class Program:
    """How one program is run. kind: "plain" is timed as a whole, "judged" talks to the judge,
    "redis" is a server with a client."""
    name: str
    group: str
    command: list
    kind: str = "plain"
    package: str | None = None  # the Debian package of command[0], where it is not ours
    environment: dict = field(default_factory=dict)
    brings_malloc: bool = False  # linked with an allocator: the C library has to be preloaded too


def build(folder):
    """Compiles every program here that stands alone, and the launcher, into `folder`."""
    for source in sorted(BENCH.glob("*.c")):
        if source.name in NEED_MEND:
            continue
        static = ["-static"] if source.name == "launch.c" else []
        output = str(folder / source.stem)
        subprocess.run(["cc", *COMPILER_FLAGS, *static, str(source), "-o", output, "-lm"],
                       check=True)
    build_containers(folder)


def build_containers(folder):
    subprocess.run(["c++", *CXX_FLAGS, str(BENCH / "containers.cpp"), "-o",
                    str(folder / "containers")], check=True)


def build_handles(folder, archive):
    """Compiles the program whose objects are handles, with mend's archive of mend_* names."""
    include = f"-I{BENCH.parent / 'include'}"
    subprocess.run(["cc", *COMPILER_FLAGS, include, str(BENCH / "defrag_handles.c"), str(archive),
                    "-o", str(folder / "defrag_handles")], check=True)


def make_inputs(folder, scale):
    subprocess.run([str(BENCH / "inputs"), str(folder), str(scale)], check=True)


def compiler_proper():
    """The path of gcc's cc1: the driver itself allocates next to nothing."""
    query = subprocess.run(["gcc", "-print-prog-name=cc1"], capture_output=True, text=True,
                           check=False)
    return query.stdout.strip() or "cc1"


def bench_programs(folder, scale):
    """The programs of this folder, as compiled into `folder`."""
    def ours(name, group, kind, executable, *arguments):
        return Program(name, group, [str(folder / executable), *map(str, arguments)], kind)

    programs = []
    for name in MICRO:
        executable, _, growth = name.partition("growth_")
        if growth:
            programs.append(ours(name, "micro", "plain", executable + "growth", scale, growth))
        else:
            programs.append(ours(name, "micro", "plain", name, scale))
    programs += [ours(name, "pattern", "judged", name, scale) for name in PATTERNS]
    programs += [ours(f"container_{name}", "container", "plain", "containers", scale, name)
                 for name in CONTAINERS]
    programs += [ours(name, "check", "judged", name) for name in ("overhead", "idle_thread")]
    programs += [ours(f"many_threads_{count}", "check", "judged", "many_threads", scale, count)
                 for count in THREAD_COUNTS]
    return programs


def real_programs(inputs, scale):
    """Installed programs on real jobs; those with large inputs read them from `inputs`."""
    python = {"PYTHONMALLOC": "malloc", "PYTHONHASHSEED": "0", "PYTHONDONTWRITEBYTECODE": "1"}
    postscript = ["gs", "-q", "-dNOPAUSE", "-dBATCH", "-dSAFER", "-sDEVICE=pgmraw", "-r60",
                  "-sOutputFile=/dev/null", str(inputs / "job.ps")]
    compiler = [compiler_proper(), "-quiet", "-O2", str(inputs / "job.c"), "-o", "/dev/null"]

    def job(executable, name, *options):
        return [executable, *options, str(REAL / name), str(scale)]

    return [
        Program("sqlite3", "real", ["sqlite3", ":memory:", f".read {inputs / 'job.sql'}"],
                package="sqlite3"),
        Program("lua", "real", job("lua5.4", "job.lua"), package="lua5.4"),
        Program("python3", "real", job("/usr/bin/python3", "job.py"), package="python3",
                environment=python),
        Program("perl", "real", job("perl", "job.pl"), package="perl",
                environment={"PERL_HASH_SEED": "0"}),
        Program("ruby", "real", job("ruby", "job.rb", "--disable-gems"), package="ruby"),
        Program("gcc", "real", compiler, package="gcc"),
        Program("redis", "real", ["redis-server", str(60000 * scale)], "redis",
                package="redis-server", brings_malloc=True),
        Program("ghostscript", "real", postscript, package="ghostscript"),
    ]
