"""The driver's connection to the WAN emulator: what breaks it, and what is said when it cannot be mended.

Run inside `unshare -rUn`: the emulator's sites need no privilege there.
"""
import signal
import socket
import unittest

import emulated_wan  # which makes bench importable
import lab as harness

from bench.lab.failure import Failure  # noqa: E402

CLIENTS = 90  # more than the emulator keeps


class Emulator(unittest.TestCase):
    def setUp(self):
        self.registry, self.wan = emulated_wan.of_two_sites(self)

    def test_who_is_pushed_out_by_idle_clients_connects_again(self):
        self.assertTrue(self.wan.ask("stats")["ok"])
        for _ in range(CLIENTS):
            idle = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
            self.addCleanup(idle.close)
            idle.connect(self.wan.socket_path)
        # The last one is taken: so are all before it.
        idle.sendall(b'{"op": "stats"}\n')
        self.assertIn(b'"ok"', idle.recv(65536))
        self.assertTrue(self.wan.ask("stats")["ok"])

    def test_what_the_command_asks_wrongly_is_wrong_use(self):
        site = self.wan.ask("sites")["sites"][0]["name"]
        for words, said in ((["stats"], '"ok":true'),
                            (["statistics"], "unknown op 'statistics'"),
                            (["cut", "x" * 5000, site], "the request has 5"),
                            (["cut", "nowhere", site], "nowhere"),
                            (["set", site, "*", "rate=fast"], "fast")):
            with self.subTest(words[0]):
                done = harness.run(harness.WAN, "ctl", self.wan.socket_path, *words)
                self.assertEqual(done.returncode, 0 if words == ["stats"] else 2, done.stderr)
                self.assertIn(said, done.stdout + done.stderr)

    def test_an_emulator_that_was_killed_is_a_failure_with_a_sentence(self):
        self.wan.process.send_signal(signal.SIGKILL)
        self.wan.process.wait()
        with self.assertRaisesRegex(Failure, "the WAN emulator has ended"):
            self.wan.ask("stats")


if __name__ == "__main__":
    unittest.main()
