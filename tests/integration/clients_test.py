"""What clients can and cannot do to a gateway and to each other."""
import contextlib
import os
import signal
import socket
import struct
import unittest

import lab as harness

# What the gateway does with each kind of hostile client; the reason where it gives one.
CLOSED = {
    "data-out-of-order": "publish: values at 2+3, expected at 0, 3 left",
    "data-without-begin": "PublishCommit without its PublishBegin",
    "hello-twice": "Hello came twice",
    "no-hello": "the first record must be Hello",
    "other-topic": "the handle names another topic already",
    "receipt-beyond": "receipt of transfer 1000000",
    "same-subscriber": "the subscription is held already",
    "newer-subscriber": "the subscription is held already",
    "subscribe-twice": "the subscription is held already",
    "future-clock": "Tick is malformed, or its clock above 2^48",
    "undeclared-handle": "Tick of a topic that is not declared",
}
HARMLESS = ("out-of-range", "silent", "early-exit", "greedy-waits")
NOISES = 60 if harness.FULL else 8
CLIENTS_MAX = 256


class Clients(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.lab = harness.Lab(sites=("a", "b"))
        cls.addClassCleanup(cls.lab.__exit__)
        cls.lab.start_all()
        cls.lab.wait_healthy()

    def test_a_value_that_is_no_number_is_refused_with_its_place(self):
        lab = self.lab
        topic = {"topic": "values", "elements": 8}
        for bad, said in (("nan", "nan"), ("inf", "inf"), ("-inf", "-inf"), ("4e6", "4e+06")):
            answer = lab.probe("publish", "a", **topic, first=2, values=f"1,1,{bad},1")
            self.assertRegex(answer, "^refused .*element 4: .* is ", bad)
            self.assertIn(said.replace("4e+06", "4"), answer)
        self.assertEqual(lab.probe("sum", "a", **topic), " ".join("0" * 8))
        self.assertRegex(lab.probe("publish", "a", **topic, first=6, values="1,1"), "^reached")
        self.assertEqual(lab.probe("sum", "a", **topic).split()[6:], [str(1 << 40)] * 2)
        self.assertEqual(lab.ask("a", "topic", "values")["topics"][0]["summary"]["refused"], 4)
        lab.wait_for(lambda: lab.metric("a", "godwit_topic_refused_total")
                     [("values", "not_finite")] == 3, "three refused publishes in the metric", 30)
        refused = lab.metric("a", "godwit_topic_refused_total")
        self.assertEqual({reason: refused[("values", reason)]
                          for reason in ("not_finite", "out_of_range", "shape", "other")},
                         {"not_finite": 3, "out_of_range": 1, "shape": 0, "other": 0})

    def test_a_publish_that_is_applied_is_in_the_others_sum(self):
        lab = self.lab
        topic = {"topic": "levels", "elements": 2}
        lab.probe("declare", "b", **topic)  # a site holds what one of its clients has declared
        for round, level in enumerate(("applied", "stable"), 1):
            self.assertRegex(lab.probe("publish", "a", **topic, values="1,0", level=level), "^reached", level)
            self.assertEqual(lab.probe("sum", "b", **topic).split()[0], str(round << 40))
        there = lab.gateways["b"].process.pid
        os.kill(there, signal.SIGSTOP)
        try:
            for level in ("applied", "stable"):
                self.assertRegex(lab.probe("publish", "a", **topic, values="1,0", level=level, ms=700), "^timeout", level)
        finally:
            os.kill(there, signal.SIGCONT)
        lab.wait_healthy()
        self.assertRegex(lab.probe("publish", "a", **topic, values="1,0", level="stable"), "^reached")
        self.assertEqual(lab.probe("sum", "b", **topic).split()[0], str(5 << 40))

    def test_who_waits_for_a_clock_that_nobody_reaches_is_told_by_whom_in_time(self):
        """A loaded machine may miss the few milliseconds left for the answer; never every time."""
        for ms in (50, 130, 300, 700):
            answers = []
            while "partial a b" not in answers and len(answers) < 20:
                answers.append(self.lab.probe("wait", "a", topic="clocks", elements=8, ms=ms))
            self.assertEqual(answers[-1], "partial a b", f"{ms} ms: {answers}")
            self.assertLessEqual(set(answers), {"partial a b", "no answer"})

    def test_a_sum_never_grows_beyond_its_range(self):
        """Refused while it could still be merged, with the element: no site can ever overflow."""
        lab = self.lab
        topic = {"topic": "range", "elements": 2}
        outcomes = [lab.probe("publish", "a", **topic, values="0,1.2e6") for _ in range(3)]
        self.assertRegex(outcomes[0], "^reached")
        self.assertRegex(outcomes[-1], r"^refused .*element 1: 1200000 more would take the sum out")
        merged = sum(outcome.startswith("reached") for outcome in outcomes)
        self.assertEqual(lab.probe("sum", "b", **topic, seconds=2).split()[1],
                         str(merged * 1_200_000 << 40))

    def test_a_sum_may_swing_from_end_to_end_of_its_range(self):
        """What is open is then twice what the door lets in, and still within the codec's range."""
        lab = self.lab
        topic = {"topic": "swing", "elements": 2}
        # The greatest that the door takes, of shares of 2^62 quanta; they have 40 fraction bits.
        most = next(value for value in ((1 << 62) // share >> 40 for share in range(1, 9))
                    if lab.probe("publish", "a", **topic, values=f"{value},1").startswith("reached"))
        lab.wait_for(lambda: lab.probe("sum", "b", **topic).split() == [str(most << 40), str(1 << 40)],
                     "the sum at the other site", 30)
        lab.gateways["b"].kill()  # so that all of the swing is open at once
        lab.wait_for(lambda: lab.problems("a"), "the link is down", 30)
        for _ in range(2):
            self.assertRegex(lab.probe("publish", "a", **topic, values=f"-{most},0"), "^reached")
        lab.start("b")
        lab.wait_for(lambda: lab.probe("sum", "b", **topic).split() == [str(-most << 40), str(1 << 40)],
                     "the swing at the other site", 60)
        self.assertTrue(lab.gateways["a"].running, lab.gateways["a"].text()[-2000:])

    def test_a_topic_beyond_the_memory_is_refused(self):
        answer = self.lab.probe("declare", "a", topic="huge", elements=10**9)
        self.assertRegex(answer, r"^refused .*MiB.*\[self\] memory")

    def test_a_topic_whose_shards_do_not_fit_together_leaves_nothing(self):
        """Any one of its eight shards would fit."""
        lab = self.lab
        answer = lab.probe("declare", "a", topic="parts", elements=16_000_000)
        self.assertRegex(answer, r"^refused .*topic parts: may need \d+ MiB.*\[self\] memory")
        self.assertNotIn("parts", [topic["summary"]["name"] for topic in lab.ask("a", "topic")["topics"]])
        self.assertRegex(lab.probe("declare", "a", topic="parts", elements=8), "^open ")

    def test_a_topic_is_declared_alike_by_everybody(self):
        lab = self.lab
        self.assertRegex(lab.probe("declare", "a", topic="alike", elements=8), "^open ")
        self.assertRegex(lab.probe("declare", "a", topic="alike", elements=9),
                         "^refused .*the element count differs")

    def test_hostile_clients_harm_nobody(self):
        lab = self.lab
        gateway = lab.gateways["a"]
        process = gateway.process.pid
        publisher = lab.publisher("a", "honest", values=200)
        auditor = lab.auditor("a")
        kinds = set(lab.hostile("kinds", "a").split())
        self.assertEqual(kinds, set(CLOSED) | set(HARMLESS) | {"noise"})
        for kind, reason in CLOSED.items():
            with self.subTest(kind):
                answer = lab.hostile(kind, "a")
                self.assertRegex(answer, "^closed ", kind)
                self.assertIn(reason, answer)
        for kind in HARMLESS:
            with self.subTest(kind):
                self.assertIn(lab.hostile(kind, "a"), ("", "ignored"), kind)
        for seed in range(NOISES):
            answer = lab.hostile("noise", "a", seed=seed)
            self.assertRegex(answer, "^(closed|gone)", f"noise of seed {seed}")
        self.assertTrue(gateway.running, gateway.text()[-2000:])
        self.assertEqual(gateway.process.pid, process)
        # No clock was moved by them: who waits for a far one is told that nobody has reached it.
        waits = {"topic": harness.TOPIC, "elements": harness.ELEMENTS, "clock": 1 << 39, "ms": 1000}
        lab.wait_for(lambda: lab.probe("wait", "a", **waits) == "partial a b", "a far clock", 30)
        self.assertEqual(publisher.end(), 0, publisher.text())
        self.assertRegex(auditor.ask(f"check 60 {lab.log_of('honest')}", 90), "^equal ")
        # They are all gone again: only the auditor is left.
        lab.wait_for(lambda: lab.ask("a", "status")["clients"] == 1, "the hostile ones' end", 30)
        self.assertEqual(lab.ask("a", "ledger", codes=(0,))["defect"], 0)
        lab.wait_for(lambda: sum(lab.metric("a", "godwit_client_refused_total").values()) >=
                     len(CLOSED) + NOISES, "every hostile client in the metric", 30)

    def test_silent_connections_turn_others_away_for_seconds_and_are_named(self):
        """They speak the greeting of api/local/SPEC.md and then never say Hello."""
        lab = self.lab
        with contextlib.ExitStack() as stack:
            for _ in range(CLIENTS_MAX + 20):
                silent = stack.enter_context(socket.socket(socket.AF_UNIX))
                silent.connect(str(lab.folder / "b" / "client"))
                silent.sendall(struct.pack("<8sII", b"GDWTLOC1", 1, 0))
            lab.wait_for(lambda: "client.limit" in [problem["reason"] for problem in lab.problems("b")],
                         "the problem client.limit", 8)
            told = lab.gateways["b"].text().count("a client was turned away: 256 are connected, of at most 256")
            self.assertIn(told, (1, 2), "the 1st and the 10th")
            lab.wait_for(lambda: lab.metric("b", "godwit_client_refused_total")[("limit",)] > 0, "the metric", 8)
            lab.wait_for(lambda: lab.ask("b", "status")["clients"] == 0, "their end", 30)
        lab.wait_healthy()
        self.assertRegex(lab.probe("declare", "b", topic="after", elements=8), "^open ")


if __name__ == "__main__":
    unittest.main()
