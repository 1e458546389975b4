"""Trains one model at several sites over an emulated WAN, and shows in one table why Godwit exists.

Installs the Debian packages that are missing, builds what it needs, and compares no communication,
a LAN, the bound that latency alone sets, kernel TCP in three ways, and Godwit: same data, same split,
same step time, each at its own best learning rate. bench/README.md says what is measured and how.

exit: 0 all is well, 1 a run is not valid or the sums do not agree, 2 usage,
      3 it could not be done, 130 Ctrl-C
"""

import argparse
import signal
import sys

from bench.lab.console import Console
from bench.lab.failure import Failure
from bench.lab.main_job import MainJob
from bench.lab.processes import Registry

SITES_MAX = 11


def number_of_sites(text):
    value = int(text)
    if not 2 <= value <= SITES_MAX:
        raise argparse.ArgumentTypeError(f"2 to {SITES_MAX}")
    return value


def accuracy(text):
    value = float(text)
    if not 0.1 < value < 1.0:
        raise argparse.ArgumentTypeError("a share between 0.1 and 1, e.g. 0.8")
    return value


def parse(arguments):
    first, rest = __doc__.split("\n\n", 1)
    parser = argparse.ArgumentParser(prog="bench/quickstart", description=first, epilog=rest,
                                     formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("extent", nargs="?", choices=["full"],
                        help="run everything out (up to 60 minutes) instead of stopping at one limit")
    parser.add_argument("--sites", type=number_of_sites, default=3, metavar="N")
    parser.add_argument("--wan", metavar="PRESET|random:SEED",
                        help="a WAN of `godwit-wan presets`; default: the scarcest with one rate")
    parser.add_argument("--target", type=accuracy, metavar="ACC", help="e.g. 0.8")
    parser.add_argument("--tune", action="store_true",
                        help="find the learning rates again and write them down (an hour)")
    parser.add_argument("--keep", action="store_true",
                        help="leave the lab running at the end, with commands to try on it")
    parser.add_argument("--baselines", action="store_true", help="everything but Godwit itself")
    parser.add_argument("--only", metavar="RUN,...", help="only these runs, e.g. oracle,godwit")
    parser.add_argument("--json", metavar="FILE", help="write the figures there")
    options = parser.parse_args(arguments)
    options.full = options.extent == "full"
    return options


def stop(number, frame):
    raise KeyboardInterrupt


def main():
    options = parse(sys.argv[1:])
    signal.signal(signal.SIGTERM, stop)
    signal.signal(signal.SIGHUP, stop)
    registry = Registry()
    console = Console()
    try:
        return MainJob(options, registry, console).run()
    except KeyboardInterrupt:
        console.say("interrupted; cleaning up")
        return 130
    except Failure as failure:
        console.finish_line()
        print(f"bench/quickstart: {failure}", file=sys.stderr)
        return 3
    finally:
        # A second Ctrl-C must not leave half of it behind.
        signal.signal(signal.SIGINT, signal.SIG_IGN)
        signal.signal(signal.SIGTERM, signal.SIG_IGN)
        registry.close()


if __name__ == "__main__":
    sys.exit(main())
