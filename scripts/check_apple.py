#!/usr/bin/env python3
"""Checks docs/APPLE.md against the front end that it describes: every name that bnns.h declares has a row, every name
of a row is declared, and every test that a row refers to exists and runs.

Usage: check_apple.py [ROOT]                 checks a tree, and exits with 1 if something is missing
       check_apple.py --probe PROGRAM [ROOT] runs a probe and compares its lines with those of the document, once as it
                                             is and once for each switch, which tests/probe_switch.c turns
       check_apple.py --self-test            plants mistakes and expects them to be found

A row belongs to a table whose last column is called "test". Its first cell holds the names, each in backquotes; one that
begins with a dot is a field of the structure before it. Its last cell holds FILE:FUNCTION in backquotes, below tests/ or
below the root. A table whose last column is called "turn" holds the probe's lines that change with a switch.
"""

import os
import pathlib
import re
import subprocess
import sys
import tempfile

DOCUMENT = "docs/APPLE.md"
HEADER = "include/sluice/bnns.h"
# The part of the document that holds the lines of the probe, in one block.
ANSWERS = re.compile(r"^#+ [^\n]*probe[^\n]*$.*?^```text\n(.*?)^```$", re.M | re.S | re.I)
SECONDS = 600

COMMENT = re.compile(r"/\*.*?\*/", re.S)
STRUCT = re.compile(r"typedef\s+struct\s*\w*\s*\{(.*?)\}\s*(\w+)\s*;", re.S)
ENUM = re.compile(r"\benum\s*\w*\s*\{(.*?)\}", re.S)
TYPE = re.compile(r"typedef\s+\w+\s+(\w+)\s*;|typedef\s+\w+\s+\(\s*\*\s*(\w+)\s*\)")
FUNCTION = re.compile(r"\bSLUICE_API\b[^;(]*?(\w+)\s*\(")
MACRO = re.compile(r"^\s*#\s*define\s+(\w+)[ \t]+\S", re.M)  # a guard defines nothing
NAME = re.compile(r"`(\.?\w[\w.]*)`")
OURS = re.compile(r"BNNS|sluice_bnns|SLUICE_BNNS")
REFERENCE = re.compile(r"`([\w/]+\.\w+):(\w+)`")


def fields(body):
    for declaration in body.split(";"):
        for declarator in declaration.split(","):
            words = re.findall(r"\w+", re.sub(r"\[[^]]*\]", "", declarator))
            if words:
                yield words[-1]


def declared(text):
    """Every name of a header: functions, types, Structure.field, constants."""
    code = COMMENT.sub("", text)
    names = set(MACRO.findall(code)) | set(FUNCTION.findall(code))
    names |= {one or other for one, other in TYPE.findall(code)}
    for body, name in STRUCT.findall(code):
        names |= {name} | {f"{name}.{field}" for field in fields(body)}
    for body in ENUM.findall(code):
        names |= {re.match(r"\s*(\w+)", entry).group(1) for entry in body.split(",") if entry.strip()}
    return names


def cells(line):
    return [cell.strip() for cell in re.sub(r"\\\|", "", line.strip()).strip("|").split("|")]


def rows(text, last="test"):
    """(line number, first cell, last cell) of each row of each table whose last column has this name."""
    inside = False
    for number, line in enumerate(text.split("\n"), 1):
        if not line.startswith("|"):
            inside = False
        elif not inside and cells(line)[-1] == last:
            inside = True
        elif inside and not re.match(r"\|[\s|:-]+$", line):
            yield number, cells(line)[0], cells(line)[-1]


def names_of(cell):
    structure = ""
    for name in NAME.findall(cell):
        if name.startswith("."):
            name = structure + name
        structure = name.partition(".")[0]
        yield name


def check_reference(root, file, function):
    path = next((folder / file for folder in (root / "tests", root) if (folder / file).is_file()), None)
    if not path:
        return f"there is no {file}"
    text = COMMENT.sub("", path.read_text(encoding="utf-8"))
    if not re.search(rf"^(?:static )?(?:void|int) {function}\(", text, re.M):
        return f"{file} has no function {function}"
    # What a header defines, a file beside it runs.
    users = sorted(path.parent.glob("*.c")) if path.suffix == ".h" else []
    text += "".join(COMMENT.sub("", user.read_text(encoding="utf-8")) for user in users)
    if function != "main" and len(re.findall(rf"\b{function}\b", text)) < 2:
        return f"{file} never runs {function}"
    return None


def check_row(root, first, last, known):
    names = list(names_of(first))
    for name in names:
        if OURS.match(name) and name not in known:
            yield f"{HEADER} declares no {name}"
    references = REFERENCE.findall(last)
    if not references:
        yield f"no test is named for {first}"
    for file, function in references:
        mistake = check_reference(root, file, function)
        if mistake:
            yield mistake


def check_tree(root):
    text = (root / DOCUMENT).read_text(encoding="utf-8")
    known = declared((root / HEADER).read_text(encoding="utf-8"))
    mistakes, described = [], set()
    for number, first, last in rows(text):
        described |= set(names_of(first))
        mistakes += [f"{DOCUMENT}:{number}: {mistake}" for mistake in check_row(root, first, last, known)]
    mistakes += [f"{DOCUMENT}:1: no row is about {name}" for name in sorted(known - described)]
    return mistakes, len(known)


def compare_answers(text, output):
    match = ANSWERS.search(text)
    if not match:
        return [f"{DOCUMENT}:1: there is no block of the probe's answers"]
    expected, given = match.group(1).splitlines(), output.splitlines()
    mistakes = [f"missing: {line}" for line in expected if line not in given]
    mistakes += [f"not documented: {line}" for line in given if line not in expected]
    return mistakes or ([] if expected == given else ["the answers come in another order"])


def switches(text):
    """{switch: the lines that it changes}."""
    return {names[0]: re.findall(r"`([^`]+)`", lines)
            for _, lines, last in rows(text, "turn") if (names := NAME.findall(last))}


def compare_switches(text, header, answers):
    """answers(name): what the probe says when that switch is turned; None: when none is."""
    fields_of = {name.partition(".")[2] for name in declared(header) if name.startswith("sluice_bnns_options.")}
    documented, plain = switches(text), answers(None).splitlines()
    mistakes = [f"no row says what {name} changes" for name in sorted(fields_of - {"size", "seed"} - set(documented))]
    for name, expected in documented.items():
        changed = [line for line in answers(name).splitlines() if line not in plain]
        if changed != expected:
            mistakes.append(f"{name} changes {changed}, documented: {expected}")
    return mistakes


def run_probe(program, switch):
    environment = {**os.environ, "SLUICE_BNNS_SWITCH": switch or ""}
    return subprocess.run([program], capture_output=True, text=True, stdin=subprocess.DEVNULL, timeout=SECONDS,
                          check=True, env=environment).stdout


def check_probe(program, root):
    text, header = ((root / name).read_text(encoding="utf-8") for name in (DOCUMENT, HEADER))
    return compare_answers(text, run_probe(program, None)) + \
        compare_switches(text, header, lambda switch: run_probe(program, switch))


PLANTED_HEADER = """#ifndef GUARD_H
#define GUARD_H
#define BNNS_MAX 8 /* BNNSNothing */
typedef uint32_t BNNSKind;
enum { BNNSKindOne = 1, BNNSKindTwo };
typedef int (*BNNSAlloc)(void **p, size_t n);
typedef struct { size_t size[BNNS_MAX]; float alpha, beta; const int32_t *one, *two; } BNNSThing;
SLUICE_API int BNNSRun(const BNNSThing *thing,
                       int count);
"""
PLANTED_TEST = """static void test_run(void **unused)
{
}
/* test_idle */
static void test_idle(void **unused)
{
}
int main(void) { return run(test_run); }
"""
GOOD = """| name | meaning | test |
|---|---|---|
| `BNNS_MAX` `BNNSKind` `BNNSKindOne` `BNNSKindTwo` | `x \\| y` | `test_a.c:test_run` |
| `BNNSThing` `.size` `.alpha` `.beta` `.one` `.two` `BNNSAlloc` | | `test_a.c:test_run`, `test_a.c:main` |
| `BNNSRun`, a rule | | `test_a.c:test_run` |

| other | table |
|---|---|
| `BNNSNowhere` | |

### What the probe answers
```text
a: 1
b: 2
```
"""
PLANTED_FILES = [(HEADER, PLANTED_HEADER), ("tests/test_a.c", PLANTED_TEST),
                 ("probe/ask.h", "static void ask_it(void)\n{\n}\nstatic void ask_not(void)\n{\n}\n"),
                 ("probe/probe.c", "int main(void)\n{\n\task_it();\n}\n")]
OPTIONS = "typedef struct sluice_bnns_options { size_t size; int one, two; } sluice_bnns_options;"
TURN = "| Mac says | turn |\n|---|---|\n| `a: 3` `b: 4` | `one` |\n| `b: 5` | `two` |\n"
TURNED = {None: "a: 1\nb: 2\n", "one": "a: 3\nb: 4\n", "two": "a: 1\nb: 5\n"}
PLANTED_SWITCHES = [("", "", None), ("| `b: 5` | `two` |\n", "", "no row says what two"), ("`b: 4`", "", "one changes"),
                    ("`b: 5`", "`b: 6`", "two changes")]
# What is changed in the good document, and the words that the complaint must hold; no words: it is fine.
PLANTED = [
    ("", "", None),
    ("`BNNSKindTwo` ", "", "no row is about BNNSKindTwo"),
    ("`.beta` ", "", "no row is about BNNSThing.beta"),
    ("`BNNSRun`, a rule", "a rule", "no row is about BNNSRun"),
    ("`.two`", "`.two` `.three`", "declares no BNNSThing.three"),
    ("a rule | | `test_a.c:test_run`", "a rule | | test_a.c:test_run", "no test is named"),
    ("a rule | | `test_a.c:test_run`", "a rule | | `test_b.c:test_run`", "there is no test_b.c"),
    ("a rule | | `test_a.c:test_run`", "a rule | | `test_a.c:test_walk`", "has no function test_walk"),
    ("a rule | | `test_a.c:test_run`", "a rule | | `test_a.c:test_idle`", "never runs test_idle"),
    ("a rule | | `test_a.c:test_run`", "a rule | | `probe/ask.h:ask_it`", None),
    ("a rule | | `test_a.c:test_run`", "a rule | | `probe/ask.h:ask_not`", "never runs ask_not"),
]
PLANTED_ANSWERS = [("a: 1\nb: 2\n", None), ("a: 1\n", "missing: b: 2"), ("a: 1\nb: 3\n", "not documented: b: 3"),
                   ("b: 2\na: 1\n", "another order")]


def judge(what, words, found):
    right = any(words in mistake for mistake in found) if words else not found
    return [] if right else [f"{what}: expected {words!r}, found {found}"]


def self_test():
    failures = []
    with tempfile.TemporaryDirectory() as folder:
        root = pathlib.Path(folder).resolve()
        for path, text in PLANTED_FILES:
            (root / path).parent.mkdir(parents=True, exist_ok=True)
            (root / path).write_text(text, encoding="utf-8")
        (root / DOCUMENT).parent.mkdir()
        for old, new, words in PLANTED:
            (root / DOCUMENT).write_text(GOOD.replace(old, new, 1), encoding="utf-8")
            failures += judge(new or old or "the good document", words, check_tree(root)[0])
    for output, words in PLANTED_ANSWERS:
        failures += judge(repr(output), words, compare_answers(GOOD, output))
    for old, new, words in PLANTED_SWITCHES:
        found = compare_switches(TURN.replace(old, new, 1), OPTIONS, TURNED.get)
        failures += judge(f"switches, {new!r} for {old!r}", words, found)
    failures += judge("no answers", "no block", compare_answers("# Nothing\n", ""))
    count = len(PLANTED) + len(PLANTED_ANSWERS) + len(PLANTED_SWITCHES) + 1
    print("\n".join(failures) or f"apple: {count} planted cases judged as expected")
    return bool(failures)


def main(arguments):
    if arguments == ["--self-test"]:
        return self_test()
    probe = arguments[1] if arguments[:1] == ["--probe"] else None
    places = arguments[2:] if probe else arguments
    root = pathlib.Path(places[0] if places else pathlib.Path(__file__).parent.parent).resolve()
    if probe:
        mistakes, what = check_probe(probe, root), "apple: the probe answers as documented"
    else:
        mistakes, count = check_tree(root)
        what = f"apple: {count} names are described and tested"
    print("\n".join(mistakes) or what)
    return bool(mistakes)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
