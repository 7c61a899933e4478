#!/usr/bin/env python3
"""Checks every #include line against the layers of docs/ARCHITECTURE.md, and what else is asked of each C file.

Usage: check_layers.py [ROOT]       checks a tree, and exits with 1 if it breaks a rule
       check_layers.py --self-test  plants one violation of each rule and expects it to be found
"""

import pathlib
import re
import sys
import tempfile

PUBLIC = "include/sluice/"
CORE = ["src/base/", "src/kernels/", "src/backend/", "src/core/"]

# A layer, and the folders or files whose headers it may include beside its own. Arrows point down only; the longest
# folder that a file lies in is its layer. None: anything (a test may look inside).
LAYERS = {
    "include/sluice/": [],
    "src/base/": [PUBLIC],
    "src/kernels/": [PUBLIC, "src/base/"],
    "src/backend/": [PUBLIC, "src/base/", "src/kernels/kernels.h"],
    "src/core/": [PUBLIC, "src/base/", "src/kernels/kernels.h", "src/backend/backend.h"],
    "src/io/": [PUBLIC],
    "src/train/": [PUBLIC],
    "src/facade/": [PUBLIC],
    "check/": [PUBLIC],
    "tools/": [PUBLIC, "check/", "src/train/"],
    "bindings/": [PUBLIC],
    "compat/": [PUBLIC],
    "examples/": [PUBLIC],
    "bench/": [PUBLIC, "check/"],
    "tests/consumer/": [PUBLIC, "compat/Accelerate/"],
    "tests/": None,
}

# What a kernel may ask of the system: types, memcpy and vector instructions.
# math.h and float.h for constants; functions of libm serve the build in double, which is for verification.
KERNEL_HEADERS = {
    "float.h", "math.h", "stdbool.h", "stddef.h", "stdint.h", "string.h", "immintrin.h", "arm_neon.h",
}
# What the layers of the core may: the C library and threads.
CORE_HEADERS = KERNEL_HEADERS | {
    "assert.h", "errno.h", "float.h", "inttypes.h", "limits.h", "math.h", "signal.h", "stdarg.h", "stdatomic.h",
    "stdio.h", "stdlib.h", "time.h", "dlfcn.h", "omp.h", "pthread.h", "sched.h", "unistd.h"}

LINES_MAX = 600
# The whole core contract stands in one file.
LINES_MAX_OF = {"include/sluice/sluice.h": 700}
COLUMNS_MAX = 120
TAB = 8
INCLUDE = re.compile(r"^\s*#\s*include\s*(.*)$", re.M)
# A library reports; only programs print and end. The trainer's log writes to the stream that its caller hands over.
ENDS_OR_PRINTS = re.compile(r"(?<![\w.>])(printf|vprintf|puts|putchar|perror|abort|exit|_Exit|_exit|quick_exit)\s*\(")
STANDARD_STREAM = re.compile(r"\b(stdout|stderr)\b")


def layer_of(path):
    return max((folder for folder in LAYERS if path.startswith(folder)), key=len, default=None)


def blank(match):
    return "".join(character if character == "\n" else " " for character in match.group())


def without_comments(text):
    pattern = re.compile(r'"(?:\\.|[^"\\\n])*"|\'(?:\\.|[^\'\\\n])*\'|/\*.*?\*/|//[^\n]*', re.S)
    return pattern.sub(lambda match: match.group() if match.group()[0] in "\"'" else blank(match), text)


def without_strings(text):
    return re.sub(r'"(?:\\.|[^"\\\n])*"', blank, text)


def line_of(text, position):
    return text.count("\n", 0, position) + 1


def resolve(root, path, name):
    """The file of this tree that an include means, relative to the root; None if it is the system's."""
    folders = [root / pathlib.Path(path).parent, root, root / "include", root / "src", root / "check", root / "tools",
               root / "compat"]
    for folder in folders:
        target = (folder / name).resolve()
        if target.is_file() and target.is_relative_to(root):
            return target.relative_to(root).as_posix()
    return None


def check_include(root, path, layer, wanted):
    match = re.match(r'"([^"]+)"|<([^>]+)>', wanted)
    if not match:
        return f"#include {wanted.strip()} hides what it includes"
    name = match.group(1) or match.group(2)
    target = resolve(root, path, name)
    if target is None:
        if match.group(1):
            return f'"{name}" is no file of this project'
        if layer == "src/kernels/" and name not in KERNEL_HEADERS:
            return f"<{name}>: kernels are pure functions on pointers and may include no such header"
        if layer in CORE and name not in CORE_HEADERS:
            return f"<{name}>: the core needs nothing but the C library, libm and threads"
        return None
    allowed = LAYERS[layer]
    if allowed is None or target.startswith(layer) or any(target.startswith(folder) for folder in allowed):
        return None
    return f"{layer} may not include {target}"


def check_code(path, layer, code):
    """Printing and ending, in library code."""
    if not path.startswith("src/"):
        return
    rules = [ENDS_OR_PRINTS] + ([STANDARD_STREAM] if layer in CORE + ["src/io/", "src/facade/"] else [])
    for rule in rules:
        for match in rule.finditer(code):
            yield line_of(code, match.start()), f"library code neither prints nor ends the program: {match.group(1)}"


def check_shape(path, text):
    """The opening comment, the length, the width and the guard."""
    lines = text.split("\n")
    if not re.match(r"/\*\s*\S", text):
        yield 1, "the file does not open with a comment that says why it exists"
    most = LINES_MAX_OF.get(str(path), LINES_MAX)
    if len(lines) - 1 > most:
        yield len(lines) - 1, f"the file has more than {most} lines"
    for number, line in enumerate(lines, 1):
        if len(line.expandtabs(TAB)) > COLUMNS_MAX:
            yield number, f"the line is wider than {COLUMNS_MAX} columns"
    if re.search(r"^\s*#\s*pragma\s+once", text, re.M):
        yield 1, "include guards, not #pragma once"
    is_template = path.endswith(".inc.h")
    if path.endswith(".h") and not is_template and not re.search(r"^#ifndef SLUICE_\w+_H$", text, re.M):
        yield 1, "the header has no guard SLUICE_<PATH>_H"


def check_file(root, path):
    text = (root / path).read_text(encoding="utf-8")
    layer = layer_of(path)
    if layer is None:
        yield 1, "the file lies in no layer: give its folder a line in scripts/check_layers.py"
        return
    code = without_comments(text)
    for match in INCLUDE.finditer(code):
        mistake = check_include(root, path, layer, match.group(1))
        if mistake:
            yield line_of(code, match.start()), mistake
    yield from check_code(path, layer, without_strings(code))
    yield from check_shape(path, text)


def sources(root):
    for path in sorted(root.rglob("*")):
        relative = path.relative_to(root)
        if path.suffix in {".c", ".h", ".def", ".cu"} and not re.match(r"build|\.", relative.parts[0]):
            yield relative.as_posix()


def check_tree(root):
    mistakes, count = [], 0
    for path in sources(root):
        count += 1
        mistakes += [f"{path}:{line}: {what}" for line, what in check_file(root, path)]
    return mistakes, count


# Path, content and the words that the complaint must hold; no words: the file is fine.
OPENING = "/* x.c: is planted. */\n"
PLANTED = [
    ("src/base/a.h", OPENING + "#ifndef SLUICE_BASE_A_H\n#define SLUICE_BASE_A_H\n#endif\n", None),
    ("src/kernels/kernels.h", OPENING + "#ifndef SLUICE_K_H\n#endif\n#include \"base/a.h\"\n", None),
    ("src/kernels/vec.h", OPENING + "#ifndef SLUICE_V_H\n#endif\n", None),
    ("src/backend/backend.h", OPENING + "#ifndef SLUICE_B_H\n#endif\n", None),
    ("src/backend/cpu/cpu.h", OPENING + "#ifndef SLUICE_C_H\n#endif\n#include \"backend/backend.h\"\n", None),
    ("src/core/internal.h", OPENING + "#ifndef SLUICE_I_H\n#endif\n#include \"kernels/kernels.h\"\n", None),
    ("include/sluice/sluice.h", OPENING + "#ifndef SLUICE_S_H\n#endif\n#include <stddef.h>\n", None),
    ("check/oracle.h", OPENING + "#ifndef SLUICE_O_H\n#endif\n#include \"sluice/sluice.h\"\n", None),
    ("tests/test_a.c", OPENING + "#include \"core/internal.h\"\n#include \"oracle.h\"\n", None),
    ("tools/a.c", OPENING + "#include \"check/oracle.h\"\nint f(void) { return printf(\"\"); }\n", None),
    ("src/io/quiet.c", OPENING + "/* no printf(here) */\nconst char *s = \"exit(1)\";\n// abort()\n", None),
    ("src/base/up.c", OPENING + "#include \"kernels/kernels.h\"\n", "src/base/ may not include"),
    ("src/kernels/up.c", OPENING + "#include \"core/internal.h\"\n", "src/kernels/ may not include"),
    ("src/kernels/libc.c", OPENING + "#include <stdlib.h>\n", "pure functions"),
    ("src/backend/up.c", OPENING + "#include \"core/internal.h\"\n", "src/backend/ may not include"),
    ("src/backend/cpu/deep.c", OPENING + "#include \"kernels/vec.h\"\n", "may not include src/kernels/vec.h"),
    ("src/core/deep.c", OPENING + "#include \"backend/cpu/cpu.h\"\n", "may not include src/backend/cpu/cpu.h"),
    ("src/core/dots.c", OPENING + "#include \"../backend/cpu/cpu.h\"\n", "may not include src/backend/cpu/cpu.h"),
    ("src/core/json.c", OPENING + "#include <jansson.h>\n", "nothing but the C library"),
    ("src/core/angle.c", OPENING + "#include <check/oracle.h>\n", "may not include check/oracle.h"),
    ("src/io/in.c", OPENING + "#include \"core/internal.h\"\n", "src/io/ may not include"),
    ("src/io/macro.c", OPENING + "#include HEADER\n", "hides what it includes"),
    ("src/io/lost.c", OPENING + "#include \"nowhere.h\"\n", "no file of this project"),
    ("src/facade/in.c", OPENING + "#include \"core/internal.h\"\n", "src/facade/ may not include"),
    ("src/facade/err.c", OPENING + "void f(void) { fputs(\"\", stderr); }\n", "prints nor ends"),
    ("compat/Accelerate/in.h", OPENING + "#ifndef SLUICE_IN_H\n#endif\n#include \"base/a.h\"\n", "may not include"),
    ("compat/probe/ok.c", OPENING + "#include <Accelerate/in.h>\nint f(void) { return puts(\"\"); }\n", None),
    ("src/train/in.c", OPENING + "#  include\t\"base/a.h\"\n", "src/train/ may not include"),
    ("check/in.c", OPENING + "#include \"../src/base/a.h\"\n", "check/ may not include"),
    ("tools/in.c", OPENING + "#include \"base/a.h\"\n", "tools/ may not include"),
    ("examples/in.c", OPENING + "#include \"check/oracle.h\"\n", "examples/ may not include"),
    ("include/sluice/in.h", OPENING + "#ifndef SLUICE_IN_H\n#endif\n#include \"base/a.h\"\n", "may not include"),
    ("src/core/print.c", OPENING + "void f(void) { printf(\"\"); }\n", "prints nor ends"),
    ("src/train/end.c", OPENING + "void f(void) { if (1) exit (1); }\n", "prints nor ends"),
    ("src/io/err.c", OPENING + "void f(void) { fprintf(stderr, \"\"); }\n", "prints nor ends"),
    ("src/core/bare.c", "int x;\n", "does not open with a comment"),
    ("src/core/long.c", OPENING + "\n" * LINES_MAX, "more than"),
    ("src/core/wide.c", OPENING + "\t" * 15 + "x\n", "wider than"),
    ("src/core/once.h", OPENING + "#pragma once\n#ifndef SLUICE_ONCE_H\n#endif\n", "#pragma once"),
    ("src/core/open.h", OPENING + "int x;\n", "no guard"),
    ("lost/a.c", OPENING, "lies in no layer"),
]


def self_test():
    """Each planted file must bring exactly its own complaint, and the good ones none."""
    with tempfile.TemporaryDirectory() as folder:
        root = pathlib.Path(folder).resolve()
        for path, text, _ in PLANTED:
            (root / path).parent.mkdir(parents=True, exist_ok=True)
            (root / path).write_text(text, encoding="utf-8")
        mistakes, _ = check_tree(root)
    failures = []
    for path, _, words in PLANTED:
        found = [mistake for mistake in mistakes if mistake.startswith(path + ":")]
        if len(found) != (words is not None) or (words and words not in found[0]):
            failures.append(f"{path}: expected {words!r}, found {found}")
    print("\n".join(failures) or f"layers: {len(PLANTED)} planted files judged as expected")
    return bool(failures)


def main(arguments):
    if arguments == ["--self-test"]:
        return self_test()
    root = pathlib.Path(arguments[0] if arguments else pathlib.Path(__file__).parent.parent).resolve()
    mistakes, count = check_tree(root)
    if not count:
        mistakes = [f"{root} holds no C files"]
    print("\n".join(mistakes) or f"layers: {count} files keep the rules")
    return bool(mistakes)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
