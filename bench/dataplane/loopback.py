"""Bytes per second of processor time: our session, TCP with TLS 1.3, AEAD per packet with UDP GSO.
And how often each of the first two asks malloc for memory."""

import json
import subprocess

from bench.lab.failure import Failure
from bench.lab.figure import Bar, Figure

ROUNDS, PHASE_MS = 20, 300
SECONDS_MAX = 120
UNIT = "Gbit/s per core"
# (figure, reference flow, sides that are counted, bar)
FIGURES = [
    ("quic_over_tcp_tls_sender", "tls", ("sender_s",), 0.95),
    ("quic_over_tcp_tls_receiver", "tls", ("receiver_s",), 0.80),
    ("quic_over_tcp_tls_both", "tls", ("sender_s", "receiver_s"), 0.90),
    ("quic_over_aead_both", "aead", ("sender_s", "receiver_s"), 0.55),
    ("quic_over_own_aead_both", "own_aead", ("sender_s", "receiver_s"), None),
]
MALLOCS = "quic_malloc_calls_per_gb"
NAMES = [*(name for name, _, _, _ in FIGURES), MALLOCS]
REFERENCES = {"tls": "kernel TCP + TLS 1.3 (OpenSSL), AES-128-GCM",
              "aead": "AES-128-GCM per packet by GnuTLS + UDP GSO, nothing else",
              "own_aead": "the same by the session's own cipher"}


def rate(work, sides):
    """Gbit/s that one core carries when it does the work of these sides."""
    return work["bytes"] * 8e-9 / sum(work[side] for side in sides)


def mallocs(work):
    """Calls of malloc by both sides, libraries included, for each GB of payload."""
    return (work["sender_mallocs"] + work["receiver_mallocs"]) * 1e9 / work["bytes"]


def figures(rounds):
    ratios = [Figure(name, UNIT, REFERENCES[flow],
                     [(rate(work["quic"], sides), rate(work[flow], sides)) for work in rounds],
                     Bar("ratio", ">=", bar) if bar else None)
              for name, flow, sides, bar in FIGURES]
    return [*ratios, Figure(MALLOCS, "calls per GB", REFERENCES["tls"],
                            [(mallocs(work["quic"]), mallocs(work["tls"])) for work in rounds])]


def measure(lab):
    process = lab.registry.start(
        [lab.program("godwit-loopback"), "--rounds", str(ROUNDS), "--phase-ms", str(PHASE_MS)],
        stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    try:
        out, complaint = process.communicate(timeout=SECONDS_MAX)
    except subprocess.TimeoutExpired:
        lab.registry.end([process])
        raise Failure(f"godwit-loopback did not end within {SECONDS_MAX} s") from None
    if process.returncode != 0:
        raise Failure(complaint.strip() or "godwit-loopback failed")
    return figures([json.loads(line) for line in out.splitlines()])
