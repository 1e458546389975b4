"""Goodput while a stranger sends junk to the receiver, beside the goodput without it: one flow over
sockets, and gateways of one and two workers on DPDK. And how much a gateway grows by it."""

import json
import subprocess
import time

from bench.dataplane import flows
from bench.dataplane.flows import Flow, Paths
from bench.dataplane.idle import wait_until_up
from bench.dataplane.load import Load, bytes_over
from bench.dataplane.path import RATE_MBIT, set_all
from bench.lab import godwit
from bench.lab.failure import Failure
from bench.lab.figure import Bar, Condition, Figure
from bench.lab.godwit import Gateways
from bench.lab.segment import Segment

NAME = "junk_goodput_ratio"
PPS = 100_000
STRANGER = "192.0.2.9:9"  # RFC 5737: nobody's
RUNS = 5
WARM_SECONDS = 4.0  # not counted: handshake and start-up; the junk begins after half of them
SECONDS = 12.0
RATIO_MIN = 0.95
SENT_MIN = 0.9  # of PPS, in every run; with less junk the figure does not say what it should
PAIR = 0

CASES = (("uring", 1), ("dpdk", 1), ("dpdk", 2))  # of gateways: their port, their workers
GROWTH_MIB_MAX = 16.0
GATEWAYS_MBIT = 20.0  # the cap of their link; chosen: what two cores carry beside junk and load
GATEWAYS_SECONDS = 6.0
MANY_STRANGERS = "192.0.2.9:0"  # of any port, so that a card spreads them over all queues


class Junk:
    """godwit-junk, from now on."""

    def __init__(self, lab, enter, source, to, seconds):
        self._lab, self._seconds = lab, seconds
        self._process = lab.registry.start(
            [*enter, lab.program("godwit-junk"), "--from", source, "--to", to, "--pps", str(PPS),
             "--seconds", f"{seconds:g}"],
            stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)

    def pps(self):
        """Waits for its end; what it sent each second."""
        out, complaint = self._process.communicate(timeout=2 * self._seconds)
        self._lab.registry.end([self._process])
        if self._process.returncode != 0:
            raise Failure(complaint.strip() or "godwit-junk failed")
        pps = json.loads(out)["sent"] / self._seconds
        if pps < SENT_MIN * PPS:
            self._lab.console.say(f"  only {pps:.0f} datagrams of junk a second: the machine is too busy")
        return pps


def one_run(lab, paths, with_junk):
    """Mbit/s of payload, and datagrams of junk a second. The junk comes to the receiver beside the path, so
    it takes none of its rate."""
    _, receiver = paths.sites(PAIR)
    started = []

    def begin():
        if with_junk:
            started.append(Junk(lab, receiver["enter"], STRANGER, f"{receiver['address']}:{flows.PORT}",
                                SECONDS - WARM_SECONDS / 2))

    flow = Flow("quic", PAIR, cap_mbit=RATE_MBIT)
    began = paths.run([flow], SECONDS, [(WARM_SECONDS / 2, begin)])
    pps = sum(junk.pps() for junk in started)
    return flow.arrivals.mbit(began + WARM_SECONDS, began + SECONDS), pps


def figure(name, pairs, pps, conditions=()):
    """`pairs`: with junk, without it; `pps`: of the runs with junk."""
    return Figure(name, "Mbit/s", "the same without junk", pairs, Bar("ratio", ">=", RATIO_MIN),
                  conditions=[Condition("junk_pps", pps, SENT_MIN * PPS), *conditions])


def goodput(lab):
    with Paths(lab) as paths:
        set_all(paths)
        runs = [(one_run(lab, paths, True), one_run(lab, paths, False)) for _ in range(RUNS)]
        paths.check()
    return [figure(NAME, [(junk, clean) for (junk, _), (clean, _) in runs], [pps for (_, pps), _ in runs],
                   paths.conditions())]


def name_of(port, workers):
    return f"{NAME}_{port}_{workers}"


def growth_name_of(port, workers):
    return f"junk_growth_mib_{port}_{workers}"


NAMES_GATEWAYS = [name(*case) for name in (name_of, growth_name_of) for case in CASES]
SECONDS_GATEWAYS = RUNS * len(CASES) * (2 * GATEWAYS_SECONDS + 6)


def arrived(gateways, seconds):
    """Mbit/s over the link, as the second gateway counts it."""
    before = bytes_over(gateways, 1, "received_bytes")
    time.sleep(seconds)
    return (bytes_over(gateways, 1, "received_bytes") - before) * 8e-6 / seconds


class Growth:
    """How far a process grows above what it has in memory now, at most at any time."""

    def __init__(self, pid):
        self._folder = f"/proc/{pid}"
        with open(f"{self._folder}/clear_refs", "w", encoding="ascii") as file:
            file.write("5")  # forget the peak (proc(5))
        self._before = self._kib("VmRSS")

    def _kib(self, name):
        with open(f"{self._folder}/status", encoding="ascii") as file:
            return next(int(line.split()[1]) for line in file if line.startswith(name + ":"))

    def mib(self):
        return (self._kib("VmHWM") - self._before) / 1024


def gateways_run(lab, port, workers):
    """(Mbit/s under junk, without it), what it grew by, and datagrams of junk a second. The junk comes from
    the switch, is for the first worker, and comes to the queues of all."""
    gateways = Gateways(lab, port, workers=workers, connections=workers)
    try:
        gateways.start()
        wait_until_up(gateways, len(gateways.names))
        with Load(lab, gateways, workers):
            clean = arrived(gateways, GATEWAYS_SECONDS)
            to = f"{lab.wan.sites[1]['address']}:{godwit.PORT}"
            growth = Growth(gateways.pids()[1])
            junk = Junk(lab, lab.wan.stranger, MANY_STRANGERS, to, GATEWAYS_SECONDS + 1.0)
            dirty = arrived(gateways, GATEWAYS_SECONDS)
            return (dirty, clean), growth.mib(), junk.pps()
    finally:
        gateways.stop()


def growth_figure(name, grown, pps):
    return Figure(name, "MiB", "what is allowed", [(mib, GROWTH_MIB_MAX) for mib in grown],
                  Bar("value", "<=", GROWTH_MIB_MAX), conditions=[Condition("junk_pps", pps, SENT_MIN * PPS)])


def of_gateways(lab):
    runs = {case: [] for case in CASES}
    with Segment(lab.registry, ("Left", "Right"), GATEWAYS_MBIT) as lab.wan:
        for _ in range(RUNS):
            for case in CASES:
                runs[case].append(gateways_run(lab, *case))
    lab.wan = None
    columns = {case: [list(column) for column in zip(*runs[case])] for case in CASES}
    return ([figure(name_of(*case), goodputs, pps) for case, (goodputs, _, pps) in columns.items()]
            + [growth_figure(growth_name_of(*case), grown, pps) for case, (_, grown, pps) in columns.items()])
