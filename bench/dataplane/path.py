"""A long path of 50 Mbit/s and 100 ms with a queue of one bandwidth-delay product: goodput under loss
beside the kernel's TCP, the bottleneck's queue, and control messages under full load."""

from bench.dataplane.flows import Flow, Paths
from bench.lab.figure import Bar, Figure, quantile

RATE_MBIT, RTT_MS = 50.0, 100.0
QUEUE_BYTES = int(RATE_MBIT * 1e6 / 8 * RTT_MS / 1e3)
RUNS = 5
WARM_SECONDS = 4.0   # not counted: handshake and start-up
SECONDS = 16.0       # of a run, what is not counted included: more than one of BBR's ten-second rounds
LOSSES = {"0": 0.95, "0.1": 0.94, "1": 0.92, "3": 0.85}  # per cent of packets, and our bar

# Bytes of a full packet on layer 3 and of payload in it. QUIC: IPv4 20, UDP 8, short header 1 + 8 + 2,
# tag 16, STREAM frame's header 8. TCP: IPv4 20, TCP 20, timestamps 12.
QUIC_PAYLOAD = (1480 - 20 - 8 - 11 - 16 - 8) / 1480
TCP_PAYLOAD = (1500 - 20 - 20 - 12) / 1500

# (kind of flow, prefix of the figure, share of payload)
KINDS = [("quic", "goodput_loss_", QUIC_PAYLOAD), ("bbr", "goodput_tcp_bbr_loss_", TCP_PAYLOAD),
         ("cubic", "goodput_tcp_cubic_loss_", TCP_PAYLOAD)]

CAPPED_NAMES = ["bottleneck_delay_p95_ms", "control_p99_excess_ms"]
DELAY_P95_MAX_MS = 5.0
CONTROL_EVERY_MS = 17.0                    # no divisor of anything periodic in the transport
QUANTUM_MS = 1.0                           # the scheduler's quantum: a millisecond of the rate
CONTROL_EXCESS_MAX_MS = 1.5 * QUANTUM_MS + 1.0


def goodput_names(loss):
    return [prefix + loss for _, prefix, _ in KINDS]


def set_all(paths, loss=0.0):
    for pair in range(len(KINDS)):
        paths.set(pair, rate_mbit=RATE_MBIT, delay_ms=RTT_MS / 2, queue_bytes=QUEUE_BYTES, loss=loss)


def goodput(loss):
    """Measures all three kinds at once, each on a path of its own."""
    def measure(lab):
        with Paths(lab) as paths:
            set_all(paths)
            served = paths.served_mbit(0, RATE_MBIT)
            set_all(paths, float(loss) / 100)
            pairs = {prefix: [] for _, prefix, _ in KINDS}
            paths.wan.reset()
            for _ in range(RUNS):
                flows = [Flow(kind, pair, cap_mbit=RATE_MBIT if kind == "quic" else None)
                         for pair, (kind, _, _) in enumerate(KINDS)]
                began = paths.run(flows, SECONDS)
                for flow, (_, prefix, share) in zip(flows, KINDS):
                    got = flow.arrivals.mbit(began + WARM_SECONDS, began + SECONDS)
                    pairs[prefix].append((got, served * share))
            paths.check()
        return [Figure(prefix + loss, "Mbit/s", "payload that the path served", pairs[prefix],
                       Bar("ratio", ">=", LOSSES[loss]) if prefix == "goodput_loss_" else None,
                       conditions=paths.conditions())
                for _, prefix, _ in KINDS]

    return measure


def excess_p99(flow, began):
    """Of stamped messages beyond the path's delay, ms."""
    return quantile([ms for sent, ms in flow.arrivals.control
                     if began + WARM_SECONDS <= sent <= began + SECONDS - 1], 0.99) - RTT_MS / 2


def capped(lab):
    """Our flow with control messages in it on one path, kernel TCP BBR on another one, lone datagrams on a third."""
    delays, excesses = [], []
    with Paths(lab) as paths:
        set_all(paths)
        for _ in range(RUNS):
            ours = Flow("quic", 0, control_ms=CONTROL_EVERY_MS, cap_mbit=RATE_MBIT)
            lone = Flow("datagram", 2, control_ms=CONTROL_EVERY_MS)
            began = paths.run([ours, Flow("bbr", 1), lone], SECONDS, [(WARM_SECONDS, paths.wan.reset)])
            queues = [paths.statistics(pair)[0]["queueing_ms"]["p95"] for pair in (0, 1)]
            delays.append(tuple(queues))
            excesses.append(tuple(excess_p99(flow, began) for flow in (ours, lone)))
            paths.check()
    return [Figure("bottleneck_delay_p95_ms", "ms", "kernel TCP BBR on the same path", delays,
                   Bar("value", "<=", DELAY_P95_MAX_MS), conditions=paths.conditions()),
            Figure("control_p99_excess_ms", "ms", "a lone datagram's, on an idle path", excesses,
                   Bar("value", "<=", CONTROL_EXCESS_MAX_MS), conditions=paths.conditions())]
