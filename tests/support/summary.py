#!/usr/bin/env python3
"""Sums up a ctest run: the end of what is red, cases, and what the tests counted themselves.

usage: tests/support/summary.py JUNIT_FILE

A test that counts something worth knowing prints a line `count: NAME NUMBER` or
`count: NAME NUMBER of NUMBER`; equal names are added up over all tests.
"""
import collections
import pathlib
import re
import sys
import xml.etree.ElementTree

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent.parent))

from bench.lab import program  # noqa: E402  (the path comes first)

COUNT = re.compile(r"^count: (.+?) (\d+)(?: of (\d+))?$", re.MULTILINE)
GTEST_CASES = re.compile(r"^\[  PASSED  \] (\d+) tests?\.", re.MULTILINE)
UNITTEST_CASES = re.compile(r"^Ran (\d+) tests? in", re.MULTILINE)
END_LINES = 30  # of a red test's output: chosen, a traceback and what led to it


def is_red(test):
    return test.get("status") != "run"


def ends_of_red(junit):
    """The last lines of every red test, for who sees nothing of this machine but what is printed."""
    for test in filter(is_red, junit.iter("testcase")):
        yield f"--- the end of {test.get('name')}"
        yield from (test.findtext("system-out") or "it printed nothing").splitlines()[-END_LINES:]


def summarise(junit):
    """Lines of text for the root element of a JUnit document."""
    counts = collections.defaultdict(lambda: [0, 0])
    cases = 0
    red = []
    slow = []
    for test in junit.iter("testcase"):
        output = test.findtext("system-out") or ""
        if is_red(test):
            red.append(test.get("name"))
        slow.append((float(test.get("time") or 0), test.get("name")))
        cases += sum(int(n) for n in GTEST_CASES.findall(output))
        cases += sum(int(n) for n in UNITTEST_CASES.findall(output))
        for name, number, total in COUNT.findall(output):
            counts[name][0] += int(number)
            counts[name][1] += int(total or 0)
    yield f"test programs {len(slow)}, test cases {cases}"
    for name, (number, total) in sorted(counts.items()):
        if number or total:
            yield f"{name} {number:,}" + (f" of {total:,}" if total else "")
    yield "slowest: " + ", ".join(f"{name} {time:.0f} s" for time, name in sorted(slow)[:-6:-1])
    if red:
        yield "red: " + " ".join(red)


def main(arguments):
    if len(arguments) != 1:
        print(__doc__, file=sys.stderr)
        return 2
    try:
        junit = xml.etree.ElementTree.parse(arguments[0]).getroot()
    except (OSError, xml.etree.ElementTree.ParseError) as error:
        print(f"no summary: {error}", file=sys.stderr)
        return 1
    for line in ends_of_red(junit):
        print(line)
    for line in summarise(junit):
        print(f"{'':16} {line}")
    return 0


if __name__ == "__main__":
    program.run(main, sys.argv[1:])
