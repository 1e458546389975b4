"""The WAN emulator for tests of other things than itself: the driver's own connection to it."""
import pathlib
import sys

import lab as harness

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[2]))

from bench.lab.processes import Registry  # noqa: E402
from bench.lab.wan import Wan, amplest  # noqa: E402


def of_two_sites(test):
    """A registry of processes and a WAN between two sites; both end with the test."""
    registry = Registry()
    test.addCleanup(registry.close)
    wan = Wan(str(harness.WAN), registry, amplest(str(harness.WAN)), 2)
    test.addCleanup(wan.close)
    return registry, wan
