#!/usr/bin/env python3
"""Checks the documents: every C example that has a main() compiles and runs, every link into the repository leads
somewhere.

Usage: check_docs.py [--root ROOT] COMPILER ARGUMENT...   {source} and {program} among the arguments are replaced
       check_docs.py --self-test COMPILER ARGUMENT...     plants mistakes and expects them to be found

README.md must hold at least one such example.
"""

import argparse
import os
import pathlib
import re
import subprocess
import sys
import tempfile

BLOCK = re.compile(r"^```(\w*)[^\n]*\n(.*?)^```\s*$", re.M | re.S)
LINK = re.compile(r"!?\[[^\]]*\]\(\s*<?([^)\s>]+)>?[^)]*\)")
HEADING = re.compile(r"^#+\s+(.*?)\s*#*\s*$", re.M)
SECONDS = 60


def documents(root):
    """All Markdown files but those in build trees and hidden folders."""
    for path in sorted(root.rglob("*.md")):
        if not re.match(r"build|\.", path.relative_to(root).parts[0]):
            yield path


def blank(match):
    return "\n" * match.group().count("\n")


def run_example(command, code):
    """What is wrong with an example, or None."""
    with tempfile.TemporaryDirectory() as folder:
        names = {"source": f"{folder}/example.c", "program": f"{folder}/example"}
        pathlib.Path(names["source"]).write_text(code, encoding="utf-8")
        arguments = [argument.format(**names) if argument in ("{source}", "{program}") else argument
                     for argument in command]
        built = subprocess.run(arguments, capture_output=True, text=True, stdin=subprocess.DEVNULL)
        if built.returncode:
            return "the example does not compile:\n" + built.stderr
        try:
            # A short example may leave it to the system to free what it made.
            ran = subprocess.run([names["program"]], capture_output=True, text=True, stdin=subprocess.DEVNULL,
                                 cwd=folder, timeout=SECONDS, env={**os.environ, "ASAN_OPTIONS": "detect_leaks=0"})
        except subprocess.TimeoutExpired:
            return f"the example runs longer than {SECONDS} s"
        if ran.returncode:
            return f"the example exits with {ran.returncode}:\n{ran.stdout}{ran.stderr}"
    return None


def anchors(text):
    """The anchors of a document's headings, as GitHub and its kin make them."""
    for heading in HEADING.findall(BLOCK.sub(blank, text)):
        plain = re.sub(r"[^\w\- ]", "", re.sub(r"\[([^\]]*)\]\([^)]*\)", r"\1", heading).lower())
        yield plain.replace(" ", "-")


def check_link(root, path, target):
    if re.match(r"[a-z][a-z0-9+.-]*:", target):
        return None
    place, _, anchor = target.partition("#")
    file = (path.parent / place).resolve() if place else path
    if not file.is_relative_to(root):
        return f"the link {target} leaves the repository"
    if not file.exists():
        return f"the link {target} leads nowhere"
    if anchor and file.suffix == ".md" and anchor not in anchors(file.read_text(encoding="utf-8")):
        return f"the link {target} names no heading of {file.name}"
    return None


def check_document(root, path, command):
    """Yields (line, mistake); the number of examples found is returned."""
    text = path.read_text(encoding="utf-8")
    examples = 0
    for match in BLOCK.finditer(text):
        if match.group(1) == "c" and re.search(r"\bmain\s*\(", match.group(2)):
            examples += 1
            mistake = run_example(command, match.group(2))
            if mistake:
                yield text.count("\n", 0, match.start()) + 1, mistake
    prose = re.sub(r"`[^`\n]*`", blank, BLOCK.sub(blank, text))
    for match in LINK.finditer(prose):
        mistake = check_link(root, path, match.group(1))
        if mistake:
            yield prose.count("\n", 0, match.start()) + 1, mistake
    if path == root / "README.md" and not examples:
        yield 1, "README.md holds no C example with a main()"


def check_tree(root, command):
    if not (root / "README.md").is_file():
        return ["README.md:1: there is no README.md"]
    return [f"{path.relative_to(root)}:{line}: {mistake}"
            for path in documents(root) for line, mistake in check_document(root, path, command)]


RIGHT = "```c\nint main(void)\n{\n\treturn 0;\n}\n```\n"
# Name, content and the words that the complaint must hold; no words: the document is fine.
PLANTED = [
    ("README.md", "# Two words\n" + RIGHT + "[up](docs/good.md#a-heading-here)\n[me](#two-words)\n", None),
    ("docs/good.md", "# A `heading`, here\n`[not](a-link)`\n[out](https://example.org/)\n```c\nint x = 1\n```\n", None),
    ("docs/link.md", "\n[lost](nowhere.md)\n", "docs/link.md:2: the link nowhere.md leads nowhere"),
    ("docs/anchor.md", "[lost](good.md#elsewhere)\n", "names no heading"),
    ("docs/outside.md", "[out](../../x)\n", "leaves the repository"),
    ("docs/syntax.md", RIGHT.replace("0;", "0"), "does not compile"),
    ("docs/status.md", RIGHT.replace("0;", "3;"), "exits with 3"),
]


def self_test(command):
    with tempfile.TemporaryDirectory() as folder:
        root = pathlib.Path(folder).resolve()
        (root / "docs").mkdir()
        for name, text, _ in PLANTED:
            (root / name).write_text(text, encoding="utf-8")
        mistakes = check_tree(root, command)
        (root / "README.md").write_text("no example", encoding="utf-8")
        without_example = check_tree(root, command)
    failures = []
    for name, _, words in PLANTED:
        found = [mistake for mistake in mistakes if mistake.startswith(name + ":")]
        if len(found) != (words is not None) or (words and words not in found[0]):
            failures.append(f"{name}: expected {words!r}, found {found}")
    if not any("holds no C example" in mistake for mistake in without_example):
        failures.append("a README.md without an example passes")
    print("\n".join(failures) or f"docs: {len(PLANTED) + 1} planted documents judged as expected")
    return bool(failures)


def main():
    parser = argparse.ArgumentParser(usage=__doc__)
    parser.add_argument("--root", type=pathlib.Path, default=pathlib.Path(__file__).parent.parent)
    parser.add_argument("--self-test", action="store_true")
    parser.add_argument("command", nargs=argparse.REMAINDER)
    arguments = parser.parse_args()
    if not arguments.command:
        parser.error("no compiler given")
    if arguments.self_test:
        return self_test(arguments.command)
    mistakes = check_tree(arguments.root.resolve(), arguments.command)
    print("\n".join(mistakes) or "docs: examples run and links lead somewhere")
    return bool(mistakes)


if __name__ == "__main__":
    sys.exit(main())
