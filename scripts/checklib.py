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


def declarations():
    """(name, header, text before it) of each function and datum that a public header declares."""
    for header in files("include/mend/*.h"):
        text = text_of(header)
        for match in re.finditer(r"^MEND_EXPORT\b([^;]*);", text, re.MULTILINE):
            declaration = re.sub(r"//.*", "", match.group(1)).strip()
            found = re.search(r"\b(mend_\w+)\s*(?:\(|\[|$)", declaration)
            yield found.group(1) if found else declaration, header, text[:match.start()]


def public_names():
    """Functions and data that the public headers declare: name -> header."""
    return {name: header for name, header, _ in declarations()}


def inline_names():
    """Functions that the same headers define themselves, and macros named like functions: name ->
    header. What is between the two, and what the attributes of smart.h call, is for them alone."""
    return {name: header for header in files("include/mend/*.h")
            for name in re.findall(r"^(?:MEND_INLINE [^(;{]*?|#define )\b(mend_\w+)\(",
                                   text_of(header), re.MULTILINE)
            if not re.search(r"_inline$|_head_of$|_new_as$|^mend_auto_", name)}


def since():
    """The same names -> the release that brought each, by the last "Since x.y." above it."""
    return {name: re.findall(r"\bSince (\d+\.\d+)\.", above)[-1]
            for name, _, above in declarations()}


def names_of_cxx():
    """What the headers under include/custom_alloc declare at the scope of a namespace, classes,
    functions, aliases and constants: qualified name -> header. `detail` is nobody's business, and
    an inline namespace is no part of a name."""
    return {name: header for header in files("include/custom_alloc/**/*.hpp")
            for name in cxx_declarations(text_of(header))}


def cxx_declarations(text):
    """A declaration is what stands before a `;` or a `{`, where all braces around are those of
    namespaces."""
    text = re.sub(r"//.*|/\*.*?\*/|^ *#(?:.*\\\n)*.*", "", text, flags=re.MULTILINE)
    text = re.sub(r'"(?:[^"\\\n]|\\.)*"', '""', text)
    scopes, start = [], 0
    for found in re.finditer(r"[{};]", text):
        head, start = text[start:found.start()], found.end()
        namespace = re.match(r"\s*(inline )?namespace (\w+)\s*$", head)
        is_outer = bool(scopes) and None not in scopes and scopes[0] == "custom_alloc"
        if found.group() == "}":
            scopes.pop()
            continue
        if is_outer and not namespace and "detail" not in scopes:
            name = cxx_name(head)
            if name:
                yield "::".join([*filter(None, scopes), name])
        if found.group() == "{":
            scopes.append(("" if namespace.group(1) else namespace.group(2)) if namespace else None)


def cxx_name(head):
    """The name that a declaration declares; "" for operators, swap, specialisations and none."""
    while (outer := re.sub(r"<[^<>]*>", "", head)) != head:  # templates' arguments
        head = outer
    head = re.sub(r"__attribute__\(\(.*?\)\)|\[\[.*?\]\]|\bCUSTOM_ALLOC_NODISCARD\b", "", head)
    head = re.sub(r"\b(?:alignas|noexcept)\([^()]*\)", "", head)
    head = re.sub(r"\s+", " ", head).strip()
    if not head or re.match(r"static_assert|extern|using namespace|friend", head):
        return ""
    found = (re.match(r"(?:template )*using (\w+) =", head)
             or re.match(r"(?:template )*(?:class|struct|union|enum(?: class)?) (\w+)", head))
    if found is None and "operator" not in head:
        found = re.search(r"(\w+) ?\(", head) or re.search(r"(\w+)(?: =.*)?$", head)
    return found.group(1) if found and found.group(1) != "swap" else ""
