# SPDX-License-Identifier: Apache-2.0
"""What the compiler does not prove about the sources. Each check gives complaints, one line each.

    lint.py --objects BUILD/obj --room NAME:FOLDER:ADAPTERS:PURE ...
    lint.py --self-test     feeds each check a bad sample and a good one

ADAPTERS are the files (or %) of a room that may know the loop, GLib, libqb and corosync. PURE
are those that may call nothing but what stands in pure_symbols.txt, and each other.
"""
import argparse
import os
import re
import statistics
import subprocess
import sys
from collections import namedtuple

import selftest

Room = namedtuple("Room", "name folder adapters pure")
Source = namedtuple("Source", "path text")

FUNCTION_MAX = 100
FILE_MAX = 800
SKIPPED_FOLDERS = {".git", "build", "__pycache__", ".pytest_cache", "golden"}
HERE = os.path.dirname(os.path.abspath(__file__))
# What only real adapters know: all else must run in the simulator too.
ADAPTER_HEADERS = re.compile(
    r'#\s*include\s*(<(glib|gio|corosync|qb|crm)[-./]|"(base/)?loop\.h")')
SANITIZERS = re.compile(r"__(asan|ubsan|tsan|sanitizer)_")


def sources(root):
    """All text files that people write, below root."""
    for folder, folders, names in os.walk(root):
        folders[:] = sorted(f for f in folders if f not in SKIPPED_FOLDERS)
        for name in sorted(names):
            path = os.path.relpath(os.path.join(folder, name), root)
            if kind(path, root):
                with open(os.path.join(root, path), encoding="utf-8") as file:
                    yield Source(path, file.read())


def kind(path, root="."):
    """c, python, shell or make, by the name or else by the first line; None for all else."""
    endings = {".c": "c", ".h": "c", ".py": "python", ".sh": "shell", ".mk": "make"}
    base = os.path.basename(path)
    ending = os.path.splitext(base)[1]
    if ending in endings or base == "Makefile":
        return endings.get(ending, "make")
    if ending or not os.path.isfile(os.path.join(root, path)):
        return None
    with open(os.path.join(root, path), "rb") as file:
        first = file.readline(100)
    if not first.startswith(b"#!"):
        return None
    shell = re.search(rb"\b(ba)?sh\b", first)
    return "python" if b"python" in first else "shell" if shell else None


def functions(text):
    """(name, first line, lines) of each C function: its brace stands alone in column 0."""
    lines = text.split("\n")
    start = None
    for number, line in enumerate(lines):
        if line == "{":
            start = number
            while start > 0 and lines[start - 1].strip() and lines[start - 1][0] not in "}#/*":
                start -= 1
        elif line == "}" and start is not None:
            name = re.search(r"(\w+)\(", "\n".join(lines[start:number]))
            yield (name.group(1) if name else "?"), start + 1, number - start + 1
            start = None


def check_functions(source):
    """No function may be longer than a person can hold in mind."""
    if kind(source.path) != "c":
        return []
    return [f"{source.path}:{line}: {name} has {length} lines, at most {FUNCTION_MAX}"
            for name, line, length in functions(source.text) if length > FUNCTION_MAX]


def check_length(source):
    """A file over the limit is two rooms."""
    lines = source.text.count("\n")
    return [f"{source.path}: {lines} lines, at most {FILE_MAX}"] if lines > FILE_MAX else []


def check_licence(source):
    """Each file names its licence in its first two lines."""
    head = "\n".join(source.text.split("\n")[:2])
    if "SPDX-License-Identifier: Apache-2.0" in head:
        return []
    return [f"{source.path}: no SPDX-License-Identifier: Apache-2.0 in its first two lines"]


def check_include_paths(source):
    """Includes name a room or the same folder's file: a path upwards goes round the layers."""
    if kind(source.path) != "c":
        return []
    found = re.findall(r'^\s*#\s*include\s*["<]([^">]*)', source.text, re.M)
    return [f"{source.path}: includes {name}: name its room instead"
            for name in found if ".." in name or name.startswith("/")]


def check_logging(source):
    """The rooms outside agentd/ return errors; they do not log."""
    if source.path.split("/")[0] not in ("policy", "storage", "hypervisor"):
        return []
    logs = re.search(r'#\s*include\s*"base/log\.h"', source.text)
    return [f"{source.path}: includes base/log.h: return an error instead"] if logs else []


def check_python(source):
    """Python files compile."""
    if kind(source.path) != "python":
        return []
    try:
        compile(source.text, source.path, "exec")
    except SyntaxError as error:
        return [f"{source.path}:{error.lineno}: {error.msg}"]
    return []


def check_shell(paths):
    """Shell scripts satisfy shellcheck."""
    if not paths:
        return []
    done = subprocess.run(["shellcheck", "-f", "gcc", *paths], stdout=subprocess.PIPE, text=True,
                          check=False)
    return done.stdout.splitlines() if done.returncode else []


def matches(path, patterns):
    """Whether the file is one of the named ones; % stands for all."""
    return "%" in patterns or os.path.basename(path) in patterns


def read_depends(path):
    """The files that an object was made of, from the compiler's .d file, system headers apart."""
    with open(path, encoding="utf-8") as file:
        rule = file.read().replace("\\\n", " ").split("\n")[0]
    return rule.partition(":")[2].split()


def objects_of(room, objects):
    """(source, object) of each compiled file of a room."""
    folder = os.path.join(objects, room.folder)
    for name in sorted(os.listdir(room.folder)):
        made = os.path.join(folder, name[:-2] + ".o")
        if name.endswith(".c") and os.path.exists(made):
            yield os.path.join(room.folder, name), made


def check_adapters(room, objects):
    """Only adapters may include, by whatever way, the loop, GLib, libqb or corosync."""
    complaints = []
    for path, made in objects_of(room, objects):
        if matches(path, room.adapters):
            continue
        for used in read_depends(made[:-2] + ".d"):
            with open(used, encoding="utf-8") as file:
                found = ADAPTER_HEADERS.search(file.read())
            if found:
                complaints.append(f"{path}: not an adapter, but {used} has {found.group(0)}")
    return complaints


def symbols(made, undefined):
    """The names that an object needs from others, or gives to them."""
    wanted = "--undefined-only" if undefined else "--defined-only"
    done = subprocess.run(["nm", "-P", "-g", wanted, made], stdout=subprocess.PIPE, text=True,
                          check=True)
    return {line.split()[0] for line in done.stdout.splitlines() if line.strip()}


def read_allowed():
    """Symbol -> the only object that may need it, or None for all."""
    allowed = {}
    with open(os.path.join(HERE, "pure_symbols.txt"), encoding="utf-8") as file:
        for line in file:
            words = line.partition("#")[0].split()
            for word in words:
                name, _, only = word.partition("@")
                allowed[name] = only or None
    return allowed


def check_pure(rooms, objects):
    """Pure files need no clock, file, randomness, environment or formatting, and neither does
    what they call: all pure files together are closed under calling."""
    allowed = read_allowed()
    made = [(path, o) for room in rooms for path, o in objects_of(room, objects)
            if matches(path, room.pure)]
    own = set().union(*(symbols(o, False) for _, o in made)) if made else set()
    complaints = []
    for path, o in made:
        for name in sorted(symbols(o, True) - own):
            fits = name in allowed and allowed[name] in (None, os.path.basename(path))
            if not fits and not SANITIZERS.match(name):
                complaints.append(f"{path}: pure, but calls {name}")
    return complaints


EACH_SOURCE = (check_functions, check_length, check_licence, check_include_paths, check_logging,
               check_python)


def lint(root, rooms, objects):
    """All checks over the whole tree."""
    found = list(sources(root))
    complaints = [line for source in found for check in EACH_SOURCE for line in check(source)]
    complaints += check_shell([s.path for s in found if kind(s.path, root) == "shell"])
    for room in rooms:
        complaints += check_adapters(room, objects)
    complaints += check_pure(rooms, objects)
    lengths = sorted(n for s in found if s.path.endswith(".c") for _, _, n in functions(s.text))
    return complaints, len(found), lengths


def main():
    """The exit status says whether there was no complaint."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--objects")
    parser.add_argument("--room", action="append", default=[])
    parser.add_argument("--self-test", action="store_true")
    arguments = parser.parse_args()
    if arguments.self_test:
        return selftest.run(sys.modules[__name__])
    fields = [text.split(":") for text in arguments.room]
    rooms = [Room(n, f, a.split(), p.split()) for n, f, a, p in fields]
    complaints, files, lengths = lint(".", rooms, arguments.objects)
    for line in complaints:
        print(line)
    if lengths:
        print(f"lint: {files} files; {len(lengths)} functions: median "
              f"{statistics.median_low(lengths)} lines, 90 % up to "
              f"{lengths[len(lengths) * 9 // 10]}, longest {lengths[-1]}")
    print(f"lint: {len(complaints)} complaints")
    return 1 if complaints else 0


if __name__ == "__main__":
    sys.exit(main())
