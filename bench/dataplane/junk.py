"""Goodput while a stranger sends junk to the receiver, beside the goodput without it."""

import json
import subprocess

from bench.dataplane.flows import PORT, Flow, Paths
from bench.dataplane.path import RATE_MBIT, set_all
from bench.lab.failure import Failure
from bench.lab.figure import Bar, Condition, Figure

NAME = "junk_goodput_ratio"
PPS = 100_000
STRANGER = "192.0.2.9:9"  # RFC 5737: nobody's
RUNS = 5
WARM_SECONDS = 4.0  # not counted: handshake and start-up; the junk begins after half of them
SECONDS = 12.0
RATIO_MIN = 0.95
SENT_MIN = 0.9  # of PPS, in every run; with less junk the figure does not say what it should
PAIR = 0


def one_run(lab, paths, with_junk):
    """Mbit/s of payload, and datagrams of junk a second. The junk comes to the receiver beside the path, so
    it takes none of its rate."""
    _, receiver = paths.sites(PAIR)
    started = []

    def begin():
        if with_junk:
            started.append(lab.registry.start(
                receiver["enter"] + [lab.program("godwit-junk"), "--from", STRANGER, "--to",
                                     f"{receiver['address']}:{PORT}", "--pps", str(PPS),
                                     "--seconds", f"{SECONDS - WARM_SECONDS / 2:g}"],
                stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True))

    flow = Flow("quic", PAIR, cap_mbit=RATE_MBIT)
    began = paths.run([flow], SECONDS, [(WARM_SECONDS / 2, begin)])
    pps = 0.0
    for process in started:
        out, complaint = process.communicate(timeout=SECONDS)
        lab.registry.end([process])
        if process.returncode != 0:
            raise Failure(complaint.strip() or "godwit-junk failed")
        pps = json.loads(out)["sent"] / (SECONDS - WARM_SECONDS / 2)
        if pps < SENT_MIN * PPS:
            lab.console.say(f"  only {pps:.0f} datagrams of junk a second: the machine is too busy")
    return flow.arrivals.mbit(began + WARM_SECONDS, began + SECONDS), pps


def figure(pairs, pps):
    """`pairs`: with junk, without it; `pps`: of the runs with junk."""
    return Figure(NAME, "Mbit/s", "the same without junk", pairs, Bar("ratio", ">=", RATIO_MIN),
                  condition=Condition("junk_pps", pps, SENT_MIN * PPS))


def goodput(lab):
    with Paths(lab) as paths:
        set_all(paths)
        runs = [(one_run(lab, paths, True), one_run(lab, paths, False)) for _ in range(RUNS)]
        paths.check()
    return [figure([(junk, clean) for (junk, _), (clean, _) in runs], [pps for (_, pps), _ in runs])]
