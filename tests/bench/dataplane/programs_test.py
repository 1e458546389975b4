"""The programs behind `bench/run dataplane`, run for moments over loopback: they carry and they tell.

The classes to run are named by the build, which knows what it has."""

import json
import os
import subprocess
import tempfile
import unittest

BUILD = os.environ["GODWIT_BUILD"]
PATH = os.path.join(BUILD, "bench", "dataplane", "godwit-path")
LOOPBACK = os.path.join(BUILD, "bench", "dataplane", "godwit-loopback")
PORT = os.path.join(BUILD, "bench", "dataplane", "godwit-port")
GODWIT = os.path.join(BUILD, "api", "cli", "godwit")
SECONDS_MAX = 120


def start(*words):
    return subprocess.Popen(words, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)


def said(test, process):
    out, complaint = process.communicate(timeout=SECONDS_MAX)
    test.assertEqual(process.returncode, 0, complaint)
    return [json.loads(line) for line in out.splitlines()]


class OneEndOfAPath(unittest.TestCase):
    def both(self, receive, send):
        receiver = start(PATH, *receive)
        self.assertEqual(json.loads(receiver.stdout.readline()), {"ready": True})
        sender = start(PATH, *send)
        return said(self, sender)[-1], said(self, receiver)[-1]

    def test_carries_bulk_and_control_through_a_session(self):
        with tempfile.TemporaryDirectory() as folder:
            for words in (["init", folder], ["issue", folder, "a", "b"]):
                subprocess.run([GODWIT, "cert", *words], check=True, capture_output=True)
            a, b, shared = "127.0.0.1:47311", "127.0.0.2:47312", ["--certificates", folder]
            sent, got = self.both(
                ["quic-receive", *shared, "--site", "b", "--peer-site", "a", "--local", b, "--peer", a,
                 "--seconds", "6"],
                ["quic-send", *shared, "--site", "a", "--peer-site", "b", "--local", a, "--peer", b,
                 "--seconds", "5", "--cap-mbit", "20", "--control-ms", "20"])
        self.assertEqual((sent["sessions"], got["sessions"]), (1, 1))
        self.assertEqual(sent["control_refused"], 0)
        self.assertGreater(sum(got["bytes"]), 0)
        # 20 Mbit/s for at most 5 s, and one transfer of credit.
        self.assertLess(sum(got["bytes"]), 20e6 / 8 * 5 + 65_536)
        self.assertGreater(len(got["control"]), 0)
        self.assertTrue(all(delay >= 0 for _, delay in got["control"]))
        sent_at = [at for at, _ in got["control"]]
        self.assertEqual(sent_at, sorted(sent_at))

    def test_carries_bulk_over_tcp(self):
        there = "127.0.0.1:47313"
        sent, got = self.both(["tcp-receive", "--local", there, "--seconds", "2"],
                              ["tcp-send", "--peer", there, "--seconds", "1", "--congestion", "cubic"])
        self.assertGreater(sent["sent"], 0)
        self.assertEqual(sum(got["bytes"]), sent["sent"])  # the receiver lasted longer

    def test_carries_lone_datagrams(self):
        there = "127.0.0.1:47314"
        sent, got = self.both(["datagram-receive", "--local", there, "--seconds", "2"],
                              ["datagram-send", "--peer", there, "--seconds", "1", "--every-ms", "20"])
        self.assertGreater(len(got["control"]), 1)
        self.assertLessEqual(len(got["control"]), sent["packets"])
        self.assertLessEqual(sent["packets"], 51)
        # The stamp lies within the run: neither end's clock is another one.
        self.assertTrue(all(0 <= at <= 2 and 0 <= delay <= 2000 for at, delay in got["control"]), got["control"])

    def test_says_what_the_kernel_does_not_offer(self):
        process = start(PATH, "tcp-send", "--peer", "127.0.0.1:1", "--seconds", "1", "--congestion", "nothing")
        _, complaint = process.communicate(timeout=SECONDS_MAX)
        self.assertEqual((process.returncode, complaint),
                         (1, "godwit-path: the kernel does not offer nothing\n"))


class ThePortProgram(unittest.TestCase):
    def test_carries_datagrams_through_a_window(self):
        for port in ("uring", "epoll"):
            with self.subTest(port):
                receiver = start(PORT, "receive", "--port", port, "--local", "127.7.7.2/8", "--seconds", "4")
                self.assertEqual(json.loads(receiver.stdout.readline()), {"ready": True})
                sent, = said(self, start(PORT, "send", "--port", port, "--local", "127.7.7.1/8", "--seconds", "3",
                                         "--peer", "127.7.7.2:7000"))
                got, = said(self, receiver)
                self.assertEqual((sent["bytes"] % 1472, got["bytes"] % 1472), (0, 0))
                # More than one window: the receiver's word was heard.
                self.assertGreater(got["bytes"], 1024 * 1472)
                self.assertLessEqual(got["bytes"], sent["bytes"])
                self.assertGreater(min(sent["processor_s"], got["processor_s"]), 0)

    def test_measures_the_endpoint_over_rings(self):
        rounds = said(self, start(PORT, "rings", "--rounds", "2"))
        self.assertEqual([set(line) for line in rounds], [{"ns", "memcpy_ns"}] * 2)
        self.assertTrue(all(min(line.values()) > 0 for line in rounds), rounds)


class TheLoopbackProgram(unittest.TestCase):
    def test_gives_every_flow_a_phase_in_every_round(self):
        rounds = said(self, start(LOOPBACK, "--rounds", "3", "--phase-ms", "30"))
        self.assertEqual(len(rounds), 3)
        for work in rounds:
            self.assertEqual(set(work), {"quic", "tls", "aead", "own_aead"})
            for flow in work.values():
                self.assertGreater(flow["bytes"], 0)
                self.assertGreater(min(flow["sender_s"], flow["receiver_s"]), 0)
            # OpenSSL asks malloc for every record.
            self.assertGreater(min(work["tls"]["sender_mallocs"], work["tls"]["receiver_mallocs"]), 0)
            self.assertIn("sender_mallocs", work["quic"])
        # Which one is first moves on by one each time.
        self.assertEqual(len({next(iter(work)) for work in rounds}), 3)
        # Alone, a flow begins its first phase before its threads have begun.
        self.assertEqual([set(work) for work in said(self, start(
            LOOPBACK, "--rounds", "1", "--phase-ms", "30", "--only", "quic"))], [{"quic"}])


if __name__ == "__main__":
    unittest.main()
