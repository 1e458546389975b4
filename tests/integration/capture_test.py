"""What a gateway puts on the wire, as its capture and a plain socket see it."""
import socket
import unittest

import captures
import lab as harness
from captures import is_quic_greeting, packets

SIGNALLING = 40 << 2  # CS5 in the traffic class: what [dscp] gives to control


class Capture(unittest.TestCase):
    def lab(self, **options):
        lab = harness.Lab(sites=("a", "b"), **options)
        self.addCleanup(lab.__exit__)
        return lab

    def captured(self, lab):
        lab.port = f'capture = "{lab.folder}/{{site}}.pcap"\n'
        lab.start_all()
        lab.wait_healthy()
        self.assertEqual(lab.gateways["a"].end(), 0)
        return lab.folder / "a.pcap"

    def test_a_capture_shows_quic_between_both_ports(self):
        lab = self.lab(policies="[dscp]\n")
        path = self.captured(lab)
        self.assertIn(f"every packet is captured in {path}", lab.gateways["a"].text())
        self.assertEqual(path.stat().st_mode & 0o777, 0o600)
        all_of_them = packets(path)
        a, b = lab.ports["a"], lab.ports["b"]
        self.assertEqual({(one, other) for one, other, _, _ in all_of_them}, {(a, b), (b, a)})
        for end in (a, b):
            self.assertTrue(is_quic_greeting(next(p for one, _, _, p in all_of_them if one == end)))
        classes = {dscp for one, _, dscp, payload in all_of_them
                   if one == a and is_quic_greeting(payload)}
        self.assertEqual(classes, {SIGNALLING})
        self.assertRegex(lab.gateways["a"].text(), rf"{len(all_of_them)} packets, 0 left out")

    def test_tshark_reads_quic_with_our_alpn_and_nothing_malformed(self):
        captures.judge_by_tshark(self, lambda: self.captured(self.lab()))

    def test_a_capture_that_cannot_be_written_ends_the_start(self):
        lab = self.lab(port='capture = "/nowhere/at/all.pcap"\n')
        gateway = lab.start("a", wait=False)
        self.assertEqual(gateway.process.wait(30), 1)
        self.assertIn("cannot write the capture /nowhere/at/all.pcap: No such file or directory",
                      gateway.text())

    def test_the_kernel_marks_what_dscp_names(self):
        for port in ("uring", "epoll"):
            for table, wanted in (("[dscp]\n", SIGNALLING), ('[dscp]\ncontrol = "ef"\n', 46 << 2),
                                  ("", 0)):
                with self.subTest(port=port, table=table), \
                     socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as witness:
                    witness.bind(("127.0.0.1", 0))
                    witness.setsockopt(socket.IPPROTO_IP, socket.IP_RECVTOS, 1)
                    witness.settimeout(harness.READY_SECONDS)
                    lab = self.lab(policies=table, port=f'kind = "{port}"\n')
                    lab.ports["b"] = witness.getsockname()[1]
                    lab.start("a", wait=False)  # a dials b, which is the witness
                    payload, control, _, _ = witness.recvmsg(2048, 64)
                    self.assertTrue(is_quic_greeting(payload))
                    self.assertEqual([data[0] for level, kind, data in control
                                      if (level, kind) == (socket.IPPROTO_IP, socket.IP_TOS)],
                                     [wanted])
                    lab.gateways["a"].kill()


class Idle(unittest.TestCase):
    def test_gateways_work_however_they_rest(self):
        for idle in ("adaptive", "spin"):
            with self.subTest(idle), harness.Lab(sites=("a", "b"), port=f'idle = "{idle}"\n') as lab:
                lab.start_all()
                lab.wait_healthy()
                for site in lab.sites:
                    self.assertEqual(lab.gateways[site].end(), 0)


if __name__ == "__main__":
    unittest.main()
