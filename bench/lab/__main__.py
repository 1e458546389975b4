"""Trains one model at several sites over an emulated WAN, and shows in one table why Godwit exists.

Installs the Debian packages that are missing, builds what it needs, and compares no communication,
a LAN, the bound that latency alone sets, kernel TCP in three ways, and Godwit: same data, same split,
same step time, each at its own best learning rate. bench/README.md says what is measured and how.

exit: 0 all is well, 1 a run is not valid or the sums do not agree, 2 usage,
      3 it could not be done, 130 Ctrl-C
"""

import argparse
import sys

from bench.lab import foreground, program, wan
from bench.lab.faults import CUT_SECONDS
from bench.lab.main_job import TARGET, MainJob
from bench.lab.rows import RUNS

SITES_MAX = 11


def number(kind, text, is_allowed, allowed):
    """What argparse is told of a number: what it is, or what would be allowed."""
    try:
        value = kind(text)
    except ValueError:
        value = None
    if value is None or not is_allowed(value):
        raise argparse.ArgumentTypeError(f"\"{text}\" is not {allowed}")
    return value


def number_of_sites(text):
    return number(int, text, lambda value: 2 <= value <= SITES_MAX, f"a whole number from 2 to {SITES_MAX}")


def accuracy(text):
    return number(float, text, lambda value: 0.1 < value < 1.0, "a share between 0.1 and 1, e.g. 0.8")


def second(text):
    return number(float, text, lambda value: 0.0 <= value <= 600.0, "a second of the run, 0 to 600")


def network(text):
    if not wan.is_wan(text):
        raise argparse.ArgumentTypeError(f"there is no WAN \"{text}\"; there are {', '.join(wan.names())}, "
                                         "where SEED is a whole number below 2^64")
    return text


def file_name(text):
    if not text:
        raise argparse.ArgumentTypeError("a file's name must not be empty")
    return text


def runs(text):
    """Names of rows; a name of the table stands for all rows behind it."""
    names = []
    known = {row: (row,) for shown in RUNS.values() for row in shown} | RUNS
    for name in text.split(","):
        if name not in known:
            raise argparse.ArgumentTypeError(f"there is no run \"{name}\"; there are "
                                             f"{', '.join(RUNS)}")
        names += known[name]
    return names


def parse(arguments):
    first, rest = __doc__.split("\n\n", 1)
    parser = argparse.ArgumentParser(prog="bench/quickstart", description=first, epilog=rest,
                                     formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("extent", nargs="?", choices=["full"],
                        help="run everything out (up to 60 minutes with three sites) instead of stopping "
                             "at one limit")
    parser.add_argument("--sites", type=number_of_sites, default=3, metavar="N",
                        help=f"data centres, 2 to {SITES_MAX}; default: 3")
    parser.add_argument("--wan", type=network, metavar="NAME",
                        help=f"the WAN: {', '.join(wan.names())} (bench/wan/README.md says what they are); "
                             "default: the scarcest of those with one rate for all pairs")
    parser.add_argument("--target", type=accuracy, metavar="ACC",
                        help=f"accuracy that every site has to reach; default: {TARGET}")
    parser.add_argument("--tune", action="store_true",
                        help="find the learning rates again and write them down (an hour)")
    parser.add_argument("--keep", action="store_true",
                        help="leave the lab running at the end, with commands to try on it")
    parser.add_argument("--port", choices=["uring", "epoll", "dpdk"], default="uring",
                        help="what Godwit's gateways send with; dpdk takes the sites' network devices from "
                             "the kernel, and needs some 200 packages more; default: uring")
    parser.add_argument("--baselines", action="store_true", help="everything but Godwit itself")
    parser.add_argument("--only", type=runs, metavar="RUN,...",
                        help=f"only these runs, e.g. oracle,godwit; there are {', '.join(RUNS)}")
    parser.add_argument("--kill", type=second, action="append", default=[], metavar="SECOND",
                        help="kill -9 a gateway at that second of Godwit's run; may be repeated, and "
                             "hits the next site each time")
    parser.add_argument("--cut", type=second, action="append", default=[], metavar="SECOND",
                        help=f"cut a link for {CUT_SECONDS:.0f} s from that second of Godwit's run, and "
                             "measure how soon it is up and carries changes again; may be repeated")
    parser.add_argument("--json", type=file_name, metavar="FILE", help="write the figures there")
    options = parser.parse_args(arguments)
    options.full = options.extent == "full"
    options.runs = options.only or runs(",".join(RUNS))
    if options.baselines:
        options.runs = [name for name in options.runs if name != "godwit"]
    for name in ("keep", "kill", "cut"):
        if getattr(options, name) and "godwit" not in options.runs:
            parser.error(f"--{name} needs the run godwit, which is left out")
        if getattr(options, name) and options.tune:
            parser.error(f"--{name} does not go with --tune, which runs every row several times")
    if not options.runs:
        parser.error("no run is left: --baselines leaves out godwit")
    return options


def main():
    options = parse(sys.argv[1:])
    return foreground.run("bench/quickstart",
                          lambda registry, console: MainJob(options, registry, console).run())


if __name__ == "__main__":
    program.run(main)
