"""What the ports cost without QUIC: the user-space endpoint over DPDK's rings, and packet sockets of
DPDK's beside io_uring, between two network namespaces."""

import json
import subprocess
import threading

from bench.dataplane.cable import ADDRESSES, Cable
from bench.lab.failure import Failure
from bench.lab.figure import Bar, Figure

RINGS, PACKET_SOCKET = "udpip_ns_per_packet", "afpacket_over_uring"
ROUNDS = 20
NS_MAX = 150.0
RUNS, SECONDS = 5, 3.0
RECEIVER_SECONDS = SECONDS + 1.0
PATIENCE_SECONDS = 20  # for a program to say what it must, beyond its own time
UDP_PORT = 7000        # of godwit-port


def start(lab, words):
    return lab.registry.start(words, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                              stderr=subprocess.PIPE, text=True)


def lines_of(lab, process, seconds):
    """All that the program still says; it must end well."""
    killer = threading.Timer(seconds + PATIENCE_SECONDS, process.kill)
    killer.start()
    out, complaint = process.communicate()
    killer.cancel()
    lab.registry.end([process])
    if process.returncode != 0:
        raise Failure(complaint.strip() or "godwit-port did not end")
    return [json.loads(line) for line in out.splitlines()]


def rings(lab):
    process = start(lab, [lab.program("godwit-port"), "rings", "--rounds", str(ROUNDS)])
    pairs = [(line["ns"], line["memcpy_ns"]) for line in lines_of(lab, process, 0)]
    return [Figure(RINGS, "ns", "memcpy of the packet", pairs, Bar("value", "<=", NS_MAX))]


def carried(lab, cable, port):
    """Gbit/s of payload that one core carries when it does both ends' work."""
    def command(end, what, seconds, *more):
        words = [*cable.enter[end], lab.program("godwit-port"), what, "--port", port, "--local", ADDRESSES[end],
                 "--seconds", f"{seconds:g}", *more]
        return words + (["--device", "af_packet:wan0"] if port == "dpdk" else [])

    cable.set_addresses(port != "dpdk")
    receiver = start(lab, command(1, "receive", RECEIVER_SECONDS))
    if not receiver.stdout.readline():
        lines_of(lab, receiver, 0)
    peer = ADDRESSES[1].partition("/")[0]
    sender = start(lab, command(0, "send", SECONDS, "--peer", f"{peer}:{UDP_PORT}"))
    sent, = lines_of(lab, sender, SECONDS)
    received, = lines_of(lab, receiver, RECEIVER_SECONDS)
    if received["bytes"] == 0:
        raise Failure(f"nothing arrived over {port}")
    return received["bytes"] * 8e-9 / (sent["processor_s"] + received["processor_s"])


def packet_sockets(lab):
    with Cable(lab.registry) as cable:
        pairs = [(carried(lab, cable, "dpdk"), carried(lab, cable, "uring")) for _ in range(RUNS)]
    return [Figure(PACKET_SOCKET, "Gbit/s per core", "the io_uring port, one datagram a call", pairs,
                   Bar("ratio", ">=", 1.0))]
