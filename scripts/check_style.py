#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Holds the part of the style that a machine can see (CONTRIBUTING.md). Exit status 1 if there is a fault.

usage: check_style.py [ROOT]
"""
import ast
import pathlib
import re
import sys

from tree import ROOT, files

MAX_COLUMNS = 120
MAX_FILE_LINES = 600
MAX_FUNCTION_LINES = 60

# Written in two halves, so that this file has none.
MARKS = re.compile(r"\b(TO" r"DO|FIX" r"ME|XX" r"X|HA" r"CK)\b")
# The library talks through return values and the log sink; log.c holds the sink that writes to stderr.
PRINTS = re.compile(r"\b(v?printf|puts|putchar|perror)\s*\("
                    r"|\b(f(?:put[sc]|printf|write)|vfprintf)\s*\(.*\bstd(out|err)\b")
SILENT = re.compile(r"(hal|drivers|sim|nmlink)/(?!log\.c$)")


def c_functions(lines):
    """(first line, name, length) of the functions of a C file in kernel style: braces in column 0."""
    start = None
    for number, line in enumerate(lines, 1):
        if line == "{":
            start = number
        elif line.startswith("}") and start is not None:
            name = re.search(r"(\w+)\s*\(", " ".join(lines[max(0, start - 3):start - 1]) or "?")
            yield start, name[1] if name else "?", number - start + 1
            start = None


def python_functions(text):
    for node in ast.walk(ast.parse(text)):
        if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef)):
            yield node.lineno, node.name, node.end_lineno - node.lineno + 1


def line_faults(path, lines):
    in_c = path.suffix in (".c", ".h")
    for number, line in enumerate(lines, 1):
        if line != line.rstrip():
            yield number, "blank at the end of the line"
        if in_c and re.match(r" +[^ *]", line):
            yield number, "indented with spaces"
        if path.suffix == ".py" and "\t" in line:
            yield number, "tab in a Python file"
        # A prototype of a header stands on one line, however long.
        prototype = path.suffix == ".h" and re.search(r"\(.*\);$", line)
        if len(line.expandtabs(8)) > MAX_COLUMNS and path.suffix != ".md" and not prototype:
            yield number, f"{len(line.expandtabs(8))} columns, more than {MAX_COLUMNS}"
        if MARKS.search(line):
            yield number, "left-over mark"
        if in_c and SILENT.match(path.as_posix()) and PRINTS.search(line):
            yield number, "prints; only tools/, examples/, bench/ and tests/ do"


def file_faults(path, text):
    """(line, fault) of one file."""
    lines = text.split("\n")
    if text and not text.endswith("\n"):
        yield len(lines), "no newline at the end of the file"
    if "\r" in text:
        yield 1, "carriage return"
    yield from line_faults(path, lines)
    if path.suffix in (".c", ".h", ".py"):
        if len(lines) - 1 > MAX_FILE_LINES:
            yield len(lines) - 1, f"file has {len(lines) - 1} lines, more than {MAX_FILE_LINES}"
        if "SPDX-License-Identifier: MIT" not in "\n".join(lines[:3]):
            yield 1, "no SPDX-License-Identifier in the first lines"
        functions = python_functions(text) if path.suffix == ".py" else c_functions(lines)
        for number, name, length in functions:
            if length > MAX_FUNCTION_LINES:
                yield number, f"{name} has {length} lines, more than {MAX_FUNCTION_LINES}"
    if path.suffix == ".c" and "START_TEST" in text and not re.search(r"\bck_assert|\bck_abort", text):
        yield 1, "tests without an assertion"


def faults(root):
    for path in files(root, ".c", ".h", ".py", ".build", ".md", ".map", ".in", ".txt", ".1"):
        try:
            text = (root / path).read_bytes().decode("utf-8")
        except UnicodeDecodeError:
            yield f"{path}: not UTF-8"
            continue
        for number, fault in file_faults(path, text):
            yield f"{path}:{number}: {fault}"


def main():
    root = pathlib.Path(sys.argv[1]) if len(sys.argv) > 1 else ROOT
    found = list(faults(root))
    for sentence in found:
        print(sentence)
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main())
