"""Faults of a run: when they happen, what counts as recovered, and what the JSON says of it."""

import os
import sys
import unittest
from unittest import mock

sys.path.insert(0, os.path.join(os.path.dirname(os.path.realpath(__file__)), "..", "..", ".."))

from bench.lab import faults  # noqa: E402


class Clock:
    def __init__(self):
        self.now = 1000.0

    def monotonic(self):
        return self.now


class FakeLab:
    """Three gateways; the test says what each of their links looks like."""

    def __init__(self):
        self.console = self.wan = self.gateways = self
        self.sites = [{"name": name} for name in ("VA", "SP", "IE")]
        self.said, self.done, self.state = [], [], {}
        self.received = self.in_state_ns = 0
        self.dead = set()  # names of two sites without a link

    def say(self, text):
        self.said.append(text.strip())

    def cut(self, a, b):
        self.done.append(("cut", a, b))

    def heal(self, a, b):
        self.done.append(("heal", a, b))

    def kill(self, index):
        self.done.append(("kill", index))

    def round_trip_ms(self, _a, _b):
        return 300.0

    def links(self):
        names = [site["name"] for site in self.sites]
        return {(a, b): {"cut": {a, b} == self.dead} for a in names for b in names if a != b}

    def link(self, own, peer):
        state = self.state.get((own, peer), "up")
        return None if state == "away" else {"state": state, "received_transfers": self.received,
                                                    "in_state_ns": self.in_state_ns}


class Faults(unittest.TestCase):
    def setUp(self):
        self.lab, self.clock = FakeLab(), Clock()
        patch = mock.patch.object(faults, "time", self.clock)
        patch.start()
        self.addCleanup(patch.stop)
        self.started = self.clock.now

    def go_on(self, plan, seconds):
        for _ in range(round(seconds / 0.05)):
            self.clock.now += 0.05
            plan.turn(self.lab, self.clock.now - self.started)

    def test_a_cut_lasts_thirty_seconds_and_recovery_counts_from_its_end(self):
        plan = faults.Plan([], [5.0], 3)
        self.go_on(plan, 4.9)
        self.assertEqual(self.lab.done, [])
        self.go_on(plan, 0.2)
        self.assertEqual(self.lab.done, [("cut", "VA", "SP")])
        self.lab.state = {(0, 1): "down", (1, 0): "down"}
        self.go_on(plan, 29.8)
        self.assertEqual(len(self.lab.done), 1)
        self.go_on(plan, 0.4)
        self.assertEqual(self.lab.done[1:], [("heal", "VA", "SP")])
        self.go_on(plan, 0.5)
        self.assertFalse(plan.settled())
        self.lab.state = {}
        self.lab.received = 1
        self.go_on(plan, 0.2)
        self.assertTrue(plan.settled())
        self.assertAlmostEqual(plan.faults[0].recovery, 0.75, delta=0.2)
        self.assertEqual(plan.problems(self.lab), [])

    def test_a_link_that_is_up_and_silent_is_not_over(self):
        plan = faults.Plan([], [0.0], 3)
        self.go_on(plan, 35.0)
        self.assertFalse(plan.settled())
        self.lab.received = 1
        self.lab.in_state_ns = 4_000_000_000
        self.go_on(plan, 0.2)
        self.assertTrue(plan.settled())
        self.assertAlmostEqual(plan.faults[0].up, 1.0, delta=0.3)  # the gateway's own word
        self.assertAlmostEqual(plan.faults[0].recovery, 5.0, delta=0.3)
        self.assertEqual(len(plan.problems(self.lab)), 1)  # up in time, and 5 s are too late

    def test_a_link_that_comes_up_too_late_is_a_problem(self):
        plan = faults.Plan([], [0.0], 3)
        self.lab.state = {(0, 1): "down"}
        self.go_on(plan, 32.0)
        self.lab.state, self.lab.received = {}, 1
        self.go_on(plan, 0.2)
        self.assertEqual(len(plan.problems(self.lab)), 1)  # 2 s are more than the promised 1.6 s

    def test_what_never_recovers_ends_and_is_told(self):
        plan = faults.Plan([], [0.0], 3)
        self.lab.state = {(1, 0): "down"}
        self.go_on(plan, 55.0)
        self.assertTrue(plan.settled())
        self.assertEqual(plan.to_json(self.lab)["recovery_seconds"], ">20")
        self.assertEqual(len(plan.problems(self.lab)), 1)

    def test_kills_go_round_the_sites_and_wait_for_every_link_of_the_killed_one(self):
        plan = faults.Plan([2.0, 8.0], [], 3)
        self.go_on(plan, 2.2)
        self.assertEqual(self.lab.done, [("kill", 0)])
        self.lab.state = {(0, 1): "away", (0, 2): "away"}
        self.go_on(plan, 1.0)
        self.lab.received = 1
        self.lab.state = {(2, 0): "connecting"}
        self.go_on(plan, 0.5)
        self.assertFalse(plan.faults[0].over)
        self.lab.state = {}
        self.go_on(plan, 0.5)
        self.assertTrue(plan.faults[0].over)
        self.assertFalse(plan.settled())
        self.go_on(plan, 4.0)
        self.assertEqual(self.lab.done, [("kill", 0), ("kill", 1)])

    def test_a_killed_gateway_is_not_blamed_for_a_link_that_is_cut(self):
        plan = faults.Plan([2.0], [], 3)
        self.lab.dead = {"VA", "IE"}
        self.lab.state = {(0, 2): "down", (2, 0): "down"}
        self.go_on(plan, 3.2)
        self.lab.received = 1
        self.go_on(plan, 0.3)
        self.assertTrue(plan.settled())
        self.assertEqual(plan.problems(self.lab), [])

    def test_the_limit_leaves_room_for_every_fault_and_is_never_lowered(self):
        self.assertEqual(faults.Plan([], [], 3).limit(40.0), 40.0)
        self.assertEqual(faults.Plan([1.0], [], 3).limit(600.0), 600.0)
        self.assertGreater(faults.Plan([], [5.0], 3).limit(40.0), 5.0 + faults.CUT_SECONDS)

    def test_the_json_names_the_worst_recovery_of_a_cut_and_has_nothing_without_faults(self):
        self.assertEqual(faults.Plan([], [], 3).to_json(self.lab), {})
        plan = faults.Plan([1.0], [1.0, 2.0], 3)
        for fault, recovery in zip(plan.faults, (3.0, 0.5, 0.7)):
            fault.up = fault.recovery = recovery
        members = plan.to_json(self.lab)
        self.assertEqual(members["recovery_seconds"], 0.7)
        self.assertEqual([entry["what"] for entry in members["faults"]], ["VA", "VA-SP", "VA-IE"])


if __name__ == "__main__":
    unittest.main()
