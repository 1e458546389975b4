"""Words that must not stand in any file, and where each is allowed after all.

The patterns are written with a bracket in the middle, so that this file does not match itself.
"""
import re

from tree import Finding, suffix

PROGRAM = {".h", ".cc", ".py", ".proto", ".toml", ".sh", ".cmake", ".txt", ""}

# (what is wrong, pattern, suffixes that are looked at or None for all, folders where it is right)
RULES = [
    ("a mark of unfinished work; do it, or say so under Limits in the folder's README",
     re.compile(r"\b(TO[D]O|FIX[M]E|XX[X]|HA[C]K|not[ ]implemented|un[i]mplemented|stu[b](bed)?)\b"),
     PROGRAM, ()),
    ("the name of an emulated network; only bench/wan and documentation know it",
     re.compile(r"\bec[2]-(vc|ss|all)\b|\bWa[n]\(.*[\"']lan[\"']|--wan[ =\"',]+la[n]\b|\brando[m]:\d|"
                r"(?i:\b\w*(wan|preset)\w*[\"'\]]*\s*([!=]=|=|:|in)\s*[\[({]?\s*[\"']la[n][\"'])"), None,
     ("bench/wan/", ".md")),
    ("a package registry's host; the machine's own settings choose it",
     re.compile(r"\b(deb\.debian[.]org|security\.debian[.]org|registry\.npmjs[.]org|"
                r"(files\.)?pypi(thonhosted)?[.]org|proxy\.golang[.]org|"
                r"crates[.]io)\b"), None, ()),
    ("an absolute path of somebody's machine",
     re.compile(r"(?<![\w.\-*}])/(wor[k]|far[m]|hom[e]/\w+|tm[p]/(godwi[t]/|bash_job[s]))\b"),
     None, ()),
    ("about how the text came to be; the project speaks of itself only",
     re.compile(r"\b[Ii]ssue #?\d+\b|\bspike[s]/"), None, ()),
    ("a test that does not run or cannot fail",
     re.compile(r"\bGTEST_SKI[P]\b|\bDISABLE[D]_\w|\bSUCCEE[D]\(\)|\bEXPECT_TRUE\(tru[e]\)|"
                r"\bunittest\.ski[p]|\bskipTes[t]\b"),
     PROGRAM, ()),
]


def check(tree):
    for path in tree.texts():
        for what, pattern, suffixes, allowed in RULES:
            if suffixes is not None and suffix(path) not in suffixes:
                continue
            if path.startswith(tuple(a for a in allowed if a.endswith("/"))):
                continue
            if path.endswith(tuple(a for a in allowed if a.startswith("."))):
                continue
            for number, line in enumerate(tree.lines(path), 1):
                match = pattern.search(line)
                if match:
                    yield Finding(path, number, f"`{match[0]}`: {what}")
