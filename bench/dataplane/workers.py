"""What a byte over a full link costs gateways with two and four workers, beside gateways with one."""

import time

from bench.dataplane.idle import processor_seconds, wait_until_up
from bench.dataplane.load import SETTLE_SECONDS, Load, bytes_over
from bench.lab.failure import Failure
from bench.lab.figure import Bar, Condition, Figure
from bench.lab.godwit import Gateways
from bench.lab.wan import Wan, amplest

SITES = 2
CONNECTIONS = SHARDS = 4  # also with one worker, so that the number of workers is all that differs
COUNTS = (2, 4)
RUNS = 5
WINDOW_SECONDS = 4.0
RATE_MBIT = 30  # what godwit-load fills, and two cores carry beside the emulator
FULL_MIN = 0.9  # of the rate, in every run; below, it was the processor that was full
SECONDS = RUNS * (1 + len(COUNTS)) * (SETTLE_SECONDS + WINDOW_SECONDS + 3)
# Two cores cannot show that workers scale, only that they cost nothing besides. Chosen: the noise.
RATIO_MAX = 1.15


def name_of(workers):
    return f"worker_cpu_ratio_{workers}"


NAMES = [name_of(workers) for workers in COUNTS]


def counts(gateways):
    """Bytes that the first one has sent, and processor seconds of both."""
    return bytes_over(gateways, 0, "sent_bytes"), sum(map(processor_seconds, gateways.pids()))


def cost(lab, workers):
    """Processor seconds of both gateways for each GB over the link, and how full it was."""
    gateways = Gateways(lab, workers=workers, connections=CONNECTIONS)
    try:
        gateways.start()
        wait_until_up(gateways, SITES)
        with Load(lab, gateways, SHARDS):
            bytes_before, used_before = counts(gateways)
            time.sleep(WINDOW_SECONDS)
            bytes_after, used_after = counts(gateways)
    finally:
        gateways.stop()
    sent, used = bytes_after - bytes_before, used_after - used_before
    if sent == 0:
        raise Failure(f"nothing went over the link within {WINDOW_SECONDS:g} s")
    return used * 1e9 / sent, sent * 8e-6 / WINDOW_SECONDS / RATE_MBIT


def measure(lab):
    program = lab.program("godwit-wan")
    lab.wan = Wan(program, lab.registry, amplest(program), SITES)
    pairs, full = {workers: [] for workers in COUNTS}, {workers: [] for workers in COUNTS}
    a, b = (site["name"] for site in lab.wan.sites)
    try:
        lab.wan.ask("set", **{"from": a, "to": b}, rate_mbit=RATE_MBIT)
        for _ in range(RUNS):
            one, full_with_one = cost(lab, 1)
            for workers in COUNTS:
                several, full_with_several = cost(lab, workers)
                pairs[workers].append((several, one))
                full[workers].append(min(full_with_one, full_with_several))
    finally:
        lab.wan.close()
        lab.wan = None
    return [Figure(name_of(workers), "s per GB", "one worker", pairs[workers],
                   Bar("ratio", "<=", RATIO_MAX), conditions=[Condition("link_used", full[workers], FULL_MIN)])
            for workers in COUNTS]
