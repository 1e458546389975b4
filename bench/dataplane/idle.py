"""What three gateways cost that are connected and that nobody uses."""

import os
import time

from bench.lab.failure import Failure
from bench.lab.figure import Bar, Figure
from bench.lab.godwit import Gateways
from bench.lab.wan import Wan, amplest

SITES = 3
UP_SECONDS = 15
SETTLE_SECONDS = 2.0
WINDOWS, WINDOW_SECONDS = 5, 4.0
SHARE_MAX = 0.03


def processor_seconds(pid):
    """Of all threads that live: what they computed, from the scheduler's own books."""
    total = 0
    for thread in os.listdir(f"/proc/{pid}/task"):
        with open(f"/proc/{pid}/task/{thread}/schedstat", encoding="ascii") as file:
            total += int(file.read().split()[0])
    return total / 1e9


def wait_until_up(gateways, sites=SITES):
    until = time.monotonic() + UP_SECONDS
    waiting = [(a, b) for a in range(sites) for b in range(sites) if a != b]
    while waiting:
        waiting = [end for end in waiting if not gateways.is_up(*end)]
        if time.monotonic() > until:
            raise Failure(f"after {UP_SECONDS} s {len(waiting)} ends of links are still not up")
        time.sleep(0.1)


def name_of(port):
    return f"idle_core_share_{port}"


def share(port):
    """Measures gateways on this port."""
    def measure(lab):
        program = lab.program("godwit-wan")
        lab.wan = Wan(program, lab.registry, amplest(program), SITES)
        gateways = Gateways(lab, port)
        pairs = []
        try:
            gateways.start()
            wait_until_up(gateways)
            time.sleep(SETTLE_SECONDS)
            pids = gateways.pids()
            for _ in range(WINDOWS):
                before, begun = sum(map(processor_seconds, pids)), time.monotonic()
                time.sleep(WINDOW_SECONDS)
                used = sum(map(processor_seconds, pids)) - before
                pairs.append((used / (time.monotonic() - begun), 1.0))
        finally:
            gateways.stop()
            lab.wan.close()
            lab.wan = None
        return [Figure(name_of(port), "of a core", "one core", pairs, Bar("value", "<=", SHARE_MAX))]

    return measure
