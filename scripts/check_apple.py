#!/usr/bin/env python3
"""Checks docs/APPLE.md against the front ends that it describes: every name that a header of theirs declares has a row,
every name of a row is declared, and every test that a row refers to exists and runs.

Usage: check_apple.py [ROOT]         checks a tree, and exits with 1 if something is missing
       check_apple.py --probe PART PROGRAM [ROOT]
                                     runs the probe of a part, say BNNS, and compares its lines with the document's,
                                     once as it is and once for each switch, which the environment turns
       check_apple.py --self-test    plants mistakes and expects them to be found

A part of the document is what stands below a heading of the second level. A row belongs to a table whose last column is
called "test". Its first cell holds the names, each in backquotes; one that begins with a dot is a field of the structure
before it. Its last cell holds FILE:FUNCTION in backquotes, below tests/ or below the root. A table whose last column is
called "turn" holds the probe's lines that change with a switch.
"""

import collections
import os
import pathlib
import re
import subprocess
import sys
import tempfile

DOCUMENT = "docs/APPLE.md"
Part = collections.namedtuple("Part", "name headers ours options switch")
# What a structure of options has beside switches.
NO_SWITCHES = {"size", "seed", "threads"}
# ours: how the names begin that only the part's headers may declare. options: the structure whose fields are switches,
# but for NO_SWITCHES. switch: the variable of the environment that tells a probe which one to turn.
PARTS = (
    Part("BNNS", ("include/sluice/bnns.h",), re.compile(r"BNNS|sluice_bnns|SLUICE_BNNS"), "sluice_bnns_options",
         "SLUICE_BNNS_SWITCH"),
    Part("MPSGraph", ("include/sluice/mpsgraph.h", "include/sluice/mpstypes.h"),
         re.compile("MPS|sluice_mpsgraph|SLUICE_MPS"), "sluice_mpsgraph_options", "SLUICE_MPSGRAPH_SWITCH"),
    Part("MPS", ("include/sluice/mps.h", "include/sluice/mpscore.h", "include/sluice/mpstypes.h"),
         re.compile("MPS|MTL|sluice_mps|SLUICE_MPS"), "sluice_mps_options", "SLUICE_MPS_SWITCH"),
)
# What holds the lines of a part's probe, in one block.
ANSWERS = re.compile(r"^#+ [^\n]*probe[^\n]*$.*?^```text\n(.*?)^```$", re.M | re.S | re.I)
SECONDS = 600

COMMENT = re.compile(r"/\*.*?\*/", re.S)
STRUCT = re.compile(r"typedef\s+struct\s*\w*\s*\{(.*?)\}\s*(\w+)\s*;", re.S)
ENUM = re.compile(r"\benum\s*\w*\s*\{(.*?)\}", re.S)
TYPE = re.compile(r"typedef\s+(?:(?:struct|enum)\s+)?\w+\s+(\w+)\s*;|typedef\s+\w+\s+\(\s*\*\s*(\w+)\s*\)|"
                  r"typedef\s+enum\s*\w*\s*\{[^}]*\}\s*(\w+)\s*;")
FUNCTION = re.compile(r"\bSLUICE_API\b[^;(]*?(\w+)\s*\(")
MACRO = re.compile(r"^\s*#\s*define\s+(\w+)(?:\(|[ \t]+\S)", re.M)  # a guard defines nothing
HELPER = re.compile(r"^\s*#\s*undef\s+(\w+)", re.M)
# Macros that declare: LIST(X) with its entries X(...), TEMPLATE(a, b) with the text, and LIST(TEMPLATE), or TEMPLATE(a)
# by itself; JOIN(a, b). What a macro without arguments is another name for is declared, too.
TEMPLATE = re.compile(r"^\s*#\s*define\s+(\w+)\(([^)]*)\)[ \t]*(.*)$", re.M)
USE = re.compile(r"^(\w+)\((\w+)\)$", re.M)
JOIN = re.compile(r"(?<!define )\b\w+_JOIN3?\(\s*(\w+),\s*(\w+)(?:,\s*(\w+))?\)")
ALIAS = re.compile(r"^\s*#\s*define\s+\w+[ \t]+(\w+_\w+)[ \t]*$", re.M)
POINTER = re.compile(r"\(\s*\*\s*(\w+)\s*\)\s*\([^)]*\)")
NAME = re.compile(r"`(\.?\w[\w.]*)`")
REFERENCE = re.compile(r"`([\w/]+\.\w+):(\w+)`")


def fields(body):
    for declaration in POINTER.sub(r"\1", body).split(";"):
        for declarator in declaration.split(","):
            words = re.findall(r"\w+", re.sub(r"\[[^]]*\]", "", declarator))
            if words:
                yield words[-1]


def from_template(entry, parameters, body):
    for parameter, argument in zip(parameters.split(","), entry.split(",")):
        body = re.sub(rf"(?:##)?\b{parameter.strip()}\b(?:##)?", argument.strip(), body)
    return body


def expanded(code):
    """The code without comments, in whole lines, with what macros of it declare."""
    code = re.sub(r"\\\n", " ", COMMENT.sub("", code))
    templates = {name: (parameters, body) for name, parameters, body in TEMPLATE.findall(code)}
    for names, template in USE.findall(code):
        if names in templates and template not in templates:
            code += "\n" + from_template(template, *templates[names])
        elif names in templates:
            parameter, entries = templates[names]
            for entry in re.findall(rf"\b{parameter}\(([^)]*)\)", entries):
                code += "\n" + from_template(entry, *templates[template])
    return JOIN.sub(r"\1\2\3", code)


def declared(text):
    """Every name of a header: functions, types, Structure.field, constants, macros that stay."""
    code = expanded(text)
    names = set(MACRO.findall(code)) - set(HELPER.findall(code)) | set(ALIAS.findall(code))
    code = re.sub(r"^\s*#.*$", "", code, flags=re.M)
    names |= set(FUNCTION.findall(code))
    names |= {name for found in TYPE.findall(code) for name in found if name}
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
    users = [user for user in sorted(path.parent.glob("*.[ch]")) if user != path] if path.suffix == ".h" else []
    text += "".join(COMMENT.sub("", user.read_text(encoding="utf-8")) for user in users)
    if function != "main" and len(re.findall(rf"\b{function}\b", text)) < 2:
        return f"{file} never runs {function}"
    return None


def part_of(text, name):
    """What stands below the part's heading, at its own line numbers."""
    inside, lines = False, []
    for line in text.split("\n"):
        if line.startswith("## "):
            inside = line[3:].strip() == name
        lines.append(line if inside else "")
    return "\n".join(lines)


def check_row(root, part, first, last, known):
    names = list(names_of(first))
    for name in names:
        if part.ours.match(name) and name not in known:
            yield f"{part.headers[0]} declares no {name}"
    references = REFERENCE.findall(last)
    if not references:
        yield f"no test is named for {first}"
    for file, function in references:
        mistake = check_reference(root, file, function)
        if mistake:
            yield mistake


def header_text(root, part):
    return "\n".join((root / header).read_text(encoding="utf-8") for header in part.headers)


def check_part(root, part, text):
    known = declared(header_text(root, part))
    mistakes, described = [], set()
    for number, first, last in rows(part_of(text, part.name)):
        described |= set(names_of(first))
        mistakes += [f"{DOCUMENT}:{number}: {mistake}" for mistake in check_row(root, part, first, last, known)]
    mistakes += [f"{DOCUMENT}:1: no row of {part.name} is about {name}" for name in sorted(known - described)]
    return mistakes, len(known)


def check_tree(root, parts=PARTS):
    text = (root / DOCUMENT).read_text(encoding="utf-8")
    results = [check_part(root, part, text) for part in parts]
    return [mistake for mistakes, _ in results for mistake in mistakes], sum(count for _, count in results)


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


def compare_switches(text, header, options, answers):
    """answers(name): what the probe says when that switch is turned; None: when none is."""
    fields_of = {name.partition(".")[2] for name in declared(header) if name.startswith(f"{options}.")}
    documented, plain = switches(text), answers(None).splitlines()
    mistakes = [f"no row says what {name} changes" for name in sorted(fields_of - NO_SWITCHES - set(documented))]
    for name, expected in documented.items():
        changed = [line for line in answers(name).splitlines() if line not in plain]
        if changed != expected:
            mistakes.append(f"{name} changes {changed}, documented: {expected}")
    return mistakes


def run_probe(program, variable, switch):
    environment = {**os.environ, variable: switch or ""}
    return subprocess.run([program], capture_output=True, text=True, stdin=subprocess.DEVNULL, timeout=SECONDS,
                          check=True, env=environment).stdout


def check_probe(part, program, root):
    text = part_of((root / DOCUMENT).read_text(encoding="utf-8"), part.name)
    header = header_text(root, part)
    return compare_answers(text, run_probe(program, part.switch, None)) + \
        compare_switches(text, header, part.options, lambda switch: run_probe(program, part.switch, switch))


PLANTED_PARTS = (Part("First", ("include/one.h",), re.compile("BNNS"), "sluice_bnns_options", ""),
                 Part("Second", ("include/two.h", "include/three.h"), re.compile("MPS"), "", ""))
PLANTED_HEADER = """#ifndef GUARD_H
#define GUARD_H
#define BNNS_MAX 8 /* BNNSNothing */
typedef uint32_t BNNSKind;
enum { BNNSKindOne = 1, BNNSKindTwo };
typedef int (*BNNSAlloc)(void **p, size_t n);
typedef struct BNNSOpaque BNNSOpaque;
#define BNNS_JOIN(a, b) a##b
SLUICE_API void BNNS_JOIN(BNNSLong,
                          Name)(int a, int b);
#define BNNS_LIST(X) X(one, One) \\
	X(two, Two)
#define BNNS_ENTRY(name, Name) SLUICE_API void BNNSSet##Name(int name);
BNNS_LIST(BNNS_ENTRY)
#undef BNNS_ENTRY
typedef enum BNNSChoice { BNNSChoiceOne, BNNSChoiceTwo = 7 } BNNSChoice;
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
PLANTED_SECOND = """typedef struct MPSGraph MPSGraph;
#define MPS_COUNTED(class) \\
	SLUICE_API class *class##_retain(class *object);
MPS_COUNTED(MPSGraph)
#define MPS_JOIN3(head, middle, tail) head##middle##tail
#define MPSGraph_short MPS_JOIN3(MPSGraph_, long, Name)
SLUICE_API int MPSGraph_short(MPSGraph *graph);
"""
PLANTED_THIRD = "typedef struct MPSCalls { void *user; float *(*load)(void *user, int count); } MPSCalls;\n"
GOOD = """## First
| name | meaning | test |
|---|---|---|
| `BNNS_MAX` `BNNSKind` `BNNSKindOne` `BNNSKindTwo` | `x \\| y` | `test_a.c:test_run` |
| `BNNSThing` `.size` `.alpha` `.beta` `.one` `.two` `BNNSAlloc` | | `test_a.c:test_run`, `test_a.c:main` |
| `BNNSRun`, a rule | | `test_a.c:test_run` |
| `BNNSOpaque` `BNNSChoice` `BNNSChoiceOne` `BNNSChoiceTwo` | | `test_a.c:test_run` |
| `BNNS_JOIN` `BNNSLongName` `BNNS_LIST` `BNNSSetOne` `BNNSSetTwo` | | `test_a.c:test_run` |

| other | table |
|---|---|
| `BNNSNowhere` | |

### What the probe answers
```text
a: 1
b: 2
```

## Second
| name | test |
|---|---|
| `MPSGraph` `MPS_COUNTED` `MPSGraph_retain` `MPS_JOIN3` | `test_a.c:test_run` |
| `MPSGraph_short` `MPSGraph_longName` | `test_a.c:test_run` |
| `MPSCalls` `.user` `.load` | `test_a.c:test_run` |
"""
PLANTED_FILES = [("include/one.h", PLANTED_HEADER), ("include/two.h", PLANTED_SECOND),
                 ("include/three.h", PLANTED_THIRD), ("tests/test_a.c", PLANTED_TEST),
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
    ("`BNNSKindTwo` ", "", "no row of First is about BNNSKindTwo"),
    ("`.beta` ", "", "no row of First is about BNNSThing.beta"),
    ("`BNNSRun`, a rule", "a rule", "no row of First is about BNNSRun"),
    ("`BNNSOpaque` ", "", "no row of First is about BNNSOpaque"),
    ("`BNNSChoice` ", "", "no row of First is about BNNSChoice"),
    ("`BNNS_JOIN` ", "", "no row of First is about BNNS_JOIN"),
    ("`BNNSLongName` ", "", "no row of First is about BNNSLongName"),
    ("`BNNS_LIST`", "`BNNS_LIST` `BNNS_ENTRY`", "include/one.h declares no BNNS_ENTRY"),
    ("`BNNSSetTwo` ", "", "no row of First is about BNNSSetTwo"),
    ("`MPSGraph`", "`BNNSRun`", "no row of Second is about MPSGraph"),
    ("`MPSGraph_retain` ", "", "no row of Second is about MPSGraph_retain"),
    ("`MPSGraph_short` ", "", "no row of Second is about MPSGraph_short"),
    (" `MPSGraph_longName`", "", "no row of Second is about MPSGraph_longName"),
    (" `.load`", "", "no row of Second is about MPSCalls.load"),
    ("`MPSGraph`", "`MPSGraph` `MPSShape`", "include/two.h declares no MPSShape"),
    ("## Second", "## Third", "no row of Second is about MPSGraph"),
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
            failures += judge(new or old or "the good document", words, check_tree(root, PLANTED_PARTS)[0])
    for output, words in PLANTED_ANSWERS:
        failures += judge(repr(output), words, compare_answers(part_of(GOOD, "First"), output))
    for old, new, words in PLANTED_SWITCHES:
        found = compare_switches(TURN.replace(old, new, 1), OPTIONS, "sluice_bnns_options", TURNED.get)
        failures += judge(f"switches, {new!r} for {old!r}", words, found)
    failures += judge("no answers", "no block", compare_answers(part_of(GOOD, "Second"), ""))
    count = len(PLANTED) + len(PLANTED_ANSWERS) + len(PLANTED_SWITCHES) + 1
    print("\n".join(failures) or f"apple: {count} planted cases judged as expected")
    return bool(failures)


def main(arguments):
    if arguments == ["--self-test"]:
        return self_test()
    probe = arguments[1:3] if arguments[:1] == ["--probe"] else None
    places = arguments[3:] if probe else arguments
    root = pathlib.Path(places[0] if places else pathlib.Path(__file__).parent.parent).resolve()
    if probe:
        part = next(part for part in PARTS if part.name == probe[0])
        mistakes, what = check_probe(part, probe[1], root), f"apple: the probe of {part.name} answers as documented"
    else:
        mistakes, count = check_tree(root)
        what = f"apple: {count} names are described and tested"
    print("\n".join(mistakes) or what)
    return bool(mistakes)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
