"""Measures one part of Godwit, each figure beside a reference in the same run.

Installs the Debian packages that are missing, builds what it needs, runs one benchmark after the
other and shows a table; with --json also a file with one JSON line per figure:

  {"name", "value", "unit", "reference", "reference_value", "ratio", "p25", "p75", "runs"}

value and reference_value are medians over the runs; ratio is the median over the runs of value ÷
reference value of that run, p25 and p75 are its quartiles. A figure whose quartiles lie more than 1.3
times apart is measured once more. A value like ">7" is a bound: it was not reached in that time. A
figure whose runs must have kept something to count has one member more for each, with the worst that one
of them had; beyond what it needs, the figure is not measured, and misses its bar.
Other work on the machine moves values, and ratios much less; bench/README.md tells what is measured.

exit: 0 every figure meets its bar, 1 one misses it or was not measured, 2 usage, 3 it could not be done, 130 Ctrl-C
"""

import argparse
import importlib
import os
import sys

from bench.lab import foreground, machine, program

PARTS = {"codec": "bench.codec.table", "dataplane": "bench.dataplane.table", "training": "bench.training.table"}


class Lab:
    """What a benchmark needs to know of its surroundings."""

    def __init__(self, registry, console, pictures=None):
        self.registry, self.console = registry, console
        self.pictures = pictures  # the folder for them, or None
        self.wan = None  # of the benchmark that runs now

    def program(self, name):
        return machine.program(name)


def parse(arguments):
    first, rest = __doc__.split("\n\n", 1)
    parser = argparse.ArgumentParser(prog="bench/run", description=first, epilog=rest,
                                     formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("part", choices=sorted(PARTS), help="what to measure")
    parser.add_argument("--json", metavar="FILE", help="write the figures there, one JSON line each")
    parser.add_argument("--only", metavar="NAME,...", help="only these figures; --list shows their names")
    parser.add_argument("--pictures", metavar="FOLDER", help="draw pictures there (SVG); codec and training have some")
    parser.add_argument("--list", action="store_true",
                        help="show the figures' names, what they are and how long they take; run nothing")
    options = parser.parse_args(arguments)
    table = importlib.import_module(PARTS[options.part])
    known = [name for benchmark in table.BENCHMARKS for name in benchmark.names]
    options.names = options.only.split(",") if options.only else known
    for name in options.names:
        if name not in known:
            parser.error(f"there is no figure \"{name}\"; `bench/run {options.part} --list` shows them all")
    if options.json and not os.path.isdir(os.path.dirname(os.path.abspath(options.json))):
        parser.error(f"--json: there is no folder {os.path.dirname(os.path.abspath(options.json))}")
    if options.pictures and not table.DRAWS:
        parser.error(f"--pictures: {options.part} has none")
    if options.pictures and not os.path.isdir(options.pictures):
        parser.error(f"--pictures: there is no folder {options.pictures}")
    return options, table


def show(table):
    for benchmark in table.BENCHMARKS:
        print(f"{benchmark.summary} (about {benchmark.seconds:.0f} s)")
        for name in benchmark.names:
            print(f"  {name}")


def write(path, figures):
    """Replaces the file by what is known until now."""
    with open(path + ".new", "w", encoding="utf-8") as file:
        file.writelines(figure.line() + "\n" for figure in figures)
    os.replace(path + ".new", path)


def text_of(figure):
    members = figure.members()
    verdict = {None: "", True: "meets", False: "MISSES"}[figure.met()]
    bar = f"{verdict} {figure.bar.text()}" if figure.bar else ""
    if not figure.measured():
        bar = f"NOT MEASURED: {'; '.join(condition.text() for condition in figure.broken())}"
    return (f"  {figure.name:<30} {members['value']!s:>8} {figure.unit:<20} ratio {members['ratio']!s:>7} "
            f"[{members['p25']:g}, {members['p75']:g}] of {figure.reference}  "
            f"{bar}{' (noisy)' if figure.noisy() else ''}")


def measured(lab, benchmark, names):
    """The wanted figures; measured once more when noise decides whether a bar is met."""
    figures = [figure for figure in benchmark.measure(lab) if figure.name in names]
    if any(figure.noisy() and not figure.met() for figure in figures if figure.bar):
        lab.console.say("  the runs differ much; once more")
        figures = [figure for figure in benchmark.measure(lab) if figure.name in names]
    return figures


def programs(table, needs):
    """What to build: a program that needs what no figure needs is not there."""
    return table.PROGRAMS + [name for need in needs for name in table.NEEDING[need]]


def run(options, table, registry, console):
    chosen = [b for b in table.BENCHMARKS if set(b.names) & set(options.names)]
    seconds = sum(benchmark.seconds for benchmark in chosen)
    console.say(f"bench/run {options.part}: {len(options.names)} figures, about {seconds / 60:.0f} minutes "
                "besides the build")
    if table.EMULATES:
        machine.check_tun()
    needs = sorted({benchmark.needs for benchmark in chosen if benchmark.needs})
    machine.install("run", "bench", *needs)
    machine.build(registry, console, programs(table, needs), "dpdk" if "dpdk" in needs else "uring")
    lab, figures = Lab(registry, console, options.pictures), []
    for benchmark in chosen:
        console.say(f"\n{benchmark.summary}")
        for figure in measured(lab, benchmark, options.names):
            console.say(text_of(figure))
            figures.append(figure)
        if options.json:
            write(options.json, figures)
    missed = [figure.name for figure in figures if figure.met() is False]
    console.say(f"\n{len(figures)} figures"
                + (f"; below their bars or not measured: {', '.join(missed)}" if missed else ""))
    return 1 if missed else 0


def main():
    options, table = parse(sys.argv[1:])
    if options.list:
        show(table)
        return 0
    return foreground.run("bench/run", lambda registry, console: run(options, table, registry, console))


if __name__ == "__main__":
    program.run(main)
