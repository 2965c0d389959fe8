# SPDX-License-Identifier: MIT
"""Runs one program under one allocator once, through launch, and returns what it used.

A sample holds wall, cpu (user + system), peak_kib and minor_faults, and for programs that count
them ops. The wall of a judged program is what it took itself for its load (it also waits for the
judge), and the sample holds its stages. The wall of redis is that of its client's requests.
"""
import contextlib
import hashlib
import json
import os
import shutil
import signal
import subprocess
import threading
import time

from . import judge, peers

RUN_SECONDS_MAX = 900
REDIS_TESTS = "set,get,lpush,hset,sadd,zadd,lrange_100"
REDIS_LOAD = ("-r", "100000", "-d", "200", "-c", "16", "-P", "16", "-q", "-t", REDIS_TESTS)


class RunFailed(Exception):
    """The program failed, or did not run on the allocator that it should have run on."""


def group_kill(child):
    """Ends the launcher and its program, which are a process group of their own."""
    with contextlib.suppress(ProcessLookupError):
        os.killpg(child.pid, signal.SIGKILL)


class Run:
    """One run of one program: starts it, and turns the launcher's report into a sample."""

    def __init__(self, folder, program, allocator, check):
        self.folder, self.program, self.allocator, self.check = folder, program, allocator, check
        self.report = folder / "launch.json"
        self.launcher_status = None
        self.scratch = folder / "scratch"
        self.scratch.mkdir(exist_ok=True)
        self.report.unlink(missing_ok=True)

    def failed(self, reason):
        return RunFailed(f"{self.program.name} under {self.allocator.name}: {reason}")

    def library(self):
        """What to preload. The C library is only preloaded into programs with another malloc."""
        if self.allocator.library is None and self.program.brings_malloc:
            return str(peers.find_library("libc.so.6"))
        return str(self.allocator.library or "-")

    @contextlib.contextmanager
    def started(self, command, **streams):
        """Runs `command` under the launcher; whatever happens, nothing is left running."""
        environment = {name: text for name, text in os.environ.items() if name != "LD_PRELOAD"}
        environment.update(self.program.environment, **self.allocator.environment, LC_ALL="C")
        launch = [self.folder / "launch", self.report, self.library(),
                  "check" if self.check else "time", *command]
        child = subprocess.Popen([str(word) for word in launch], env=environment,
                                 cwd=self.scratch, start_new_session=True, **streams)
        limit = threading.Timer(RUN_SECONDS_MAX, group_kill, (child,))
        limit.start()
        try:
            yield child
        finally:
            limit.cancel()
            if child.poll() is None:
                group_kill(child)
            self.launcher_status = child.wait()

    def sample(self, errors=""):
        """What the launcher reported; raises if the run was not what it should have been."""
        if self.launcher_status != 0:
            killed = self.launcher_status == -signal.SIGKILL
            raise self.failed(f"stopped after {RUN_SECONDS_MAX} s" if killed else errors)
        usage = json.loads(self.report.read_text())
        if usage["status"] != 0:
            raise self.failed(f"exit status {usage['status']}: {errors}")
        if self.check and self.library() != "-" and not usage["mapped"]:
            raise self.failed(f"{self.library()} was not mapped: {errors}")
        return {"wall": usage["wall"], "cpu": usage["user"] + usage["system"],
                "peak_kib": usage["peak_kib"], "minor_faults": usage["minor_faults"]}


def run_plain(run):
    with run.started(run.program.command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                     stderr=subprocess.PIPE) as child:
        output, errors = child.communicate()
    sample = run.sample(errors.decode(errors="replace")[-300:].strip())
    sample["output"] = hashlib.sha256(output).hexdigest()
    if run.program.group == "micro":
        sample["ops"] = json.loads(output)["ops"]
    return sample


def run_judged(run):
    stages, first = {}, None
    with run.started(run.program.command, stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                     bufsize=0) as child:
        for line in child.stdout:
            stage = judge.stage_judge(json.loads(line), first)
            first = first or stage
            stages[stage["stage"]] = last = stage
            child.stdin.write(b"\n")
        child.wait()
    sample = run.sample()
    sample.update(wall=last["seconds"], cpu=last["cpu"], ops=last["ops"], stages=stages)
    return sample


# ---- redis: the server is measured, the client is what it serves ----

def redis_ask(socket, *words):
    command = ["redis-cli", "-s", str(socket), *words]
    return subprocess.run(command, capture_output=True, text=True, check=False).stdout


def redis_verify(run, socket):
    """Debian's server is linked with jemalloc and asks it for statistics: under any other
    allocator jemalloc must be all but unused, or the preload did not take the calls."""
    lines = redis_ask(socket, "info", "memory").splitlines()
    info = dict(line.split(":", 1) for line in lines if ":" in line)
    own, used = int(info["allocator_allocated"]), int(info["used_memory"])
    if run.allocator.name != "jemalloc" and own > used / 4:
        raise run.failed(f"jemalloc still serves {own} of {used} bytes")


def redis_serve(run, child, socket, requests):
    """Waits for the server, lets the client do its work and returns the seconds it took."""
    while redis_ask(socket, "ping").strip() != "PONG":
        if child.poll() is not None:
            raise run.failed("the server did not start")
        time.sleep(0.02)
    client = ["redis-benchmark", "-s", str(socket), "-n", requests, *REDIS_LOAD]
    start = time.monotonic()
    if subprocess.run(client, stdout=subprocess.DEVNULL, check=False).returncode != 0:
        raise run.failed("the client failed")
    seconds = time.monotonic() - start
    redis_verify(run, socket)
    redis_ask(socket, "shutdown", "nosave")
    child.wait()
    return seconds


def run_redis(run):
    folder = run.scratch / "redis"
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir()
    executable, requests = run.program.command
    socket = folder / "socket"
    command = [executable, "--port", "0", "--unixsocket", socket, "--dir", folder, "--save", "",
               "--appendonly", "no", "--loglevel", "warning"]
    with run.started(command, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL) as child:
        seconds = redis_serve(run, child, socket, requests)
    sample = run.sample()
    sample["wall"] = seconds
    return sample


RUNNERS = {"plain": run_plain, "judged": run_judged, "redis": run_redis}


def run_once(folder, program, allocator, check=False):
    """One sample. `check` verifies the preload, which slows the program: not for timed runs."""
    run = Run(folder, program, allocator, check)
    try:
        return RUNNERS[program.kind](run)
    except (OSError, ValueError, KeyError, UnboundLocalError) as error:
        raise run.failed(f"{type(error).__name__}: {error}") from error
