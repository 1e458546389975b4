#!/usr/bin/env python3
"""House rules that no compiler checks, as a test.

usage: tests/tidy/tidy.py [ROOT]              all rules
       tests/tidy/tidy.py --headers BUILD     each header compiles alone (minutes; BUILD is a
                                              build folder with compile_commands.json)

Prints one line per breach (file:line: what is allowed instead). Exit: 0 none, 1 some, 2 usage.
To add a rule, add a function that yields Findings to one of the modules beside this file, and a
planted breach to tidy_test.py.
"""
import pathlib
import sys

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent.parent))

import folders  # noqa: E402  (the path comes first)
import headers  # noqa: E402
import layers  # noqa: E402
import sources  # noqa: E402
import words  # noqa: E402
from bench.lab import program  # noqa: E402
from tree import Tree  # noqa: E402

RULES = (layers, sources, folders, words)


def findings(root):
    tree = Tree(root)
    return sorted(finding for rule in RULES for finding in rule.check(tree))


def main(arguments):
    here = pathlib.Path(__file__).resolve().parent.parent.parent
    if len(arguments) == 2 and arguments[0] == "--headers":
        found = sorted(headers.check(Tree(here), pathlib.Path(arguments[1])))
    elif len(arguments) <= 1 and not any(a.startswith("-") for a in arguments):
        found = findings(arguments[0] if arguments else here)
    else:
        print(__doc__, file=sys.stderr)
        return 2
    for finding in found:
        print(finding)
    if found:
        print(f"{len(found)} breaches of the house rules")
    return 1 if found else 0


if __name__ == "__main__":
    program.run(main, sys.argv[1:])
