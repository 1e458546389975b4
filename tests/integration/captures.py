"""Captures that gateways write, read by ourselves and by tshark."""
import shutil
import struct
import subprocess

import lab as harness
from internet_checksum import checksum


def packets(path):
    """The packets of a capture: (from port, to port, traffic class, payload). Small and strict."""
    data = path.read_bytes()
    magic, major, minor, _, _, _, link = struct.unpack_from("<IHHIIII", data)
    assert (magic, major, minor, link) == (0xA1B23C4D, 2, 4, 101), "not the pcap that is promised"
    at = 24
    found = []
    while at < len(data):
        _, _, size, original = struct.unpack_from("<IIII", data, at)
        assert size == original
        ip = data[at + 16:at + 16 + size]
        assert len(ip) == size and ip[0] == 0x45 and ip[9] == 17
        assert checksum(ip[:20]) == 0, "IPv4's checksum"
        udp = ip[20:]
        assert checksum(ip[12:20] + bytes((0, 17)) + udp[4:6] + udp) == 0, "UDP's checksum"
        from_port, to_port = struct.unpack_from("!HH", udp)
        found.append((from_port, to_port, ip[1], udp[8:]))
        at += 16 + size
    return found


def is_quic_greeting(payload):
    """A long header of version 1; its fixed bit may be cleared by an answer (RFC 9287)."""
    return payload[0] & 0x80 and payload[1:5] == b"\0\0\0\1"


def judge_by_tshark(test, make):
    """What `make` captures is QUIC with our ALPN, and nothing of it is malformed. tshark is what
    `tests/check full` needs, and nothing smaller."""
    installed = shutil.which("tshark") is not None
    print(f"count: captures judged by tshark {int(installed)}", flush=True)
    if not installed:
        test.assertFalse(harness.FULL, "tshark is missing: `.ci/install full`")
        return
    path = make()

    def tshark(*words):
        done = subprocess.run(["tshark", "-r", path, *words], capture_output=True, text=True,
                              timeout=60, check=True)
        return done.stdout.split()

    test.assertEqual(tshark("-Y", "_ws.malformed"), [])
    test.assertIn("0x00000001", tshark("-Y", "quic", "-T", "fields", "-e", "quic.version"))
    test.assertIn("godwit/1", tshark("-T", "fields", "-e", "tls.handshake.extensions_alpn_str"))
