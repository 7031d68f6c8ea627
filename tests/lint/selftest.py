# SPDX-License-Identifier: Apache-2.0
"""Shows that each check of lint.py can fail: a bad sample brings a complaint, a good one none."""
import os
import subprocess
import tempfile

SPDX = "/* SPDX-License-Identifier: Apache-2.0 */\n"
LONG = "static void f(void)\n{\n" + "\tg();\n" * 98 + "}\n"

# check, path, bad text, good text
SAMPLES = (
    ("check_functions", "a.c", LONG, LONG.replace("\tg();\n", "", 1)),
    ("check_functions", "a.c", "struct s x = {\n" + LONG, "int v[] = {\n" + "1,\n" * 200 + "};\n"),
    ("check_length", "a.c", "\n" * 801, "\n" * 800),
    ("check_licence", "a.c", "int x;\n", SPDX),
    ("check_licence", "a.py", "\n\n# SPDX-License-Identifier: Apache-2.0\n",
     "#!/usr/bin/python3\n# SPDX-License-Identifier: Apache-2.0\n"),
    ("check_include_paths", "a.c", '#include "../engine/engine.h"\n', '#include "base/buf.h"\n'),
    ("check_include_paths", "a.c", '# include "/etc/x.h"\n', "#include <string.h>\n"),
    ("check_logging", "storage/a.c", '#include "base/log.h"\n', '#include "base/err.h"\n'),
    ("check_logging", "policy/a.c", '#include "base/log.h"\n', "int log_level;\n"),
    ("check_python", "a.py", "def f(:\n", "def f():\n    pass\n"),
)

PURE_C = {
    "good.c": "#include <string.h>\nint good(const char *s) { return strcmp(s, \"x\"); }\n",
    "calls.c": "int good(const char *);\nint calls(void) { return good(\"y\"); }\n",
    "clock.c": "#include <time.h>\nlong clock_(void) { return time(0); }\n",
    "print.c": "#include <stdio.h>\nvoid print(int n) { printf(\"%d\", n); }\n",
    "opens.c": "#include <fcntl.h>\nint opens(void) { return open(\"/x\", 0); }\n",
    "err.c": "#include <stdio.h>\n#include <stdarg.h>\nint err(char *s, va_list a)"
             " { return vsnprintf(s, 9, \"%d\", a); }\n",
    "text.c": "#include <stdio.h>\n#include <stdarg.h>\nint text(char *s, va_list a)"
              " { return vsnprintf(s, 9, \"%d\", a); }\n",
}
PURE_BAD = {"clock.c", "print.c", "opens.c", "text.c"}

ADAPTER_C = {
    "direct.c": "#include <corosync/cpg.h>\n",
    "through.c": '#include "middle.h"\n',
    "loop.c": '#include "base/loop.h"\n',
    "fine.c": '#include "base/env.h"\n#include <stdlib.h>\n',
    "adapter.c": '#include "base/loop.h"\n',
    "middle.h": "#include <glib.h>\n",
}
ADAPTER_BAD = {"direct.c", "through.c", "loop.c"}


def write(folder, files):
    """Writes the files of a sample."""
    os.makedirs(folder, exist_ok=True)
    for name, text in files.items():
        with open(os.path.join(folder, name), "w", encoding="utf-8") as file:
            file.write(text)


def blamed(complaints):
    """The names of the files that the complaints begin with."""
    return {os.path.basename(line.split(":")[0]) for line in complaints}


def try_samples(lint):
    """The checks of single files."""
    for name, path, bad, good in SAMPLES:
        check = getattr(lint, name)
        yield f"{name} finds the fault", bool(check(lint.Source(path, bad)))
        yield f"{name} accepts the cure", not check(lint.Source(path, good))


def try_shell(lint):
    """shellcheck is there and is asked."""
    write("shell", {"bad.sh": "#!/bin/sh\nrm $1\n", "good.sh": "#!/bin/sh\nrm \"$1\"\n"})
    yield "check_shell", blamed(lint.check_shell(["shell/bad.sh", "shell/good.sh"])) == {"bad.sh"}


def try_adapters(lint):
    """Includes that only adapters may have, direct and through another header."""
    write("rooms", ADAPTER_C)
    for name in ADAPTER_C:
        write("objects/rooms", {name[:-2] + ".o": ""})
        used = f"rooms/{name}" + (" rooms/middle.h" if name == "through.c" else "")
        write("objects/rooms", {name[:-2] + ".d": f"objects/x.o: {used}\n"})
    room = lint.Room("rooms", "rooms", ["adapter.c"], [])
    yield "check_adapters", blamed(lint.check_adapters(room, "objects")) == ADAPTER_BAD


def try_pure(lint):
    """Objects that call what they must not, compiled for real."""
    write("pure", PURE_C)
    os.makedirs("objects/pure")
    for name in PURE_C:
        subprocess.run([os.environ.get("CC", "cc"), "-O1", "-c", "-o",
                        f"objects/pure/{name[:-2]}.o", f"pure/{name}"], check=True)
    room = lint.Room("pure", "pure", [], ["%"])
    yield "check_pure", blamed(lint.check_pure([room], "objects")) == PURE_BAD


def try_kinds(lint):
    """Scripts without an ending are found by their first line, what is no source is left out."""
    write("tree/build", {"skipped.c": ""})
    write("tree", {"run": "#!/bin/sh\n", "lab": "#!/usr/bin/env python3\n", "LICENSE": "x\n",
                   "a.h": "", "rules.mk": "", "notes.md": ""})
    found = {s.path: lint.kind(s.path, "tree") for s in lint.sources("tree")}
    yield "kinds of files", found == {"run": "shell", "lab": "python", "a.h": "c",
                                      "rules.mk": "make"}


def run(lint):
    """Runs all in a folder of its own; gives the exit status."""
    back = os.getcwd()
    with tempfile.TemporaryDirectory() as folder:
        os.chdir(folder)
        results = [result for part in (try_samples, try_shell, try_adapters, try_pure, try_kinds)
                   for result in part(lint)]
        os.chdir(back)
    failed = [name for name, good in results if not good]
    for name in failed:
        print(f"lint self-test: {name}: FAILED")
    print(f"lint self-test: {len(results) - len(failed)} passed, {len(failed)} failed")
    return 1 if failed else 0
