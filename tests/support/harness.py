# SPDX-License-Identifier: MIT
"""What the scripts tests/*/run share: where things are, checks that are counted, programs that are
run with little in their environment, and the end. Such a script says before it imports this:

    sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "support"))
"""

import os
import pathlib
import re
import subprocess
import sys

ROOT = pathlib.Path(__file__).resolve().parents[2]
BUILD = pathlib.Path(os.environ.get("MEND_TEST_BUILD", ROOT / "build")).resolve()
LIBRARY = pathlib.Path(os.environ.get("LIBMEND", BUILD / "libmend.so")).resolve()
COMMAND = BUILD / "mend"
COMPILER = os.environ.get("CC", "cc")
PLAIN = {"PATH": os.environ["PATH"], "LC_ALL": "C", "HOME": "/nonexistent"}

failures = []


def check(condition, text):
    if not condition:
        failures.append(text)
        print(f"FAIL  {text}")


def run(*words, status=None, environment=None, **more):
    """A program; its exit status is checked if one is named. What it prints is text if `text` does
    not say otherwise."""
    if more.setdefault("text", True):
        more.setdefault("errors", "replace")
    if "input" not in more:
        more.setdefault("stdin", subprocess.DEVNULL)
    more.setdefault("timeout", 120)
    result = subprocess.run([str(word) for word in words], check=False, capture_output=True,
                            env={**PLAIN, **(environment or {})}, **more)
    check(status in (None, result.returncode), f"{' '.join(map(str, words))}: status "
          f"{result.returncode}, not {status}\n{result.stdout[-2000:]}{result.stderr[-2000:]}")
    return result


def expect(status, said, *words, **more):
    """The command's exit status, and what it says: on stderr, if it does not do what is asked."""
    result = run(COMMAND, *words, **more)
    name = " ".join(map(str, words))
    place = result.stderr if status in (2, 126, 127) else result.stdout + result.stderr
    check(result.returncode == status,
          f"{name}: status {result.returncode}, not {status}: {result.stderr}")
    check(re.search(said, place), f"{name}: does not say '{said}' but: {place}")
    return result


def end(name, said="all is as documented"):
    """Ends the script: it has failed if a check has."""
    sys.exit(f"{name}: {len(failures)} failed" if failures else print(f"{name}: {said}"))
