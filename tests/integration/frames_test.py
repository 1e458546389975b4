"""A gateway on DPDK among strangers: every kind of wrong frame is survived, counted and shown.

Run inside `unshare -rUn`: a veth pair, the gateway at one end, this test at the other.
"""
import contextlib
import json
import socket
import struct
import subprocess
import time
import unittest

import lab as harness
from internet_checksum import checksum

OWN, PEER, STRANGER = "10.9.0.1", "10.9.0.2", "10.9.0.9"
STRANGER_MAC = bytes.fromhex("020000000009")
EVERYBODY = b"\xff" * 6
UDP_PORT = 7443  # of a gateway that has a place of its own
PEER_MAC = bytes.fromhex("020000000002")
PORT = 'kind = "dpdk"\ndevice = "af_packet:wan0"\nprefix = 24\n'
EACH = 5
QUESTIONS = 20  # of the peer, each after so many of strangers, of whom it answers 100 at once
FLOOD = 1_000
ANSWERS_MIN = 16  # at the strangers' pace it had 7; a busy machine may lose a frame
SOL_PACKET, IGNORE_OUTGOING = 263, 23  # of <linux/if_packet.h>


def ip(*words):
    return subprocess.run(["ip", *words], check=True, capture_output=True, text=True).stdout


def ipv4(payload, protocol=17, source=STRANGER, to=OWN, words=5, fragment=0x4000):
    header = struct.pack("!BBHHHBBH4s4s", 0x40 | words, 0, 4 * words + len(payload), 0, fragment, 64,
                         protocol, 0, socket.inet_aton(source), socket.inet_aton(to))
    header += b"\x01" * (4 * words - 20)
    return header[:10] + struct.pack("!H", checksum(header)) + header[12:] + payload


def udp(payload=b"junk", port=UDP_PORT, wrong=0, length=None):
    length = 8 + len(payload) if length is None else length
    plain = struct.pack("!HHHH", 9, port, length, 0) + payload
    pseudo = socket.inet_aton(STRANGER) + socket.inet_aton(OWN) + struct.pack("!BBH", 0, 17, len(plain))
    return plain[:6] + struct.pack("!H", (checksum(pseudo + plain) + wrong) & 0xFFFF) + payload


def arp(operation, sender=STRANGER, mac=STRANGER_MAC, target=OWN):
    return (struct.pack("!HHBBH", 1, 0x0800, 6, 4, operation) + mac + socket.inet_aton(sender)
            + bytes(6) + socket.inet_aton(target))


class Frames(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        ip("link", "set", "dev", "lo", "up")
        ip("link", "add", "wan0", "type", "veth", "peer", "name", "far0")
        for end in ("wan0", "far0"):
            # Larger frames than the gateway takes may come.
            ip("link", "set", "dev", end, "addrgenmode", "none", "mtu", "9000", "up")

    def setUp(self):
        places = {site: {"address": address, "enter": []} for site, address in (("a", OWN), ("b", PEER))}
        self.lab = harness.Lab(sites=("a", "b"), places=places, port=PORT)
        self.addCleanup(self.lab.__exit__)
        self.lab.start("a")  # nobody is at b's address
        listed, = json.loads(ip("-json", "link", "show", "dev", "wan0"))
        self.own = bytes.fromhex(listed["address"].replace(":", ""))
        self.far = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, socket.htons(3))
        self.addCleanup(self.far.close)
        self.far.setsockopt(SOL_PACKET, IGNORE_OUTGOING, 1)
        self.far.bind(("far0", 0))
        self.far.settimeout(1)

    def ethernet(self, payload, kind=0x0800, to=None, source=STRANGER_MAC, tag=b""):
        return (to or self.own) + source + tag + struct.pack("!H", kind) + payload

    def refused(self):
        port = self.lab.ask("a", "link")["port"]
        return {refusal["reason"]: refusal["frames"] for refusal in port["refusals"]}

    def says(self, operation, to=None, target=None, seconds=harness.READY_SECONDS):
        """Whether it speaks ARP so, to this MAC, about this address."""
        end = time.monotonic() + seconds
        while time.monotonic() < end:
            try:
                frame = self.far.recv(65536)
            except TimeoutError:
                continue
            if (frame[12:14] == b"\x08\x06" and frame[20:22] == struct.pack("!H", operation)
                    and frame[6:12] == self.own and to in (None, frame[:6])
                    and target in (None, socket.inet_ntoa(frame[38:42]))):
                return True
        return False

    def answered(self, sender=STRANGER, mac=STRANGER_MAC, seconds=harness.READY_SECONDS):
        """Whether it still answers who asks for it."""
        self.far.send(self.ethernet(arp(1, sender, mac), 0x0806, EVERYBODY, mac))
        return self.says(2, to=mac, seconds=seconds)

    def test_every_kind_of_wrong_frame_is_counted_by_its_reason(self):
        good = ipv4(udp())
        wrong = {
            "looped": self.ethernet(good, source=self.own),
            "not_ours": self.ethernet(good, to=bytes.fromhex("020000000077")),
            "wrong_vlan": self.ethernet(good, tag=b"\x81\x00\x00\x07"),
            "unknown_type": self.ethernet(bytes(46), kind=0x88B5),
            "bad_arp": self.ethernet(arp(9), 0x0806, EVERYBODY),
            "bad_ip": self.ethernet(good[:10] + b"\x12\x34" + good[12:]),
            "ip_options": self.ethernet(ipv4(udp(), words=6)),
            "bad_source": self.ethernet(ipv4(udp(), source="224.0.0.1")),
            "wrong_host": self.ethernet(ipv4(udp(), to="10.9.0.77")),
            "unknown_protocol": self.ethernet(ipv4(bytes(20), protocol=6)),
            "bad_udp": self.ethernet(ipv4(udp(length=7))),
            "bad_checksum": self.ethernet(ipv4(udp(wrong=1))),
            "wrong_port": self.ethernet(ipv4(udp(port=9))),
            "conflict": self.ethernet(arp(1, sender=OWN), 0x0806, EVERYBODY),
        }
        # The kernel keeps fragments before a packet socket sees them, in order to join them.
        fragment = self.ethernet(ipv4(udp(), fragment=0x2000))
        cut = [self.ethernet(good[:12]), self.ethernet(ipv4(udp(bytes(4000))))]  # truncated, oversized
        before = self.refused()
        for _ in range(EACH):
            for frame in [*wrong.values(), *cut, fragment]:
                self.far.send(frame)
        expected = {reason: EACH for reason in wrong} | {"truncated": EACH * len(cut)}

        def arrived():
            now = self.refused()
            arrived.last = {reason: now[reason] - before[reason] for reason in now}
            return all(arrived.last[reason] >= count for reason, count in expected.items())

        try:
            self.lab.wait_for(arrived, "all of them", 20)
        except TimeoutError:
            self.assertEqual({reason: arrived.last[reason] for reason in expected}, expected)
        print("count: frames refused", arrived.last, flush=True)
        self.assertEqual({reason: arrived.last[reason] for reason in expected}, expected)
        self.lab.wait_for(
            lambda: self.lab.metric("a", "godwit_port_refused_total")["conflict",] >= EACH, "the metric")
        self.assertTrue(self.answered())

    def test_a_silent_peer_and_a_host_with_our_address_are_named(self):
        self.far.send(self.ethernet(arp(1, sender=OWN), 0x0806, EVERYBODY))

        def named():
            named.last = {problem["reason"]: problem["subject"] for problem in self.lab.problems("a")}
            return {"port.address_conflict", "port.neighbour_silent"} <= set(named.last)

        self.lab.wait_for(named, "both problems")
        self.assertEqual(named.last["port.address_conflict"], OWN)
        self.assertEqual(named.last["port.neighbour_silent"], PEER)
        text = self.lab.cli("--admin", self.lab.folder / "a" / "admin", "link", code=10).stdout
        self.assertIn(f"port net_af_packet on af_packet:wan0  {OWN}:{UDP_PORT}  up", text)
        self.assertRegex(text, rf"! port.neighbour_silent  {PEER}  ")
        self.assertRegex(text, rf"! port.address_conflict  {OWN}  .* MAC 02:00:00:00:00:09")
        # The peer says where it is: the trouble is over.
        self.lab.wait_for(lambda: self.far.send(self.ethernet(arp(2, PEER, PEER_MAC), 0x0806)) and not any(
            problem["reason"] == "port.neighbour_silent" for problem in self.lab.problems("a")), "the end of it")

    def strangers_ask(self, first, count):
        """Each question another one's."""
        for number in range(first, first + count):
            mac = b"\x02\0\1" + struct.pack("!I", number)[1:]
            self.far.send(self.ethernet(arp(1, f"10.9.0.{10 + number % 200}", mac), 0x0806, EVERYBODY, mac))
            if number % 100 == 0:
                self.forget_answers()  # the socket has room for some 200, and drops the rest

    def forget_answers(self):
        self.far.setblocking(False)  # without a rest, in which strangers would earn answers
        with contextlib.suppress(BlockingIOError):
            while self.far.recv(65536):
                pass
        self.far.settimeout(1)

    def test_in_a_flood_of_questions_the_peers_are_answered_and_it_costs_no_memory(self):
        process = self.lab.gateways["a"].process
        self.assertTrue(self.says(1, target=PEER), "it asks for the peer, so it knows it")
        before = harness.resident_kb(process)
        answers = 0
        for round_ in range(QUESTIONS):
            self.strangers_ask(round_ * FLOOD, FLOOD)
            answers += self.answered(PEER, PEER_MAC, 5)
        grown = harness.resident_kb(process) - before
        refused = self.refused()["too_many"]
        print(f"count: ARP questions {FLOOD * QUESTIONS}, too many {refused}, of the peer's {QUESTIONS} "
              f"answered {answers}, grown by {grown} kB", flush=True)
        self.assertGreater(refused, 0, "more questions than answers")
        self.assertGreaterEqual(answers, ANSWERS_MIN)
        self.assertLess(grown, harness.GROWTH_MAX_KB)
        time.sleep(1)  # what strangers wait for at most
        self.assertTrue(self.answered())

    def test_a_forged_answer_is_counted_and_named(self):
        """It moves the peer's traffic, as ARP has no means against it; but somebody can see it."""
        def changes():
            return self.lab.metric("a", "godwit_port_troubles_total")["neighbour_changed",]

        self.assertTrue(self.says(1, target=PEER), "it asks for the peer")
        self.far.send(self.ethernet(arp(2, PEER, PEER_MAC), 0x0806))
        self.assertEqual(changes(), 0)
        self.lab.wait_for(
            lambda: self.far.send(self.ethernet(arp(2, PEER), 0x0806)) and changes() > 0, "the metric")
        self.assertGreater(self.lab.ask("a", "link")["port"]["neighbours_changed"], 0)
        self.assertIn(f"{PEER} now says it has MAC 02:00:00:00:00:09, before 02:00:00:00:00:02",
                      self.lab.gateways["a"].text())
        text = self.lab.cli("--admin", self.lab.folder / "a" / "admin", "link", code=10).stdout
        self.assertRegex(text, r"troubles: .*neighbour_changed \d")


if __name__ == "__main__":
    unittest.main()
