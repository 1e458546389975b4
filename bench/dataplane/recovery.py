"""How soon a link is full again after its rate fell, and after it was cut."""

import time

from bench.dataplane.flows import Flow, Paths
from bench.dataplane.path import QUIC_PAYLOAD, RATE_MBIT, RTT_MS, set_all
from bench.lab.figure import Bar, Condition, Figure

NAMES = ["recovery_step_s", "recovery_cut_s"]
RUNS = 5
SECONDS = 17.0
EVENT_AT, CUT_SECONDS = 5.0, 3.0
STEP_MBIT = 20.0
SHARE = 0.9          # of the link's payload, in the mean over HOLD_SECONDS, is "back"; so it stays until the end
HOLD_SECONDS = 1.0
LIMIT_SECONDS = 2.0 + 4 * RTT_MS / 1e3
STEP_PAIR, CUT_PAIR = 0, 1


def measure(lab):
    """The step on one path and the cut on another one, at the same time."""
    step, cut, kept = [], [], {"step": [], "heal": []}
    at = {}

    def do(name, action):
        action()
        at[name] = time.monotonic()

    with Paths(lab) as paths:
        for _ in range(RUNS):
            set_all(paths)
            flows = [Flow("quic", pair, cap_mbit=RATE_MBIT) for pair in (STEP_PAIR, CUT_PAIR)]
            began = paths.run(flows, SECONDS, [
                (EVENT_AT, lambda: do("step", lambda: paths.set(STEP_PAIR, rate_mbit=STEP_MBIT))),
                (EVENT_AT, lambda: do("cut", lambda: paths.cut(CUT_PAIR))),
                (EVENT_AT + CUT_SECONDS, lambda: do("heal", lambda: paths.heal(CUT_PAIR)))])
            end = began + SECONDS
            for flow, event, rate, out in ((flows[0], "step", STEP_MBIT, step),
                                           (flows[1], "heal", RATE_MBIT, cut)):
                payload = rate * QUIC_PAYLOAD
                back = flow.arrivals.back_at(at[event], end, SHARE * payload, HOLD_SECONDS)
                out.append((bound(event) if back is None else back, LIMIT_SECONDS))
                kept[event].append(flow.arrivals.mbit(at[event] + LIMIT_SECONDS, end) / payload)
            paths.check()
    return [Figure(name, "s", "the limit, 2 s + 4 round trips", pairs, Bar("value", "<=", LIMIT_SECONDS),
                   bound=bound(event), conditions=[Condition("share_kept", kept[event], SHARE), *paths.conditions()])
            for name, pairs, event in (("recovery_step_s", step, "step"), ("recovery_cut_s", cut, "heal"))]


def bound(event):
    """What is known when it was not seen to recover."""
    since = EVENT_AT + (CUT_SECONDS if event == "heal" else 0.0)
    return SECONDS - since - HOLD_SECONDS
