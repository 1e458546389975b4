"""Bulk flows between pairs of sites of the emulated WAN: each pair has a path of its own."""

import json
import math
import subprocess
import threading
import time

from bench.lab.failure import Failure
from bench.lab.figure import Condition
from bench.lab.wan import Wan, amplest

PAIRS = 3
PORT = 7000
SENDER, RECEIVER = "sender", "receiver"  # the sites' names in certificates
EXTRA_SECONDS = 1.0   # that a receiver runs longer than its sender
PATIENCE_SECONDS = 20  # for a program to say what it must, beyond its own time
EDGE = 1e-6            # of a bin: what sums of floats may be off
LATENESS_MS_MAX = 5.0  # of the emulator at p99, as in the main job


class Flow:
    """`kind` is "quic", "datagram" or the name of a congestion control of the kernel; `pair` says where."""

    def __init__(self, kind, pair, control_ms=None, cap_mbit=None):
        self.kind, self.pair, self.control_ms, self.cap_mbit = kind, pair, control_ms, cap_mbit
        self.arrivals = None  # what the receiver said at the end
        self.sent = None      # what the sender said


class Arrivals:
    """Bytes by bins of time, as a receiver saw them; instants are seconds of time.monotonic()."""

    def __init__(self, told):
        self.began = told["began_ns"] / 1e9
        self.bin = told["bin_ns"] / 1e9
        self.bytes = told["bytes"]
        self.control = [(self.began + at, delay) for at, delay in told["control"]]
        self.sessions = told.get("sessions")

    def mbit(self, since, until):
        """Mean rate over the whole bins in between; a bin after the last arrival is empty."""
        first = max(0, math.ceil((since - self.began) / self.bin - EDGE))
        last = math.floor((until - self.began) / self.bin + EDGE)
        if last <= first:
            return 0.0
        return sum(self.bytes[first:last]) * 8e-6 / ((last - first) * self.bin)

    def back_at(self, event, until, mbit, hold):
        """Seconds from `event` to the first `hold` seconds at `mbit` in the mean; None if not until then."""
        index = math.ceil((event - self.began) / self.bin - EDGE)
        while self.began + index * self.bin + hold <= until:
            start = self.began + index * self.bin
            if self.mbit(start, start + hold) >= mbit:
                return max(0.0, start - event)
            index += 1
        return None


class Paths:
    """An emulator with PAIRS pairs of sites; what a flow on one pair does is no other pair's concern."""

    def __init__(self, lab):
        self._lab = lab
        self._late_ms, self._missed = [], []  # at each check
        program = lab.program("godwit-wan")
        self.wan = Wan(program, lab.registry, amplest(program), 2 * PAIRS)
        self._certificates = lab.registry.folder("godwit-path.")
        for words in (["init", self._certificates], ["issue", self._certificates, SENDER, RECEIVER]):
            done = subprocess.run([lab.program("godwit"), "cert", *words], capture_output=True, text=True)
            if done.returncode != 0:
                raise Failure(f"godwit cert {words[0]}: {(done.stderr or done.stdout).strip()}")

    def close(self):
        self.wan.close()
        self._lab.registry.remove(self._certificates)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()

    def sites(self, pair):
        return self.wan.sites[2 * pair], self.wan.sites[2 * pair + 1]

    def set(self, pair, **settings):
        """rate_mbit, delay_ms, loss, queue_bytes, both ways; loss only towards the receiver."""
        a, b = (site["name"] for site in self.sites(pair))
        loss = settings.pop("loss", None)
        if settings:
            self.wan.ask("set", **{"from": a, "to": b}, **settings)
        if loss is not None:
            self.wan.ask("set", **{"from": a, "to": b}, loss=loss, one_way=True)

    def cut(self, pair):
        self.wan.cut(*(site["name"] for site in self.sites(pair)))

    def heal(self, pair):
        self.wan.heal(*(site["name"] for site in self.sites(pair)))

    def statistics(self, pair):
        """(the pair's counters towards the receiver, the whole answer)"""
        a, b = (site["name"] for site in self.sites(pair))
        stats = self.wan.stats()
        return next(p for p in stats["pairs"] if (p["from"], p["to"]) == (a, b)), stats

    def check(self):
        """Notes whether the emulator has kept its own promises since the last reset."""
        stats = self.wan.stats()
        self._late_ms.append(stats["lateness_ms"]["p99"])
        self._missed.append(sum(site["tap_drops"] for site in stats["sites"]))

    def conditions(self):
        """Of figures that were taken here: on a machine that is too busy for the emulator they say nothing."""
        return [Condition("emulator_late_p99_ms", self._late_ms, at_most=LATENESS_MS_MAX),
                Condition("emulator_missed_packets", self._missed, at_most=0)]

    def served_mbit(self, pair, rate_mbit):
        """What the path serves when more is offered: layer 3, measured over 1.5 s in the middle."""
        _, there = self.sites(pair)
        process = self._start(self.sites(pair)[0], [
            "udp-flood", "--peer", f"{there['address']}:{PORT}", "--seconds", "3",
            "--rate-mbit", f"{1.3 * rate_mbit:g}"])
        time.sleep(1.0)
        first, all_first = self.statistics(pair)
        time.sleep(1.5)
        last, all_last = self.statistics(pair)
        self._said(process)
        return ((last["bytes"] - first["bytes"]) * 8e-6 / (all_last["seconds"] - all_first["seconds"]))

    def run(self, flows, seconds, actions=()):
        """All flows at once; `actions` are (second, function), in order. Returns the instant at which
        the senders were started."""
        receivers = [self._start_receiver(flow, seconds + EXTRA_SECONDS) for flow in flows]
        for process in receivers:
            self._line(process, PATIENCE_SECONDS)  # {"ready": true}
        began = time.monotonic()
        senders = [self._start_sender(flow, seconds) for flow in flows]
        for at, action in actions:
            time.sleep(max(0.0, began + at - time.monotonic()))
            action()
        for flow, receiver, sender in zip(flows, receivers, senders):
            flow.sent = self._said(sender, seconds)
            flow.arrivals = Arrivals(self._said(receiver, seconds))
        return began

    def _start_receiver(self, flow, seconds):
        a, b = self.sites(flow.pair)
        if flow.kind != "quic":
            program = "datagram-receive" if flow.kind == "datagram" else "tcp-receive"
            return self._start(b, [program, "--local", f"{b['address']}:{PORT}", "--seconds", f"{seconds:g}"])
        return self._start(b, ["quic-receive", *self._quic(b, a, RECEIVER, SENDER, flow, seconds)])

    def _start_sender(self, flow, seconds):
        a, b = self.sites(flow.pair)
        peer = ["--peer", f"{b['address']}:{PORT}", "--seconds", f"{seconds:g}"]
        if flow.kind == "datagram":
            return self._start(a, ["datagram-send", *peer, "--every-ms", f"{flow.control_ms:g}"])
        if flow.kind != "quic":
            return self._start(a, ["tcp-send", *peer, "--congestion", flow.kind])
        words = self._quic(a, b, SENDER, RECEIVER, flow, seconds)
        if flow.control_ms:
            words += ["--control-ms", f"{flow.control_ms:g}"]
        return self._start(a, ["quic-send", *words])

    def _quic(self, own, peer, own_name, peer_name, flow, seconds):
        words = ["--local", f"{own['address']}:{PORT}", "--peer", f"{peer['address']}:{PORT}",
                 "--site", own_name, "--peer-site", peer_name, "--certificates", self._certificates,
                 "--seconds", f"{seconds:g}",
                 "--rtt-ms", f"{self.wan.round_trip_ms(own['name'], peer['name']):g}"]
        return words + (["--cap-mbit", f"{flow.cap_mbit:g}"] if flow.cap_mbit else [])

    def _start(self, site, words):
        return self._lab.registry.start(site["enter"] + [self._lab.program("godwit-path"), *words],
                                        nice=-10, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                                        stderr=subprocess.PIPE, text=True)

    def _line(self, process, patience):
        """The next line of a program that may hang or fail."""
        killer = threading.Timer(patience, process.kill)
        killer.start()
        line = process.stdout.readline()
        killer.cancel()
        if not line:
            raise Failure(f"godwit-path: {process.stderr.read().strip() or 'no answer'}")
        return json.loads(line)

    def _said(self, process, seconds=0):
        told = self._line(process, seconds + PATIENCE_SECONDS)
        self._lab.registry.end([process])
        return told
