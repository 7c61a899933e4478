#!/usr/bin/env python3
"""Checks the names that libraries give away: every global symbol starts with sluice_, every kernel file has one; a
front end has the names of what it stands for, too.

Usage: check_symbols.py LIBRARY...    .a or .so; static ones are also linked into a shared one, to see what that exports
       check_symbols.py --self-test   plants one violation of each rule and expects it to be found

A name without the prefix could clash with one of the program that links the library. A second symbol of a kernel file
could be code for one instruction set that others end up calling on a machine without it.
"""

import os
import pathlib
import re
import subprocess
import sys
import tempfile

# A library whose names are somebody else's interface: what it gives away besides sluice_ ones.
FOREIGN = {"libsluice-bnns": r"BNNS(ComputeLSTM|DirectApplyLSTM)", "libsluice-mpsgraph": r"MPSGraph\w*_[a-z]\w",
           "libsluice-mps": r"MPS(?!Graph)\w*_[a-z]"}
# Names that sanitizers and coverage add to every object.
INSTRUMENTATION = re.compile(r"^(__odr_asan|__asan|__ubsan|__tsan|__gcov|__llvm|__sanitizer|_(init|fini)$)")


def symbols(library, *options):
    """The defined global symbols of each member of a library: {member: [name]}. A source that is built twice makes two members
    of one name; the second is listed with an apostrophe."""
    text = subprocess.run(
        ["nm", "--defined-only", "--extern-only", "--format=posix", *options, str(library)],
        check=True, capture_output=True, text=True).stdout
    found, member = {}, library.name
    for line in text.splitlines():
        if line.endswith(":"):
            member = re.sub(r"^.*\[(.*)\]$", r"\1", line[:-1])
            while member in found:
                member += "'"
        elif line.strip():
            name = line.split()[0].split("@")[0]
            if not INSTRUMENTATION.match(name):
                found.setdefault(member, []).append(name)
    return found


def check_names(library, found, prefix):
    foreign = FOREIGN.get(library.name.split(".")[0])
    if foreign:
        prefix += "|" + foreign
    return [f"{library.name}: {member} defines {name}, which does not start with {prefix}"
            for member, names in found.items() for name in names if not re.match(prefix, name)]


def check_levels(library, found):
    levels = {member: names for member, names in found.items() if re.match(r"isa_\w+\.c\.o'*$", member)}
    if library.name == "libsluice.a" and not levels:
        return [f"{library.name} has no member isa_*.c.o: the rule for kernel files looks at nothing"]
    return [f"{library.name}: {member} defines {len(names)} symbols, not one: {', '.join(names)}"
            for member, names in levels.items() if len(names) != 1]


def check_shared(library):
    """What a shared library shows to programs: the public names alone, never sluice__ ones."""
    found = symbols(library, "--dynamic")
    if not found:
        return [f"{library.name} exports nothing"]
    return check_names(library, found, r"sluice_[^_]")


def check_static(library, folder):
    found = symbols(library)
    shared = pathlib.Path(folder) / (library.stem + ".so")
    subprocess.run([os.environ.get("CC", "cc"), "-shared", "-o", shared, "-Wl,--whole-archive", library,
                    "-Wl,--no-whole-archive"], check=True)
    return check_names(library, found, r"sluice_") + check_levels(library, found) + check_shared(shared)


# Members of a library, and the words that the complaint must hold; no words: the library is fine.
PUBLIC = '__attribute__((visibility("default"))) int sluice_x;\n'
LEVEL = ("isa_x.c", "int sluice__kernels_x;\n")
FRONT_END = ("a.c", '__attribute__((visibility("default"))) int BNNSDirectApplyLSTMx;\n')
METHOD = ("a.c", '__attribute__((visibility("default"))) int MPSGraph_new;\n')
PLANTED = [
    ([("a.c", PUBLIC), LEVEL], None),
    ([FRONT_END], None, "libsluice-bnns.a"),
    ([METHOD], None, "libsluice-mpsgraph.a"),
    ([("a.c", METHOD[1].replace("Graph", "Matrix"))], None, "libsluice-mps.a"),
    ([("a.c", PUBLIC + "int MPSGraph_new;\n")], "a.c.o defines MPSGraph_new", "libsluice-mps.a"),
    ([METHOD, ("b.c", PUBLIC + "int MPSGraphx;\n")], "b.c.o defines MPSGraphx", "libsluice-mpsgraph.a"),
    ([FRONT_END, ("b.c", PUBLIC + "int BNNSApply;\n")], "b.c.o defines BNNSApply", "libsluice-bnns.a"),
    ([("a.c", PUBLIC + "int BNNSDirectApplyLSTMx;\n"), LEVEL], "defines BNNSDirectApplyLSTMx, which"),
    ([("a.c", PUBLIC + "int x;\n"), LEVEL], "a.c.o defines x, which does not start with sluice_"),
    ([("a.c", PUBLIC), ("isa_x.c", "int sluice__a, sluice__b;\n")], "isa_x.c.o defines 2 symbols"),
    ([("a.c", PUBLIC)], "no member isa_"),
    ([("a.c", PUBLIC + PUBLIC.replace("_x", "__y")), LEVEL], "libsluice.so defines sluice__y"),
    ([("a.c", "int sluice_x;\n"), LEVEL], "libsluice.so exports nothing"),
]


def plant(folder, members, name="libsluice.a"):
    objects = []
    for source, text in members:
        (folder / source).write_text(text)
        objects.append(folder / (source + ".o"))
        subprocess.run([os.environ.get("CC", "cc"), "-fPIC", "-fvisibility=hidden", "-c", folder / source,
                        "-o", objects[-1]], check=True)
    subprocess.run(["ar", "rc", folder / name, *objects], check=True)
    return folder / name


def self_test():
    failures = []
    for members, words, *name in PLANTED:
        with tempfile.TemporaryDirectory() as folder:
            library = plant(pathlib.Path(folder), members, *name)
            found = check_static(library, folder)
        if len(found) != (words is not None) or (words and words not in found[0]):
            failures.append(f"{members}: expected {words!r}, found {found}")
    print("\n".join(failures) or f"symbols: {len(PLANTED)} planted libraries judged as expected")
    return bool(failures)


def main(libraries):
    if not libraries:
        sys.exit(__doc__)
    if libraries == ["--self-test"]:
        return self_test()
    mistakes = []
    with tempfile.TemporaryDirectory() as folder:
        for library in map(pathlib.Path, libraries):
            mistakes += check_static(library, folder) if library.suffix == ".a" else check_shared(library)
    print("\n".join(mistakes) or "symbols: " + ", ".join(libraries) + " define nothing but sluice_ names")
    return bool(mistakes)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
