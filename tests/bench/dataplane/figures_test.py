"""The arithmetic between what the programs of bench/dataplane say and the figures."""

import json
import os
import sys
import tempfile
import unittest

sys.path.insert(0, os.path.join(os.path.dirname(os.path.realpath(__file__)), "..", "..", ".."))

from bench.dataplane import junk, loopback, path, recovery, table  # noqa: E402
from bench.dataplane.flows import Arrivals  # noqa: E402
from bench.lab import machine, suite  # noqa: E402
from bench.lab.figure import Bar, Condition, Figure, quantile  # noqa: E402

# What bench/run dataplane is to write today, by exact name.
NAMES = ({f"quic_over_tcp_tls_{side}" for side in ("sender", "receiver", "both")}
         | {f"goodput_{kind}loss_{loss}" for kind in ("", "tcp_bbr_", "tcp_cubic_")
            for loss in ("0", "0.1", "1", "3")}
         | {"quic_over_aead_both", "quic_over_own_aead_both", "quic_malloc_calls_per_gb", "bottleneck_delay_p95_ms",
            "control_p99_excess_ms", "recovery_step_s", "recovery_cut_s", "junk_goodput_ratio",
            "junk_goodput_ratio_uring_1", "junk_goodput_ratio_dpdk_1", "junk_goodput_ratio_dpdk_2",
            "junk_growth_mib_uring_1", "junk_growth_mib_dpdk_1", "junk_growth_mib_dpdk_2",
            "idle_core_share_uring", "idle_core_share_dpdk", "udpip_ns_per_packet",
            "afpacket_over_uring", "worker_cpu_ratio_2", "worker_cpu_ratio_4"})


def arrivals(bins, began=100.0):
    return Arrivals({"began_ns": int(began * 1e9), "bin_ns": 100_000_000, "bytes": bins, "control": []})


class WhatArrived(unittest.TestCase):
    def test_only_whole_bins_count(self):
        flow = arrivals([1_000_000, 125_000, 250_000, 1_000_000])
        self.assertAlmostEqual(flow.mbit(100.05, 100.35), 15.0)  # 375,000 bytes in 0.2 s
        self.assertAlmostEqual(flow.mbit(100.1, 100.3), 15.0)

    def test_silence_after_the_last_arrival_counts(self):
        self.assertAlmostEqual(arrivals([125_000]).mbit(100.0, 101.0), 1.0)

    def test_nothing_before_the_receiver_began(self):
        self.assertEqual(arrivals([125_000]).mbit(90.0, 100.0), 0.0)

    def test_recovery_is_the_first_full_second(self):
        # 1 s at 50 Mbit/s, 1.2 s of nothing, a burst of 0.3 s, nothing for 0.5 s, then 50 again.
        full = 625_000
        flow = arrivals([full] * 10 + [0] * 12 + [full] * 3 + [0] * 5 + [full] * 20)
        self.assertAlmostEqual(flow.back_at(101.0, 105.0, 45.0, 1.0), 1.9)

    def test_no_recovery_within_the_time_that_was_watched(self):
        self.assertIsNone(arrivals([0] * 50).back_at(101.0, 105.0, 45.0, 1.0))
        self.assertIsNone(arrivals([0] * 30 + [625_000] * 8).back_at(100.0, 103.8, 45.0, 1.0))


class AFigure(unittest.TestCase):
    def test_is_a_median_over_pairs(self):
        figure = Figure("x", "u", "r", [(1, 2), (3, 3), (10, 5)])
        self.assertEqual(json.loads(figure.line()), {
            "name": "x", "value": 3.0, "unit": "u", "reference": "r", "reference_value": 3.0, "ratio": 1.0,
            "p25": 0.75, "p75": 1.5, "runs": 3})

    def test_quartiles_lie_between_neighbours(self):
        self.assertAlmostEqual(quantile([4, 1, 3, 2], 0.25), 1.75)
        self.assertEqual(quantile([7], 0.99), 7)

    def test_meets_its_bar_by_the_median_when_runs_agree(self):
        runs = [(0.97, 1), (0.96, 1), (0.9, 1), (0.96, 1), (0.93, 1)]
        self.assertTrue(Figure("x", "u", "r", runs, Bar("ratio", ">=", 0.96)).met())
        self.assertFalse(Figure("x", "u", "r", runs, Bar("ratio", ">=", 0.965)).met())

    def test_meets_its_bar_by_the_worse_quartile_when_they_do_not(self):
        runs = [(1, 10), (2, 10), (4, 10), (8, 10), (9, 10)]
        self.assertTrue(Figure("x", "u", "r", runs).noisy())
        self.assertFalse(Figure("x", "u", "r", runs, Bar("value", "<=", 5)).met())
        self.assertTrue(Figure("x", "u", "r", runs, Bar("value", "<=", 8)).met())
        self.assertFalse(Figure("x", "u", "r", runs, Bar("ratio", ">=", 0.3)).met())

    def test_has_no_verdict_without_a_bar(self):
        self.assertIsNone(Figure("x", "u", "r", [(1, 1)]).met())

    def test_a_bound_is_text(self):
        members = Figure("x", "s", "r", [(7, 2), (7, 2), (1, 2)], Bar("value", "<=", 2), bound=7).members()
        self.assertEqual((members["value"], members["ratio"]), (">7", ">3.5"))
        self.assertEqual(Figure("x", "s", "r", [(7, 2), (1, 2), (1, 2)], bound=7).members()["value"], 1)


    def test_is_not_measured_when_one_run_was_not_what_it_had_to_be(self):
        figure = Figure("x", "u", "r", [(1, 1), (1, 1)], Bar("ratio", ">=", 0.5),
                        conditions=[Condition("load", [10, 7], 8)])
        self.assertFalse(figure.measured())
        self.assertIs(figure.met(), False)
        self.assertEqual(figure.members()["load"], 7)
        self.assertIn("NOT MEASURED: load 7, needed is at least 8", suite.text_of(figure))
        self.assertNotIn("meets", suite.text_of(figure))

    def test_names_every_condition_that_does_not_hold(self):
        figure = Figure("x", "u", "r", [(1, 1)], Bar("ratio", ">=", 0.5), conditions=[
            Condition("load", [8], 8), Condition("late_ms", [1, 6.5], at_most=5), Condition("missed", [0, 2], at_most=0)])
        self.assertFalse(figure.measured())
        self.assertEqual((figure.members()["late_ms"], figure.members()["missed"]), (6.5, 2))
        self.assertIn("NOT MEASURED: late_ms 6.5, needed is at most 5; missed 2, needed is at most 0", suite.text_of(figure))

    def test_is_judged_by_its_bar_when_every_run_was(self):
        for limit in (0.5, 2):
            figure = Figure("x", "u", "r", [(1, 1)], Bar("ratio", ">=", limit), conditions=[Condition("load", [8], 8)])
            self.assertEqual(figure.met(), limit == 0.5)
            self.assertNotIn("NOT MEASURED", suite.text_of(figure))


class TheDataPlanesTable(unittest.TestCase):
    def test_has_every_name_once(self):
        names = [name for benchmark in table.BENCHMARKS for name in benchmark.names]
        self.assertEqual(set(names), NAMES)
        self.assertEqual(len(names), len(NAMES))

    def test_knows_where_its_programs_are_built(self):
        for name in suite.programs(table, ["dpdk"]):
            self.assertTrue(machine.program(name).endswith("/" + name))

    def test_builds_what_needs_dpdk_only_for_figures_that_need_it(self):
        self.assertNotIn("godwit-port", suite.programs(table, []))
        self.assertIn("godwit-port", suite.programs(table, ["dpdk"]))

    def test_bytes_per_processor_second_and_calls_of_malloc_per_gb(self):
        work = {"quic": {"bytes": 10 ** 9, "sender_s": 0.5, "receiver_s": 0.5,
                         "sender_mallocs": 1, "receiver_mallocs": 2},
                "tls": {"bytes": 2 * 10 ** 9, "sender_s": 0.8, "receiver_s": 1.2,
                        "sender_mallocs": 7, "receiver_mallocs": 5},
                "aead": {"bytes": 2 * 10 ** 9, "sender_s": 0.5, "receiver_s": 0.5},
                "own_aead": {"bytes": 4 * 10 ** 9, "sender_s": 0.5, "receiver_s": 0.5}}
        ratios = {figure.name: figure.members()["ratio"] for figure in loopback.figures([work])}
        self.assertEqual(ratios, {"quic_over_tcp_tls_sender": 0.8, "quic_over_tcp_tls_receiver": 1.2,
                                  "quic_over_tcp_tls_both": 1.0, "quic_over_aead_both": 0.5,
                                  "quic_over_own_aead_both": 0.25,
                                  "quic_malloc_calls_per_gb": 0.5})

    def test_headers_leave_what_the_formats_leave(self):
        self.assertAlmostEqual(path.TCP_PAYLOAD, 1448 / 1500)
        self.assertAlmostEqual(path.QUIC_PAYLOAD, 1417 / 1480)

    def test_too_little_junk_is_no_figure(self):
        enough = junk.figure(junk.NAME, [(46, 46)] * 3, [100_000, 90_000, 99_970])
        self.assertEqual((enough.met(), enough.members()["junk_pps"]), (True, 90_000))
        too_little = junk.figure(junk.NAME, [(46, 46)] * 3, [100_000, 89_990, 100_000])
        self.assertEqual((too_little.met(), too_little.members()["junk_pps"]), (False, 89_990))

    def test_growth_is_what_a_process_had_at_most(self):
        growth = junk.Growth(os.getpid())
        held = bytearray(os.urandom(1)) * (32 << 20)
        del held
        self.assertGreaterEqual(growth.mib(), 31)
        self.assertLess(junk.Growth(os.getpid()).mib(), 16)

    def test_too_much_growth_misses_its_bar(self):
        for grown, is_met in (([1.0, 15.9, 2.0], True), ([16.5, 17.0, 2.0], False)):
            self.assertEqual(junk.growth_figure("x", grown, [100_000]).met(), is_met)
        self.assertFalse(junk.growth_figure("x", [1.0], [80_000]).met())

    def test_what_was_not_seen_to_recover_misses_its_bar(self):
        for event in ("step", "heal"):
            self.assertGreater(recovery.bound(event), recovery.LIMIT_SECONDS)


class TheCommand(unittest.TestCase):
    def test_refuses_what_it_does_not_know(self):
        sys.stderr, kept = open(os.devnull, "w", encoding="utf-8"), sys.stderr
        try:
            for arguments in (["nothing"], ["dataplane", "--only", "goodput"],
                              ["dataplane", "--json", "/no/such/folder/x.json"]):
                with self.assertRaises(SystemExit) as ended:
                    suite.parse(arguments)
                self.assertEqual(ended.exception.code, 2, arguments)
        finally:
            sys.stderr.close()
            sys.stderr = kept

    def test_replaces_the_file(self):
        with tempfile.TemporaryDirectory() as folder:
            name = os.path.join(folder, "figures.json")
            for count in (3, 1):
                with open(name + ".new", "w", encoding="utf-8") as file:
                    file.write("left by a run that was killed\n")
                suite.write(name, [Figure(f"f{i}", "u", "r", [(1, 1)]) for i in range(count)])
            with open(name, encoding="utf-8") as file:
                self.assertEqual([json.loads(line)["name"] for line in file], ["f0"])
            self.assertEqual(os.listdir(folder), ["figures.json"])


if __name__ == "__main__":
    unittest.main()
